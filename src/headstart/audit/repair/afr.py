"""Automatic feature reweighting: rows that a plain head finds hard count more; no groups are needed."""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq

from headstart.audit.repair._base import Repair, Task
from headstart.audit.repair._head import Head

MOST = 20.0


class Afr(Repair):
    """A head near the plain one, rows weighted by exp(-gamma p), p the held-out probability of their class.

    Use it where no attribute is known. Not where labels are wrong: wrong labels are hard rows, too. Where `gamma` is
    None, it is such that rows which a plain head gets wrong weigh as much as those that it gets right; the paper
    searches it with group labels, between 4 and 20. (Qiu et al., Simple and fast group robustness by automatic feature
    reweighting, ICML 2023.)

    >>> from headstart.audit.repair._example import task
    >>> made = task(known=None)
    >>> Afr()(made)(made.X).shape
    (400, 2)
    """

    def __init__(self, gamma: float | None = None, leash: float = 0.03) -> None:
        self.gamma = gamma
        self.leash = leash

    def __call__(self, task: Task) -> Head:
        """Weigh and fit."""
        right = task.told.argmax(1) == task.y

        def tilt(gamma: float) -> float:
            weight = np.exp(-gamma * task.ease)
            return float(weight[right].sum() - weight[~right].sum())

        gamma = self.gamma
        if gamma is None:
            gamma = 0.0 if tilt(0) < 0 else MOST if tilt(MOST) > 0 else float(brentq(tilt, 0, MOST))
        weight = np.exp(-gamma * task.ease)
        weight /= np.bincount(task.y, weight)[task.y]
        return task.head(np.arange(len(task.y)), weight, leash=self.leash)
