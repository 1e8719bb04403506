"""Contrastive tuning with few rows: same class near, other classes far, then a logistic head."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from headstart.activations.activations import Activations
from headstart.techniques._head import Network
from headstart.techniques._learner import Recipe
from headstart.techniques._loop import Held
from headstart.techniques._network import Trained, standardise
from headstart.techniques._objective import Told

MOST = 40_000  # pairs in all, whatever the rows: some three hundred steps


class Contrastive(Trained):
    """Pulls rows of one class together and pushes others apart by cosine, then fits a logistic head on the vectors.

    Use it with 8 to 64 texts a class: n rows make n^2 pairs to learn from. Not with thousands of rows, where full
    fine-tuning is better for the time, nor with pictures, where heads on frozen features were better. Every row of a
    batch is encoded once and compared with all others, so that b rows give b(b-1)/2 pairs; `pairs` bounds how many are
    looked at for a training row, 40,000 in all. Batches hold few classes with several rows each. The loss is the
    squared error of the cosine to 1 or 0, positives and negatives counting alike. Reads the "input" cut; `layers` as
    elsewhere. (Tunstall et al., SetFit, 2022.)

    >>> Contrastive(pairs=40).get_params()["pairs"]
    40
    """

    learns = frozenset({"label"})
    without = frozenset({"epochs", "loss", "mix", "stop_on", "patience"})
    cost = 4
    unasked = (0, 64)
    named_only = frozenset({"image"})
    usual = Recipe(lr=1e-4, layer_decay=0.95, least=1)
    _rows = 0
    few: ClassVar[int] = 1 << 62  # the head that would be judged on held-out rows comes after the training

    def __init__(
        self, pairs: int = 300, layers: int | None = None, lr: float | None = None, seconds: float | None = None,
        seed: int = 0, training: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(layers, None, lr, seconds, seed, training)
        self.pairs = pairs

    def recipe(self) -> Recipe:
        """As many epochs as the pairs allow: an epoch shows each row with the others of one batch."""
        recipe = super().recipe()
        pairs = min(self.pairs, MOST / max(self._rows, 1))
        return replace(recipe, epochs=2 * pairs / (recipe.batch - 1))

    def fit(
        self, X: Activations, y: np.ndarray, *, sample_weight: np.ndarray | None = None, target: Any = None
    ) -> Self:
        """Tune, then fit the head."""
        self._rows = len(y)
        return super().fit(X, y, sample_weight=sample_weight, target=target)

    def begin(self, network: Network, X: Activations, y: np.ndarray) -> None:
        """The head waits."""
        network.head.requires_grad_(False)

    def batches(self, lengths: np.ndarray, y: np.ndarray, size: int, rng: np.random.Generator) -> list[np.ndarray]:
        """One epoch: rows shuffled within their class and dealt out so that a batch holds few classes."""
        each = max(2, size // max(2, len(np.unique(y))))  # rows of a class that stay together
        chunks = []
        for code in np.unique(y):
            rows = rng.permutation(np.flatnonzero(y == code))
            chunks += np.array_split(rows, max(1, round(len(rows) / each)))
        order = rng.permutation(len(chunks))
        dealt = np.concatenate([chunks[i] for i in order])
        return np.array_split(dealt, max(1, round(len(y) / size)))

    def loss(self, network: Network, told: Told) -> Tensor:
        """Squared error of all cosines of the batch."""
        vectors = torch.nn.functional.normalize(told.features, dim=1)
        return told.share * pair_loss(vectors @ vectors.T, told.y, told.weight)

    def finish(self, network: Network, X: Activations, y: np.ndarray, held: Held | None) -> None:
        """A scale and a head for the vectors as they are now."""
        standardise(network, X)
        network.head.requires_grad_(True)
        self._start_head(network, X, y)


def pair_loss(cosine: Tensor, y: Tensor, weight: Tensor) -> Tensor:
    """Mean of (cosine - 1)^2 over pairs of one class, and of cosine^2 over the others, half of it each.

    >>> cosine = torch.tensor([[1.0, 0.5, 0.0], [0.5, 1.0, 0.2], [0.0, 0.2, 1.0]])
    >>> round(float(pair_loss(cosine, torch.tensor([0, 0, 1]), torch.ones(3))), 4)
    0.135
    """
    above = torch.triu(torch.ones_like(cosine), 1) * weight[:, None] * weight[None]
    same = (y[:, None] == y[None]).float()
    losses = [
        ((cosine - aim).square() * w).sum() / w.sum() for aim, w in ((1, above * same), (0, above * (1 - same)))
        if float(w.sum()) > 0
    ]  # fmt: skip
    return torch.stack(losses).mean() if losses else cosine.sum() * 0
