"""The exact route: the stages themselves, on CUDA with pinned memory and channels_last."""

from __future__ import annotations

import numpy as np
import torch

from headstart._compute import device
from headstart.backbones._base import Backbone


class TorchRoute:
    """Runs a prefix with torch in float32 (TF32 and half precision are never used unasked)."""

    def __init__(self, backbone: Backbone, cuts: tuple[str, ...]) -> None:
        self.cuts = cuts
        last = max(backbone.cuts.index(c) for c in cuts)
        self.stages = backbone.stages()[:last]
        for stage in self.stages:
            stage.module.to(device())

    @torch.inference_mode()
    def __call__(self, values: torch.Tensor, mask: torch.Tensor | None) -> dict[str, np.ndarray]:
        """Prepared rows to the values at the cuts."""
        x = _there(values)
        if x.ndim == 4:
            x = x.contiguous(memory_format=torch.channels_last)
        m = None if mask is None else _there(mask)
        out = {}
        for stage in self.stages:
            x = stage.module(x, m)
            if stage.name in self.cuts:
                out[stage.name] = x.float().cpu().numpy()
        return out


def _there(x: torch.Tensor) -> torch.Tensor:
    if device().type == "cuda":
        return x.pin_memory().to(device(), non_blocking=True)
    return x.to(device())
