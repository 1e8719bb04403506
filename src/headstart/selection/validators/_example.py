"""A made shift for the validators' examples: the target is the source moved by two units along its class direction."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression

from headstart.selection.validators._base import Outlook


def example(*, blind: bool = False) -> Outlook:
    """A candidate that centres each domain, or one that is blind to the column in which the classes differ."""
    rng = np.random.default_rng(0)
    y = np.tile([0, 1], 60)

    def rows(move: float) -> np.ndarray:
        return rng.normal(size=(len(y), 2)) * [0.5, 1.0] + np.stack([3.0 * y + move, 0.0 * y], axis=1)

    def refit(X: np.ndarray, labels: np.ndarray, other: np.ndarray, ask: np.ndarray) -> np.ndarray:
        kept = slice(1, 2) if blind else slice(0, 2)
        model = LogisticRegression().fit((X - X.mean(0))[:, kept], labels)
        return model.predict_proba((ask - other.mean(0))[:, kept])

    source, held, target = rows(0), rows(0), rows(2)
    told_held, told = refit(source, y, source, held), refit(source, y, target, target)
    return Outlook(held, y, told_held, source, y, target, told, refit)
