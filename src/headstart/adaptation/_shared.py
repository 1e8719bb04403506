"""What several adapters need: an order that no shuffling changes, blocks, out-of-fold predictions, a transport plan."""

from __future__ import annotations

from importlib import import_module

import numpy as np

from headstart.adaptation._base import classifier
from headstart.errors import NotApplicable


def order(X: np.ndarray) -> np.ndarray:
    """Positions of the rows by their values alone."""
    return np.argsort(X @ np.random.default_rng(0).standard_normal(X.shape[1]), kind="stable")


def ordered(X: np.ndarray) -> np.ndarray:
    """The rows in an order that depends on their values alone, so that samples and folds do not depend on theirs."""
    return np.asarray(X[order(X)])


def blocks(n: int, size: int, seed: int) -> list[np.ndarray]:
    """Positions 0..n-1 in random blocks of at most `size`, of nearly one length."""
    order = np.random.default_rng(seed).permutation(n)
    return [np.sort(part) for part in np.array_split(order, -(-n // size))]


def sample(X: np.ndarray, size: int, seed: int) -> np.ndarray:
    """At most `size` rows of X, drawn without putting back."""
    return X if len(X) <= size else X[blocks(len(X), size, seed)[0]]


def spread(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of each column; one where a column is constant."""
    mean, deviation = X.mean(0), X.std(0)
    return mean, np.where(deviation > 1e-9 * np.maximum(1.0, np.abs(mean)), deviation, 1.0)


def squared(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """Squared Euclidean distances (n, m)."""
    return np.asarray(np.maximum((A**2).sum(1)[:, None] + (B**2).sum(1) - 2 * A @ B.T, 0.0))


def held_out(X: np.ndarray, y: np.ndarray, folds: int = 5) -> np.ndarray:
    """(n, C) probabilities of the plain classifier, of each row from a fit without it; y holds every code 0..C-1.

    A class of one row stays in every fit.
    """
    counts = np.bincount(y)
    fold = np.empty(len(y), dtype=np.int64)
    for code, count in enumerate(counts):
        fold[y == code] = np.random.default_rng(code).permutation(count) % folds if count > 1 else folds
    told = classifier(X, y).predict_proba(X) if folds in fold else np.zeros((len(y), len(counts)))
    for k in range(min(folds, int(counts.max()))):
        told[fold == k] = classifier(X[fold != k], y[fold != k]).predict_proba(X[fold == k])
    return np.asarray(told)


def expected_shares(probability: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Shares (C,) of the target that agree with its probabilities once these are turned from `prior` to them."""
    share = prior.copy()
    for _ in range(1000):
        turned = probability * (share / prior)
        new = (turned / turned.sum(1, keepdims=True)).mean(0)
        if np.abs(new - share).max() < 1e-8:
            break
        share = new
    return np.asarray(share)


def told_apart(y: np.ndarray) -> np.ndarray:
    """The labels, if there are two or more."""
    if len(np.unique(y)) < 2:
        raise NotApplicable(
            "all target rows were given the same one label" if len(y) else "no target row was given a label",
            expected="two or more classes in the target",
            do="use source_only",
        )
    return y


def plan(cost: np.ndarray, regular: float) -> np.ndarray:
    """The entropic transport plan between even masses (n, m); `regular` in units of the cost."""
    try:
        ot = import_module("ot")
    except ImportError as error:
        raise NotApplicable("POT is not installed", do="pip install headstart[transport]") from error
    cost = cost - cost.min(1, keepdims=True)  # constants of a row or a column leave the plan as it is,
    cost -= cost.min(0)  # and no row of exp(-cost / regular) vanishes
    n, m = cost.shape
    even = np.full(n, 1 / n), np.full(m, 1 / m)
    return np.asarray(ot.sinkhorn(*even, cost, regular, numItermax=500, stopThr=1e-5, warn=False))
