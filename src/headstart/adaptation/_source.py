"""What a model folder keeps of the rows that a model learnt from, so that it can be adapted without them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.utils.extmath import randomized_svd

FLAT = ("vector", "frame")  # kinds of activations that have one mean
LEAST = 5  # rows: of a class with fewer, or along a direction with fewer, nothing is kept
DIRECTIONS = 64  # of the covariance within classes that are kept; the rest is kept column by column
CLIP = 3.0  # deviations: further out, a column counts no more in how far a row lies
WIDE = 1.96


@dataclass(frozen=True, eq=False)
class Source:
    """Class means, a covariance within classes, class shares and how sure and right the model was on held-out rows.

    No row is in it: a class of fewer than five rows is left out of all of it (its mean is NaN), and the covariance has
    at most one direction for five rows. That is a summary and no proof of privacy: means of few rows say much of them.
    Columns are those that the technique reads, missing numbers filled with their mean.
    """

    means: np.ndarray  # (C, d)
    shares: np.ndarray  # (C,) of the classes that were not left out
    factor: np.ndarray  # (k, d) covariance within classes = factor' factor + diag(rest)
    rest: np.ndarray  # (d,)
    reach: np.ndarray  # (2,) mean and deviation of `far` over the rows
    told: np.ndarray  # (C,) mean probabilities of held-out rows
    rows: int
    held: dict[str, float]  # of held-out rows: rows, right, sure (means), spread (deviation of right - sure)
    score: dict[str, Any]  # the Score of the held-out rows

    @classmethod
    def of(
        cls, X: np.ndarray, y: np.ndarray, told: np.ndarray, told_y: np.ndarray, score: dict[str, Any]
    ) -> Source | None:
        """From rows (n, d) with codes y that were learnt from, and probabilities (m, C) of held-out ones.

        None where no class has five rows.
        """
        X, classes = filled(np.asarray(X, dtype=np.float64)), told.shape[1]
        counts = np.bincount(y, minlength=classes)
        kept = counts[y] >= LEAST
        if not kept.any():
            return None
        X, y = X[kept], y[kept]
        counts = np.where(counts >= LEAST, counts, 0)
        sums = np.zeros((classes, X.shape[1]))
        np.add.at(sums, y, X)
        means = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], np.nan)
        inner = X - means[y]
        k = min(DIRECTIONS, len(X) // LEAST, X.shape[1])
        factor = np.zeros((0, X.shape[1]))
        if k:
            _, size, axes = randomized_svd(inner, k, random_state=0)
            factor = axes * size[:, None] / np.sqrt(len(X))
        sure, right = told.max(1), told.argmax(1) == told_y
        own = cls(
            means=means, shares=counts / counts.sum(), factor=factor,
            rest=np.maximum((inner**2).mean(0) - (factor**2).sum(0), 0.0), reach=np.zeros(2), told=told.mean(0),
            rows=len(X),
            held={
                "rows": float(len(told)), "right": float(right.mean()), "sure": float(sure.mean()),
                "spread": float((right - sure).std()),
            },
            score=score,
        )  # fmt: skip
        far = own.far(X)
        return replace(own, reach=np.array([far.mean(), far.std()]))

    def far(self, X: np.ndarray) -> np.ndarray:
        """(n,) how far rows lie from the mean: squared deviations, clipped, averaged over the columns."""
        unit = np.clip((X - self.mean) / self.deviation, -CLIP, CLIP)
        return np.asarray((unit**2).mean(1))

    @property
    def mean(self) -> np.ndarray:
        """(d,) of all kept rows."""
        return np.asarray(self.shares @ np.nan_to_num(self.means))

    @property
    def between(self) -> np.ndarray:
        """(C, d) class means less the mean, by the root of their share: its square is the covariance between."""
        return np.sqrt(self.shares)[:, None] * np.nan_to_num(self.means - self.mean)

    @property
    def deviation(self) -> np.ndarray:
        """(d,) of all kept rows; one where a column is constant."""
        own = np.sqrt((self.factor**2).sum(0) + self.rest + (self.between**2).sum(0))
        return np.where(own > 1e-9 * np.maximum(1.0, np.abs(self.mean)), own, 1.0)

    def draw(self, rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Made rows (rows, d) and their codes: normal around the class means. They are nobody's."""
        rng = np.random.default_rng(seed)
        y = np.repeat(np.arange(len(self.shares)), np.ceil(self.shares * rows).astype(int))
        y = rng.permutation(y)[:rows]
        within = rng.standard_normal((len(y), len(self.factor))) @ self.factor
        return self.means[y] + within + rng.standard_normal((len(y), len(self.rest))) * np.sqrt(self.rest), y

    def estimate(self, told: np.ndarray) -> tuple[float, float, float]:
        """Accuracy on rows told (m, C) with a 95 % interval: `selection.estimate` from the stored means."""
        sure, held = told.max(1), self.held
        value = held["right"] - held["sure"] + float(sure.mean())
        off = WIDE * float(np.sqrt(held["spread"] ** 2 / held["rows"] + sure.var() / len(sure)))
        value, low, high = (min(max(v, 0.0), 1.0) for v in (value, value - off, value + off))
        return value, low, high


def filled(X: np.ndarray) -> np.ndarray:
    """The rows with each missing number as the mean of its column."""
    if not np.isnan(X).any():
        return X
    known = ~np.isnan(X)
    mean = np.where(known, X, 0.0).sum(0) / np.maximum(known.sum(0), 1)
    return np.where(known, X, mean)
