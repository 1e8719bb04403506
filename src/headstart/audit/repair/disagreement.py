"""Selective last-layer fine-tuning (SELF): learn again from rows on which a simpler head disagrees."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from headstart.audit.repair._base import Repair, Task
from headstart.audit.repair._head import Head


class Disagreement(Repair):
    """A head near the plain one, fitted on the `share` of each class where a simpler head differs most from it.

    Use it where no attribute is known. Not where labels are wrong, and not with few rows: it learns from some of them.
    The paper's simpler head is one that was stopped early; here it has the penalty `simpler`, which does not depend on
    a solver's steps. (LaBonte, Muthukumar and Kumar, Towards last-layer retraining for group robustness with fewer
    annotations, NeurIPS 2023: early-stop SELF.)

    >>> from headstart.audit.repair._example import task
    >>> made = task(known=None)
    >>> Disagreement()(made)(made.X).shape
    (400, 2)
    """

    def __init__(self, share: float = 0.2, simpler: float = 0.3, leash: float = 0.03) -> None:
        self.share = share
        self.simpler = simpler
        self.leash = leash

    def __call__(self, task: Task) -> Head:
        """Select and fit."""
        everything = np.arange(len(task.y))
        simple = replace(task, strength=self.simpler).head(everything, np.ones(len(task.y)))
        apart = np.abs(simple(task.X) - task.plain(task.X)).sum(1)
        least = max(1, int(self.share * np.bincount(task.y)[np.unique(task.y)].min()))
        kept = [np.flatnonzero(task.y == c) for c in np.unique(task.y)]
        rows = np.concatenate([rows[np.argsort(-apart[rows], kind="stable")[:least]] for rows in kept])
        return task.head(rows, np.ones(len(rows)), leash=self.leash)
