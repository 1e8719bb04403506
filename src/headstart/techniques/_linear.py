"""Linear algebra that several techniques share: weights, ridge with exact leave-one-out, logistic regression."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.sparse import issparse
from threadpoolctl import threadpool_limits

STRENGTHS = np.logspace(-3, 5, 13)  # of ridge, on standardised features
LEAST = 0.3  # of the median deviation: what a feature of a network is divided by at least
OWN_SPACE = 3000  # rows: the decomposition of more takes memory by their square
WORTH, SPARSE = 50, 20  # dense steps over all columns that take as long as that decomposition; and one sparse step
BALANCED = 1.5  # largest class over smallest, from which classes are weighted


def class_weights(y: np.ndarray) -> np.ndarray:
    """A weight a row, mean one: rarer classes count more where classes are unbalanced, else all ones.

    >>> class_weights(np.array([0, 0, 0, 1])).round(2).tolist()
    [0.67, 0.67, 0.67, 2.0]
    """
    if y.ndim != 1 or not np.issubdtype(y.dtype, np.integer):
        return np.ones(len(y))
    counts = np.bincount(y)
    present = counts[counts > 0]
    if present.max() < BALANCED * present.min():
        return np.ones(len(y))
    return np.asarray(len(y) / (len(present) * counts[y]))


def targets(y: np.ndarray) -> np.ndarray:
    """What a linear model regresses on: one-hot classes, 0/1 labels, or one column of numbers."""
    if y.ndim == 2:
        return y.astype(np.float64)
    if np.issubdtype(y.dtype, np.floating):
        return y[:, None].astype(np.float64)
    return np.eye(int(y.max()) + 1)[y]


@dataclass(frozen=True)
class Scaler:
    """Mean and deviation of the training features; a missing number becomes the mean."""

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, X: np.ndarray, *, alike: bool = False) -> Scaler:
        """Fit; constant columns keep their unit.

        Of columns that are `alike`, features of one network, none is divided by much less than is usual: many that
        hardly vary in few rows, as behind a ReLU, would outweigh all others in the next row.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a column that is missing in every row
            mean, scale = np.nan_to_num(np.nanmean(X, axis=0)), np.nan_to_num(np.nanstd(X, axis=0))
        varies = scale > 1e-12 * np.maximum(np.abs(mean), 1)
        if alike and varies.any():
            return cls(mean, np.maximum(scale, LEAST * np.median(scale[varies])))
        return cls(mean, np.where(varies, scale, 1.0))

    def __call__(self, X: np.ndarray) -> np.ndarray:
        return np.nan_to_num((np.asarray(X, dtype=np.float64) - self.mean) / self.scale)


Fit = tuple[np.ndarray, np.ndarray]  # coefficients (d, C), intercepts (C,)


@dataclass(frozen=True)
class RidgeFit:
    """The best strength of the path, its coefficients, and what each row would have been told had it been left out."""

    strength: float
    coef: np.ndarray
    intercept: np.ndarray
    held_out: np.ndarray


def ridge_path(X: np.ndarray, Y: np.ndarray, weight: np.ndarray, strengths: np.ndarray = STRENGTHS) -> RidgeFit:
    """Ridge for every strength from one eigendecomposition, with exact leave-one-out predictions.

    Row i left out changes its residual from e to e / (1 - h), h its leverage, so nothing is refitted. The smaller of
    X'X and XX' is decomposed. The strength with the least weighted leave-one-out squared error wins; with few rows this
    is steadier than counting right answers.
    """
    total = weight.sum()
    x_mean, y_mean = weight @ X / total, weight @ Y / total
    root = np.sqrt(weight)[:, None]
    Z, T = (X - x_mean) * root, (Y - y_mean) * root
    wide = Z.shape[0] < Z.shape[1]
    values, vectors = np.linalg.eigh(Z @ Z.T if wide else Z.T @ Z)
    keep = values > max(values.max(initial=0.0), 1e-300) * 1e-12
    values, vectors = values[keep], vectors[:, keep]
    U = vectors if wide else Z @ vectors / np.sqrt(values)
    projected = U.T @ T
    best: tuple[float, float, np.ndarray] | None = None
    for strength in strengths:
        shrink = values / (values + strength)
        leverage = (U**2) @ shrink + weight / total
        error = (T - U @ (shrink[:, None] * projected)) / np.maximum(1 - leverage, 1e-9)[:, None]
        loss = float((error**2).sum())
        if best is None or loss < best[0]:
            best = (loss, float(strength), error)
    assert best is not None
    _, strength, error = best
    inner = projected / (values + strength)[:, None]
    coef = Z.T @ (U @ inner) if wide else vectors @ (np.sqrt(values)[:, None] * inner)
    held_out = Y - error / np.maximum(root, 1e-12)
    return RidgeFit(strength, coef, y_mean - x_mean @ coef, held_out)


def sharpness(scores: np.ndarray, y: np.ndarray) -> float:
    """Factor that makes softmax(factor * scores) (sigmoid of factor * (score - 1/2) for labels) most likely."""

    def loss(log_factor: float) -> float:
        p = np.clip(to_probability(scores, float(np.exp(log_factor)), labels=y.ndim == 2), 1e-12, 1 - 1e-12)
        if y.ndim == 2:
            return float(-np.mean(y * np.log(p) + (1 - y) * np.log1p(-p)))
        return float(-np.mean(np.log(p[np.arange(len(y)), y])))

    return float(np.exp(minimize_scalar(loss, bounds=(-2.0, 5.0), method="bounded").x))


def to_probability(scores: np.ndarray, factor: float, *, labels: bool) -> np.ndarray:
    """Regression scores around 0 and 1 as probabilities."""
    if labels:
        return np.asarray(1 / (1 + np.exp(-np.clip(factor * (scores - 0.5), -50, 50))))
    return softmax(factor * scores)


def softmax(z: np.ndarray) -> np.ndarray:
    """Rows to probabilities."""
    e = np.exp(z - z.max(1, keepdims=True))
    return np.asarray(e / e.sum(1, keepdims=True))


def logistic(
    X: Any, y: np.ndarray, weight: np.ndarray, strengths: tuple[float, ...], seed: int
) -> tuple[np.ndarray, np.ndarray, float]:
    """Multinomial (or, for 0/1 columns, one-vs-rest) logistic regression: (coef (d, C), intercept (C,), strength C).

    The strength is the one with the least log loss on held-out rows: five folds on few rows, one fifth on many. Where
    there are fewer rows than features, and not too many rows, their own space is used instead: by the representer
    theorem the solution is the same, and with few rows or many classes it is found several times faster.
    """
    back = None
    if _in_own_space(X, y.shape[1] if y.ndim == 2 else np.unique(y).size):
        gram = X @ X.T
        values, vectors = np.linalg.eigh(gram.toarray() if issparse(gram) else gram)
        keep = values > values.max() * 1e-10
        root = np.sqrt(values[keep])
        back = vectors[:, keep] / root
        X_small = (vectors[:, keep] * root).astype(np.float32)
    else:
        X_small = X.astype(np.float32)
    with threadpool_limits(1):  # its products are small: with two threads they took up to seven times as long
        strength = strengths[0] if len(strengths) == 1 else _strength(X_small, y, weight, strengths, seed)
        coef, intercept = _fit(X_small, y, weight, strength)
    return (coef if back is None else X.T @ (back @ coef)), intercept, strength


def _in_own_space(X: Any, classes: int) -> bool:
    """Whether rows (n, d) are fewer than columns, and steps in n columns save more than finding these n takes."""
    rows, columns = X.shape
    step = classes * (SPARSE * X.nnz if issparse(X) else X.size)
    return bool(rows < min(columns, OWN_SPACE) and rows**3 < WORTH * step)


def _fit(
    X: Any, y: np.ndarray, weight: np.ndarray, strength: float, start: Fit | None = None, *, rough: bool = False
) -> Fit:
    """Coefficients (d, C or 1) and intercepts, from an earlier solution where there is one."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    if y.ndim == 2:
        starts = (
            [None] * y.shape[1] if start is None else [(start[0][:, [j]], start[1][[j]]) for j in range(y.shape[1])]
        )
        columns = [_fit(X, c, weight, strength, s, rough=rough) for c, s in zip(y.T, starts, strict=True)]
        return np.concatenate([c for c, _ in columns], axis=1), np.concatenate([i for _, i in columns])
    present = np.unique(y)
    if len(present) == 1:  # a label that all rows, or none, have
        return np.zeros((X.shape[1], 1)), np.array([10.0 if present[0] else -10.0])
    fine = 0.01 if issparse(X) else 1.0  # the gradient of many rare columns is small all over
    limits = {"max_iter": 60, "tol": 1e-3 * fine} if rough else {"max_iter": 300, "tol": 1e-4 * fine}
    solver = "newton-cg" if issparse(X) else "lbfgs"  # which would remember ten pairs of coefficients of every column
    model = LogisticRegression(C=strength, solver=solver, warm_start=True, **limits)
    if start is not None and start[0].shape[1] == (1 if len(present) == 2 else len(present)):
        model.coef_, model.intercept_ = start[0].T.astype(X.dtype), start[1].astype(X.dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # so many steps are enough for the order of probabilities
        model.fit(X, y, sample_weight=weight)
    coef, intercept = model.coef_.T.astype(np.float64), model.intercept_.astype(np.float64)
    if len(present) == int(y.max()) + 1:
        return coef, intercept
    if len(present) == 2:
        coef, intercept = np.c_[np.zeros(len(coef)), coef], np.r_[0.0, intercept]
    return _spread(coef, intercept, present)


def _spread(coef: np.ndarray, intercept: np.ndarray, present: np.ndarray) -> Fit:
    """Columns for all classes up to the highest; one that no row has is never said."""
    classes = int(present.max()) + 1
    wide, base = np.zeros((len(coef), classes)), np.full(classes, -50.0)
    wide[:, present], base[present] = coef, intercept
    return wide, base


def logits_to_probability(logits: np.ndarray, kind: str) -> np.ndarray:
    """Logits of `logistic` as probabilities: (n, C) for label, independent columns for labels."""
    if kind == "labels":
        return np.asarray(1 / (1 + np.exp(-np.clip(logits, -50, 50))))
    if logits.shape[1] == 1:
        logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
    return softmax(logits)


def _strength(X: Any, y: np.ndarray, weight: np.ndarray, strengths: tuple[float, ...], seed: int) -> float:
    from sklearn.model_selection import KFold, ShuffleSplit, StratifiedKFold, StratifiedShuffleSplit

    least = int(np.bincount(y)[np.unique(y)].min()) if y.ndim == 1 else 0
    few = X.shape[0] <= 400
    if few:
        folds = (
            StratifiedKFold(5, shuffle=True, random_state=seed)
            if least >= 5
            else KFold(min(5, len(y)), shuffle=True, random_state=seed)
        )
    else:
        splitter = StratifiedShuffleSplit if least >= 2 else ShuffleSplit
        folds = splitter(
            1, test_size=max(0.2, (np.unique(y).size + 1) / len(y) if y.ndim == 1 else 0.2), random_state=seed
        )
    losses = np.zeros(len(strengths))
    for fit, held in folds.split(np.zeros(len(y)), y if y.ndim == 1 else None):
        found: Fit | None = None
        for i, strength in enumerate(strengths):  # from strong to weak, each starting where the last one ended
            found = _fit(X[fit], y[fit], weight[fit], strength, found, rough=True)
            coef, intercept = found
            p = np.clip(
                logits_to_probability(X[held] @ coef + intercept, "labels" if y.ndim == 2 else "label"), 1e-9, 1
            )
            if y.ndim == 2:
                q = np.clip(1 - p, 1e-9, 1)
                losses[i] -= float(np.sum(y[held] * np.log(p) + (1 - y[held]) * np.log(q)))
            else:
                columns = np.minimum(y[held], p.shape[1] - 1)
                told = np.where(y[held] < p.shape[1], p[np.arange(len(held)), columns], 1e-9)
                losses[i] -= float(np.sum(weight[held] * np.log(told)))
    return strengths[int(losses.argmin())]


def slopes(head: Any) -> np.ndarray | None:
    """(d, C) how the logits of a fitted head's classes change with its columns; None where it is not linear."""
    coef = getattr(head, "coef_", None)
    if not isinstance(coef, np.ndarray) or coef.ndim != 2:
        return None
    coef = coef * getattr(head, "sharpness_", 1.0)
    return np.hstack([np.zeros_like(coef), coef]) if coef.shape[1] == 1 else coef
