"""Leave-one-out accuracy of the nearest neighbours: the cheapest score, and one of the most reliable."""

from __future__ import annotations

import numpy as np

BLOCK = 1024  # rows of the similarity matrix that are held at a time


def knn_loo(X: np.ndarray, y: np.ndarray, k: int = 11) -> float:
    """Share of rows whose class is the majority among their k nearest other rows, by cosine.

    Use it to compare backbones on a sample: no training, no strength to choose. Not for several labels or numbers (R2
    of the neighbours' mean is returned for numbers, the mean share of right cells for labels). Ties go to the lower
    class code. (k-NN as a Simple and Effective Estimator of Transferability, arXiv 2503.18528.)

    >>> knn_loo(np.repeat(np.eye(2), 20, axis=0), np.repeat([0, 1], 20))
    1.0
    """
    k = min(k, len(X) - 1)
    unit = X / np.maximum(np.linalg.norm(X, axis=1, keepdims=True), 1e-12)
    near = np.empty((len(X), k), dtype=np.int64)
    for start in range(0, len(X), BLOCK):
        cosine = unit[start : start + BLOCK] @ unit.T
        cosine[np.arange(len(cosine)), np.arange(start, start + len(cosine))] = -np.inf
        near[start : start + BLOCK] = np.argpartition(-cosine, k - 1, axis=1)[:, :k]
    if y.ndim == 2:
        return float(((y[near].mean(1) >= 0.5) == y).mean())
    if np.issubdtype(y.dtype, np.floating):
        return float(1 - np.mean((y[near].mean(1) - y) ** 2) / max(float(y.var()), 1e-12))
    votes = np.zeros((len(X), int(y.max()) + 1))
    np.add.at(votes, (np.arange(len(X))[:, None], y[near]), 1)
    return float((votes.argmax(1) == y).mean())
