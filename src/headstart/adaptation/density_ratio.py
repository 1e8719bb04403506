"""Importance weights from a classifier of the domains."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression

from headstart.adaptation._base import Adapter
from headstart.adaptation._shared import held_out, ordered


class DensityRatio(Adapter):
    """Source rows weigh as much as a classifier of the two domains finds them more likely in the target.

    Use it where the same rules hold in both domains and only some kinds of rows are rarer in the source; not where the
    domains hardly overlap: a few rows then carry all weight, which `clip` (the largest weight, times the mean) only
    hides. Each row's odds come from a fit without it, and are calibrated. Source (n, d), target (m, d), result (n, d).
    (Bickel, Brueckner and Scheffer, Discriminative learning under covariate shift, JMLR 2009.)

    >>> rows = np.random.default_rng(0).standard_normal((100, 2))
    >>> weight = DensityRatio().adapt(rows, np.repeat([0, 1], 50), rows + [1, 0]).weight
    >>> bool(np.corrcoef(weight, rows[:, 0])[0, 1] > 0.5)
    True
    """

    shifts = frozenset({"covariate"})

    def __init__(self, clip: float = 20.0) -> None:
        self.clip = clip

    def _adapt(
        self, source: np.ndarray, y: np.ndarray, target: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        domain = np.repeat([0, 1], [len(source), len(target)])
        told = held_out(np.vstack([source, ordered(target)]), domain)
        logit = np.log(np.clip(told[:, 1:], 1e-9, 1 - 1e-9) / np.clip(told[:, :1], 1e-9, 1 - 1e-9))
        level = LogisticRegression(C=100.0).fit(logit, domain)
        odds = np.exp(np.clip(level.decision_function(logit[: len(source)]), -30, 30))
        for _ in range(100):  # clipping lowers the mean: until the largest is `clip` times what is left of it
            odds = np.minimum(odds, self.clip * odds.mean())
        return source, y, odds
