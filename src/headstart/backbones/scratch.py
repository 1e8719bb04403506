"""The same networks, untrained: what every claim about pre-training is measured against."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from headstart.backbones._base import Backbone, Batch, Stage


class Scratch(Backbone):
    """Another backbone with its weights drawn anew: `scratch:minilm`.

    Use it to see what a network's shape alone is worth, without what it was taught. Always the same weights for one
    seed. Preprocessing, cuts and kinds are those of the network it copies.
    """

    pretrained = False

    def __init__(self, model: Backbone, seed: int = 0) -> None:
        self.like = model
        self.name, self.licence = f"scratch:{model.name}", model.licence
        self.modalities, self.input_kind = model.modalities, model.input_kind  # type: ignore[misc]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._stages = model.fresh()

    @property
    def preprocessing(self) -> dict[str, Any]:
        """That of the network it copies."""
        return self.like.preprocessing

    def prepare(self, rows: Sequence[Any]) -> Batch:
        """As the network it copies."""
        return self.like.prepare(rows)

    def tokens(self, rows: Sequence[Any]) -> list[list[int]]:
        """As the network it copies."""
        return self.like.tokens(rows)

    @property
    def preparation(self) -> Any:
        """As the network it copies (pictures only)."""
        return self.like.preparation  # type: ignore[attr-defined]

    def prepare_quickly(self, rows: Sequence[Any]) -> Batch:
        """As the network it copies."""
        return self.like.prepare_quickly(rows)

    def stages(self) -> list[Stage]:
        """The untrained stages."""
        return self._stages

    def fresh(self) -> list[Stage]:
        """Untrained stages, drawn anew."""
        return self.like.fresh()

    def save(self, folder: Path) -> None:
        """The network it copies, holding the untrained weights."""
        twin = copy.copy(self.like)
        raise NotImplementedError(f"{twin.name}: an untrained network is trained before it is saved")
