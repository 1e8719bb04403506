"""Logistic regression on frozen features: the yardstick of feature extraction."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from headstart.activations.activations import Activations
from headstart.techniques._base import Technique
from headstart.techniques._linear import (
    Scaler,
    class_weights,
    logistic,
    logits_to_probability,
    ridge_path,
    targets,
)


class LinearProbe(Technique):
    """Standardise, then logistic regression (ridge for numbers), its strength chosen on held-out training rows.

    Use it as the default head of a frozen network, from some tens of rows a class. Not with a few rows a class, where
    prototypes and ridge are steadier. Vectors (n, d), NaN is read as the mean. (Alain and Bengio, Understanding
    intermediate layers using linear classifier probes, 2016; Kornblith et al., Do Better ImageNet Models Transfer
    Better?, CVPR 2019.)

    >>> X = Activations(np.repeat(np.eye(2), 9, axis=0), np.arange(18).astype(str), "pooled", "vector")
    >>> LinearProbe().fit(X, np.repeat([0, 1], 9)).predict(X).sum()
    np.int64(9)
    """

    accepts = frozenset({"vector", "frame"})
    learns = frozenset({"label", "labels", "number"})
    cost = 2

    def __init__(self, strengths: tuple[float, ...] = (3e-4, 3e-3, 3e-2, 0.3), seed: int = 0) -> None:
        self.strengths = strengths
        self.seed = seed

    def fit(
        self, X: Activations, y: np.ndarray, *, sample_weight: np.ndarray | None = None, target: Any = None
    ) -> Self:
        """Fit scaler, strength and head."""
        kind = self._check(y)
        values = self._finite(X, missing=True)
        scaler = Scaler.of(values, alike=X.is_alike)
        weight = class_weights(y) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        if kind == "number":
            fit = ridge_path(scaler(values), targets(y), weight)
            coef, self.intercept_, self.strength_ = fit.coef, fit.intercept, fit.strength
        else:
            coef, self.intercept_, self.strength_ = logistic(scaler(values), y, weight, self.strengths, self.seed)
        self.mean_, self.coef_ = scaler.mean, coef / scaler.scale[:, None]
        return self

    def settled(self) -> dict[str, Any]:
        """The strength."""
        return {"strengths": (self.strength_,)}

    def predict_proba(self, X: Activations) -> np.ndarray:
        """Probabilities, or (n, 1) numbers."""
        scores = np.nan_to_num(self._finite(X, missing=True) - self.mean_) @ self.coef_ + self.intercept_
        return np.asarray(scores) if self.target_kind_ == "number" else logits_to_probability(scores, self.target_kind_)
