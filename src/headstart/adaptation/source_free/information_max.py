"""Target rows labelled by the model's answers, once a classifier of them was made certain and diverse."""

from __future__ import annotations

import numpy as np

from headstart.adaptation import information_max as with_source
from headstart.adaptation._base import Adapted, classifier
from headstart.adaptation._shared import told_apart
from headstart.adaptation._source import Source
from headstart.adaptation.source_free._base import SourceFree


class InformationMax(SourceFree):
    """A classifier of the model's own answers is moved to be sure of rows and even overall; its centroids then label.

    Use it where the classes are clusters of about one size in the target, and the model is better than chance; not
    where a class is rare there: it asks for an even spread. A new head learns the target rows with the labels of the
    nearest centroid. Settings and steps are those of the way with source rows. (The idea of Liang, Hu and Feng, Do we
    really need to access the source data? Source hypothesis transfer, ICML 2020, without a network.)

    >>> from headstart.adaptation.source_free._example import moved
    >>> target, told, source, right = moved(1.2)
    >>> adapted = InformationMax().adapt(target, told, source)
    >>> len(adapted.X) == len(target)
    True
    """

    shifts = frozenset({"conditional"})

    def __init__(self, stay: float = 0.05, rounds: int = 2) -> None:
        self.stay = stay
        self.rounds = rounds

    def _adapt(self, target: np.ndarray, told: np.ndarray, source: Source) -> Adapted | None:
        given = told_apart(told.argmax(1))
        model = classifier(target, given, told.max(1))
        return Adapted(*with_source.InformationMax(self.stay, self.rounds).label(target, model))
