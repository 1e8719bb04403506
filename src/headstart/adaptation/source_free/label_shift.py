"""The model's probabilities turned to the shares that the classes have in the target."""

from __future__ import annotations

from typing import Any

import numpy as np

from headstart.adaptation._shared import expected_shares
from headstart.adaptation._source import Source
from headstart.adaptation.source_free._base import SourceFree

LEAST_SHARE = 1e-3


class LabelShift(SourceFree):
    """Each class's probability times its share in the target over its share before.

    Use it where the classes look the same in both domains and only their shares differ; not where the features moved:
    the shares are then estimated from wrong answers. Before means: as the model told them on held-out source rows, so
    that nothing changes where nothing shifted, whatever the model's own bias. The head stays. (Saerens, Latinne and
    Decaestecker, Adjusting the outputs of a classifier to new a priori probabilities, Neural Computation 2002.)

    >>> from headstart.adaptation.source_free._example import moved
    >>> target, told, source, right = moved(0.0, shares=(0.85, 0.15))
    >>> way = LabelShift()
    >>> way.adapt(target, told, source) is None, bool(abs(way.shares_[1] - 0.15) < 0.04)
    (True, True)
    """

    shifts = frozenset({"prior"})

    def _adapt(self, target: np.ndarray, told: np.ndarray, source: Source) -> None:
        before = np.maximum(source.told, LEAST_SHARE)
        self.shares_ = expected_shares(told, before / before.sum())
        self.odds_ = np.maximum(self.shares_, LEAST_SHARE) / before

    def answers(self, told: Any) -> np.ndarray:
        """Probabilities (m, C) under the target's shares."""
        turned = np.asarray(told, dtype=np.float64) * self.odds_
        return np.asarray(turned / turned.sum(1, keepdims=True))
