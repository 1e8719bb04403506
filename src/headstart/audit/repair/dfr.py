"""Deep feature reweighting: the mean of heads on group-balanced subsets."""

from __future__ import annotations

import numpy as np

from headstart.audit.repair._base import Repair, Task
from headstart.audit.repair._head import Head


class Dfr(Repair):
    """Heads on `draws` subsets with as many rows of every group as the smallest has, averaged.

    Use it where the attribute is known, or well guessed, and the smallest group has some tens of rows. The paper's L1
    penalty is an L2 penalty on principal directions here. (Kirichenko, Izmailov and Wilson, Last layer re-training is
    sufficient for robustness to spurious correlations, ICLR 2023.)

    >>> from headstart.audit.repair._example import task
    >>> made = task()
    >>> Dfr()(made)(made.X).shape
    (400, 2)
    """

    def __init__(self, draws: int = 10) -> None:
        self.draws = draws

    def __call__(self, task: Task) -> Head:
        """Fit and average."""
        counts = np.bincount(task.groups)
        rng = np.random.default_rng(task.seed)
        heads = []
        for _ in range(self.draws):
            rows = np.concatenate(
                [rng.choice(np.flatnonzero(task.groups == g), counts.min(), replace=False) for g in range(len(counts))]
            )
            heads.append(task.head(rows, np.ones(len(rows)), steps=40))
        return Head(np.mean([h.coef for h in heads], axis=0), np.mean([h.intercept for h in heads], axis=0))
