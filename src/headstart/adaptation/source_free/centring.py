"""The target's columns brought to the mean and deviation that the source had."""

from __future__ import annotations

from typing import Any

import numpy as np

from headstart.adaptation._shared import spread
from headstart.adaptation._source import Source
from headstart.adaptation.source_free._base import SourceFree


class Centring(SourceFree):
    """Target rows minus their mean, over their deviation, then as wide and where the source's rows were.

    Use it first where columns were moved or scaled (another camera, another unit); not where the classes' shares
    differ, which the means then show. The model's head stays. Target (m, d), result (m, d). (The idea of Li et al.,
    Adaptive batch normalization for practical domain adaptation, Pattern Recognition 2018.)

    >>> from headstart.adaptation.source_free._example import moved
    >>> target, told, source, right = moved(3.0)
    >>> way = Centring()
    >>> way.adapt(target, told, source) is None, bool(np.allclose(way.transform(target).mean(0), source.mean))
    (True, True)
    """

    shifts = frozenset({"conditional"})

    def _adapt(self, target: np.ndarray, told: np.ndarray, source: Source) -> None:
        self.from_, self.by_ = spread(target)
        self.onto_, self.scale_ = source.mean, source.deviation

    def transform(self, target: Any) -> np.ndarray:
        """Target rows where the source's were."""
        X = np.asarray(target, dtype=np.float64)
        return np.asarray((X - self.from_) / self.by_ * self.scale_ + self.onto_)
