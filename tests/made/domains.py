"""Two domains of one task, the second moved and stretched, and how far."""

from __future__ import annotations

import numpy as np


def clusters(
    source: int, target: int, *, move: float, stretch: float, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(X, y, Z, t): two classes in six columns; the target's columns are stretched and moved across the class line."""
    rng = np.random.default_rng(seed)

    def draw(rows: int) -> tuple[np.ndarray, np.ndarray]:
        y = rng.integers(0, 2, rows)
        return rng.normal(size=(rows, 6)) + 1.5 * y[:, None], y

    (X, y), (Z, t) = draw(source), draw(target)
    return X, y, Z * stretch + move, t


def redundant(n: int, *, other: bool, gap: float = 4.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(X, y): three classes told twice, by columns 0-2 and by 3-5 of twelve; in the other domain the first are off.

    There they are stretched and moved so far that the first class is told of nearly every row.
    """
    rng = np.random.default_rng(seed)
    y, X = rng.integers(0, 3, n), rng.standard_normal((n, 12))
    X[:, :3] += np.eye(3)[y] * gap
    X[:, 3:6] += np.eye(3)[y] * gap
    if other:
        X[:, :3] = 2 * X[:, :3] + [8, -4, -4]
    return X.astype(np.float32), y
