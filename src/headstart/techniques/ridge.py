"""Ridge regression on the targets, its strength chosen by exact leave-one-out."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from headstart.activations.activations import Activations
from headstart.techniques._base import Technique
from headstart.techniques._linear import Scaler, class_weights, ridge_path, sharpness, targets, to_probability


class Ridge(Technique):
    """A linear head in closed form: all strengths and all left-out rows from one decomposition, in milliseconds.

    Use it as the first head to try, with up to some thousand features, and for numbers. Not where a few features
    decide alone. Vectors (n, d), NaN is read as the mean; probabilities are a softmax whose sharpness was fitted on
    the left-out predictions. (Golub, Heath and Wahba 1979; Rifkin and Lippert 2007.)

    >>> X = Activations(np.repeat(np.eye(2), 5, axis=0), np.arange(10).astype(str), "pooled", "vector")
    >>> Ridge().fit(X, np.repeat([0, 1], 5)).predict(X).tolist()
    [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]
    """

    accepts = frozenset({"vector", "frame"})
    learns = frozenset({"label", "labels", "number"})

    def fit(
        self, X: Activations, y: np.ndarray, *, sample_weight: np.ndarray | None = None, target: Any = None
    ) -> Self:
        """Solve."""
        kind = self._check(y)
        scaler = Scaler.of(self._finite(X, missing=True), alike=X.is_alike)
        weight = class_weights(y) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        fit = ridge_path(scaler(np.asarray(X)), targets(y), weight)
        self.strength_ = fit.strength
        self.coef_ = fit.coef / scaler.scale[:, None]
        self.mean_ = scaler.mean
        self.intercept_ = fit.intercept
        self.sharpness_ = 1.0 if kind == "number" else sharpness(fit.held_out, y)
        self._held_out = fit.held_out
        return self

    def left_out(self) -> np.ndarray:
        """Exact leave-one-out predictions of the training rows, right after `fit`."""
        return self._told(self._held_out)

    def predict_proba(self, X: Activations) -> np.ndarray:
        """Probabilities, or (n, 1) numbers."""
        scores = np.nan_to_num(self._finite(X, missing=True) - self.mean_) @ self.coef_ + self.intercept_
        return self._told(scores)

    def _told(self, scores: np.ndarray) -> np.ndarray:
        if self.target_kind_ == "number":
            return np.asarray(scores)
        return to_probability(scores, self.sharpness_, labels=self.target_kind_ == "labels")
