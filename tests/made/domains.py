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
