"""Does an attribute show in the activations, and does a model lean on it? Both by permutation within classes."""

from __future__ import annotations

import numpy as np

from headstart.audit._erasure import within
from headstart.audit._permutation import DRAWS, FOLDS

DIRECTIONS = 100  # principal directions that the probe reads
ROWS = 2000


def shuffled(codes: np.ndarray, y: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """(n, draws) of the codes, each column shuffled among the rows of one class."""
    out = np.repeat(codes[:, None], draws, axis=1)
    for c in np.unique(y):
        rows = np.flatnonzero(y == c)
        out[rows] = rng.permuted(out[rows], axis=0)
    return out


def compact(X: np.ndarray, most: int = DIRECTIONS) -> np.ndarray:
    """Scores on the leading principal directions of the standardised columns, gaps as the mean."""
    X = np.asarray(X, dtype=np.float64)
    centre = np.nan_to_num(np.nanmean(X, axis=0))
    X = np.where(np.isnan(X), centre, X) - centre
    X /= np.maximum(X.std(0), 1e-9)
    _, vectors = np.linalg.eigh(X.T @ X)
    return np.asarray(X @ vectors[:, -most:])


def decoded(X: np.ndarray, codes: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """How far a linear probe tells the levels of an attribute among rows of one class: (R2 held out, p).

    Five folds, ridge on deviations from the class means. Held-out scores are linear in the levels, so all permutations
    cost one matrix product; folds and strength do not look at the levels.
    """
    n, k = len(codes), int(codes.max()) + 1
    Z = within(compact(X, min(DIRECTIONS, n // 5)), y)
    draws = np.concatenate([codes[:, None], shuffled(codes, y, DRAWS, rng)], axis=1)
    hot = within(np.eye(k)[draws].reshape(n, -1), y)
    told = np.empty_like(hot)
    strength = float((Z**2).sum() / Z.shape[1])  # each direction of mean variance is halved
    for test in np.array_split(rng.permutation(n), FOLDS):
        train = np.setdiff1d(np.arange(n), test)
        gram = Z[train].T @ Z[train]
        gram.flat[:: len(gram) + 1] += strength * len(train) / n / 10
        told[test] = Z[test] @ np.linalg.solve(gram, Z[train].T @ hot[train])
    error = ((hot - told) ** 2).reshape(n, DRAWS + 1, k).sum((0, 2))
    r2 = 1 - error / np.maximum((hot**2).reshape(n, DRAWS + 1, k).sum((0, 2)), 1e-12)
    return float(r2[0]), p_value(r2)


def usual(codes: np.ndarray, y: np.ndarray, classes: int) -> np.ndarray:
    """(levels, classes): how much likelier each class is at each level than over all levels."""
    counts = np.zeros((int(codes.max()) + 1, classes))
    np.add.at(counts, (codes, y), 1)
    prior = counts.mean(0)  # as if every level had as many more rows of all levels: rare ones are not believed
    share = (counts + prior) / (counts.sum(1, keepdims=True) + prior.sum())
    return np.asarray(share - counts.sum(0) / len(y))


def lean(
    scores: np.ndarray, y: np.ndarray, codes: np.ndarray, pull: np.ndarray, rng: np.random.Generator
) -> tuple[float, float]:
    """Do rows of one true class score higher for the classes that their level usually goes with: (how much, p).

    `pull` is what `usual` says of the training rows. Under a model that does not care, levels may be exchanged among
    the rows of one class: the p-value is exact, one-sided.
    """
    worth = within(scores, y) @ pull.T  # (n, levels)
    draws = np.concatenate([codes[:, None], shuffled(codes, y, DRAWS, rng)], axis=1)
    found = np.take_along_axis(worth, draws, axis=1).mean(0)
    return float(found[0] / np.maximum(np.abs(pull).max(), 1e-12)), p_value(found)


def p_value(values: np.ndarray) -> float:
    """Share of values that reach the first one, itself counted."""
    return float((values >= values[0] - 1e-12).mean())
