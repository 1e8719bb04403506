"""All repairs on the same rows, judged on rows they did not see; the best one, or a refusal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from headstart import _discover
from headstart.audit.repair._base import STRENGTHS, Task, folds, guess
from headstart.audit.repair._head import Head, Space
from headstart.errors import NotApplicable

OUTER = 5
LEAST = 5  # rows: smaller groups are judged together
DRAWS = 1000
FLOOR = "plain"
DOUBT = 0.1  # share of resamples in which the mean of the groups may fail to gain
WORTH = 0.02  # the least that the worst group must gain


@dataclass(frozen=True, eq=False)
class Decision:
    """What every way would reach on rows it did not see, which one won, and why or why not."""

    method: str | None
    why: str
    head: Head | None  # on the directions of `space`
    space: Space
    held: np.ndarray  # (n, C) what the winner, or else the floor, said of each row when it had not seen it
    table: list[dict[str, Any]] = field(default_factory=list)


def judged(groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Codes (n,) of the groups that are judged, and which old code each stands for: -1 for all small ones together.

    >>> judged(np.array([0] * 9 + [1] * 4 + [2] * 4))[1].tolist()
    [0, -1]
    """
    counts = np.bincount(groups)
    names = np.where((counts < LEAST)[groups], -1, groups)
    kept = [g for g in np.unique(groups) if counts[g] >= LEAST]
    kept += [-1] if (names == -1).sum() >= LEAST or not kept else []
    place = {g: k for k, g in enumerate(kept)}
    return np.array([place.get(g, len(kept)) for g in names]), np.array(kept)


def by_group(right: np.ndarray, groups: np.ndarray, weight: np.ndarray | None = None) -> tuple[Any, Any, Any]:
    """Accuracy of the worst group, the mean over groups, and over all rows; with weights (draws, n), of every draw."""
    weight = np.ones((1, len(right))) if weight is None else weight
    codes, kept = judged(groups)
    shares = []
    for g in range(len(kept)):
        own = weight[:, codes == g]
        total = own.sum(1)
        shares.append(np.where(total > 0, own @ right[codes == g] / np.maximum(total, 1), np.nan))
    return np.nanmin(shares, axis=0), np.nanmean(shares, axis=0), weight @ right / weight.sum(1)


def resamples(n: int, seed: int = 0, draws: int = DRAWS) -> np.ndarray:
    """(draws, n) how often each row was drawn."""
    return np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=draws).astype(np.float64)


def compete(
    X: np.ndarray, y: np.ndarray, known: np.ndarray | None, *, names: Sequence[str] = (), seed: int = 0,
    floor: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
) -> Decision:  # fmt: skip
    """Every repair (or those named) on rows X (n, d) with classes y and, where it is known, an attribute.

    Each is fitted in five folds and judged on the rows left out, by the mean accuracy of the groups of class and
    attribute, which is far less noisy than that of the worst alone. The best is refused unless it gains there in nine
    of ten paired resamples, and the worst group gains at least two points and more than all rows together lose. Without
    an attribute, groups are guessed, and then so is the judgement. The floor is a plain head, or what
    `floor(fit, held)`, called with positions, says of the rows held out.
    """
    names = list(names) or _discover.names("audit.repair")
    space, classes = Space.of(X), int(y.max()) + 1
    Z = space(X)
    strength = _strength(Z, y, classes, seed)
    told = {name: np.empty((len(y), classes)) for name in (FLOOR, *names)}
    stratum = y if known is None else y * (int(known.max()) + 1) + known
    failed: dict[str, str] = {}
    for rows, held in folds(len(y), OUTER, seed, stratum):
        task = Task(Z[rows], y[rows], None if known is None else known[rows], classes, strength, seed)
        told[FLOOR][held] = floor(rows, held) if floor else task.plain(Z[held])
        for name in names:
            try:
                told[name][held] = _discover.load("audit.repair", name)()(task)(Z[held])
            except NotApplicable as error:
                failed[name] = str(error)
    ease = told[FLOOR][np.arange(len(y)), y]
    levels = guess(Z, y, ease) if known is None else known
    groups = y * (int(levels.max()) + 1) + levels
    right = {n: (t.argmax(1) == y).astype(float) for n, t in told.items() if n not in failed}
    table = _table(right, groups, seed)
    best = max((r for r in table if r["method"] != FLOOR), key=lambda r: r["balanced"], default=None)
    if best is None:
        raise NotApplicable(f"no repair can be used here: {failed}")
    helps = best["doubt"] <= DOUBT and best["worst_gain"] > max(WORTH, -best["cost"])
    name = best["method"]
    low, gain, high = (f"{100 * best[k]:+.1f}" for k in ("low", "gain", "high"))
    words = (
        f"{name}: the worst group from {100 * table[0]['worst']:.1f} to {100 * best['worst']:.1f} % right on rows it"
        f" did not see; the mean of the groups {gain} points [{low}, {high}]"
    )
    if not helps:
        return Decision(None, f"nothing helped clearly; the best was {words}", None, space, told[FLOOR], table)
    head = _discover.load("audit.repair", name)()(Task(Z, y, known, classes, strength, seed))
    return Decision(name, words, head, space, told[name], table)


def _table(right: dict[str, np.ndarray], groups: np.ndarray, seed: int) -> list[dict[str, Any]]:
    """A row a way, the floor first: worst group, mean over groups and over rows; the paired gain in the second."""
    draws = resamples(len(groups), seed)
    floor, floor_draws = by_group(right[FLOOR], groups), by_group(right[FLOOR], groups, draws)[1]
    table = []
    for name, own in right.items():
        worst, balanced, mean = (float(v[0]) for v in by_group(own, groups))
        gains = by_group(own, groups, draws)[1] - floor_draws
        low, high = np.percentile(gains, (2.5, 97.5))
        table.append(
            {
                "method": name, "worst": worst, "balanced": balanced, "mean": mean,
                "gain": balanced - float(floor[1][0]), "low": float(low), "high": float(high),
                "doubt": float((gains <= 0).mean()),
                "worst_gain": worst - float(floor[0][0]), "cost": mean - float(floor[2][0]),
            }
        )  # fmt: skip
    return table


def _strength(X: np.ndarray, y: np.ndarray, classes: int, seed: int) -> float:
    """The penalty under which a plain head is most likely right on rows it did not see."""
    losses = []
    for strength in STRENGTHS:
        ease = Task(X, y, None, classes, strength, seed).ease
        losses.append(-float(np.log(np.maximum(ease, 1e-12)).mean()))
    return STRENGTHS[int(np.argmin(losses))]
