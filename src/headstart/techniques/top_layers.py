"""Training of the last layers from the cached boundary."""

from __future__ import annotations

from collections.abc import Sequence

from headstart.techniques._loop import Recipe
from headstart.techniques._network import Trained


class TopLayers(Trained):
    """Trains the last k stages that have weights; all below is frozen, computed once and read from the store.

    Use it from a few hundred rows on: nearly the gain of full fine-tuning for a fraction of the time. Not where the
    first layers are what must change (another camera, another alphabet). Reads the cut below those stages ("tokens" or
    "map"). (Yosinski et al., How transferable are features in deep neural networks?, NeurIPS 2014.)

    >>> TopLayers(layers=2).where(("input", "embeddings", "layer.0", "layer.1", "layer.2", "pooled"))
    'layer.0'
    """

    cost = 3

    def __init__(
        self, layers: int = 1, epochs: float = 6, lr: float = 3e-4, seconds: float | None = None, seed: int = 0
    ) -> None:
        self.layers = layers
        self.epochs = epochs
        self.lr = lr
        self.seconds = seconds
        self.seed = seed

    def where(self, cuts: Sequence[str]) -> str:
        """The cut below the last k stages (the pooling above them has no weights)."""
        return cuts[max(0, len(cuts) - 2 - self.layers)]

    def recipe(self) -> Recipe:
        """A quicker rate than for the whole network: nothing below can be spoilt."""
        return Recipe(epochs=self.epochs, lr=self.lr, seconds=self.seconds, seed=self.seed)
