"""How rows go through a network: onto the device, in which precision, and all of them when nothing is learnt."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from headstart._compute import bf16_pays, device
from headstart.activations.activations import Activations

HALVES = {"bf16": torch.bfloat16, "fp16": torch.float16}
_FULL: dict[str, Any] = {"dtype": torch.bfloat16, "enabled": False}


SHORT = 256  # tokens: up to here plain products are quicker than torch's fused attention


class Quicker(TorchFunctionMode):
    """Two changes where a CPU trains in bfloat16; everywhere else torch does what it does.

    Attention as plain products, because torch's fused kernel is far slower backwards; and what a norm gives in
    bfloat16, which every product that reads it would otherwise make of it for itself, forwards and backwards.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is nn.functional.scaled_dot_product_attention and len(args) == 3:
            query, key, value = args
            plain = query.device.type == "cpu" and query.dtype == torch.bfloat16 and key.shape[-2] <= SHORT
            if plain and not (kwargs.get("dropout_p") or kwargs.get("is_causal") or kwargs.get("enable_gqa")):
                with torch.autocast("cpu", enabled=False):
                    return _attention(query, key, value, kwargs.get("attn_mask"), kwargs.get("scale"))
        out = func(*args, **kwargs)
        if func is nn.functional.layer_norm and out.device.type == "cpu" and torch.is_autocast_enabled("cpu"):
            return out.to(torch.get_autocast_dtype("cpu"))
        return out


def _attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float | None) -> Tensor:
    score = query * (scale or query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
    if mask is not None and mask.dtype == torch.bool:
        mask = torch.zeros_like(mask, dtype=score.dtype).masked_fill_(~mask, float("-inf"))
    if mask is not None:
        score += mask
    return score.softmax(-1) @ value


@torch.inference_mode()
def outputs(
    network: nn.Module, X: Activations, batch: int = 32, *, precision: str = "fp32", step: str = "forward"
) -> np.ndarray:
    """Outputs (n, k) of a network in eval mode, or of a `step` of it, rows sorted by length so that little is padded.

    `precision`: "fp32" for what is told to anyone (bfloat16 on CUDA), or that of a training for what only steers it.
    """
    network.to(device()).eval()
    order = np.argsort(X.lengths(), kind="stable")
    how = autocast(X.kind, "bf16" if device().type == "cuda" else precision)
    parts = []
    for start in range(0, len(order), batch):
        values, mask = tensors(X, order[start : start + batch])
        with Quicker(), torch.autocast(device().type, **how):
            parts.append(getattr(network, step)(values, mask).float().cpu().numpy())
    out = np.concatenate(parts)
    return np.asarray(out[np.argsort(order, kind="stable")])


def tensors(X: Activations, index: np.ndarray) -> tuple[Tensor, Tensor | None]:
    """Some rows as the network reads them; stored half precision comes back to float32."""
    values, mask = X.batch(index)
    x = torch.from_numpy(np.ascontiguousarray(values))
    x = x.float() if x.dtype == torch.float16 else x
    m = None if mask is None or mask.all() else torch.from_numpy(mask).to(device())
    if device().type == "cuda":
        x = x.pin_memory()
    x = x.to(device(), non_blocking=True)
    return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x, m


def autocast(kind: str, precision: str) -> dict[str, Any]:
    """bfloat16 on CUDA, and where it pays on a CPU, but not for maps there: depthwise convolutions are slower in it."""
    if precision != "auto":
        return _FULL if precision == "fp32" else {"dtype": HALVES[precision], "enabled": True}
    if device().type == "cuda":
        return {"dtype": torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16, "enabled": True}
    pays = device().type == "cpu" and kind in ("tokens", "ids", "vector") and bf16_pays()
    return {"dtype": torch.bfloat16, "enabled": True} if pays else _FULL
