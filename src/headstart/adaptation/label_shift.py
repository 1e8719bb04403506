"""Weights of the classes for a target with other shares of them."""

from __future__ import annotations

import numpy as np
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression

from headstart.adaptation._base import Adapter, classifier
from headstart.adaptation._shared import expected_shares, held_out
from headstart.errors import PlanError


class LabelShift(Adapter):
    """Source rows weigh as their class's share in the target over its share in the source.

    Use it where the classes look the same in both domains and only their shares differ (a disease more common in one
    clinic); not where the features moved: the shares are then estimated from wrong predictions. `how` is "em"
    (probabilities, calibrated on rows left out, and expectation maximisation) or "bbse" (the confusion matrix of rows
    left out, solved). Source (n, d), target (m, d), result (n, d). (Saerens, Latinne and Decaestecker, Neural
    Computation 2002; Lipton, Wang and Smola, ICML 2018.)

    >>> rng = np.random.default_rng(0)
    >>> rows, more = rng.normal(np.repeat([0, 4], 50)[:, None]), rng.normal(np.repeat([0, 4], [80, 20])[:, None])
    >>> weight = LabelShift().adapt(rows, np.repeat([0, 1], 50), more).weight
    >>> weight[[0, 99]].round(1).tolist()
    [1.6, 0.4]
    """

    shifts = frozenset({"prior"})

    def __init__(self, how: str = "em") -> None:
        self.how = how

    def _adapt(
        self, source: np.ndarray, y: np.ndarray, target: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        if self.how not in ("em", "bbse"):
            raise PlanError(f"no way {self.how!r} to estimate shares", expected="em or bbse")
        _, codes = np.unique(y, return_inverse=True)
        own = held_out(source, codes)
        told = classifier(source, codes).predict_proba(target)
        prior = np.bincount(codes) / len(codes)
        if self.how == "bbse":
            confusion = np.array(
                [np.bincount(own.argmax(1)[codes == c], minlength=len(prior)) for c in range(len(prior))]
            )
            ratio = _bbse(confusion.T / len(codes), np.bincount(told.argmax(1), minlength=len(prior)) / len(told))
        else:
            level = LogisticRegression(C=100.0, max_iter=1000).fit(_log(own), codes)
            ratio = expected_shares(level.predict_proba(_log(told)), prior) / prior
        return source, y, np.maximum(ratio, 1e-3)[codes]


def _log(probability: np.ndarray) -> np.ndarray:
    return np.asarray(log_softmax(np.log(np.maximum(probability, 1e-12)), axis=1))


def _bbse(confusion: np.ndarray, told: np.ndarray) -> np.ndarray:
    """Ratios w (C,) with confusion @ w = told; confusion[i, j] is the source's share told i that is j."""
    return np.maximum(np.linalg.lstsq(confusion, told, rcond=1e-3)[0], 0.0)
