"""A made target for the examples: two classes, moved, answered by the true model of the source."""

from __future__ import annotations

import numpy as np

from headstart.adaptation._source import Source


def moved(by: float, shares: tuple[float, float] = (0.5, 0.5)) -> tuple[np.ndarray, np.ndarray, Source, np.ndarray]:
    """Target rows (400, 3), the source model's probabilities, the source, and the right answers."""
    rng = np.random.default_rng(0)

    def draw(share: float) -> tuple[np.ndarray, np.ndarray]:
        y = (rng.random(400) < share).astype(np.int64)
        return rng.standard_normal((400, 3)) + 4.0 * (y[:, None] - 0.5) * [1, 0, 0], y

    def tell(X: np.ndarray) -> np.ndarray:
        one = 1 / (1 + np.exp(-2.0 * X[:, 0]))
        return np.c_[1 - one, one]

    (X, y), (held, held_y), (Z, right) = draw(0.5), draw(0.5), draw(shares[1])
    source, target = Source.of(X, y, tell(held), held_y, {}), Z + by * np.eye(3)[0]
    assert source is not None
    return target, tell(target), source, right
