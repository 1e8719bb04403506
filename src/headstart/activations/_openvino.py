"""The OpenVINO route: the same prefix, compiled for this CPU; float32, bfloat16, or int8 weights."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from headstart._compute import threads
from headstart.backbones._base import Backbone


class _Prefix(nn.Module):
    """Stages up to the highest cut as one module with an output a cut."""

    def __init__(self, backbone: Backbone, cuts: tuple[str, ...]) -> None:
        super().__init__()
        last = max(backbone.cuts.index(c) for c in cuts)
        self.names = [s.name for s in backbone.stages()[:last]]
        self.steps = nn.ModuleList(s.module for s in backbone.stages()[:last])
        self.cuts = [c for c in self.names if c in cuts]

    def forward(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, ...]:
        out = []
        for name, step in zip(self.names, self.steps, strict=True):
            x = step(x, mask)
            if name in self.cuts:
                out.append(x)
        return tuple(out)


class OpenvinoRoute:
    """Runs a prefix through OpenVINO; ImportError where it is not installed, RuntimeError where it cannot convert."""

    def __init__(self, backbone: Backbone, cuts: tuple[str, ...], precision: str) -> None:
        import openvino

        prefix = _Prefix(backbone, cuts).eval()
        self.cuts = prefix.cuts
        example = _example(backbone)
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # tracing warns of every shape it reads; the gate checks the result
            model = openvino.convert_model(prefix, example_input=example)
        if precision == "int8":
            model = _int8(model)
        hint = {"fp32": "f32"}.get(precision, "bf16")
        settings = {"INFERENCE_PRECISION_HINT": hint, "NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": threads()}
        self.compiled = openvino.Core().compile_model(model, "CPU", settings)

    def __call__(self, values: Tensor, mask: Tensor | None) -> dict[str, np.ndarray]:
        """Prepared rows to the values at the cuts."""
        inputs = [values.numpy()] if mask is None else [values.numpy(), mask.numpy()]
        results = self.compiled(inputs)
        return {cut: np.array(results[i], dtype=np.float32) for i, cut in enumerate(self.cuts)}


def _int8(model: Any) -> Any:
    import nncf

    return nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_ASYM)


def _example(backbone: Backbone) -> tuple[Tensor, ...]:
    """Two rows of the right form, the second one padded, so that masks are traced."""
    if backbone.input_kind == "ids":
        mask = torch.ones(2, 9, dtype=torch.bool)
        mask[1, 5:] = False
        return torch.randint(5, 100, (2, 9)), mask
    size = backbone.preparation.size  # type: ignore[attr-defined]
    return (torch.zeros(2, 3, size, size, dtype=torch.uint8),)
