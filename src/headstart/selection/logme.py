"""Log of maximum evidence: how well a Bayesian linear head explains the targets, without leaving rows out."""

from __future__ import annotations

import numpy as np


def logme(X: np.ndarray, y: np.ndarray) -> float:
    """Mean log evidence per row of a linear-Gaussian model of each target column; higher is better.

    Use it beside leave-one-out scores, whose steps are coarse on few rows; its values compare backbones on one data
    set, not data sets with each other. X (n, d) features, y as `target_kind` describes. (You et al., LogME: Practical
    Assessment of Pre-trained Models for Transfer Learning, ICML 2021.)

    >>> from sklearn.datasets import load_iris
    >>> from sklearn.preprocessing import StandardScaler
    >>> X, y = load_iris(return_X_y=True)
    >>> round(logme(StandardScaler().fit_transform(X), y), 6)
    -0.639151
    """
    X = np.asarray(X, dtype=np.float64)
    is_label = y.ndim == 1 and np.issubdtype(y.dtype, np.integer)
    Y = np.eye(int(y.max()) + 1)[y] if is_label else np.atleast_2d(y.T).T.astype(np.float64)
    U, s, _ = np.linalg.svd(X, full_matrices=False)
    return float(np.mean([_evidence(U, s**2, column, X.shape[1]) for column in Y.T]))


def _evidence(U: np.ndarray, sigma: np.ndarray, y: np.ndarray, d: int) -> float:
    """Fixed-point iteration of the two precisions a (weights) and b (noise)."""
    n = len(y)
    x2 = (U.T @ y) ** 2
    outside = float(y @ y - x2.sum())
    a = b = 1.0
    for _ in range(11):
        t = a / b
        g = float((sigma / (sigma + t)).sum())
        m2 = float((sigma * x2 / (t + sigma) ** 2).sum())
        residual = float((x2 / (1 + sigma / t) ** 2).sum()) + outside
        a, b = g / (m2 + 1e-5), (n - g) / (residual + 1e-5)
        if abs(a / b - t) / t <= 1e-3:
            break
    log_det = (d - len(sigma)) * np.log(a) + np.log(a + b * sigma).sum()
    evidence = d * np.log(a) + n * np.log(b) - log_det - b * residual - a * m2 - n * np.log(2 * np.pi)
    return float(evidence) / (2 * n)
