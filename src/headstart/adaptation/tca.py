"""Transfer component analysis."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import eigh

from headstart.adaptation._base import Adapter
from headstart.adaptation._shared import ordered, sample, spread, squared
from headstart.errors import PlanError


class Tca(Adapter):
    """Components that keep the variance of both domains while their means in a kernel's space come together.

    Use it where some directions set the domains apart and others do not; a higher `trade` keeps more variance and lets
    the domains differ more. Not where the classes' shares differ. Columns are standardised on both domains, at most
    `kept` rows a domain enter the eigenproblem, and an rbf kernel's width is the median distance. Source (n, d),
    target (m, d), result (n, k). (Pan et al., Domain adaptation via transfer component analysis, IEEE TNN 2011.)

    >>> rows, adapter = np.random.default_rng(0).standard_normal((30, 8)), Tca(components=3)
    >>> adapter.adapt(rows, np.repeat([0, 1], 15), rows + 1).X.shape, adapter.transform(rows).shape
    ((30, 3), (30, 3))
    """

    shifts = frozenset({"subspace"})
    maps = True

    def __init__(
        self, components: int = 20, kernel: str = "linear", trade: float = 0.1, kept: int = 500, seed: int = 0
    ) -> None:
        self.components = components
        self.kernel = kernel
        self.trade = trade
        self.kept = kept
        self.seed = seed

    def _adapt(
        self, source: np.ndarray, y: np.ndarray, target: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        if self.kernel not in ("linear", "rbf"):
            raise PlanError(f"no kernel {self.kernel!r}", expected="linear or rbf")
        own, other = sample(source, self.kept, self.seed), sample(ordered(target), self.kept, self.seed)
        both = np.vstack([own, other])
        self.mean_, self.deviation_ = spread(both)
        self.rows_ = (both - self.mean_) / self.deviation_
        self.width_ = float(np.median(squared(self.rows_, self.rows_))) or 1.0
        K = self._kernel(self.rows_)
        gap = K @ np.r_[np.full(len(own), 1 / len(own)), np.full(len(other), -1 / len(other))]
        centred = K - K.mean(0)
        k = min(self.components, len(both) - 1, *([source.shape[1]] if self.kernel == "linear" else []))
        among = [len(both) - k, len(both) - 1]
        _, vectors = eigh(K @ centred, np.outer(gap, gap) + self.trade * np.eye(len(K)), subset_by_index=among)
        self.vectors_ = vectors[:, ::-1]
        return self.transform(source), y, np.ones(len(y))

    def transform(self, target: Any) -> np.ndarray:
        """Rows of either domain as transfer components, the strongest first."""
        X = (np.asarray(target, dtype=np.float64) - self.mean_) / self.deviation_
        return np.asarray(self._kernel(X) @ self.vectors_)

    def _kernel(self, X: np.ndarray) -> np.ndarray:
        """(n, kept) similarities to the kept rows, of unit size."""
        if self.kernel == "linear":
            return np.asarray(X @ self.rows_.T / X.shape[1])
        return np.asarray(np.exp(-squared(X, self.rows_) / self.width_))
