"""Quality against number of labels: what would more of them buy?"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.optimize import curve_fit

from headstart.selection.metrics import Metric

POINTS, REPEATS = 6, 3
GOOD_FIT = 0.8  # share of the curve's spread that the power law must explain before anything is foretold
Learner = Callable[[np.ndarray], np.ndarray]  # positions of training rows -> scores of the test rows


def learning_curve(
    learners: dict[str, Learner], rows: np.ndarray, y: np.ndarray, y_test: np.ndarray, metric: Metric, *, seed: int = 0,
    left: Callable[[], float] = lambda: np.inf,
) -> dict[str, Any]:  # fmt: skip
    """Test scores of some cheap learners after 1/32 to all of the training rows: {words, points}.

    `learners` maps a role to a function that learns from the given positions and scores the test rows; use closed
    forms, each is called about sixteen times. `rows` are the training positions, `y` the targets of all rows. Subsets
    grow: a larger one holds the smaller. Each point is the mean of three draws with their range; of fewer, where
    the seconds that are `left` do not allow another one by what the last one took. The words foretell what twice the
    labels would bring only where a power law a - b n^-c fits the first learner's curve well.
    (Cortes et al., Learning Curves, NIPS 1993.)
    """
    sizes = _sizes(len(rows), y[rows])
    told: dict[tuple[str, int], list[float]] = {(role, n): [] for role in learners for n in sizes}
    for repeat in range(REPEATS):
        start, order = time.monotonic(), _order(rows, y, np.random.default_rng(seed + repeat))
        for (role, n), values in told.items():
            if n < len(rows) or repeat == 0:  # all rows are all rows, however they are drawn
                values.append(metric(y_test, learners[role](np.sort(order[:n]))))
        if left() < time.monotonic() - start:
            break
    points: list[dict[str, Any]] = [
        {"labels": n, "role": role, "value": float(np.mean(v)), "low": min(v), "high": max(v)}
        for (role, n), v in told.items()
    ]
    first = next(iter(learners))
    line = [p for p in points if p["role"] == first]
    return {"words": foretell(sizes, [p["value"] for p in line], metric.name), "points": points}


def foretell(sizes: Sequence[int], values: Sequence[float], metric: str) -> str:
    """What twice the labels would buy, in words; honest silence where the curve does not say.

    >>> n = [25, 50, 100, 200, 400]
    >>> foretell(n, [0.9 - 2 * k**-0.5 for k in n], "accuracy")
    'Twice the labels (800) would buy about +2.9 points of accuracy.'
    >>> foretell(n, [0.5, 0.7, 0.5, 0.6, 0.5], "accuracy")
    'The curve is too uneven to say what more labels would buy.'
    """
    n, v = np.array(sizes, dtype=float), np.array(values)
    spread = float(((v - v.mean()) ** 2).sum())
    silent = "The curve is too uneven to say what more labels would buy."
    if len(n) < 4 or spread == 0:
        return silent
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a covariance that cannot be estimated is not used
            (a, b, c), _ = curve_fit(
                _law, n, v, p0=(v.max(), 1.0, 0.5), bounds=((-1, 0, 0.05), (1.0, 50, 2.0)), maxfev=4000
            )
    except (RuntimeError, ValueError):
        return silent
    if 1 - float(((v - _law(n, a, b, c)) ** 2).sum()) / spread < GOOD_FIT:
        return silent
    most = int(n[-1])
    gain = 100 * (_law(2.0 * most, a, b, c) - _law(float(most), a, b, c))
    of = f"points of {metric.replace('_', ' ')}"
    if gain < 0.5:
        return f"More labels of this kind would buy little: twice as many ({2 * most:,}) about {gain:+.1f} {of}."
    return f"Twice the labels ({2 * most:,}) would buy about {gain:+.1f} {of}."


def _law(n: Any, a: float, b: float, c: float) -> Any:
    return a - b * n**-c


def _sizes(most: int, y: np.ndarray) -> list[int]:
    """From about four rows a class to all rows, evenly on a logarithmic scale."""
    classes = len(np.unique(y)) if y.ndim == 1 and np.issubdtype(y.dtype, np.integer) else 4
    least = min(max(10, 3 * classes), most)
    return sorted({round(float(n)) for n in np.geomspace(least, most, POINTS)})


def _order(rows: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rows in random order in which classes take turns at first, so that small subsets hold every class."""
    order = rng.permutation(rows)
    if y.ndim == 2 or np.issubdtype(y.dtype, np.floating):
        return order
    turn = np.zeros(len(order), dtype=int)
    for code in np.unique(y[order]):
        at = np.flatnonzero(y[order] == code)
        turn[at] = np.arange(len(at))
    seen_first = np.argsort(np.where(turn < 2, turn, 2), kind="stable")
    return np.asarray(order[seen_first])
