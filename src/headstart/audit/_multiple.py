"""Many comparisons, one level; and two shares compared where rows come in clusters."""

from __future__ import annotations

import numpy as np
from scipy.stats import hypergeom


def holm(p: np.ndarray) -> np.ndarray:
    """p-values adjusted so that at a level, at most that share of data sets has any false alarm (Holm 1979).

    >>> holm(np.array([0.01, 0.04, 0.03])).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate((len(p) - np.arange(len(p))) * p[order])
    out = np.empty(len(p))
    out[order] = np.minimum(steps, 1)
    return out


def fisher(a: int, n: int, b: int, m: int) -> float:
    """Two-sided p-value of a of n against b of m: as likely tables and less likely ones (Fisher 1922).

    >>> round(fisher(8, 10, 1, 6), 4)  # scipy.stats.fisher_exact([[8, 2], [1, 5]])
    0.035
    """
    table = hypergeom(n + m, a + b, n)
    likely = table.pmf(np.arange(max(0, a + b - m), min(n, a + b) + 1))
    return float(min(1.0, likely[likely <= table.pmf(a) * (1 + 1e-7)].sum()))


def design_effect(hit: np.ndarray, clusters: np.ndarray | None) -> float:
    """How many times wider a share's variance is because rows of one cluster resemble each other; at least 1.

    Dividing the counts by it makes a test for independent rows valid for clustered ones. (Rao and Scott, A Simple
    Method for the Analysis of Clustered Binary Data, Biometrics 1992.)

    >>> round(design_effect(np.repeat([0.0, 1.0], 50), np.arange(100) // 10), 1)  # ten alike count as about one
    11.1
    """
    share = hit.mean() if len(hit) else 0.0
    if clusters is None or not 0 < share < 1:
        return 1.0
    _, member = np.unique(clusters, return_inverse=True)
    count = int(member.max()) + 1
    if count < 2:
        return float(len(hit))
    apart = np.bincount(member, hit - share)
    variance = count / (count - 1) * (apart**2).sum() / len(hit) ** 2
    return float(max(1.0, variance * len(hit) / (share * (1 - share))))
