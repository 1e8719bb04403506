"""Subspace alignment."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import svd

from headstart.adaptation._base import Adapter

VARIANCE = 0.9  # share of it that is kept


class SubspaceAlignment(Adapter):
    """The source's principal axes are turned onto the target's; directions that one domain lacks are left out.

    Use it where the domains vary in partly different directions (another background, other nuisance features); not
    where classes differ in directions of little variance, which `components` cuts off: None keeps as many as hold 90 %
    of either domain's variance. Directions whose like in the other domain has a cosine below `alike` are left out, as
    a head that standardises its columns would bring them back; 0 gives the paper's method. Source
    (n, d), target (m, d), result (n, k). (Fernando et al., Unsupervised visual domain adaptation using subspace
    alignment, ICCV 2013.)

    >>> rows, adapter = np.random.default_rng(0).standard_normal((30, 8)), SubspaceAlignment(3, alike=0.0)
    >>> adapter.adapt(rows, np.repeat([0, 1], 15), rows + 1).X.shape, adapter.transform(rows).shape
    ((30, 3), (30, 3))
    """

    shifts = frozenset({"subspace"})
    maps = True

    def __init__(self, components: int | None = None, alike: float = 0.7) -> None:
        self.components = components
        self.alike = alike

    def _adapt(
        self, source: np.ndarray, y: np.ndarray, target: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        own, other = _axes(source), _axes(target)
        k = self.components or max(_enough(source, own), _enough(target, other))
        k = min(k, own.shape[1], other.shape[1])
        own = own[:, :k]
        _, cosines, onto = svd(own.T @ other[:, :k])
        shared = other[:, :k] @ onto[: max(1, int((cosines >= self.alike).sum()))].T
        self.mean_ = target.mean(0)
        self.axes_ = shared @ _axes((target - self.mean_) @ shared)  # the target's axes within what is shared
        return (source - source.mean(0)) @ own @ (own.T @ self.axes_), y, np.ones(len(y))

    def transform(self, target: Any) -> np.ndarray:
        """Target rows on the target's principal axes."""
        return np.asarray((np.asarray(target, dtype=np.float64) - self.mean_) @ self.axes_)


def _axes(X: np.ndarray) -> np.ndarray:
    """(d, k) principal axes, k the columns or the rows less one."""
    return np.asarray(svd(X - X.mean(0), full_matrices=False)[2][: len(X) - 1].T)


def _enough(X: np.ndarray, axes: np.ndarray) -> int:
    """How many axes hold the share VARIANCE of the variance."""
    held = np.cumsum(((X - X.mean(0)) @ axes).var(0))
    return int(np.searchsorted(held, VARIANCE * held[-1])) + 1
