"""Probabilities that mean what they say: temperature scaling, and how far off they are."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar

BINS = 10
COVERAGE = 0.9
TINY = 1e-7


def temperature(scores: np.ndarray, y: np.ndarray) -> float:
    """The one number T that makes held-out probabilities most likely: softmax(log p / T), or sigmoid for labels.

    Use it on rows that the scores were not fitted on; it changes no decision of a "label" target, only how sure the
    model says it is. As if one more row, of any class, had been seen, so that no number of right rows makes a model
    certain (Platt, Probabilistic Outputs for SVMs, 1999). Clipped to [0.05, 20]. (Guo et al., On Calibration of Modern
    Neural Networks, 2017.)

    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(0, 2, 500)
    >>> right = np.where(rng.random(500) < 0.7, y, 1 - y)
    >>> 1.0 < temperature(np.eye(2)[right] * 0.98 + 0.01, y)  # 98 % sure, 70 % right
    True
    """

    true = y if y.ndim == 2 else np.eye(scores.shape[1])[y]
    unseen = 1 / (len(y) + 2)
    aim = (1 - unseen) * true + unseen * (0.5 if y.ndim == 2 else 1 / scores.shape[1])

    def loss(log_t: float) -> float:
        p = np.clip(apply(scores, float(np.exp(log_t))), TINY, 1 - TINY)
        return float(-np.mean(aim * np.log(p) + ((1 - aim) * np.log(1 - p) if y.ndim == 2 else 0.0)))

    bound = float(np.log(20))
    return float(np.exp(minimize_scalar(loss, bounds=(-bound, bound), method="bounded").x))


def as_sure(scores: np.ndarray, right: float) -> float:
    """The temperature at which the answers (n, C) are as sure, on average, as they are `right`; within [0.05, 20].

    Use it where no row is labelled and their accuracy was guessed.

    >>> told = np.array([[0.9, 0.1], [0.6, 0.4]])
    >>> round(float(apply(told, as_sure(told, 0.7)).max(1).mean()), 3)
    0.7
    """
    bound = float(np.log(20))

    def off(log_t: float) -> float:
        return abs(float(apply(scores, float(np.exp(log_t))).max(1).mean()) - right)

    return float(np.exp(minimize_scalar(off, bounds=(-bound, bound), method="bounded").x))


def apply(scores: np.ndarray, t: float) -> np.ndarray:
    """Probabilities at temperature T; rows that sum to one keep doing so, other columns stay independent."""
    p = np.clip(scores, TINY, 1 - TINY)
    if p.shape[1] > 1 and np.allclose(scores.sum(1), 1, atol=1e-3):
        z = np.log(p) / t
        z -= z.max(1, keepdims=True)
        e = np.exp(z)
        return np.asarray(e / e.sum(1, keepdims=True))
    z = (np.log(p) - np.log1p(-p)) / t
    return np.asarray(1 / (1 + np.exp(-z)))


def conformal(scores: np.ndarray, y: np.ndarray, *, coverage: float = COVERAGE) -> float | None:
    """qhat: sets of all classes with a probability of at least 1 - qhat hold the true one in `coverage` of new rows.

    Use it on rows that the scores were not fitted on and that are like the new ones: the promise is for exchangeable
    rows, on average over them, not for each class. None where there are too few rows to promise it (9 for 90 %). (Vovk
    et al., Algorithmic Learning in a Random World, 2005; Sadinle et al., Least Ambiguous Set-Valued Classifiers, 2019;
    the finite-sample quantile as in Angelopoulos and Bates, A Gentle Introduction to Conformal Prediction, 2021.)

    >>> scores = np.array([[0.1 * k, 1 - 0.1 * k] for k in range(1, 11)])
    >>> round(conformal(scores, np.zeros(10, dtype=int), coverage=0.8), 1)  # the 9th smallest of 10: ceil(11 * 0.8)
    0.8
    """
    short = np.sort(1 - scores[np.arange(len(y)), y])
    rank = int(np.ceil((len(y) + 1) * coverage))
    return float(short[rank - 1]) if rank <= len(y) else None


def bins(scores: np.ndarray, y: np.ndarray) -> list[dict[str, Any]]:
    """Reliability: equal numbers of answers a bin, each with its mean confidence and its share of right answers."""
    confidence, right = _answers(scores, y)
    order = np.argsort(confidence, kind="stable")
    parts = np.array_split(order, min(BINS, max(1, len(order) // 5)))
    return [
        {"confidence": float(confidence[p].mean()), "accuracy": float(right[p].mean()), "rows": len(p)} for p in parts
    ]


def ece(scores: np.ndarray, y: np.ndarray) -> float:
    """Expected calibration error over bins of equal size: 0 is perfect (Naeini et al. 2015).

    >>> round(ece(np.array([[0.9, 0.1]] * 4), np.array([0, 1] * 2)), 3)
    0.4
    """
    found = bins(scores, y)
    rows = sum(b["rows"] for b in found)
    return float(sum(b["rows"] * abs(b["confidence"] - b["accuracy"]) for b in found) / rows)


def _answers(scores: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each answer's confidence and whether it was right; for labels every cell is an answer."""
    if y.ndim == 2:
        return scores.ravel(), y.ravel().astype(np.float64)
    return scores.max(1), (scores.argmax(1) == y).astype(np.float64)
