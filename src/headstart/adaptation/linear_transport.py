"""Optimal transport between two Gaussians."""

from __future__ import annotations

import numpy as np

from headstart.adaptation._base import Adapter, covariance, power


class LinearTransport(Adapter):
    """The affine map that carries the source's mean and covariance to the target's with the least movement.

    Use it like Coral, where the features as a whole were moved, scaled or mixed; of all maps with that covariance it
    turns the rows least. Not where the classes' shares differ. Source (n, d), target (m, d), result (n, d); the target
    is read unchanged. (Knott and Smith, JOTA 1984; Flamary, Lounici and Ferrari, Concentration bounds for linear Monge
    mapping estimation and optimal transport domain adaptation, 2019.)

    >>> rows = np.random.default_rng(0).standard_normal((200, 2))
    >>> moved = LinearTransport(regular=0.0).adapt(rows, np.repeat([0, 1], 100), rows * [3, 1] + 5).X
    >>> bool(np.allclose(moved.mean(0), (rows * [3, 1] + 5).mean(0)))
    True
    """

    shifts = frozenset({"conditional"})
    maps = True

    def __init__(self, regular: float = 0.1) -> None:
        self.regular = regular

    def _adapt(
        self, source: np.ndarray, y: np.ndarray, target: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        own = covariance(source, self.regular)
        root, inverse = power(own, 0.5), power(own, -0.5)
        turn = inverse @ power(root @ covariance(target, self.regular) @ root, 0.5) @ inverse
        return (source - source.mean(0)) @ turn + target.mean(0), y, np.ones(len(y))
