"""No adaptation."""

from __future__ import annotations

import numpy as np

from headstart.adaptation._base import Adapter


class SourceOnly(Adapter):
    """The source rows as they are: the floor that every adapter has to beat.

    Use it always, as the arm to compare with, and whenever the domains differ little: under honest selection most
    adapters lose to it. Source (n, d), target (m, d), result (n, d). (The baseline of Ben-David et al., A theory of
    learning from different domains, Machine Learning 2010.)

    >>> rows = np.arange(20.0).reshape(10, 2)
    >>> SourceOnly().adapt(rows, np.repeat([0, 1], 5), rows + 1).X[0].tolist()
    [0.0, 1.0]
    """

    shifts = frozenset()

    def _adapt(
        self, source: np.ndarray, y: np.ndarray, target: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return source, y, np.ones(len(y))
