"""Per-domain normalisation: each domain standardised by itself, one head for all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Self

import numpy as np

from headstart._words import counted
from headstart.activations.activations import Activations
from headstart.errors import NotApplicable
from headstart.techniques._base import LEAST, by_domain
from headstart.techniques._linear import Scaler
from headstart.techniques.ridge import Ridge


class DomainNormalised(Ridge):
    """Ridge on features of which each domain's own mean and deviation were taken away.

    Use it where rows of several sites, scanners or authors are labelled and another one follows whose features are
    moved or scaled; not where the shares of the classes differ between domains, which the means then show, nor for
    single rows: rows of a new domain are predicted together, at least 10 of them, because all rows given at once are
    taken for one domain and standardised by their own statistics. Vectors (n, d); `domains` (n,) names the domain of
    each training row, all are one domain without it, and one of fewer than 10 rows is standardised with the others.
    (The idea of Li et al., Adaptive batch normalization for practical domain adaptation, Pattern Recognition 2018.)

    >>> values = np.tile(np.repeat(np.eye(2), 5, axis=0), (2, 1)) + np.repeat([[0.0], [90.0]], 10, axis=0)
    >>> X = Activations(values, np.arange(20).astype(str), "pooled", "vector")
    >>> y, site = np.tile(np.repeat([0, 1], 5), 2), np.repeat(["a", "b"], 10)
    >>> unseen = replace(X[site == "a"], values=values - 7.0)
    >>> DomainNormalised().fit(X, y, domains=site).predict(unseen).tolist()
    [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]
    """

    uses_domains = True
    together = True

    def fit(
        self, X: Activations, y: np.ndarray, *, sample_weight: np.ndarray | None = None, target: Any = None,
        domains: np.ndarray | None = None,
    ) -> Self:  # fmt: skip
        """Standardise every domain, then solve."""
        values = self._finite(X, missing=True)
        names = np.zeros(len(y), dtype=int) if domains is None else np.asarray(domains)
        own = by_domain(lambda rows: Scaler.of(values[rows])(values[rows]), names)
        return super().fit(_as(X, own), y, sample_weight=sample_weight)

    def predict_proba(self, X: Activations) -> np.ndarray:
        """Probabilities, or (n, 1) numbers, of rows of one domain; NotApplicable for fewer than 10."""
        if len(X) < LEAST:
            raise NotApplicable(
                f"{counted(len(X))}: too few to say enough about the domain that they are of",
                expected=f"at least {LEAST} rows of one domain at once: their own mean and deviation are taken away",
                do="give more rows, or run with --technique ridge",
            )
        values = self._finite(X, missing=True)
        return super().predict_proba(_as(X, Scaler.of(values)(values)))


def _as(X: Activations, values: np.ndarray) -> Activations:
    return replace(X, values=values, rows=None)
