"""The group that fares worst decides: distributionally robust optimisation over groups."""

from __future__ import annotations

from headstart.audit.repair._base import Repair, Task
from headstart.audit.repair._head import Head
from headstart.techniques._group_dro import group_dro


class GroupDro(Repair):
    """The head whose worst group has the smallest loss, under the penalty of the plain head.

    Use it where groups differ in difficulty, not only in size. Not with tiny groups, which it learns by heart. (Sagawa
    et al., Distributionally robust neural networks for group shifts, ICLR 2020.)

    >>> from headstart.audit.repair._example import task
    >>> made = task()
    >>> GroupDro()(made)(made.X).shape
    (400, 2)
    """

    def __call__(self, task: Task) -> Head:
        """Solve, from the plain head on."""
        strength = 1 / (task.strength * len(task.y))  # as scikit-learn counts it
        start = (task.plain.coef, task.plain.intercept)
        coef, intercept, _ = group_dro(task.X, task.y, task.groups, strength=strength, start=start)
        return Head(coef, intercept)
