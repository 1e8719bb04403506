"""Importance weights that match the means of a kernel's space."""

from __future__ import annotations

import numpy as np

from headstart.adaptation._base import Adapter
from headstart.adaptation._shared import blocks, ordered, sample, spread, squared

BLOCK = 500  # source rows of one problem


class KernelMeanMatching(Adapter):
    """Source rows weigh so that their mean in a Gaussian kernel's space is the target's.

    Use it where the same rules hold in both domains and only some kinds of rows are rarer in the source; not where the
    domains hardly overlap. Weights lie in 0..`bound` with mean one, a higher `ridge` keeps them closer to one; columns
    are standardised, the width is `width` times the median distance, at most 500 target rows enter and 500 source
    rows at a time. Source (n, d), target (m, d), result (n, d). (Huang et al., Correcting sample selection bias by
    unlabeled data, NeurIPS 2006.)

    >>> rows = np.random.default_rng(0).standard_normal((100, 1))
    >>> weight = KernelMeanMatching().adapt(rows, np.repeat([0, 1], 50), rows + 1).weight
    >>> bool(np.corrcoef(weight, rows[:, 0])[0, 1] > 0.5)
    True
    """

    shifts = frozenset({"covariate"})

    def __init__(self, bound: float = 20.0, ridge: float = 1.0, width: float = 1.0, seed: int = 0) -> None:
        self.bound = bound
        self.ridge = ridge
        self.width = width
        self.seed = seed

    def _adapt(
        self, source: np.ndarray, y: np.ndarray, target: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        mean, deviation = spread(np.vstack([source, target]))
        source_, target_ = (source - mean) / deviation, sample(ordered((target - mean) / deviation), 500, self.seed)
        scale = 2 * self.width**2 * (float(np.median(squared(sample(source_, 500, self.seed), target_))) or 1.0)
        weight = np.empty(len(source))
        for rows in blocks(len(source), BLOCK, self.seed):
            own = np.exp(-squared(source_[rows], source_[rows]) / scale)
            pull = np.exp(-squared(source_[rows], target_) / scale).mean(1) * len(rows)
            weight[rows] = self._solve(own + self.ridge * np.eye(len(own)), pull)
        return source, y, weight + 1e-12

    def _solve(self, own: np.ndarray, pull: np.ndarray) -> np.ndarray:
        """Least w'Kw / 2 - pull'w over weights in 0..bound of mean one: projected gradient with momentum."""
        weight = ahead = np.ones(len(own))
        step, pace = 1 / float(np.linalg.norm(own, 1)), 1.0  # column sums bound the largest eigenvalue
        for _ in range(300):
            new = _project(ahead - step * (own @ ahead - pull), self.bound)
            faster = (1 + np.sqrt(1 + 4 * pace**2)) / 2
            ahead = new + (pace - 1) / faster * (new - weight)
            change = float(np.abs(new - weight).max())
            weight, pace = new, faster
            if change < 1e-4:
                break
        return np.asarray(weight)


def _project(raw: np.ndarray, bound: float) -> np.ndarray:
    """The nearest weights in 0..bound with mean one."""
    low, high = float(raw.min()) - bound, float(raw.max())
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if np.clip(raw - middle, 0, bound).mean() > 1 else (low, middle)
    return np.asarray(np.clip(raw - (low + high) / 2, 0, bound))
