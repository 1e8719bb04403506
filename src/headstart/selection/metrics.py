"""What "better" means for a target, with intervals that stay honest on few rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import norm, t

RESAMPLES = 2000
UNBALANCED = 1.5  # largest class over smallest: from there on plain accuracy flatters whoever ignores the small one


@dataclass(frozen=True)
class Metric:
    """A name and a function of (y, scores, weights) -> float; higher is better. Weights are counts of a resample."""

    name: str
    weighted: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]

    def __call__(self, y: np.ndarray, scores: np.ndarray) -> float:
        """The metric over all rows, each counted once."""
        return float(self.weighted(y, scores, np.ones((1, len(y))))[0])


def metric_for(y: np.ndarray, kind: str) -> Metric:
    """The metric a run is judged by, from the training targets alone.

    Balanced classes: accuracy. Unbalanced ones (largest over smallest at least 1.5): balanced accuracy, the mean recall
    of the classes, which a model cannot raise by ignoring a small class. Several labels a row: macro-averaged F1 at
    0.5. A number: R2.

    >>> metric_for(np.array([0, 1, 0, 1]), "label").name, metric_for(np.array([0, 0, 0, 1]), "label").name
    ('accuracy', 'balanced_accuracy')
    """
    if kind == "number":
        return Metric("r2", _r2)
    if kind == "labels":
        return Metric("macro_f1", _macro_f1)
    counts = np.bincount(y)
    counts = counts[counts > 0]
    if counts.max() >= UNBALANCED * counts.min():
        return Metric("balanced_accuracy", _balanced_accuracy)
    return Metric("accuracy", _accuracy)


def interval(
    metric: Metric, y: np.ndarray, scores: np.ndarray, *, groups: np.ndarray | None = None, seed: int = 0
) -> dict[str, Any]:
    """Score with a 95 % interval: {metric, value, low, high, rows}; percentile bootstrap over rows and whole groups.

    A bootstrap of flawless (or hopeless) rows has no width, which is a lie: shares are widened to the Wilson interval
    of as many rows (Wilson 1927), so that 20 right of 20 reads [0.84, 1.00].
    """
    value = metric(y, scores)
    low, high = _likely(value, lambda weights: metric.weighted(y, scores, weights), groups, len(y), seed)
    if not metric.name.startswith("r2"):
        low, high = max(low, 0.0), min(high, 1.0)
        bottom, top = _wilson(value, len(y) if groups is None else len(np.unique(groups)))
        low, high = (min(low, bottom), max(high, top)) if low == high else (low, high)
    return {"metric": metric.name, "value": value, "low": min(low, value), "high": max(high, value), "rows": len(y)}


def paired(
    metric: Metric, y: np.ndarray, a: np.ndarray, b: np.ndarray, *, groups: np.ndarray | None = None, seed: int = 0
) -> tuple[float, float, float]:
    """How much better b is than a on the same rows: (gain, low, high), 95 %, the same resamples for both.

    Rows of one group are drawn together (cluster bootstrap), because they are not independent witnesses.
    """
    gain = metric(y, b) - metric(y, a)

    def told(weights: np.ndarray) -> np.ndarray:
        return metric.weighted(y, b, weights) - metric.weighted(y, a, weights)

    return gain, *_likely(gain, told, groups, len(y), seed)


def _likely(
    value: float, told: Callable[[np.ndarray], np.ndarray], groups: np.ndarray | None, n: int, seed: int
) -> tuple[float, float]:
    """Where 95 % of the resamples lie; of rows that come in groups, the wider of the ranges of rows and of groups.

    Few groups resampled look more alike than they are: their range is widened by Student's quantile and sqrt(k / (k -
    1)), as of a mean of k (Hesterberg, The American Statistician 69:371, 2015). One group is one witness: no range.
    """
    low, high = (float(v) for v in np.percentile(told(_weights(n, None, seed)), (2.5, 97.5)))
    if groups is None:
        return low, high
    k = len(np.unique(groups))
    if k == 1:
        return min(low, value - 1), max(high, value + 1)
    bottom, top = (float(v) for v in np.percentile(told(_weights(n, groups, seed)), (2.5, 97.5)))
    wider = float(t.ppf(0.975, k - 1) / norm.ppf(0.975) * np.sqrt(k / (k - 1)))
    return min(low, value - wider * (value - bottom)), max(high, value + wider * (top - value))


def _weights(n: int, groups: np.ndarray | None, seed: int) -> np.ndarray:
    """(RESAMPLES, n) how often each row was drawn."""
    rng = np.random.default_rng(seed)
    if groups is None:
        return rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES).astype(np.float64)
    _, member = np.unique(groups, return_inverse=True)
    k = int(member.max()) + 1
    return np.asarray(rng.multinomial(k, np.full(k, 1 / k), size=RESAMPLES)[:, member], dtype=np.float64)


def _wilson(share: float, n: int, z: float = 1.96) -> tuple[float, float]:
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))


def _accuracy(y: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    right = (scores.argmax(1) == y).astype(np.float64)
    return np.asarray(weights @ right / np.maximum(weights.sum(1), 1))


def _balanced_accuracy(y: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    right = scores.argmax(1) == y
    classes = np.unique(y)
    of_class = (y[:, None] == classes).astype(np.float64)
    total, hit = weights @ of_class, weights @ (of_class * right[:, None])
    with np.errstate(invalid="ignore"):
        recall = np.where(total > 0, hit / total, np.nan)
    return np.asarray(np.nanmean(recall, axis=1))


def _macro_f1(y: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    said, true = scores >= 0.5, y.astype(bool)
    hit = weights @ (said & true).astype(np.float64)
    total = weights @ said.astype(np.float64) + weights @ true.astype(np.float64)
    f1 = np.where(total > 0, 2 * hit / np.maximum(total, 1), 1.0)  # a label that nobody has and nobody says is right
    return np.asarray(f1.mean(1))


def _r2(y: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    total = np.maximum(weights.sum(1), 1)
    mean = weights @ y / total
    spread = weights @ (y * y) / total - mean**2
    error = weights @ (scores[:, 0] - y) ** 2 / total
    return np.asarray(1 - error / np.maximum(spread, 1e-12))
