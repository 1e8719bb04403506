"""Two-sample tests by permutation: can a classifier, or a kernel, tell two sets of rows apart?"""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.spatial.distance import cdist
from scipy.stats import rankdata
from sklearn.covariance import ledoit_wolf_shrinkage

DRAWS = 499  # the smallest p is 1 / 500
FOLDS = 5
DIRECTIONS = 20  # leading principal directions whose spread is compared
KERNEL_ROWS = 500


def spread_scores(X: np.ndarray) -> np.ndarray:
    """Scores on the leading principal directions, each of unit variance."""
    values, vectors = np.linalg.eigh(X.T @ X / len(X))
    k = min(DIRECTIONS, max(1, len(X) // 10), int((values > 1e-9 * values[-1]).sum()))
    return X @ (vectors[:, -k:] / np.sqrt(values[-k:]))


def classifier_test(X: np.ndarray, n: int, rng: np.random.Generator) -> tuple[float, float, np.ndarray]:
    """AUC of a domain classifier, its p-value and every row's held-out score; the first n rows are the source.

    Ridge regression on the columns and on the absolute leading scores (which see a change of spread). Held-out scores
    are linear in the domain labels, so all permutations cost one matrix product, and folds and strength do not look at
    the labels: the p-value is exact. (Lopez-Paz and Oquab, Revisiting Classifier Two-Sample Tests, ICLR 2017.)
    """
    extra = np.abs(spread_scores(X))
    Z = np.concatenate([X, (extra - extra.mean(0)) / np.maximum(extra.std(0), 1e-12)], axis=1)
    rows = len(Z)
    labels = np.empty((rows, DRAWS + 1))
    labels[:, 0] = np.arange(rows) >= n
    labels[:, 1:] = rng.permuted(np.tile(labels[:, :1], (1, DRAWS)), axis=0)
    shrink = min(max(float(ledoit_wolf_shrinkage(Z, assume_centered=True)), 1e-3), 0.99)
    strength = rows * shrink / (1 - shrink) * float((Z**2).mean())
    whole = Z.T @ Z
    scores = np.empty_like(labels)
    aucs, weights = np.zeros(DRAWS + 1), np.zeros(DRAWS + 1)
    for test in np.array_split(rng.permutation(rows), min(FOLDS, rows)):
        train = np.ones(rows, dtype=bool)
        train[test] = False
        centre = Z[train].mean(0)
        gram = whole - Z[test].T @ Z[test] - train.sum() * np.outer(centre, centre)
        gram.flat[:: len(gram) + 1] += strength
        known = labels[train]
        slope = cho_solve(cho_factor(gram), (Z[train] - centre).T @ (known - known.mean(0)))
        scores[test] = (Z[test] - centre) @ slope
        ones = labels[test].sum(0)
        pairs = ones * (len(test) - ones)
        above = (rankdata(scores[test], axis=0) * labels[test]).sum(0) - ones * (ones + 1) / 2
        aucs += above
        weights += pairs
    aucs = np.divide(aucs, weights, out=np.full_like(aucs, 0.5), where=weights > 0)
    return float(aucs[0]), _p(aucs[0], aucs[1:]), scores[:, 0]


def kernel_test(X: np.ndarray, n: int, rng: np.random.Generator) -> tuple[float, float, float, float]:
    """Unbiased MMD^2 of the first n rows and the rest, its p-value, and median and spread of it in source halves.

    Gaussian kernel, median distance as bandwidth, at most 500 rows a domain. (Gretton et al., A Kernel Two-Sample Test,
    JMLR 2012.)
    """
    first = rng.permutation(n)[:KERNEL_ROWS]
    second = n + rng.permutation(len(X) - n)[:KERNEL_ROWS]
    rows = X[np.concatenate([first, second])]
    squares = cdist(rows, rows, "sqeuclidean")
    middle = float(np.median(squares[np.triu_indices(len(rows), 1)]))
    K = np.exp(-squares / (2 * middle if middle > 0 else 1.0))
    np.fill_diagonal(K, 0)
    a = np.repeat([1.0, 0.0], [len(first), len(second)])[:, None]
    values = _mmd(K, np.concatenate([a, rng.permuted(np.tile(a, (1, DRAWS)), axis=0)], axis=1))
    half = np.repeat([1.0, 0.0], [len(first) // 2, len(first) - len(first) // 2])[:, None]
    halves = _mmd(K[: len(first), : len(first)], rng.permuted(np.tile(half, (1, 100)), axis=0))
    return float(values[0]), _p(values[0], values[1:]), float(np.median(halves)), float(halves.std())


def _mmd(K: np.ndarray, A: np.ndarray) -> np.ndarray:
    """Unbiased MMD^2 for each column of A, which marks the first sample with ones; K has a zero diagonal."""
    n = A[:, 0].sum()
    m = len(A) - n
    KA = K @ A
    inside = (A * KA).sum(0)
    across = KA.sum(0) - inside
    rest = K.sum() - inside - 2 * across
    return inside / (n * (n - 1)) + rest / (m * (m - 1)) - 2 * across / (n * m)


def _p(value: float, null: np.ndarray) -> float:
    """Share of draws that reach the value, the value itself counted: never zero. The slack lets equal sums be equal."""
    return float((1 + (null >= value - 1e-12).sum()) / (1 + len(null)))
