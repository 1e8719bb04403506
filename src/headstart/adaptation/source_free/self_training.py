"""The model's surest answers, and what a classifier of them is sure of in turn."""

from __future__ import annotations

import numpy as np

from headstart.adaptation import self_training as with_source
from headstart.adaptation._base import Adapted
from headstart.adaptation._shared import told_apart
from headstart.adaptation._source import Source
from headstart.adaptation.source_free._base import SourceFree


def surest(told: np.ndarray, share: float) -> np.ndarray:
    """Which rows are the surest of the class that they are given: a `share` of all, as many of each as there are."""
    given, taken = told.argmax(1), np.zeros(len(told), dtype=bool)
    codes = np.unique(given)
    for code in codes:
        mine = np.flatnonzero(given == code)
        best = np.argsort(-told[mine, code], kind="stable")[: int(np.ceil(share * len(told) / len(codes)))]
        taken[mine[best]] = True
    return taken


class SelfTraining(SourceFree):
    """Each class's surest target rows stand for the source; self-training goes on from them, round after round.

    Use it where the classes are clusters that moved a little, so that the model is mostly right where it is sure; not
    where it is surely wrong. `first` is the share of rows that is believed at once, in equal numbers a class. A new
    head learns the believed rows. (Yarowsky, ACL 1995; Zou et al., Class-balanced self-training, ECCV 2018.)

    >>> from headstart.adaptation.source_free._example import moved
    >>> target, told, source, right = moved(1.2)
    >>> adapted = SelfTraining().adapt(target, told, source)
    >>> set(adapted.y.tolist())
    {0, 1}
    """

    shifts = frozenset({"conditional"})

    def __init__(self, first: float = 0.3) -> None:
        self.first = first

    def _adapt(self, target: np.ndarray, told: np.ndarray, source: Source) -> Adapted | None:
        given = told_apart(told.argmax(1))
        sure = surest(told, self.first)
        return with_source.SelfTraining().adapt(target[sure], given[sure], target)
