"""The OpenVINO route: the same prefix, compiled for this CPU; float32, bfloat16, or int8 products."""

from __future__ import annotations

import copy
import warnings
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from headstart._compute import threads
from headstart.activations._int8 import quantised
from headstart.backbones._base import Backbone, Batch

_TYPES = {torch.int64: np.int64, torch.bool: np.bool_, torch.uint8: np.uint8}


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


class Traced:
    """A prefix on its way into OpenVINO: converted once for float32 and bfloat16, once more for int8."""

    def __init__(self, backbone: Backbone, cuts: tuple[str, ...]) -> None:
        self.prefix = _Prefix(backbone, cuts).eval()
        self.cuts = self.prefix.cuts
        self.example = _example(backbone)

    def free(self, x: Tensor) -> tuple[int, ...]:
        """The sizes below the first: texts of any length, pictures of one size."""
        return (-1,) if x.ndim == 2 else tuple(x.shape[1:])

    @cached_property
    def exact(self) -> Any:
        """The prefix as it is; BatchNorm is folded into the convolutions."""
        return self._convert(self.prefix, fold=True)

    def int8(self, some: Batch) -> Any:
        """The prefix with int8 products, their ranges taken from some of the user's own rows."""
        return self._convert(quantised(copy.deepcopy(self.prefix), some), fold=False)

    def _convert(self, prefix: nn.Module, *, fold: bool) -> Any:
        """Traced here, because OpenVINO's own tracing runs everything three times (3.9 CPU seconds against 2.1)."""
        import openvino

        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # tracing warns of every shape it reads; the gate checks the result
            traced: Any = torch.jit.trace(prefix, self.example, check_trace=False)
            traced = torch.jit.freeze(traced.eval()) if fold else traced
            form: list[Any] = [(openvino.PartialShape([-1, *self.free(x)]), _TYPES[x.dtype]) for x in self.example]
            return openvino.convert_model(traced, input=form)


class OpenvinoRoute:
    """Runs a prefix through OpenVINO; ImportError where it is not installed, RuntimeError where it cannot convert."""

    def __init__(self, traced: Traced, precision: str, some: Batch) -> None:
        import openvino

        self.cuts = traced.cuts
        model = traced.int8(some) if precision == "int8" else traced.exact
        hint = "f32" if precision == "fp32" or not _has_bf16() else "bf16"
        settings = {"INFERENCE_PRECISION_HINT": hint, "NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": threads()}
        self.compiled = openvino.Core().compile_model(model, "CPU", settings)

    def __call__(self, values: Tensor, mask: Tensor | None) -> dict[str, np.ndarray]:
        """Prepared rows to the values at the cuts."""
        inputs = [values.numpy()] if mask is None else [values.numpy(), mask.numpy()]
        results = self.compiled(inputs)
        return {cut: np.array(results[i], dtype=np.float32) for i, cut in enumerate(self.cuts)}


def _has_bf16() -> bool:
    import openvino

    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _example(backbone: Backbone) -> tuple[Tensor, ...]:
    """Two rows of the right form, the second one padded, so that masks are traced."""
    if backbone.input_kind == "ids":
        mask = torch.ones(2, 9, dtype=torch.bool)
        mask[1, 5:] = False
        return torch.randint(5, 100, (2, 9)), mask
    size = backbone.preparation.size  # type: ignore[attr-defined]
    return (torch.zeros(2, 3, size, size, dtype=torch.uint8),)
