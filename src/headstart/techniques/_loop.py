"""The one training loop: length-bucketed batches, a schedule that ends on time, early stopping, halving on OOM."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from headstart._compute import bf16_pays, device
from headstart.activations.activations import Activations

WARM_UP = 0.1  # share of the training in which the rate rises
FINAL = 0.02  # of the rate, at the end


@dataclass(frozen=True)
class Recipe:
    """How to train: rates, length and limits."""

    epochs: float = 5
    lr: float = 5e-4
    head_lr: float = 5e-3
    layer_decay: float = 0.9  # rate of a stage over that of the one above it
    weight_decay: float = 0.01
    batch: int = 16
    seconds: float | None = None
    seed: int = 0
    norm_learns: bool = False  # BatchNorm statistics follow the data; only for networks that start untrained
    patience: int = 3  # epochs without gain on the held-out rows; needs held-out rows


def loss_of(kind: str) -> nn.Module:
    """Cross entropy for label, binary cross entropy for labels, squared error for number; all per row."""
    if kind == "label":
        return nn.CrossEntropyLoss(reduction="none")
    return nn.BCEWithLogitsLoss(reduction="none") if kind == "labels" else nn.MSELoss(reduction="none")


def train(
    network: nn.Module, X: Activations, y: np.ndarray, weight: np.ndarray, kind: str, recipe: Recipe,
    held: tuple[Activations, np.ndarray] | None = None,
) -> dict[str, float]:  # fmt: skip
    """Train `network(values, mask) -> outputs` in place; returns what was done: epochs, steps, seconds.

    The rate follows a cosine over max(share of epochs, share of seconds), so a training that runs out of time has still
    gone through its whole schedule. With held-out rows the weights of the best epoch come back. A step that does not
    fit into memory is repeated in halves that add up to the same gradient.
    """
    torch.manual_seed(recipe.seed)
    start = time.monotonic()
    rng = np.random.default_rng(recipe.seed)
    place = device()
    network.to(place).train()
    if not recipe.norm_learns:
        freeze_norms(network)
    optimiser = torch.optim.AdamW(_groups(network, recipe), fused=place.type in ("cpu", "cuda"))
    rates = [group["lr"] for group in optimiser.param_groups]
    loss = loss_of(kind)
    lengths = X.lengths()
    steps_an_epoch = math.ceil(len(X) / recipe.batch)
    total = max(1, round(steps_an_epoch * recipe.epochs))
    step, parts, waited = 0, 1, 0
    best: tuple[float, dict[str, Tensor]] | None = None
    while step < total:
        for batch in _bucketed(lengths, recipe.batch, rng):
            spent = (time.monotonic() - start) / recipe.seconds if recipe.seconds else 0.0
            done = max(step / total, spent)
            if step >= total or done >= 1:
                step = total
                break
            for group, rate in zip(optimiser.param_groups, rates, strict=True):
                group["lr"] = rate * _schedule(done)
            optimiser.zero_grad(set_to_none=True)
            parts = _accumulate(network, loss, X, y, weight, batch, parts)
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            step += 1
        if held is not None:
            value = _held_loss(network, loss, *held)
            network.train()
            if not recipe.norm_learns:
                freeze_norms(network)
            if best is None or value < best[0]:
                best, waited = (value, copy.deepcopy(network.state_dict())), 0
            elif (waited := waited + 1) >= recipe.patience:
                break
    if best is not None:
        network.load_state_dict(best[1])
    network.eval()
    return {"steps": float(step), "seconds": time.monotonic() - start}


def freeze_norms(network: nn.Module) -> None:
    """BatchNorm keeps its statistics and dropout stays as it is: small batches would wash out what was learnt."""
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()


@torch.inference_mode()
def outputs(network: nn.Module, X: Activations, batch: int = 32) -> np.ndarray:
    """Outputs (n, k) of a network in eval mode, rows sorted by length so that little is padded."""
    network.to(device()).eval()
    order = np.argsort(X.lengths(), kind="stable")
    parts = []
    for start in range(0, len(order), batch):
        values, mask = tensors(X, order[start : start + batch])
        with torch.autocast(device().type, torch.bfloat16, enabled=device().type == "cuda"):
            parts.append(network(values, mask).float().cpu().numpy())
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


def _accumulate(
    network: nn.Module, loss: nn.Module, X: Activations, y: np.ndarray, weight: np.ndarray, batch: np.ndarray,
    parts: int,
) -> int:  # fmt: skip
    """Gradients of a batch, in so many parts that each fits into memory; returns that number."""
    share = float(weight[batch].sum())
    while True:
        try:
            for part in np.array_split(batch, min(parts, len(batch))):
                values, mask = tensors(X, part)
                with torch.autocast(device().type, torch.bfloat16, enabled=_halved(X.kind)):
                    told = network(values, mask)
                w = torch.as_tensor(weight[part], dtype=torch.float32, device=device()) / share
                (_row_loss(loss, told.float(), y[part]) * w).sum().backward()
            return parts
        except (torch.OutOfMemoryError, MemoryError):
            if parts >= len(batch):
                raise
            parts *= 2
            network.zero_grad(set_to_none=True)
            if device().type == "cuda":
                torch.cuda.empty_cache()


def _halved(kind: str) -> bool:
    """bfloat16 on CUDA, and where it pays on a CPU, but not for maps there: depthwise convolutions are slower in it."""
    return device().type == "cuda" or (kind in ("tokens", "ids", "vector") and bf16_pays())


def _row_loss(loss: nn.Module, told: Tensor, y: np.ndarray) -> Tensor:
    true = torch.from_numpy(np.ascontiguousarray(y)).to(told.device)
    if told.ndim == 2 and y.ndim == 1 and np.issubdtype(y.dtype, np.floating):
        true = true[:, None]
    value: Tensor = loss(told, true if y.ndim == 1 and not np.issubdtype(y.dtype, np.floating) else true.float())
    return value if value.ndim == 1 else value.mean(1)


def _held_loss(network: nn.Module, loss: nn.Module, X: Activations, y: np.ndarray) -> float:
    return float(_row_loss(loss, torch.from_numpy(outputs(network, X)).clone(), y).mean())


def _schedule(done: float) -> float:
    if done < WARM_UP:
        return max(done / WARM_UP, 0.05)
    return FINAL + (1 - FINAL) * 0.5 * (1 + math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP)))


def _bucketed(lengths: np.ndarray, size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Batches in random order, each of rows of about one length."""
    noisy = lengths * rng.uniform(0.95, 1.05, len(lengths)) + rng.random(len(lengths))
    batches = np.array_split(np.argsort(noisy, kind="stable"), math.ceil(len(lengths) / size))
    for i in rng.permutation(len(batches)):
        yield batches[i]


def _groups(network: nn.Module, recipe: Recipe) -> list[dict[str, object]]:
    """Parameters with their rates: the head its own, each stage below the top a little less than the one above.

    Biases and norms are not decayed.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    suffix: Any = network.get_submodule("suffix")
    stages: list[nn.Module] = list(suffix.steps.values())
    for depth, module in enumerate([*stages, network.get_submodule("head")]):
        is_head = depth == len(stages)
        rate = recipe.head_lr if is_head else recipe.lr * recipe.layer_decay ** (len(stages) - 1 - depth)
        for parameter in module.parameters():
            if parameter.requires_grad:
                decay = recipe.weight_decay if parameter.ndim > 1 else 0.0
                groups.setdefault((rate, decay), []).append(parameter)
    return [{"params": p, "lr": lr, "weight_decay": decay} for (lr, decay), p in groups.items()]
