"""Self-training with labels of the classifier's own."""

from __future__ import annotations

import numpy as np

from headstart.adaptation._base import Adapter, classifier
from headstart.adaptation._shared import told_apart


class SelfTraining(Adapter):
    """Source rows and the target rows that a classifier is sure of, with its labels, round after round.

    Use it where the classes are clusters that moved a little, so that the first classifier is mostly right where it is
    sure; not where it is surely wrong. A target row is taken above `threshold`, or among its class's surest: a share
    that grows with the rounds up to `share`, so that no class is left out. Source (n, d), target (m, d), result up to
    (n + m, d), both domains of one weight. (Yarowsky, ACL 1995; Zou et al., Class-balanced self-training, ECCV 2018.)

    >>> rows = np.random.default_rng(0).standard_normal((60, 2)) + np.repeat([[-3], [3]], 30, axis=0)
    >>> adapted = SelfTraining().adapt(rows, np.repeat([0, 1], 30), rows + 1)
    >>> len(adapted.X) > 90, set(adapted.y.tolist())
    (True, {0, 1})
    """

    shifts = frozenset({"conditional"})

    def __init__(self, threshold: float = 0.95, share: float = 0.8, rounds: int = 5) -> None:
        self.threshold = threshold
        self.share = share
        self.rounds = rounds

    def _adapt(
        self, source: np.ndarray, y: np.ndarray, target: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        X, codes, weight = source, y, np.ones(len(y))
        for turn in range(1, self.rounds + 1):
            model = classifier(X, codes, weight)
            told = model.predict_proba(target)
            given, sure = told.argmax(1), told.max(1)
            taken = sure >= self.threshold
            for code in np.unique(given):
                mine = given == code
                taken |= mine & (sure >= np.quantile(sure[mine], 1 - self.share * turn / self.rounds))
            labels = told_apart(model.classes_[given[taken]])
            X, codes = np.vstack([source, target[taken]]), np.r_[y, labels]
            weight = np.r_[np.ones(len(y)), sure[taken] * len(y) / sure[taken].sum()]
        return X, codes, weight
