"""Post-training quantisation: products of tokens in 8 bits a group of columns, convolutions in 8 bits a tensor."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from headstart.backbones._base import Batch

GROUP = 128  # columns of a token that share a scale: half the loss of one scale a token, at the same speed


def smaller(model: Any) -> Any:
    """An OpenVINO model, changed in place: weights of its matrix products in 8 bits, a scale and a zero a row.

    Their inputs are quantised while it runs, token by token in groups of columns, so that no ranges are needed.
    """
    from openvino import opset13 as ov

    for product in model.get_ops():
        if product.get_type_name() != "MatMul" or product.input_value(1).get_node().get_type_name() != "Constant":
            continue
        weight = np.array(product.input_value(1).get_node().data, dtype=np.float32)
        low = weight.min(1, keepdims=True, initial=0.0)
        high = weight.max(1, keepdims=True, initial=0.0)
        scale = np.maximum(high - low, 1e-8) / 255
        zero = np.clip(np.round(-low / scale), 0, 255)
        coded = np.clip(np.round(weight / scale) + zero, 0, 255).astype(np.uint8)
        shifted = ov.subtract(
            ov.convert(ov.constant(coded), "f32"), ov.convert(ov.constant(zero.astype(np.uint8)), "f32")
        )
        product.input(1).replace_source_output(ov.multiply(shifted, ov.constant(scale)).output(0))
    return model


@torch.no_grad()
def quantised(prefix: nn.Module, some: Batch) -> nn.Module:
    """The module, changed in place: inputs and weights of its convolutions go through fake quantisation.

    What is fake here is real after conversion: OpenVINO turns the marked products into int8 ones. Ranges are those of
    some of the user's own rows.
    """
    seen: dict[nn.Module, tuple[Tensor, Tensor]] = {}

    def look(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        low, high = inputs[0].min(), inputs[0].max()
        known = seen.get(module, (low, high))
        seen[module] = torch.minimum(known[0], low), torch.maximum(known[1], high)

    hooks = [m.register_forward_pre_hook(look) for m in prefix.modules() if isinstance(m, nn.Conv2d)]
    prefix(some.values, some.mask)
    for hook in hooks:
        hook.remove()
    for module, (low, high) in seen.items():
        _mark(module, float(low.clamp_max(0.0)), float(high.clamp_min(0.0)))
    return prefix


def _mark(module: Any, low: float, high: float) -> None:
    """Fake quantisation of one convolution."""
    weight = module.weight.data
    scale = max(high - low, 1e-6) / 255
    zero = round(-low / scale)
    step = weight.flatten(1).abs().amax(1).clamp_min(1e-8) / 127
    del module.weight
    module.register_buffer("raw", weight)

    def before(module: Any, inputs: tuple[Tensor, ...]) -> tuple[Tensor]:
        nothing = torch.zeros(len(step), dtype=torch.int32)
        module.weight = torch.fake_quantize_per_channel_affine(module.raw, step, nothing, 0, -127, 127)
        return (torch.fake_quantize_per_tensor_affine(inputs[0], scale, zero, 0, 255),)

    module.register_forward_pre_hook(before)
