"""The model's answers smoothed over the target's own neighbourhoods."""

from __future__ import annotations

import numpy as np

from headstart.adaptation._base import Adapted
from headstart.adaptation._shared import spread, told_apart
from headstart.adaptation._source import Source
from headstart.adaptation.propagation import graph_of
from headstart.adaptation.source_free._base import SourceFree


class Propagation(SourceFree):
    """Target rows with the label that most of their neighbours, and those of theirs, were given.

    Use it where the classes are clusters, of any form, and the model is right on most of a cluster; not where classes
    overlap. Neighbours are the nearest by cosine, columns standardised; the model's probabilities flow along them,
    `reach` of the weight, and a new head learns the result. (Zhou et al., Learning with local and global consistency,
    NeurIPS 2003; Yang et al., Exploiting the intrinsic neighborhood structure for source-free domain adaptation,
    NeurIPS 2021.)

    >>> from headstart.adaptation.source_free._example import moved
    >>> target, told, source, right = moved(1.2)
    >>> adapted = Propagation().adapt(target, told, source)
    >>> shares = np.bincount(adapted.y), np.bincount(told.argmax(1))  # the truth: about 200 of each
    >>> bool(abs(shares[0][0] - 200) < abs(shares[1][0] - 200))
    True
    """

    shifts = frozenset({"conditional"})

    def __init__(self, neighbours: int = 10, reach: float = 0.8) -> None:
        self.neighbours = neighbours
        self.reach = reach

    def _adapt(self, target: np.ndarray, told: np.ndarray, source: Source) -> Adapted | None:
        mean, deviation = spread(target)
        graph = graph_of((target - mean) / deviation, min(self.neighbours, len(target) - 1))
        mass = told
        for _ in range(50):
            mass = self.reach * (graph @ mass) + (1 - self.reach) * told
        mass = mass / mass.sum(1, keepdims=True)
        return Adapted(target, told_apart(mass.argmax(1)), mass.max(1))
