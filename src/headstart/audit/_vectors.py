"""Vectors that checks can compare: finite, of one scale, and where a row lies far from all others."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist

from headstart.audit._base import Evidence
from headstart.errors import NotApplicable

MOST = 2000  # rows that a check looks at: distances of more take longer than an audit may
NEIGHBOURS = 10


def vectors(evidence: Evidence, known: np.ndarray) -> np.ndarray:
    """(n, d) finite vectors; columns are standardised and gaps filled by what the rows `known` say.

    Raises NotApplicable where the model counts words instead of reading vectors.
    """
    values = np.asarray(evidence.values, dtype=np.float64)
    if not values.shape[1]:
        raise NotApplicable(
            "no network that gives vectors took part", expected="vectors", do="let a pre-trained model take part"
        )
    some = values[known]
    with np.errstate(invalid="ignore"):
        count = np.maximum(np.isfinite(some).sum(0), 1)
        mean = np.where(np.isfinite(some), some, 0).sum(0) / count
    values = np.where(np.isfinite(values), values, mean)
    spread = values[known].std(0)
    varies = spread > 1e-9
    if not varies.any():
        raise NotApplicable("every column is constant", expected="features that vary", do="check the backbone")
    return np.asarray((values[:, varies] - mean[varies]) / spread[varies])


def some(rows: np.ndarray, most: int, seed: int) -> np.ndarray:
    """At most so many of the rows, in order, drawn with a seed."""
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(seed).permutation(rows)[:most])


def distance(X: np.ndarray, known: np.ndarray, *, same: bool = False) -> np.ndarray:
    """(n,) mean distance of each row of X to its ten nearest rows of `known`; `same`: X is `known`, itself left out."""
    near = min(NEIGHBOURS, len(known) - same)
    apart = cdist(X, known)
    if same:
        np.fill_diagonal(apart, np.inf)
    return np.asarray(np.partition(apart, near - 1, axis=1)[:, :near].mean(1))


def principal(X: np.ndarray, known: np.ndarray, most: int) -> np.ndarray:
    """(n, k) scores on the leading directions of the rows `known` of X, at most `most` and one for ten such rows."""
    centred = X - X[known].mean(0)
    values, directions = np.linalg.eigh(centred[known].T @ centred[known])
    k = max(1, min(most, len(known) // 10, int((values > 1e-9 * values[-1]).sum())))
    return np.asarray(centred @ directions[:, -k:])
