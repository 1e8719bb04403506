"""Does something that should say nothing of the target say something of it?"""

from __future__ import annotations

from collections import Counter

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from headstart.audit._levels import is_gap

DRAWS = 499  # the smallest p is 1 / 500
FOLDS = 5
VALUES, BINS = 12, 5  # of a word, of a number, that get a column of their own
CLASSES = 10
STRENGTH = 3.0  # of the ridge, in rows: what fewer rows than that say is hardly believed
BLOCK = 50


def columns_of(values: np.ndarray) -> np.ndarray:
    """(n, k) columns of 0 and 1: the fifths of a number, the most frequent values of anything else.

    >>> columns_of(np.array(["a", "b", "a", None], dtype=object)).tolist()
    [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 0.0]]
    """
    cells = values.tolist()
    numbers = [v for v in cells if v is not None]
    if all(isinstance(v, int | float) for v in numbers) and len(set(numbers)) > BINS:
        cuts = np.unique(np.quantile(numbers, np.linspace(0, 1, BINS + 1)[1:-1]))
        place = np.searchsorted(cuts, [0 if v is None else v for v in cells])
        return np.eye(len(cuts) + 1)[place] * np.array([[v is not None] for v in cells])
    words = [None if v is None else str(v) for v in cells]
    common = [w for w, _ in Counter(w for w in words if w is not None).most_common(VALUES)]
    return np.array([[float(w == c) for c in common] for w in words]).reshape(len(words), len(common))


def aims(target: np.ndarray, kind: str) -> np.ndarray:
    """(n, C) what is to be told: a column a class (one of two, the most frequent ten of more), or the number."""
    if kind == "number":
        spread = float(target.std()) or 1.0
        return ((target - target.mean()) / spread)[:, None]
    if kind == "labels":
        return np.asarray(target[:, np.argsort(-target.sum(0), kind="stable")[:CLASSES]], dtype=np.float64)
    classes, counts = np.unique(target, return_counts=True)
    some = classes[np.argsort(-counts, kind="stable")][: 1 if len(classes) == 2 else CLASSES]
    return np.asarray(target[:, None] == some, dtype=np.float64)


def told(Z: np.ndarray, aim: np.ndarray, rng: np.random.Generator, *, draws: int = DRAWS) -> tuple[float, float]:
    """Share of the aims' variance that held-out ridge regression on Z explains, and its p-value by permutation.

    Folds and strength do not look at the aims, so that the p-value is exact for exchangeable rows; all permutations
    share one factorisation a fold.

    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(200) % 2
    >>> share, p = told(np.eye(2)[y], y[:, None] * 1.0, rng)
    >>> bool(share > 0.9), p
    (True, 0.002)
    """
    n, width = aim.shape
    folds = np.array_split(rng.permutation(n), FOLDS)
    shares = np.empty(draws + 1)
    orders = [np.arange(n)[None], *np.array_split(rng.permuted(np.tile(np.arange(n), (draws, 1)), axis=1), BLOCK)]
    factors = []
    for fold in folds:
        known = np.setdiff1d(np.arange(n), fold)
        centre = Z[known].mean(0)
        A = Z[known] - centre
        gram = A.T @ A + STRENGTH * np.eye(A.shape[1])
        factors.append((fold, known, A, Z[fold] - centre, cho_factor(gram)))
    done = 0
    for order in (o for o in orders if len(o)):
        y = aim[order].transpose(1, 0, 2).reshape(n, -1)
        rest = np.empty_like(y)
        for fold, known, A, B, factor in factors:
            mean = y[known].mean(0)
            rest[fold] = y[fold] - mean - B @ cho_solve(factor, A.T @ (y[known] - mean))
        lost = (rest**2).sum(0).reshape(len(order), width).sum(1)
        shares[done : done + len(order)] = 1 - lost / max(float(((aim - aim.mean(0)) ** 2).sum()), 1e-12)
        done += len(order)
    return float(shares[0]), float((1 + (shares[1:] >= shares[0] - 1e-12).sum()) / (1 + draws))


def alike(owner: np.ndarray, aim: np.ndarray, rng: np.random.Generator, *, draws: int = DRAWS) -> tuple[float, float]:
    """How alike the aims of one owner's rows are (0 as by chance, 1 all equal), and its p-value by permutation.

    The share of the aims' variance between owners, less what as many owners take by chance.

    >>> alike(np.arange(90) // 3, (np.arange(90) // 3 % 2 * 1.0)[:, None], np.random.default_rng(0))
    (1.0, 0.002)
    """
    _, member = np.unique(owner.astype(str), return_inverse=True)
    counts = np.bincount(member)
    centred = aim - aim.mean(0)
    total = max(float((centred**2).sum()), 1e-12)

    def between(order: np.ndarray) -> float:
        sums = [np.bincount(member, column[order]) for column in centred.T]
        return float(sum((s**2 / counts).sum() for s in sums) / total)

    found = between(np.arange(len(member)))
    null = np.array([between(rng.permutation(len(member))) for _ in range(draws)])
    share = (found - null.mean()) / max(1 - null.mean(), 1e-12)
    return round(float(share), 6), float((1 + (null >= found - 1e-12).sum()) / (1 + draws))


def lookup(values: np.ndarray, target: np.ndarray, kind: str, rng: np.random.Generator) -> float:
    """How much of the error one column alone removes on held-out rows, as a table of its values: 1 all, 0 none.

    Numbers are cut into up to fifty bins of as many rows; for a number to predict, the squared rank correlation.

    >>> y = np.arange(300) % 3
    >>> lookup(np.array(["x", "y", "z"])[y], y, "label", np.random.default_rng(0))
    1.0
    """
    words = [None if is_gap(v) else str(v) for v in values.tolist()]
    try:
        numbers = np.array([np.nan if w is None else float(w) for w in words])
    except ValueError:
        numbers = None
    if kind == "number":
        return _rank_correlation(numbers, target) if numbers is not None else 0.0
    if numbers is not None and len(np.unique(numbers)) > 50:
        cuts = np.nanquantile(numbers, np.linspace(0, 1, max(2, min(50, len(words) // 20)) + 1)[1:-1])
        codes = np.where(np.isnan(numbers), 0, 1 + np.searchsorted(cuts, numbers))
    else:
        codes = np.unique(np.array(["" if w is None else "=" + w for w in words]), return_inverse=True)[1]
    counts = np.zeros((int(codes.max()) + 1, int(target.max()) + 1))
    fold = rng.permutation(len(codes)) % FOLDS
    wrong = plain = 0
    for k in range(FOLDS):
        known, held = fold != k, fold == k
        counts[:] = 0
        np.add.at(counts, (codes[known], target[known]), 1)
        common = int(counts.sum(0).argmax())
        says = np.where(counts.sum(1) > 0, counts.argmax(1), common)
        wrong += int((says[codes[held]] != target[held]).sum())
        plain += int((target[held] != common).sum())
    return 1 - wrong / max(plain, 1)


def _rank_correlation(numbers: np.ndarray, target: np.ndarray) -> float:
    from scipy.stats import spearmanr

    there = np.isfinite(numbers)
    if there.sum() < 10 or np.ptp(numbers[there]) == 0 or np.ptp(target[there]) == 0:
        return 0.0
    return float(spearmanr(numbers[there], target[there]).statistic ** 2)
