"""A threshold for every group: the operating point that all groups can reach, and the rule that takes each there."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

TINY = 1e-6  # probabilities are kept as far from 0 and 1


@dataclass(frozen=True, eq=False)
class Rule:
    """Of every level, a few bars that the log odds of the second class must pass, and how often each of them is used.

    Which bar a row meets is settled by its coin, a number in [0, 1) that belongs to its content.
    """

    bars: np.ndarray  # (levels, 4) ascending: always, two thresholds, never
    shares: np.ndarray  # (levels, 4) rows that sum to one

    def __call__(self, scores: np.ndarray, level: np.ndarray, coin: np.ndarray) -> np.ndarray:
        """(n, 2) probabilities moved so that the likelier class is the answer; unknown levels stay as they are."""
        level = np.where(level < len(self.bars), level, -1)
        edges = np.cumsum(self.shares, axis=1)[level, :-1]
        bar = self.bars[level, (coin[:, None] >= edges).sum(1)]
        odds = logit(np.clip(scores[:, 1], TINY, 1 - TINY)) - bar
        yes = np.clip(expit(odds), TINY, 1 - TINY)
        return np.where((level < 0)[:, None], scores, np.c_[1 - yes, yes])


def coins(ids: np.ndarray) -> np.ndarray:
    """(n,) numbers in [0, 1) of rows' ids: rows of one content share theirs, today and tomorrow.

    >>> bool((coins(np.array(["a", "b", "a"])) == coins(np.array(["a", "b", "a"]))).all())
    True
    """
    return np.array([int(hashlib.sha256(str(i).encode()).hexdigest()[:12], 16) / 16**12 for i in ids])


def roc_hull(score: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Corners (k, 2) of the upper hull of a ROC curve, (false, true) positive rates, and the (k,) bars behind them."""
    values, place = np.unique(-score, return_inverse=True)
    hits = np.stack([np.bincount(place, y == c, len(values)) / (y == c).sum() for c in (0, 1)], axis=1)
    points = np.concatenate([np.zeros((1, 2)), hits.cumsum(0)])
    bars = np.r_[np.inf, (-values[:-1] - values[1:]) / 2, -np.inf]
    kept: list[int] = []
    for i, (x, t) in enumerate(points):
        while len(kept) > 1:
            (x0, t0), (x1, t1) = points[kept[-2]], points[kept[-1]]
            if (x1 - x0) * (t - t0) < (t1 - t0) * (x - x0):
                break
            kept.pop()
        kept.append(i)
    return points[kept], bars[kept]


def meeting(hulls: list[np.ndarray], negatives: float, positives: float) -> tuple[float, float]:
    """The best point (false, true positive rate) that lies under all hulls, by how many rows are right there.

    The lowest of concave hulls is concave and straight between corners and crossings, so one of these is the best.
    """
    corners = np.unique(np.concatenate([h[:, 0] for h in hulls]))
    lines = np.stack([_height(h, corners) for h in hulls])
    tried = [corners]
    for a in range(len(hulls)):  # where two of them cross between neighbouring corners
        gap = lines[a] - lines
        left, right = gap[:, :-1], gap[:, 1:]
        cross = np.nonzero(left * right < 0)
        share = left[cross] / (left[cross] - right[cross])
        tried.append(corners[cross[1]] + share * np.diff(corners)[cross[1]])
    x = np.unique(np.concatenate(tried))
    t = np.min([_height(h, x) for h in hulls], axis=0)
    best = int((negatives * (1 - x) + positives * t).argmax())
    return float(x[best]), float(t[best])


def _height(hull: np.ndarray, x: np.ndarray) -> np.ndarray:
    """How high a hull is; where it rises straight up, its upper end."""
    x0, first = np.unique(hull[::-1, 0], return_index=True)
    return np.interp(x, x0, hull[::-1, 1][first])


def equalised(score: np.ndarray, y: np.ndarray, level: np.ndarray, weight: np.ndarray, levels: list[int]) -> Rule:
    """The rule under which these levels have one true-positive and one false-positive rate, the best all can reach.

    `score` (n,) are log odds. A level whose hull passes above the point comes down to it: some of its rows, by their
    coin, are answered without being looked at. Other levels stay as they are.
    """
    count = int(level.max()) + 1
    hulls = {k: roc_hull(score[level == k], y[level == k]) for k in levels}
    among = np.isin(level, levels)
    x, t = meeting([h for h, _ in hulls.values()], *(weight[among & (y == c)].sum() for c in (0, 1)))
    bars, shares = np.zeros((count, 4)), np.tile([0.0, 1.0, 0.0, 0.0], (count, 1))
    for k, (points, known) in hulls.items():
        top = float(_height(points, np.array([x]))[0])
        blind = (top - t) / (top - x) if top > x else 0.0
        last = int(np.searchsorted(points[:, 0], x, side="right")) - 1  # the last corner at or before x
        after = min(last + 1, len(points) - 1)
        width = points[after, 0] - points[last, 0]
        part = (x - points[last, 0]) / width if width > 0 else 0.0
        bars[k] = [-np.inf, known[after], known[last], np.inf]
        shares[k] = [blind * x, (1 - blind) * part, (1 - blind) * (1 - part), blind * (1 - x)]
    return Rule(np.clip(bars, -100, 100), shares)
