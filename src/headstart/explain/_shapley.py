"""Shapley values by sampling: what each part of a row adds to a score, for models that have no gradient."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Tell = Callable[[np.ndarray, np.ndarray], np.ndarray]


def shapley(tell: Tell, parts: int, walks: int, seed: int = 0) -> tuple[np.ndarray, float, float]:
    """Weights (parts,) of a row's parts, the mean score without any of them, and the score with all.

    Use it where nothing can be differentiated: every walk brings the parts in one by one, in a random order and then in
    the reverse one, and notes what the score gains. `tell(present, draw)` gives the scores (m,) of rows of which the
    parts `present` (m, parts) are the row's own and the others are as number `draw` (m,) of some background has them.
    The weights add up to the difference of the two scores, exactly. (Strumbelj and Kononenko, Explaining prediction
    models and individual predictions with feature contributions, KIS 2014; antithetic walks: Mitchell et al., 2022.)

    >>> weights, without, whole = shapley(lambda present, draw: present @ np.array([3.0, -1.0]) + 1, 2, 2)
    >>> weights.tolist(), without, whole
    ([3.0, -1.0], 1.0, 3.0)
    """
    rng = np.random.default_rng(seed)
    half = [rng.permutation(parts) for _ in range((walks + 1) // 2)]
    orders = np.array([order for one in half for order in (one, one[::-1])])
    place = np.argsort(orders, axis=1)  # at which step of a walk each part comes in
    present = place[:, None, :] < np.arange(parts + 1)[None, :, None]  # (walks, parts + 1, parts)
    draw = np.repeat(np.arange(len(orders)) // 2, parts + 1)
    told = tell(present.reshape(-1, parts), draw).reshape(len(orders), parts + 1)
    gained = np.take_along_axis(np.diff(told, axis=1), place, 1)
    return gained.mean(0), float(told[:, 0].mean()), float(told[:, -1].mean())
