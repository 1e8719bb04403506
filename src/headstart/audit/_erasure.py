"""Linear concept erasure in closed form: no linear reader finds the concept any more, and little else is touched."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.covariance import ledoit_wolf


@dataclass(frozen=True, eq=False)
class Eraser:
    """x - A (x - mean): an affine map (d,) -> (d,), A of the rank of the concept."""

    mean: np.ndarray
    matrix: np.ndarray  # (d, d)

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """Rows (n, d) without the concept."""
        return np.asarray(X - (X - self.mean) @ self.matrix.T)


def leace(X: np.ndarray, Z: np.ndarray, *, shrink: bool = True) -> Eraser:
    """The least change of X (n, d), in mean squares, after which its covariance with Z (n, k) is zero.

    With W the whitening of X, the part of W x that lies in the column space of W cov(X, Z) is taken out. `shrink`
    whitens by the Ledoit-Wolf covariance: the covariance with Z is zero all the same, the change is the least in
    expectation where rows are few. (Belrose et al., LEACE: Perfect linear concept erasure in closed form, NeurIPS
    2023.)

    >>> rng = np.random.default_rng(0)
    >>> X, Z = rng.normal(size=(50, 3)), rng.normal(size=(50, 1))
    >>> clean = leace(X, Z)(X)
    >>> bool(np.abs((clean - clean.mean(0)).T @ (Z - Z.mean(0))).max() < 1e-9)
    True
    """
    X, Z = np.asarray(X, dtype=np.float64), np.asarray(Z, dtype=np.float64)
    centred = X - X.mean(0)
    cross = centred.T @ (Z - Z.mean(0)) / len(X)
    covariance = ledoit_wolf(centred, assume_centered=True)[0] if shrink else centred.T @ centred / len(X)
    values, vectors = np.linalg.eigh(covariance)
    keep = values > values[-1] * 1e-10
    root = np.sqrt(values[keep])
    whiten, colour = (vectors[:, keep] / root) @ vectors[:, keep].T, (vectors[:, keep] * root) @ vectors[:, keep].T
    basis, size, _ = np.linalg.svd(whiten @ cross, full_matrices=False)
    basis = basis[:, size > size[0] * 1e-8] if size.size and size[0] > 0 else basis[:, :0]
    return Eraser(X.mean(0), colour @ basis @ basis.T @ whiten)


def within(values: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Rows as deviations from the mean of their class: what they say beyond the class."""
    values = np.asarray(values, dtype=np.float64)
    sums = np.zeros((int(y.max()) + 1, values.shape[1]))
    np.add.at(sums, y, values)
    return np.asarray(values - (sums / np.maximum(np.bincount(y), 1)[:, None])[y])
