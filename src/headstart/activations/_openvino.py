"""The OpenVINO route: the same prefix, compiled for this CPU; float32, bfloat16, or int8 products."""

from __future__ import annotations

import copy
import json
import logging
import os
import uuid
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from headstart._threads import threads
from headstart.activations._disk import digest, write
from headstart.activations._int8 import GROUP, quantised, smaller
from headstart.backbones._base import Backbone

log = logging.getLogger("headstart")

CARD = "network.json"  # written last
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


class Converted:
    """A prefix as OpenVINO reads it.

    With a `home` it is kept there: converting takes as long as reading some hundred rows. The digest is written last
    and says whether the exact route has been held against torch, which is needed once, for its numbers do not depend
    on the rows.
    """

    def __init__(self, backbone: Backbone, cuts: tuple[str, ...], home: Path | None = None) -> None:
        self.backbone = backbone
        self.prefix = _Prefix(backbone, cuts).eval()
        self.cuts = self.prefix.cuts
        self.example = _example(backbone)
        self.home = home
        self.trusted = False
        self.kept = self._read()

    def exact(self) -> Any:
        """The prefix as it is, BatchNorm folded into the convolutions; a copy of its own each time."""
        if self.kept is None:
            self.kept = self._convert(self.prefix, fold=True)
            self._keep()
        return self.kept.clone()

    def int8(self, some: Sequence[Any]) -> Any:
        """The prefix with int8 products; ranges of convolutions are taken from some of the user's own rows."""
        if any(isinstance(m, nn.Conv2d) for m in self.prefix.modules()):
            marked = quantised(copy.deepcopy(self.prefix), self.backbone.prepare(some))
            return smaller(self._convert(marked, fold=False))
        return smaller(self.exact())

    def trust(self) -> None:
        """Remember that the exact route agrees with torch."""
        self.trusted = True
        self._keep()

    def free(self, x: Tensor) -> tuple[int, ...]:
        """The sizes below the first: texts of any length, pictures of one size."""
        return (-1,) if x.ndim == 2 else tuple(x.shape[1:])

    def _convert(self, prefix: nn.Module, *, fold: bool) -> Any:
        """Traced here, because OpenVINO's own tracing runs everything three times (3.9 CPU seconds against 2.1)."""
        import openvino

        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # tracing warns of every shape it reads; the gate checks the result
            traced: Any = torch.jit.trace(prefix, self.example, check_trace=False)
            traced = torch.jit.freeze(traced.eval()) if fold else traced
            form: list[Any] = [(openvino.PartialShape([-1, *self.free(x)]), _TYPES[x.dtype]) for x in self.example]
            return openvino.convert_model(traced, input=form)

    def _files(self) -> tuple[Path, Path, Path]:
        assert self.home is not None
        return self.home / "network.xml", self.home / "network.bin", self.home / CARD

    def _read(self) -> Any:
        """What is kept, or None where there is nothing, or it is torn, altered or of another version."""
        if self.home is None:
            return None
        graph, weights, card = self._files()
        try:
            import openvino

            said = json.loads(card.read_text(encoding="utf-8"))
            if said["digests"] != [digest(graph), digest(weights)] or said["openvino"] != openvino.__version__:
                return None
        except (ImportError, OSError, ValueError, KeyError):
            return None
        self.trusted = bool(said["trusted"])
        return openvino.Core().read_model(graph, weights)

    def _keep(self) -> None:
        import openvino

        if self.home is None:
            return
        graph, weights, card = self._files()
        try:
            if not self.trusted:
                part = self.home / f"{uuid.uuid4().hex[:8]}.xml"
                openvino.save_model(self.kept, part, compress_to_fp16=False)
                os.replace(part.with_suffix(".bin"), weights)
                os.replace(part, graph)
            said = {"openvino": openvino.__version__, "trusted": self.trusted}
            write(card, json.dumps({**said, "digests": [digest(graph), digest(weights)]}).encode())
        except (OSError, RuntimeError) as error:  # a full disk: it is converted again next time
            log.info("the converted network is not kept in %s (%s)", self.home, error)


def is_converted(home: Path | None) -> bool:
    """Whether a network is kept there, which need not be converted again unless it is torn."""
    return home is not None and (home / CARD).exists()


class OpenvinoRoute:
    """Runs a prefix through OpenVINO; ImportError where it is not installed, RuntimeError where it cannot convert."""

    def __init__(self, converted: Converted, precision: str, some: Sequence[Any]) -> None:
        import openvino

        self.cuts = converted.cuts
        model = converted.int8(some) if precision == "int8" else converted.exact()
        hint = "f32" if precision == "fp32" or not _has_bf16() else "bf16"
        settings = {"INFERENCE_PRECISION_HINT": hint, "NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": threads()}
        if precision == "int8":
            settings["DYNAMIC_QUANTIZATION_GROUP_SIZE"] = GROUP
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
    size = backbone.preparation.size
    return (torch.zeros(2, 3, size, size, dtype=torch.uint8),)
