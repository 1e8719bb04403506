"""Which backbone: several cheap scores on a sample, combined by rank, because no single one is right everywhere."""

from __future__ import annotations

from typing import Any

import numpy as np

from headstart.activations.activations import Activations
from headstart.selection.knn_loo import knn_loo
from headstart.selection.logme import logme
from headstart.selection.ridge_loo import ridge_loo

SCORES = {"knn": knn_loo, "ridge": ridge_loo, "logme": logme}


def rank(seen: dict[str, Activations], y: np.ndarray, *, seed: int = 0) -> list[dict[str, Any]]:
    """Backbones, best first, by the mean rank of k-NN, ridge and LogME on the pooled activations of a sample.

    `seen` maps names to activations of the same rows, `y` is their target. Ties are broken by the ridge score, which
    is the head that will most often be trained. Each row: {backbone, score, scores, why}; `score` is the mean rank
    turned into a share, 1 = best by every score.

    >>> y = np.tile([0, 1], 30)
    >>> good = Activations(np.eye(2)[y] + 0.01, y.astype(str), "pooled", "vector")
    >>> poor = Activations(np.random.default_rng(0).normal(size=(60, 2)), y.astype(str), "pooled", "vector")
    >>> [r["backbone"] for r in rank({"poor": poor, "good": good}, y)]
    ['good', 'poor']
    """
    names = list(seen)
    table = {
        name: {k: f(np.asarray(seen[name].pool(), dtype=np.float64), y) for k, f in SCORES.items()} for name in names
    }
    beaten = {
        name: float(np.mean([np.mean([table[name][k] >= table[other][k] for other in names]) for k in SCORES]))
        for name in names
    }
    order = sorted(names, key=lambda n: (-beaten[n], -table[n]["ridge"]))
    return [
        {"backbone": n, "score": beaten[n], "scores": table[n], "why": _why(table[n], len(y), len(names))}
        for n in order
    ]


def _why(scores: dict[str, float], rows: int, rivals: int) -> str:
    told = ", ".join(f"{name} {value:.3f}" for name, value in scores.items()) + f" on {rows:,} training rows"
    return told if rivals > 1 else f"the only candidate; {told}"
