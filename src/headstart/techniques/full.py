"""Fine-tuning of the whole network."""

from __future__ import annotations

from headstart.techniques._loop import Recipe
from headstart.techniques._network import Trained


class Full(Trained):
    """Trains every weight, from the input up, lower stages more gently than higher ones.

    Use it with a thousand rows or more, or where the task is far from what the network was taught. Not with few rows,
    where it forgets more than it learns, nor where seconds count. Reads the "input" cut ("ids" or "pixels").
    (Howard and Ruder, ULMFiT, ACL 2018, for the lower rates of lower layers.)

    >>> Full(epochs=1).get_params()["epochs"]
    1
    """

    cut = "input"
    cost = 4

    def __init__(self, epochs: float = 4, lr: float = 1e-4, seconds: float | None = None, seed: int = 0) -> None:
        self.epochs = epochs
        self.lr = lr
        self.seconds = seconds
        self.seed = seed

    def recipe(self) -> Recipe:
        """Gentle below, quick at the head."""
        return Recipe(epochs=self.epochs, lr=self.lr, seconds=self.seconds, seed=self.seed)
