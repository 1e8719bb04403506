"""Which rows lie too far from those that a model learnt from: a few numbers that travel with the model."""

from __future__ import annotations

import math
from typing import Any, Self

import numpy as np
from scipy.stats import betabinom

from headstart.errors import NotApplicable

SHARE = 0.95  # of rows like those learnt from are called familiar
DIRECTIONS = 64
FEWEST = 19  # held-out rows, or no threshold keeps 95 % of the next ones


class Familiar:
    """The distance of a row from the rows learnt from, and a threshold that 95 % of rows like them keep.

    Use it where a model is asked about rows nobody has looked at. It is the Mahalanobis distance under probabilistic
    PCA: leading directions by their own variance, all others by one (Tipping and Bishop, Probabilistic Principal
    Component Analysis, 1999; Lee et al., A Simple Unified Framework for Detecting Out-of-Distribution Samples, NeurIPS
    2018, who take classes apart). Means and directions are kept, no row. Missing numbers count as the mean. The
    threshold is a rank among held-out rows, so that about 5 % of exchangeable rows are beyond it whatever the
    distribution. It sees what the vectors show: a new meaning of familiar rows stays unseen.

    >>> rng = np.random.default_rng(0)
    >>> familiar = Familiar().fit(rng.normal(size=(200, 30)), rng.normal(size=(99, 30)))
    >>> far = familiar.far(rng.normal(size=(1000, 30)))
    >>> bool(far.mean() < 0.1), familiar.far(rng.normal(3.0, 1.0, size=(50, 30))).all().item()
    (True, True)
    """

    def __init__(self) -> None:
        self.rows, self.unfamiliar = 0, 0  # of those that `watch` has seen

    def fit(self, known: np.ndarray, held: np.ndarray) -> Self:
        """From vectors (n, d) that were learnt from and (m, d) that were not; NotApplicable below 19 of either."""
        if len(held) < FEWEST or len(known) < FEWEST:
            seen = f"{len(known)} and {len(held)} rows"
            raise NotApplicable(
                seen, expected=f"at least {FEWEST} learnt from and {FEWEST} held out", do="use more rows"
            )
        known = np.asarray(known, dtype=np.float64)
        there = np.isfinite(known)
        self.mean_ = np.where(there, known, 0).sum(0) / np.maximum(there.sum(0), 1)
        centred = np.where(there, known - self.mean_, 0)
        spread = centred.std(0)
        self.scale_ = np.where(spread > 1e-9, spread, 1.0)
        centred = centred / self.scale_
        values, directions = np.linalg.eigh(centred.T @ centred / len(centred))
        k = max(1, min(DIRECTIONS, len(known) // 5, len(values) - 1))
        self.directions_ = directions[:, -k:]
        rest = float(values[:-k].mean()) if len(values) > k else 0.0
        self.variance_ = np.maximum(values[-k:], 1e-9)
        self.rest_ = max(rest, 1e-3 * float(values.mean()), 1e-9)
        rank = math.ceil(SHARE * (len(held) + 1))
        self.limit_ = float(np.sort(self.distance(held))[rank - 1])
        self.beyond_ = [rank, len(held) + 1 - rank]  # the law of the share beyond: Beta(m + 1 - rank, rank)
        return self

    def distance(self, X: np.ndarray) -> np.ndarray:
        """(n,) squared distances of vectors (n, d)."""
        X = np.asarray(X, dtype=np.float64)
        centred = np.where(np.isfinite(X), X - self.mean_, 0) / self.scale_
        along = centred @ self.directions_
        across = np.maximum((centred**2).sum(1) - (along**2).sum(1), 0)
        return np.asarray((along**2 / self.variance_).sum(1) + across / self.rest_)

    def far(self, X: np.ndarray) -> np.ndarray:
        """(n,) whether a row lies beyond the threshold."""
        return self.distance(X) > self.limit_

    def chance(self, beyond: int, rows: int) -> float:
        """How likely so many of the rows, or more, lie beyond the threshold where rows are exchangeable; exact."""
        rank, above = self.beyond_
        return float(betabinom.sf(beyond - 1, rows, above, rank))

    def watch(self, X: Any) -> None:
        """Count rows and unfamiliar rows among those that a model is asked about."""
        self.rows += len(X)
        self.unfamiliar += int(self.far(np.asarray(X)).sum())

    def words(self, level: float = 0.01) -> str:
        """What to tell whoever asked, "" while no more rows lie beyond than chance brings."""
        if not self.unfamiliar or self.chance(self.unfamiliar, self.rows) > level:
            return ""
        return (
            f"{self.unfamiliar:,} of {self.rows:,} rows ({self.unfamiliar / self.rows:.0%}) lie further from the rows"
            f" this model learnt from than {SHARE:.0%} of those do: its answers and probabilities for them may be worth"
            " little; headstart audit says more where some are labelled"
        )
