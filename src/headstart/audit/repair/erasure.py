"""The attribute is erased from the activations, then a plain head is trained."""

from __future__ import annotations

import numpy as np

from headstart.audit._erasure import leace, within
from headstart.audit.repair._base import Repair, Task
from headstart.audit.repair._head import Head
from headstart.techniques._linear import class_weights


class Erasure(Repair):
    """LEACE of the attribute within the classes, then a head; both together are one linear head.

    Use it where the attribute should not be read at all. What tells the class beyond the attribute is kept, as the
    covariance is taken among rows of one class. It does not mend a head that errs for other reasons. (Belrose et al.,
    LEACE: Perfect linear concept erasure in closed form, NeurIPS 2023.)

    >>> from headstart.audit.repair._example import task
    >>> made = task()
    >>> Erasure()(made)(made.X).shape
    (400, 2)
    """

    def __call__(self, task: Task) -> Head:
        """Erase, fit, and fold the erasure into the head."""
        hot = np.eye(int(task.levels.max()) + 1)[task.levels]
        erase = leace(within(task.X, task.y), within(hot, task.y))
        centre = task.X.mean(0)
        clean = Task(
            task.X - (task.X - centre) @ erase.matrix.T, task.y, task.known, task.classes, task.strength, task.seed
        )
        head = clean.head(np.arange(len(task.y)), class_weights(task.y))
        return Head(head.coef - erase.matrix.T @ head.coef, head.intercept + centre @ erase.matrix.T @ head.coef)
