"""The group that fares worst decides: distributionally robust optimisation over groups."""

from __future__ import annotations

import numpy as np

from headstart.audit.repair._base import Repair, Task
from headstart.audit.repair._head import Head


class GroupDro(Repair):
    """A head that lowers the loss of the worst group, by weights that grow where the loss is high.

    Use it where groups differ in difficulty, not only in size. Not with tiny groups, which it learns by heart: hence
    the `steps` are few and the penalty of the plain head stays. (Sagawa et al., Distributionally robust neural networks
    for group shifts, ICLR 2020.)

    >>> from headstart.audit.repair._example import task
    >>> made = task()
    >>> GroupDro()(made)(made.X).shape
    (400, 2)
    """

    def __init__(self, steps: int = 12, rate: float = 0.5) -> None:
        self.steps = steps
        self.rate = rate

    def __call__(self, task: Task) -> Head:
        """Fit and weigh in turns."""
        counts = np.bincount(task.groups)
        share = np.full(len(counts), 1 / len(counts))
        head, rows = task.plain, np.arange(len(task.y))
        for _ in range(self.steps):
            told = head(task.X)[rows, task.y]
            losses = np.bincount(task.groups, -np.log(np.maximum(told, 1e-12))) / counts
            share *= np.exp(self.rate * (losses - losses.max()))
            share /= share.sum()
            head = task.head(rows, (share / counts)[task.groups], start=head, steps=15)
        return head
