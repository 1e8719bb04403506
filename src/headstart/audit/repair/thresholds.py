"""A threshold for every group, so that all have the same error rates (equalised odds)."""

from __future__ import annotations

import numpy as np
from scipy.special import logit

from headstart.audit.repair._base import Repair, Task
from headstart.audit.repair._rule import TINY, Rule, equalised
from headstart.errors import NotApplicable
from headstart.techniques._linear import class_weights

FEWEST = 10  # rows of either class of a level: fewer draw no curve


class Thresholds(Repair):
    """Thresholds a level of the attribute at which true- and false-positive rates are those of the worst level.

    Use it against `group_gaps`, with two classes, where the law and the purpose allow a decision to look at the group:
    the repaired model asks for the column of every row. Nothing is trained, so that it works on any model. It lowers
    the groups that fare better: where curves differ, a part of their rows is answered by a coin, which is a hash of the
    row's content, so that equal rows get equal answers. A level with fewer than ten rows of a class stays as it is; for
    more than two classes, or fewer than two such levels: NotApplicable. Probabilities move with the threshold and are
    then no longer calibrated. (Hardt, Price and Srebro, Equality of opportunity in supervised learning, NeurIPS 2016.)

    >>> from headstart.audit.repair._example import task
    >>> made = task()
    >>> Thresholds()(made).shares.sum(1).round(6).tolist()
    [1.0, 1.0]
    """

    asks = True

    def __call__(self, task: Task) -> Rule:
        """Draw the levels' curves from what was said of rows that had not been seen, and meet under them."""
        if task.known is None or task.classes != 2:
            raise NotApplicable("thresholds need two classes and a known attribute")
        counts = np.bincount(2 * task.known + task.y, minlength=2 * int(task.known.max()) + 2)
        able = np.flatnonzero(counts.reshape(-1, 2).min(1) >= FEWEST).tolist()
        if len(able) < 2:
            raise NotApplicable(
                f"{len(able)} levels with {FEWEST} rows of both classes", expected="at least two, to be made alike"
            )
        said = task.told if task.said is None else task.said
        odds = logit(np.clip(said[:, 1], TINY, 1 - TINY))
        return equalised(odds, task.y, task.known, class_weights(task.y), able)
