"""Each domain standardised by itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from headstart.adaptation._base import Adapter
from headstart.adaptation._shared import spread


class Centring(Adapter):
    """Each domain minus its own mean, over its own deviation, column by column.

    Use it first where columns were moved or scaled (another camera, another unit), down to a few dozen rows; not where
    the classes' shares differ, which the means then show. Source (n, d), target (m, d), result (n, d); `transform`
    keeps the target's mean and deviation. (The idea of Li et al., Adaptive batch normalization for practical domain
    adaptation, Pattern Recognition 2018.)

    >>> rows, adapter = np.arange(20.0).reshape(10, 2), Centring()
    >>> adapted = adapter.adapt(rows, np.repeat([0, 1], 5), rows * 7 - 3)
    >>> bool(np.allclose(adapted.X, adapter.transform(rows * 7 - 3)))
    True
    """

    shifts = frozenset({"conditional"})
    maps = True

    def _adapt(
        self, source: np.ndarray, y: np.ndarray, target: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        mean, deviation = spread(source)
        self.mean_, self.deviation_ = spread(target)
        return (source - mean) / deviation, y, np.ones(len(y))

    def transform(self, target: Any) -> np.ndarray:
        """Target rows minus the target's mean, over its deviation."""
        return np.asarray((np.asarray(target, dtype=np.float64) - self.mean_) / self.deviation_)
