"""What a ridge head says of rows that it was fitted without: more witnesses than the test rows alone."""

from __future__ import annotations

import numpy as np

from headstart.audit._base import Evidence
from headstart.techniques._linear import Scaler, class_weights, ridge_path, sharpness, targets, to_probability

FOLDS = 5


def left_out(evidence: Evidence) -> tuple[np.ndarray, np.ndarray]:
    """What a ridge head says of each row of train and valid that it was fitted without; and their positions."""
    known = np.flatnonzero(evidence.split != "test")
    X, y = evidence.values[known], targets(evidence.target[known])
    fit = ridge_path(Scaler.of(X)(X), y, class_weights(evidence.target[known]))
    told = np.pad(fit.held_out, ((0, 0), (0, len(evidence.classes) - y.shape[1])))
    return to_probability(told, sharpness(told, evidence.target[known]), labels=False), known


def left_out_right(X: np.ndarray, y: np.ndarray, seed: int = 0) -> np.ndarray:
    """(n,) whether a ridge head that was fitted without the row's fold gives it its class.

    Folds hold as much of each class. Leaving out single rows will not do here: a class that has just lost one is the
    rarer one, so that a head without any signal would be wrong everywhere.

    >>> y = np.arange(100) % 2
    >>> bool(0.3 < left_out_right(np.random.default_rng(0).normal(size=(100, 3)), y).mean() < 0.7)
    True
    """
    fold = np.empty(len(y), dtype=int)
    fold[np.lexsort((np.random.default_rng(seed).random(len(y)), y))] = np.arange(len(y)) % FOLDS
    told, Y = np.empty((len(y), int(y.max()) + 1)), targets(y)
    for k in range(FOLDS):
        held = fold == k
        scaler = Scaler.of(X[~held])
        fit = ridge_path(scaler(X[~held]), Y[~held], class_weights(y[~held]))
        told[held] = scaler(X[held]) @ fit.coef + fit.intercept
    return np.asarray(told.argmax(1) == y, dtype=float)
