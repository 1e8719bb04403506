"""Label propagation over neighbours of both domains."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix, diags_array
from sklearn.neighbors import NearestNeighbors

from headstart.adaptation._base import Adapter
from headstart.adaptation._shared import ordered, spread, told_apart


class Propagation(Adapter):
    """Source rows and the target rows that labels reach along a graph of nearest neighbours.

    Use it where the classes are clusters, of any form, that touch their like in the other domain; not where the
    domains lie apart or the classes overlap. Neighbours are the nearest by cosine, columns standardised on both
    domains; of each class the surest `share` of its target rows are taken. Source (n, d), target (m, d), result up to
    (n + m, d), both domains of one weight. (Zhou et al., Learning with local and global consistency, NeurIPS 2003.)

    >>> rows = np.random.default_rng(0).standard_normal((60, 2)) + np.repeat([[-3], [3]], 30, axis=0)
    >>> adapted = Propagation().adapt(rows, np.repeat([0, 1], 30), rows + 1)
    >>> len(adapted.X) > 90, set(adapted.y.tolist())
    (True, {0, 1})
    """

    shifts = frozenset({"conditional"})

    def __init__(self, neighbours: int = 10, reach: float = 0.9, share: float = 0.8) -> None:
        self.neighbours = neighbours
        self.reach = reach
        self.share = share

    def _adapt(
        self, source: np.ndarray, y: np.ndarray, target: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        n, target = len(source), ordered(target)
        names, codes = np.unique(y, return_inverse=True)
        both = np.vstack([source, target])
        mean, deviation = spread(both)
        graph = graph_of((both - mean) / deviation, min(self.neighbours, len(both) - 1))
        start = np.zeros((len(both), len(names)))
        start[np.arange(n), codes] = 1.0
        mass = start
        for _ in range(100):
            mass = self.reach * (graph @ mass) + (1 - self.reach) * start
        told = mass[n:] / np.maximum(mass[n:].sum(1, keepdims=True), 1e-300)
        given, sure = told.argmax(1), told.max(1)
        taken = np.zeros(len(target), dtype=bool)
        for code in np.unique(given):
            mine = (given == code) & (sure > 0)
            taken |= mine & (sure >= np.quantile(sure[given == code], 1 - self.share))
        labels = told_apart(names[given[taken]])
        weight = np.r_[np.ones(n), sure[taken] * n / sure[taken].sum()]
        return np.vstack([source, target[taken]]), np.r_[y, labels], weight


def graph_of(X: np.ndarray, k: int) -> csr_matrix:
    """Symmetric, normalised neighbourhood (N, N): either row is among the k nearest of the other."""
    X = X / np.maximum(np.linalg.norm(X, axis=1, keepdims=True), 1e-12)
    near = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(X).kneighbors_graph()
    either = near.maximum(near.T)
    root = diags_array(1 / np.sqrt(np.asarray(either.sum(1)).ravel()))
    return root @ either @ root
