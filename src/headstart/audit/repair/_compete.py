"""All repairs on the same rows, judged on rows they did not see; the best one, or a refusal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from headstart import _discover
from headstart.audit.repair._base import STRENGTHS, Task, folds, guess
from headstart.audit.repair._head import Head, Space
from headstart.audit.repair._rule import Rule
from headstart.errors import NotApplicable

OUTER = 5
LEAST = 5  # rows: smaller groups are judged together
COMPARED = 20  # rows of a class in a level, from where on it counts in the gap between levels, as in `group_gaps`
DRAWS = 1000
FLOOR = "plain"
DOUBT = 0.1  # share of resamples in which the mean of the groups may fail to gain
WORTH = 0.02  # the least that the worst group must gain, or that the gap must shrink


@dataclass(frozen=True, eq=False)
class Decision:
    """What every way would reach on rows it did not see, which one won, and why or why not."""

    method: str | None
    why: str
    head: Head | None  # on the directions of `space`
    rule: Rule | None  # or upon what the floor says
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


def _shares(right: np.ndarray, groups: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(judged, draws) share of right answers of every judged group, NaN where none of it was drawn; and its name."""
    codes, kept = judged(groups)
    out = []
    for g in range(len(kept)):
        own = weight[:, codes == g]
        total = own.sum(1)
        out.append(np.where(total > 0, own @ right[codes == g] / np.maximum(total, 1), np.nan))
    return np.array(out), kept


def by_group(right: np.ndarray, groups: np.ndarray, weight: np.ndarray | None = None) -> tuple[Any, Any, Any]:
    """Accuracy of the worst group, the mean over groups, and over all rows; with weights (draws, n), of every draw."""
    weight = np.ones((1, len(right))) if weight is None else weight
    shares, _ = _shares(right, groups, weight)
    return np.nanmin(shares, axis=0), np.nanmean(shares, axis=0), weight @ right / weight.sum(1)


def gap(right: np.ndarray, y: np.ndarray, level: np.ndarray, weight: np.ndarray | None = None) -> np.ndarray:
    """(draws,) the largest difference between levels in the share of right answers of one class.

    With two classes it is the equalised odds difference: that of true-positive or of false-positive rates. Levels with
    fewer than `COMPARED` rows of a class are left out there.

    >>> gap(np.array([1.0] * 30 + [0.0] * 10), np.zeros(40, dtype=int), np.repeat([0, 1], 20)).tolist()
    [0.5]
    """
    weight = np.ones((1, len(right))) if weight is None else weight
    count = int(level.max()) + 1
    shares, kept = _shares(right, y * count + level, weight)
    large = np.bincount(y * count + level, minlength=int(kept.max(initial=0)) + 1)[kept] >= COMPARED
    of = np.where((kept < 0) | ~large, -1, kept // count)
    wide = [np.fmax.reduce(own) - np.fmin.reduce(own) for c in np.unique(of[of >= 0]) if len(own := shares[of == c])]
    return np.fmax.reduce([np.zeros(len(weight)), *wide])


def resamples(n: int, seed: int = 0, draws: int = DRAWS) -> np.ndarray:
    """(draws, n) how often each row was drawn."""
    return np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=draws).astype(np.float64)


def compete(
    X: np.ndarray, y: np.ndarray, known: np.ndarray | None, *, names: Sequence[str] = (), seed: int = 0,
    floor: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None, gaps: bool = False,
    coin: np.ndarray | None = None,
) -> Decision:  # fmt: skip
    """Every repair (or those named) on rows X (n, d) with classes y and, where it is known, an attribute.

    Each is fitted in five folds and judged on the rows left out, by the mean accuracy of the groups of class and
    attribute, which is far less noisy than that of the worst alone. The best is refused unless it gains there in nine
    of ten paired resamples, and the worst group gains at least two points and more than all rows together lose. Without
    an attribute, groups are guessed, and then so is the judgement. The floor is a plain head, or what
    `floor(fit, held)`, called with positions, says of the rows held out.

    With `gaps` what is mended is the difference between levels: they are judged by the `gap`, which must shrink in nine
    of ten resamples, by two points and by more than all rows lose, while the worst group loses nothing; thresholds
    compete as well, and `coin` (n,) are theirs.
    """
    ways = _discover.names("audit.repair")
    names = list(names) or [n for n in ways if gaps or not _discover.load("audit.repair", n).asks]
    coin = np.random.default_rng(seed).random(len(y)) if coin is None else coin
    space, classes = Space.of(X), int(y.max()) + 1
    Z = space(X)
    strength = _strength(Z, y, classes, seed)
    told = {name: np.empty((len(y), classes)) for name in (FLOOR, *names)}
    stratum = y if known is None else y * (int(known.max()) + 1) + known
    failed: dict[str, str] = {}
    tasks = []
    for rows, held in folds(len(y), OUTER, seed, stratum):
        task = Task(Z[rows], y[rows], None if known is None else known[rows], classes, strength, seed)
        told[FLOOR][held] = floor(rows, held) if floor else task.plain(Z[held])
        tasks.append((rows, held, task))
    for rows, held, plain in tasks:
        # `said` is by models that had seen the rows of other folds; a few thresholds can hardly carry that over
        task = replace(plain, said=told[FLOOR][rows])
        for name in names:
            try:
                made = _discover.load("audit.repair", name)()(task)
                if isinstance(made, Rule):
                    assert known is not None
                    told[name][held] = made(told[FLOOR][held], known[held], coin[held])
                else:
                    told[name][held] = made(Z[held])
            except NotApplicable as error:
                failed[name] = str(error)
    ease = told[FLOOR][np.arange(len(y)), y]
    levels = guess(Z, y, ease) if known is None else known
    right = {n: (t.argmax(1) == y).astype(float) for n, t in told.items() if n not in failed}
    table = _table(right, y, levels, seed, gaps=gaps)
    rivals = table[1:]
    if not rivals:
        raise NotApplicable(f"no repair can be used here: {failed}")
    if gaps:  # one answer for all rows has no gap, either
        rivals = [r for r in rivals if r["worst_gain"] >= 0] or rivals
    best = max(rivals, key=lambda r: r["gain"])
    enough = best["gain"] > WORTH and best["worst_gain"] >= 0 if gaps else best["worst_gain"] > WORTH
    helps = best["doubt"] <= DOUBT and enough and best["gain" if gaps else "worst_gain"] > -best["cost"]
    name = best["method"]
    low, gain, high = (f"{100 * best[k]:+.1f}" for k in ("low", "gain", "high"))
    if gaps:
        words = (
            f"{name}: the gap between groups from {100 * table[0]['gap']:.1f} to {100 * best['gap']:.1f} points on rows"
            f" it did not see, smaller by {gain} [{low}, {high}]; all rows {100 * best['cost']:+.1f} points"
        )
    else:
        words = (
            f"{name}: the worst group from {100 * table[0]['worst']:.1f} to {100 * best['worst']:.1f} % right on rows"
            f" it did not see; the mean of the groups {gain} points [{low}, {high}]"
        )
    if not helps:
        return Decision(None, f"nothing helped clearly; the best was {words}", None, None, space, told[FLOOR], table)
    won = _discover.load("audit.repair", name)()(Task(Z, y, known, classes, strength, seed, told[FLOOR]))
    head, rule = (None, won) if isinstance(won, Rule) else (won, None)
    return Decision(name, words, head, rule, space, told[name], table)


def _table(
    right: dict[str, np.ndarray], y: np.ndarray, level: np.ndarray, seed: int, *, gaps: bool
) -> list[dict[str, Any]]:
    """A row a way, the floor first: worst group, means over groups and rows, gap; the paired gain in what counts."""
    groups = y * (int(level.max()) + 1) + level
    draws = resamples(len(groups), seed)

    def counts(own: np.ndarray, weight: np.ndarray | None = None) -> Any:
        return -gap(own, y, level, weight) if gaps else by_group(own, groups, weight)[1]

    floor = [float(v[0]) for v in by_group(right[FLOOR], groups)]
    before, before_draws = float(counts(right[FLOOR])[0]), counts(right[FLOOR], draws)
    table = []
    for name, own in right.items():
        worst, balanced, mean = (float(v[0]) for v in by_group(own, groups))
        gains = counts(own, draws) - before_draws
        low, high = np.percentile(gains, (2.5, 97.5))
        table.append(
            {
                "method": name, "worst": worst, "balanced": balanced, "mean": mean,
                "gap": float(gap(own, y, level)[0]), "gain": float(counts(own)[0]) - before, "low": float(low),
                "high": float(high), "doubt": float((gains <= 0).mean()), "worst_gain": worst - floor[0],
                "cost": mean - floor[2],
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
