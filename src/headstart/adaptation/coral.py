"""Correlation alignment."""

from __future__ import annotations

import numpy as np

from headstart.adaptation._base import Adapter, covariance, power


class Coral(Adapter):
    """The source, whitened, is coloured with the target's covariance and moved to the target's mean.

    Use it where the features as a whole were moved, scaled or mixed, with the classes' shares alike in both domains;
    not where the shares differ, or with far fewer rows than columns and a low `regular` (a share of the mean variance
    on the diagonal). Source (n, d), target (m, d), result (n, d); the target is read unchanged. (Sun, Feng and Saenko,
    Return of frustratingly easy domain adaptation, AAAI 2016.)

    >>> rows = np.random.default_rng(0).standard_normal((200, 2))
    >>> moved = Coral(regular=0.0).adapt(rows, np.repeat([0, 1], 100), rows * 3 + 5).X
    >>> bool(np.allclose(moved, rows * 3 + 5))
    True
    """

    shifts = frozenset({"conditional"})
    maps = True

    def __init__(self, regular: float = 0.1) -> None:
        self.regular = regular

    def _adapt(
        self, source: np.ndarray, y: np.ndarray, target: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        whiten = power(covariance(source, self.regular), -0.5)
        colour = power(covariance(target, self.regular), 0.5)
        moved = (source - source.mean(0)) @ whiten @ colour + target.mean(0)
        return moved, y, np.ones(len(y))
