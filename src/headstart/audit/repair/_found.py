"""Groups from a shortcut that a check found by itself: nobody has to name an attribute."""

from __future__ import annotations

import numpy as np

from headstart.audit.repair._base import two_means
from headstart.techniques._linear import Scaler, class_weights, ridge_path, targets


def by_hiding(seen: np.ndarray, hidden: np.ndarray, y: np.ndarray, known: np.ndarray) -> np.ndarray:
    """(n,) 1 where hiding a part of a picture moves what a plain head says of it, 0 where nothing was to be hidden.

    `seen` and `hidden` (n, d) are the same rows whole and with the part hidden; the head learns from the `known` whole
    ones. The movement along its main direction falls into two clusters; those that move more have the mark.

    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(80) % 2
    >>> whole = rng.normal(size=(80, 5)) + 4 * y[:, None]
    >>> (by_hiding(whole, np.where(y[:, None] == 1, whole - 4, whole), y, np.arange(80)) == y).mean()
    np.float64(1.0)
    """
    scaler = Scaler.of(seen[known])
    head = ridge_path(scaler(seen[known]), targets(y[known]), class_weights(y[known]))
    moved = (scaler(seen) - scaler(hidden)) @ head.coef
    main = np.linalg.svd(moved[known], full_matrices=False)[2][0]
    along = moved @ main
    side = two_means(along)
    return side if abs(along[side == 1].mean()) > abs(along[side == 0].mean()) else 1 - side
