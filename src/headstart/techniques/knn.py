"""Nearest neighbours by cosine."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from headstart.activations.activations import Activations
from headstart.techniques._base import Technique
from headstart.techniques._linear import class_weights

BLOCK = 1024  # rows of the similarity matrix that are held at a time


class Knn(Technique):
    """The vote of the k nearest training rows by cosine, k chosen by leave-one-out.

    Use it to see what the features say without any training, for a handful of rows a class, and to show people the
    examples behind an answer. Not for more than about 100,000 rows, whose vectors all travel in the model. Vectors
    (n, d); NaN is refused. (Cover and Hart, Nearest neighbor pattern classification, 1967.)

    >>> X = Activations(np.repeat(np.eye(2), 5, axis=0), np.arange(10).astype(str), "pooled", "vector")
    >>> Knn().fit(X, np.repeat([0, 1], 5)).predict(X).tolist()
    [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]
    """

    learns = frozenset({"label", "labels", "number"})
    keeps_rows = True
    smooth = False

    def __init__(self, neighbours: tuple[int, ...] = (1, 3, 5, 11, 21)) -> None:
        self.neighbours = neighbours

    def fit(
        self, X: Activations, y: np.ndarray, *, sample_weight: np.ndarray | None = None, target: Any = None
    ) -> Self:
        """Keep the rows; choose k by leaving each one out."""
        kind = self._check(y)
        self.vectors_ = _unit(self._finite(X))
        self.told_ = (np.eye(self.n_outputs_)[y] if kind == "label" else y.reshape(len(y), -1)).astype(np.float64)
        self.weight_ = class_weights(y) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        near = self._nearest(self.vectors_, max(self.neighbours), skip_self=True)
        self.k_ = min((k for k in self.neighbours if k <= near.shape[1]), key=lambda k: self._loss(near[:, :k]))
        self._left_out = self._vote(near[:, : self.k_])
        return self

    def left_out(self) -> np.ndarray:
        """The vote of each training row's neighbours, itself not among them, right after `fit`."""
        return self._left_out

    def predict_proba(self, X: Activations) -> np.ndarray:
        """Weighted shares of the neighbours' answers."""
        return self._vote(self._nearest(_unit(self._finite(X)), self.k_))

    def _vote(self, near: np.ndarray) -> np.ndarray:
        weight = self.weight_[near]
        shares = (weight[..., None] * self.told_[near]).sum(1) / weight.sum(1, keepdims=True)
        if self.target_kind_ == "number":
            return np.asarray(shares)
        k, prior = near.shape[1], 1.0 / max(self.n_outputs_, 2)  # a vote of few is never quite sure
        return np.asarray((k * shares + prior) / (k + prior * (self.n_outputs_ if self.target_kind_ == "label" else 2)))

    def _loss(self, near: np.ndarray) -> float:
        told = self._vote(near)
        if self.target_kind_ == "label":
            wrong = told.argmax(1) != self.told_.argmax(1)
            return float(self.weight_ @ wrong / self.weight_.sum())
        return float(((told - self.told_) ** 2).mean())

    def _nearest(self, rows: np.ndarray, k: int, *, skip_self: bool = False) -> np.ndarray:
        """(n, k) positions of the most similar training rows, most similar first."""
        k = max(1, min(k, len(self.vectors_) - skip_self))
        near = np.empty((len(rows), k), dtype=np.int64)
        for start in range(0, len(rows), BLOCK):
            similar = rows[start : start + BLOCK] @ self.vectors_.T
            if skip_self and len(self.vectors_) > 1:
                similar[np.arange(len(similar)), np.arange(start, start + len(similar))] = -np.inf
            some = np.argpartition(-similar, k - 1, axis=1)[:, :k]
            order = np.argsort(-np.take_along_axis(similar, some, 1), axis=1, kind="stable")
            near[start : start + BLOCK] = np.take_along_axis(some, order, 1)
        return near


def _unit(X: np.ndarray) -> np.ndarray:
    return np.asarray(X / np.maximum(np.linalg.norm(X, axis=1, keepdims=True), 1e-12), dtype=np.float32)
