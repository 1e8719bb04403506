"""The contract of a way without source rows: a model's answers on target rows in, a better model out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from headstart.adaptation._base import Adapted, Served
from headstart.adaptation._shared import order
from headstart.adaptation._source import Source


class SourceFree(Served, ABC):
    """One way from a trained model and unlabelled target rows to a model for the target.

    `adapt` gives the rows that a new head is trained on, or None where the model's own head stays and only what is
    before it (`transform`) or after it (`answers`) changes. Settings are the keywords of `__init__`; what is learnt
    ends in an underscore.
    """

    shifts: ClassVar[frozenset[str]]  # of {"covariate", "prior", "subspace", "conditional"}: what it is made for

    def adapt(self, target: np.ndarray, told: np.ndarray, source: Source) -> Adapted | None:
        """Target (m, d), the model's calibrated probabilities of it (m, C); NotApplicable for unusable rows."""
        target = self.rows(target, "target")
        self.fill_, by_value = source.mean, order(target)  # so that the order of the rows does not matter
        adapted = self._adapt(target[by_value], np.asarray(told, dtype=np.float64)[by_value], source)
        return adapted and Adapted(adapted.X, adapted.y, adapted.weight / adapted.weight.mean())

    @abstractmethod
    def _adapt(self, target: np.ndarray, told: np.ndarray, source: Source) -> Adapted | None:
        """As `adapt`, with checked rows."""
