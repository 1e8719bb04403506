"""Leave-one-out quality of a ridge head over a path of strengths, exactly, from one decomposition."""

from __future__ import annotations

import numpy as np

STRENGTHS = np.logspace(-3, 5, 13)


def ridge_loo(X: np.ndarray, y: np.ndarray) -> float:
    """Best leave-one-out accuracy (R2 for numbers) of ridge regression on one-hot targets, over 13 strengths.

    Use it to compare backbones by what a linear head can read. One eigendecomposition serves every strength and every
    left-out row: e_loo = e / (1 - h). (Golub, Heath, Wahba 1979; Rifkin and Lippert 2007.)

    >>> ridge_loo(np.repeat(np.eye(2), 20, axis=0), np.repeat([0, 1], 20))
    1.0
    """
    X = np.asarray(X, dtype=np.float64)
    X = (X - X.mean(0)) / np.maximum(X.std(0), 1e-12)
    is_label = y.ndim == 1 and np.issubdtype(y.dtype, np.integer)
    Y = np.eye(int(y.max()) + 1)[y] if is_label else np.atleast_2d(y.T).T.astype(np.float64)
    centred = Y - Y.mean(0)
    gram_of_rows = len(X) < X.shape[1]
    values, vectors = np.linalg.eigh(X @ X.T if gram_of_rows else X.T @ X)
    values = np.maximum(values, 0.0)
    U = vectors if gram_of_rows else X @ vectors / np.sqrt(np.maximum(values, 1e-12))
    keep = values > 1e-10 * values.max()
    U, values = U[:, keep], values[keep]
    projected, best = U.T @ centred, -np.inf
    for strength in STRENGTHS:
        shrink = values / (values + strength)
        hat = (U**2 * shrink).sum(1) + 1 / len(X)
        held = Y - (centred - U @ (shrink[:, None] * projected)) / np.maximum(1 - hat, 1e-9)[:, None]
        best = max(best, _quality(held, Y, is_label=is_label))
    return best


def _quality(said: np.ndarray, Y: np.ndarray, *, is_label: bool) -> float:
    if is_label:
        return float((said.argmax(1) == Y.argmax(1)).mean())
    return float(1 - ((said - Y) ** 2).mean() / max(float(((Y - Y.mean(0)) ** 2).mean()), 1e-12))
