"""The floor of all floors: always the same answer."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from headstart.activations.activations import Activations
from headstart.techniques._base import Technique


class Majority(Technique):
    """Answers with the shares of the classes (their mean, for numbers) whatever the row.

    Use it as the floor that every other number stands on; never ship it on purpose. `X` is not looked at.

    >>> X = Activations(np.zeros((4, 2)), np.arange(4).astype(str), "pooled", "vector")
    >>> Majority().fit(X, np.array([0, 1, 1, 1])).predict(X).tolist()
    [1, 1, 1, 1]
    """

    accepts = frozenset({"vector", "frame", "counts"})
    learns = frozenset({"label", "labels", "number"})
    smooth = False
    cost = 0

    def fit(
        self, X: Activations, y: np.ndarray, *, sample_weight: np.ndarray | None = None, target: Any = None
    ) -> Self:
        """Count."""
        kind = self._check(y)
        weight = np.ones(len(y)) if sample_weight is None else sample_weight
        told = np.eye(self.n_outputs_)[y] if kind == "label" else y.reshape(len(y), -1)
        self.share_ = weight @ told / weight.sum()
        return self

    def predict_proba(self, X: Activations) -> np.ndarray:
        """The same row for every row."""
        return np.tile(self.share_, (len(X), 1))
