"""Group-balanced resampling: every group is drawn equally often."""

from __future__ import annotations

import numpy as np

from headstart.audit.repair._base import Repair, Task
from headstart.audit.repair._head import Head


class Resample(Repair):
    """A head on rows that were drawn, with replacement, so that all groups are of one size.

    Use it as `reweight`; the draw adds noise that keeps a head from resting on single rows of a small group.
    (Idrissi et al., Simple data balancing achieves competitive worst-group-accuracy, CLeaR 2022.)

    >>> from headstart.audit.repair._example import task
    >>> made = task()
    >>> Resample()(made)(made.X).shape
    (400, 2)
    """

    def __call__(self, task: Task) -> Head:
        """Draw and fit."""
        rng = np.random.default_rng(task.seed)
        counts = np.bincount(task.groups)
        size = max(1, len(task.y) // len(counts))
        drawn = [rng.choice(np.flatnonzero(task.groups == g), size) for g in range(len(counts))]
        rows = np.concatenate(drawn)
        return task.head(rows, np.ones(len(rows)))
