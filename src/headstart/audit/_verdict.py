"""The verdict: did pre-training help, by how much, and against what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import binomtest

from headstart._words import counted
from headstart.audit._multiple import holm
from headstart.selection.metrics import Metric, paired

MOST = 5  # classes that are named
ROLE_WORDS = {
    "scratch": "the same network trained from scratch",
    "classical": "the classical baseline",
    "majority": "always giving the same answer",
}


@dataclass(frozen=True)
class Arm:
    """One side of the comparison: its role, its name, its validation score and its predictions on the test rows."""

    role: str
    name: str
    valid: float
    scores: np.ndarray


def verdict(
    arms: list[Arm], y: np.ndarray, metric: Metric, *, groups: np.ndarray | None = None, seed: int = 0
) -> dict[str, Any]:
    """Compare the best pre-trained arm with every arm that knows nothing, on untouched test rows.

    Use it once, at the end. Which pre-trained arm and which baseline face each other was settled on validation rows;
    only then are test rows looked at. `helped` is True when the whole 95 % interval of the paired gain lies above
    zero, False when it lies below, None when the rows cannot tell or there was nothing to compare. Gains are in points
    (hundredths of the metric); paired bootstrap over rows, or over groups where there are any (Efron and Tibshirani,
    An Introduction to the Bootstrap, 1993).

    >>> from headstart.selection.metrics import metric_for
    >>> y = np.tile([0, 1], 50)
    >>> always_first = np.tile([1.0, 0.0], (100, 1))
    >>> arms = [Arm("pretrained", "knn", 0.9, np.eye(2)[y]), Arm("majority", "majority", 0.5, always_first)]
    >>> verdict(arms, y, metric_for(y, "label"))["helped"]
    True
    """
    pretrained, others = sides(arms)
    if pretrained is None or not others:
        missing = "no pre-trained network took part" if pretrained is None else "there was nothing to compare it with"
        words = f"No verdict: {missing}, so this run cannot say whether pre-training helps."
        return {"helped": None, "gain": None, "low": None, "high": None, "words": words, "against": []}
    against: list[dict[str, Any]] = []
    for arm in others:
        gain, low, high = (100 * v for v in paired(metric, y, arm.scores, pretrained.scores, groups=groups, seed=seed))
        against.append({"role": arm.role, "name": arm.name, "gain": gain, "low": low, "high": high})
    rival = max(others, key=lambda a: a.valid)
    main = against[others.index(rival)]
    helped = True if main["low"] > 0 else False if main["high"] < 0 else None
    words = _words(helped, main, metric.name, len(y))
    return {"helped": helped, **{k: main[k] for k in ("gain", "low", "high")}, "words": words, "against": against}


def sides(arms: list[Arm]) -> tuple[Arm | None, list[Arm]]:
    """The best pre-trained arm, and the best of each role that knows nothing, by their validation scores."""
    pretrained = max((a for a in arms if a.role == "pretrained"), key=lambda a: a.valid, default=None)
    roles = [[a for a in arms if a.role == role] for role in ROLE_WORDS]
    return pretrained, [max(own, key=lambda a: a.valid) for own in roles if own]


def by_class(arms: list[Arm], y: np.ndarray, classes: Sequence[str]) -> list[dict[str, Any]]:
    """For each class, how much oftener the pre-trained side of the verdict is right than its rival: which it helps.

    Each row: {class, rows, gain (points of the class's own rows), p}, the largest gain first. `p` is that of a sign
    test on the rows that only one side gets right, adjusted for the number of classes (Holm 1979).

    >>> y = np.repeat([0, 1], 20)
    >>> told = by_class([Arm("pretrained", "a", 1, np.eye(2)[y]), Arm("majority", "b", 0, np.eye(2)[0 * y])], y, "ab")
    >>> [(t["class"], t["gain"], t["p"] < 0.01) for t in told]
    [('b', 100.0, True), ('a', 0.0, False)]
    """
    pretrained, others = sides(arms)
    if pretrained is None or not others:
        return []
    rival = max(others, key=lambda a: a.valid)
    apart = (pretrained.scores.argmax(1) == y).astype(int) - (rival.scores.argmax(1) == y)
    found, chance = [], []
    for code in np.unique(y):
        own = apart[y == code]
        wins, losses = int((own > 0).sum()), int((own < 0).sum())
        chance.append(float(binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0)
        found.append({"class": classes[code], "rows": len(own), "gain": 100 * float(own.mean())})
    told = [{**row, "p": float(p)} for row, p in zip(found, holm(np.array(chance)), strict=True)]
    return sorted(told, key=lambda row: -row["gain"])


def class_words(told: Sequence[dict[str, Any]]) -> str:
    """The classes that were clearly helped or hurt, in a sentence; "" where no class stands out.

    >>> class_words([{"class": "cat", "rows": 40, "gain": 25.0, "p": 0.01}])
    'Clearly helped: cat (+25 points of 40 rows).'
    """
    parts = []
    for word, sign in (("helped", 1), ("hurt", -1)):
        clear = [t for t in told if t["p"] < 0.05 and sign * t["gain"] > 0][::sign]
        names = ", ".join(f"{t['class']} ({t['gain']:+.0f} points of {counted(t['rows'])})" for t in clear[:MOST])
        more = f" and {len(clear) - MOST} more" if len(clear) > MOST else ""
        parts += [f"Clearly {word}: {names}{more}."] if clear else []
    return " ".join(parts)


def _words(helped: bool | None, main: dict[str, Any], metric: str, rows: int) -> str:
    """One sentence that a person who reads nothing else should read."""
    rival = ROLE_WORDS[str(main["role"])]
    interval = f"[{main['low']:+.1f}, {main['high']:+.1f}]"
    measure = f"{metric.replace('_', ' ')} on {rows:,} untouched test rows"
    if helped:
        return f"Pre-training helped: {main['gain']:+.1f} points {interval} of {measure}, against {rival}."
    if helped is None:
        return (
            f"No evidence that pre-training helped: {main['gain']:+.1f} points {interval} of {measure},"
            f" against {rival}; the interval includes zero."
        )
    advice = {
        "scratch": "use the network trained from scratch",
        "classical": "use the classical baseline",
        "majority": "nothing here beats always giving the same answer",
    }[str(main["role"])]
    return f"Pre-training hurt: {main['gain']:+.1f} points {interval} of {measure}, against {rival}: {advice}."
