"""Group DRO: the head whose worst group is best."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from headstart.activations.activations import Activations
from headstart.techniques._base import Technique
from headstart.techniques._group_dro import group_dro
from headstart.techniques._linear import Scaler, class_weights, logistic, softmax


class GroupDro(Technique):
    """Logistic regression for the domain that it serves worst.

    Use it with two or more labelled domains of very different size or difficulty, where the worst one counts; not to
    gain on the mean: there, plain training on all rows is rarely beaten (Gulrajani and Lopez-Paz, In search of lost
    domain generalization, ICLR 2021). Vectors (n, d), NaN is read as the mean; `domains` (n,) are the groups, all rows
    are one without it, which is plain logistic regression. The strength is the one that plain logistic regression
    chooses on held-out rows. (Sagawa et al., Distributionally robust neural networks for group shifts, ICLR 2020.)

    >>> X = Activations(np.repeat(np.eye(2), 9, axis=0), np.arange(18).astype(str), "pooled", "vector")
    >>> GroupDro().fit(X, np.repeat([0, 1], 9), domains=np.tile(["a", "b", "c"], 6)).predict(X).sum()
    np.int64(9)
    """

    accepts = frozenset({"vector", "frame"})
    uses_domains = True
    cost = 2

    def __init__(self, strengths: tuple[float, ...] = (3e-4, 3e-3, 3e-2, 0.3), seed: int = 0) -> None:
        self.strengths = strengths
        self.seed = seed

    def fit(
        self, X: Activations, y: np.ndarray, *, sample_weight: np.ndarray | None = None, target: Any = None,
        domains: np.ndarray | None = None,
    ) -> Self:  # fmt: skip
        """Plain logistic regression first; from there to the head whose worst domain is best."""
        self._check(y)
        scaler = Scaler.of(self._finite(X, missing=True), alike=X.is_alike)
        values = scaler(np.asarray(X))
        weight = class_weights(y) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        coef, intercept, self.strength_ = logistic(values, y, weight, self.strengths, self.seed)
        if coef.shape[1] == 1:  # one column says two classes
            coef, intercept = np.c_[-coef / 2, coef / 2], np.r_[-intercept / 2, intercept / 2]
        groups = np.zeros(len(y), dtype=int) if domains is None else np.asarray(domains)
        coef, self.intercept_, self.share_ = group_dro(
            values, y, groups, strength=self.strength_, weight=weight, start=(coef, intercept)
        )
        self.mean_, self.coef_ = scaler.mean, coef / scaler.scale[:, None]
        return self

    def settled(self) -> dict[str, Any]:
        """The strength."""
        return {"strengths": (self.strength_,)}

    def predict_proba(self, X: Activations) -> np.ndarray:
        """(n, C) probabilities."""
        return softmax(np.nan_to_num(self._finite(X, missing=True) - self.mean_) @ self.coef_ + self.intercept_)
