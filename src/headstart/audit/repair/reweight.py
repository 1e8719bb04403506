"""Every group counts alike: weights that are the inverse of its rows."""

from __future__ import annotations

import numpy as np

from headstart.audit.repair._base import Repair, Task
from headstart.audit.repair._head import Head


class Reweight(Repair):
    """A head on all rows, groups of class and attribute weighted alike.

    Use it first: no row is thrown away. Not where a group has a handful of rows, which then count for hundreds.
    (Idrissi et al., Simple data balancing achieves competitive worst-group-accuracy, CLeaR 2022.)

    >>> from headstart.audit.repair._example import task
    >>> made = task()
    >>> Reweight()(made)(made.X).shape
    (400, 2)
    """

    def __call__(self, task: Task) -> Head:
        """Fit."""
        return task.head(np.arange(len(task.y)), 1 / np.bincount(task.groups)[task.groups])
