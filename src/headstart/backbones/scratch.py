"""The same networks, untrained: what every claim about pre-training is measured against."""

from __future__ import annotations

from pathlib import Path

import torch

from headstart.backbones._around import Around
from headstart.backbones._base import Backbone, Stage


class Scratch(Around):
    """Another backbone with its weights drawn anew: `scratch:minilm`.

    Use it to see what a network's shape alone is worth, without what it was taught. Always the same weights for one
    seed. Preprocessing, cuts and kinds are those of the network it copies.
    """

    pretrained = False

    def __init__(self, model: Backbone, seed: int = 0) -> None:
        super().__init__(model, f"scratch:{model.name}")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._stages = model.fresh()

    def stages(self) -> list[Stage]:
        """The untrained stages."""
        return self._stages

    def fresh(self) -> list[Stage]:
        """Untrained stages, drawn anew."""
        return self.inner.fresh()

    def save(self, folder: Path) -> None:
        """Never: an untrained network is trained before it is saved."""
        raise NotImplementedError(f"{self.inner.name}: an untrained network is trained before it is saved")
