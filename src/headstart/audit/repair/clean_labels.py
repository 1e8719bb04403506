"""Rows whose label is probably wrong are left out."""

from __future__ import annotations

import numpy as np

from headstart.audit.repair._base import Repair, Task
from headstart.audit.repair._head import Head
from headstart.techniques._linear import class_weights


class CleanLabels(Repair):
    """A plain head without the rows that heads which did not see them confidently give to another class.

    Use it against labels that were mixed up at random. Not against a shortcut: the rows that break it look the same.
    A row is left out where another class reaches the mean probability that rows of that class have. (Northcutt, Jiang
    and Chuang, Confident learning: Estimating uncertainty in dataset labels, JAIR 2021.)

    >>> from headstart.audit.repair._example import task
    >>> made = task()
    >>> CleanLabels()(made)(made.X).shape
    (400, 2)
    """

    def __call__(self, task: Task) -> Head:
        """Leave out and fit."""
        usual = np.array(
            [task.told[task.y == c, c].mean() if (task.y == c).any() else 1.0 for c in range(task.classes)]
        )
        able = np.where(task.told >= usual, task.told, -1.0)
        other = able.argmax(1)
        rows = np.flatnonzero((able.max(1) < 0) | (other == task.y))
        return task.head(rows, class_weights(task.y[rows]))
