"""The stages above a cut and a head on them: what trained techniques train and keep."""

from __future__ import annotations

from torch import Tensor, nn


class Network(nn.Module):
    """The stages above the cut and a linear head on standardised vectors."""

    def __init__(self, suffix: nn.Module, width: int, outs: int) -> None:
        super().__init__()
        self.suffix = suffix
        self.scale = nn.BatchNorm1d(width, affine=False)
        self.head = nn.Linear(width, outs)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def features(self, values: Tensor, mask: Tensor | None = None) -> Tensor:
        """(n, d): what the head reads, before it is standardised."""
        out: Tensor = self.suffix(values, mask).float()
        return out

    def told(self, features: Tensor) -> Tensor:
        """(n, k) logits or numbers."""
        out: Tensor = self.head(self.scale(features))
        return out

    def forward(self, values: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.told(self.features(values, mask))
