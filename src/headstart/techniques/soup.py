"""The mean of several fine-tunings' weights."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Self

import numpy as np
import torch

from headstart.activations.activations import Activations
from headstart.techniques._head import Network
from headstart.techniques._learner import Recipe
from headstart.techniques._network import Trained


class Soup(Trained):
    """Fine-tunes several times from one start, in another order and at another rate each, and keeps the mean weights.

    Use it where a steadier answer is worth several trainings but prediction must cost one network. Not where time is
    short: each of the `runs` has its share of the seconds. All start from the linear probe's head, else their heads
    would not lie in one valley. Reads the cut below the last two stages; `layers` as elsewhere. (Wortsman et al., Model
    soups, ICML 2022.)

    >>> Soup(runs=2).get_params()["runs"]
    2
    """

    cost = 3
    depth = 2
    usual = Recipe(epochs=3, lr=2e-4, head_lr=5e-4)

    def __init__(
        self, runs: int = 3, layers: int | None = None, epochs: float | None = None,
        lr: float | None = None, seconds: float | None = None, seed: int = 0, training: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(layers, epochs, lr, seconds, seed, training)
        self.runs = runs

    def begin(self, network: Network, X: Activations, y: np.ndarray) -> None:
        """The probe's head."""
        self._start_head(network, X, y)

    def fit(
        self, X: Activations, y: np.ndarray, *, sample_weight: np.ndarray | None = None, target: Any = None
    ) -> Self:
        """Train each, then take the mean."""
        parts = [_Part(self, run).fit(X, y, sample_weight=sample_weight) for run in range(self.runs)]
        states = [part.network_.state_dict() for part in parts]
        first = parts[0]
        for key in ("target_kind_", "n_outputs_", "centre_", "spread_", "width_"):
            setattr(self, key, getattr(first, key))
        self.done_ = {k: sum(part.done_[k] for part in parts) for k in first.done_}
        self.network_ = first.network_
        self.network_.load_state_dict({
            k: torch.stack([s[k] for s in states]).mean(0) if v.is_floating_point() else v
            for k, v in states[0].items()
        })  # fmt: skip
        return self


class _Part(Trained):
    """One of the trainings: a seed of its own, a rate a third lower or higher."""

    def __init__(self, whole: Soup, run: int) -> None:
        super().__init__(whole.layers, whole.epochs, whole.lr, whole.seconds, whole.seed, whole.training)
        self.whole, self.run = whole, run
        self.folder = None if whole.folder is None else whole.folder / str(run)

    def recipe(self) -> Recipe:
        """The whole's, changed a little."""
        recipe = self.whole.recipe()
        share = None if recipe.seconds is None else recipe.seconds / self.whole.runs
        factor = (1.0, 0.67, 1.5)[self.run % 3]
        return replace(recipe, seed=recipe.seed + 1000 * self.run, seconds=share, lr=recipe.lr * factor)

    def begin(self, network: Network, X: Activations, y: np.ndarray) -> None:
        """All from one head."""
        self._start_head(network, X, y)
