"""The verdict: did pre-training help, by how much, and against what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from headstart.selection.metrics import Metric, paired

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
    pretrained = max((a for a in arms if a.role == "pretrained"), key=lambda a: a.valid, default=None)
    others = [
        max((a for a in arms if a.role == role), key=lambda a: a.valid)
        for role in ROLE_WORDS
        if any(a.role == role for a in arms)
    ]
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
