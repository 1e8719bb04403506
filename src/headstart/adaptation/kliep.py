"""Importance weights by the Kullback-Leibler procedure."""

from __future__ import annotations

import numpy as np

from headstart.adaptation._base import Adapter
from headstart.adaptation._shared import ordered, sample, spread, squared

WIDTHS = (0.1, 0.2, 0.4, 0.8, 1.6)  # of the median distance


class Kliep(Adapter):
    """Source rows weigh as a sum of Gaussians at target rows, fitted to make the weighted source look like the target.

    Use it where the same rules hold in both domains and only some kinds of rows are rarer in the source, and the ratio
    is not log-linear, as DensityRatio takes it to be; not where the domains hardly overlap. Columns are standardised,
    the width is chosen by the likelihood of left-out target rows. Source (n, d), target (m, d), result (n, d).
    (Sugiyama et al., Direct importance estimation for covariate shift adaptation, AISM 2008.)

    >>> rows = np.random.default_rng(0).standard_normal((100, 1))
    >>> weight = Kliep().adapt(rows, np.repeat([0, 1], 50), rows + 1).weight
    >>> bool(np.corrcoef(weight, rows[:, 0])[0, 1] > 0.5)
    True
    """

    shifts = frozenset({"covariate"})

    def __init__(self, centres: int = 100, folds: int = 3, rounds: int = 100, seed: int = 0) -> None:
        self.centres = centres
        self.folds = folds
        self.rounds = rounds
        self.seed = seed

    def _adapt(
        self, source: np.ndarray, y: np.ndarray, target: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        mean, deviation = spread(np.vstack([source, target]))
        source_, target_ = (source - mean) / deviation, ordered((target - mean) / deviation)
        centres = sample(target_, min(self.centres, 100), self.seed)
        far, near = squared(source_, centres), squared(target_, centres)
        median = float(np.median(far)) or 1.0
        fold = np.random.default_rng(self.seed).permutation(len(target)) % self.folds

        def likelihood(width: float) -> float:
            own, other = _bumps(far, width * median), _bumps(near, width * median)
            fits = [(k, self._mix(own.mean(0), other[fold != k])) for k in range(self.folds)]
            return float(np.mean([np.log(np.maximum(other[fold == k] @ mix, 1e-300)).mean() for k, mix in fits]))

        width = max((w**2 for w in WIDTHS), key=likelihood) * median
        own = _bumps(far, width)
        return source, y, own @ self._mix(own.mean(0), _bumps(near, width)) + 1e-12

    def _mix(self, own: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Heights (b,) that maximise the mean log ratio over the target while its mean over the source is one.

        Height times mean bump is a mixture's share, so that the steps are those of EM.
        """
        scaled = other / own
        share = np.full(len(own), 1 / len(own))
        for _ in range(self.rounds):
            share *= (scaled / np.maximum(scaled @ share, 1e-300)[:, None]).mean(0)
        return np.asarray(share / share.sum() / own)


def _bumps(distance: np.ndarray, width: float) -> np.ndarray:
    return np.asarray(np.exp(-distance / (2 * width)) + 1e-12)
