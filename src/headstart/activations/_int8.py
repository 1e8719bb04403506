"""Post-training quantisation: weights a channel, activations a tensor, ranges from the user's own rows."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from headstart.backbones._base import Batch

SMOOTH = 0.7  # of an activation channel's range is moved into the weights (Xiao et al., SmoothQuant, ICML 2023)


@torch.no_grad()
def quantised(prefix: nn.Module, some: Batch) -> nn.Module:
    """The module, changed in place: inputs and weights of its products go through fake quantisation.

    What is fake here is real after conversion: OpenVINO turns the marked products into int8 ones.
    """
    products = [m for m in prefix.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    seen: dict[nn.Module, Tensor] = {}

    def look(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        x = inputs[0].detach()
        x = x.reshape(-1, x.shape[-1]) if isinstance(module, nn.Linear) else x.transpose(0, 1).flatten(1).T
        both = torch.stack([x.amin(0), x.amax(0)])
        known = seen.get(module, both)
        seen[module] = torch.stack([torch.minimum(known[0], both[0]), torch.maximum(known[1], both[1])])

    hooks = [m.register_forward_pre_hook(look) for m in products]
    for i in range(len(some.values)):  # one by one and unpadded, so that padding widens no range
        row = slice(i, i + 1)
        if some.mask is None:
            prefix(some.values[row], None)
        else:
            n = int(some.mask[i].sum())
            prefix(some.values[row, :n], some.mask[row, :n])
    for hook in hooks:
        hook.remove()
    for module in products:
        if module in seen:
            _mark(module, *seen[module])
    return prefix


def _mark(module: Any, low: Tensor, high: Tensor) -> None:
    """Fake quantisation of one product; a linear one is smoothed first."""
    weight = module.weight.data
    ease = torch.ones(())
    if isinstance(module, nn.Linear):
        reach = torch.maximum(low.abs(), high.abs()).clamp_min(1e-5)
        ease = (reach**SMOOTH / weight.abs().amax(0).clamp_min(1e-5) ** (1 - SMOOTH)).clamp_min(1e-5)
        weight, low, high = weight * ease, low / ease, high / ease
    low, high = low.min().clamp_max(0.0), high.max().clamp_min(0.0)
    scale = float((high - low).clamp_min(1e-6)) / 255
    zero = round(-float(low) / scale)
    step = weight.flatten(1).abs().amax(1).clamp_min(1e-8) / 127
    del module.weight
    module.register_buffer("raw", weight)

    def before(module: Any, inputs: tuple[Tensor, ...]) -> tuple[Tensor]:
        nothing = torch.zeros(len(step), dtype=torch.int32)
        module.weight = torch.fake_quantize_per_channel_affine(module.raw, step, nothing, 0, -127, 127)
        x = inputs[0] / ease if ease.ndim else inputs[0]
        return (torch.fake_quantize_per_tensor_affine(x, scale, zero, 0, 255),)

    module.register_forward_pre_hook(before)
