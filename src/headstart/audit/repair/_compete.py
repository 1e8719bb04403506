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
from headstart.selection.calibration import apply, temperature

OUTER = 5
LEAST = 5  # rows: smaller groups are judged together
COMPARED = 20  # rows of a class in a level, from where on it counts in the gap between levels, as in `group_gaps`
DRAWS = 1000
FLOOR = "plain"
DOUBT = 0.1  # share of resamples in which the mean of the groups may fail to gain
WORTH = 0.02  # the least that the mean of the groups must gain, or that the gap must shrink
LOWEST = 1e-3  # probabilities below count as this one: single rows must not decide


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


def comparable(y: np.ndarray, level: np.ndarray) -> bool:
    """Whether two levels have `COMPARED` rows of one class, so that there is a gap between them to speak of.

    >>> comparable(np.zeros(30, dtype=int), np.array([0] * 20 + [1] * 10))
    False
    """
    large = [(level[y == c, None] == np.unique(level)).sum(0) >= COMPARED for c in np.unique(y)]
    return any(own.sum() > 1 for own in large)


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

    Each is fitted in five folds and judged on the rows left out, by the mean over the groups of class and attribute of
    the log probability of the true class, which is far less noisy than right or wrong, or than the worst group alone.
    The best is refused unless it gains there in nine of ten paired resamples, two points of right answers in the mean
    of the groups, and more in the worst group than all rows together lose. Without an attribute, groups are guessed,
    and then so is the judgement. The floor is a plain head, or what `floor(fit, held)`, called with positions, says of
    the rows held out.

    With `gaps` what is mended is the difference between levels: they are judged by the `gap`, which must shrink in nine
    of ten resamples, by two points and by more than all rows lose, while the worst group loses nothing; thresholds
    compete as well, and `coin` (n,) are theirs.
    """
    ways = _discover.names("audit.repair")
    names = list(names) or [n for n in ways if gaps or not _discover.load("audit.repair", n).asks]
    if gaps and known is not None and not comparable(y, known):
        raise NotApplicable(
            f"no two groups have {COMPARED} rows of one class", expected="groups that can be compared",
            do="label more rows of the small ones, or join groups in a new column",
        )  # fmt: skip
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
    table = _table({n: t for n, t in told.items() if n not in failed}, y, levels, seed, gaps=gaps)
    rivals = table[1:]
    if not rivals:
        raise NotApplicable(f"no repair can be used here: {failed}")
    if gaps:  # one answer for all rows has no gap, either
        rivals = [r for r in rivals if r["worst_gain"] >= 0] or rivals
    best = max(rivals, key=lambda r: r["gain" if gaps else "nats"])
    helps = best["doubt"] <= DOUBT and best["gain"] > WORTH and best["gain" if gaps else "worst_gain"] > -best["cost"]
    helps = helps and not (gaps and best["worst_gain"] < 0)
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
    told: dict[str, np.ndarray], y: np.ndarray, level: np.ndarray, seed: int, *, gaps: bool
) -> list[dict[str, Any]]:
    """A row a way, the floor first: worst group, means over groups and rows, gap; the paired gain and its doubt.

    The gain is in the mean over groups, in right answers and in nats, or in the gap; the doubt is that of the last two.
    """
    groups = y * (int(level.max()) + 1) + level
    draws = resamples(len(groups), seed)

    def counts(said: np.ndarray, weight: np.ndarray | None = None) -> Any:
        right = (said.argmax(1) == y).astype(float)
        return -gap(right, y, level, weight) if gaps else by_group(right, groups, weight)[1]

    def sure(said: np.ndarray, weight: np.ndarray | None = None) -> Any:
        p = apply(said, temperature(said, y))[np.arange(len(y)), y]  # no way wins by being calibrated
        return by_group(np.log(np.maximum(p, LOWEST)), groups, weight)[1]

    floor = [float(v[0]) for v in by_group((told[FLOOR].argmax(1) == y).astype(float), groups)]
    before, before_sure = ((what(told[FLOOR]), what(told[FLOOR], draws)) for what in (counts, sure))
    table = []
    for name, said in told.items():
        right = (said.argmax(1) == y).astype(float)
        worst, balanced, mean = (float(v[0]) for v in by_group(right, groups))
        gains, nats = counts(said, draws) - before[1], sure(said, draws) - before_sure[1]
        low, high = np.percentile(gains, (2.5, 97.5))
        table.append(
            {
                "method": name, "worst": worst, "balanced": balanced, "mean": mean,
                "gap": float(gap(right, y, level)[0]), "gain": float((counts(said) - before[0])[0]), "low": float(low),
                "high": float(high), "nats": float((sure(said) - before_sure[0])[0]),
                "doubt": float(((gains if gaps else nats) <= 0).mean()), "worst_gain": worst - floor[0],
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
