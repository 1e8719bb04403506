"""How often a model is right on rows that nobody has labelled, guessed from how sure it is of them."""

from __future__ import annotations

import numpy as np

RESAMPLES = 500


def estimate(told_held: np.ndarray, y: np.ndarray, told: np.ndarray, *, seed: int = 0) -> tuple[float, float, float]:
    """Accuracy on the rows `told` (m, C) with a 95 % interval, from held-out rows (n, C) and their codes y.

    The confidence above which as large a share of the held-out rows lies as the model gets right is carried over: the
    share of the new rows above it is the estimate. It trusts the model to be as well calibrated there as here, which a
    shift may break, so that the interval says nothing about that: a benchmark has to. (Garg et al., Leveraging
    Unlabeled Data to Predict Out-of-Distribution Performance, ICLR 2022.)

    >>> held = np.array([[0.9, 0.1], [0.8, 0.2], [0.6, 0.4], [0.55, 0.45]])
    >>> estimate(held, np.array([0, 0, 1, 1]), np.array([[0.95, 0.05], [0.5, 0.5]]))[0]
    0.5
    """
    right, sure, asked = told_held.argmax(1) == y, _certainty(told_held), _certainty(told)
    value = _share(right, sure, asked)
    rng = np.random.default_rng(seed)
    draws = []
    for _ in range(RESAMPLES):
        i, j = rng.integers(0, len(y), len(y)), rng.integers(0, len(asked), len(asked))
        draws.append(_share(right[i], sure[i], asked[j]))
    low, high = np.percentile(draws, (2.5, 97.5))
    return value, float(low), float(high)


def _certainty(told: np.ndarray) -> np.ndarray:
    p = np.clip(told, 1e-12, 1.0)
    return np.asarray((p * np.log(p)).sum(1))


def _share(right: np.ndarray, sure: np.ndarray, asked: np.ndarray) -> float:
    wrong = int((~right).sum())
    threshold = -np.inf if wrong == 0 else np.sort(sure)[wrong - 1]
    return float((asked > threshold).mean())
