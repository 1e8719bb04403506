"""The same network, trained from nothing: what pre-training is measured against."""

from __future__ import annotations

from headstart.techniques._loop import Recipe
from headstart.techniques._network import Trained


class Scratch(Trained):
    """Trains the backbone's architecture from untrained weights on the rows at hand.

    Use it as the control of every claim: it always runs, and where it wins it ships. Reads the "input" cut ("ids" or
    "pixels"). BatchNorm statistics follow the data here, because there are none to keep.

    >>> Scratch(epochs=1).get_params()["epochs"]
    1
    """

    cut = "input"
    cost = 4
    fresh = True

    def __init__(self, epochs: float = 20, lr: float = 5e-4, seconds: float | None = None, seed: int = 0) -> None:
        self.epochs = epochs
        self.lr = lr
        self.seconds = seconds
        self.seed = seed

    def recipe(self) -> Recipe:
        """One rate for all stages, higher than where something could be forgotten."""
        return Recipe(
            epochs=self.epochs, lr=self.lr, head_lr=self.lr, layer_decay=1.0, weight_decay=0.05, seconds=self.seconds,
            seed=self.seed, norm_learns=True, patience=5,
        )  # fmt: skip
