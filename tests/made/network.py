"""A small convolutional network that stands for a backbone, and rows that say their class."""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import Tensor, nn

from headstart.activations.activations import Activations

CLASSES = 3


class Stage(nn.Sequential):
    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        out: Tensor = super().forward(x)
        return out


class Convolutions(nn.Module):
    """Two stages of maps and a pooling."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.steps = nn.ModuleDict({
            "low": Stage(nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU()),
            "high": Stage(nn.Conv2d(6, 6, 3, padding=1, groups=6), nn.Conv2d(6, 8, 1), nn.BatchNorm2d(8), nn.ReLU()),
            "pooled": Stage(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        })  # fmt: skip

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        x = x.float()
        for step in self.steps.values():
            x = step(x, mask)
        return x


class Source:
    name, pretrained, fingerprint, cuts = "made", True, "made", ("input", "low", "high", "pooled")
    head: nn.Module | None = None

    def suffix(self, cut: str, *, fresh: bool = False) -> nn.Module:
        return Convolutions()

    def source_head(self) -> nn.Module | None:
        return copy.deepcopy(self.head)


def maps(n: int = 48, source: Source | None = None) -> tuple[Activations, np.ndarray]:
    rng = np.random.default_rng(0)
    y = np.arange(n) % CLASSES
    X = rng.normal(0, 0.5, (n, 3, 5, 5)).astype(np.float32)
    X[np.arange(n), y] += 1
    return Activations(X, np.arange(n).astype(str), "input", "map", source or Source()), y
