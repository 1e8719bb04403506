"""Does pre-training help? Asked before anything dear is trained: a small race among rows of a sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import norm

from headstart.activations.activations import Activations
from headstart.audit._verdict import Arm, verdict
from headstart.selection.contender import Contender
from headstart.selection.metrics import metric_for
from headstart.selection.race import Clock, Field, Trial, race

HEADS = ("ridge", "prototypes", "knn")  # closed forms: together less than a second on a sample
OUTCOMES = (True, None, False)  # helped, no evidence, hurt
RIGHT, COMMONEST = 0.73, 0.41  # of the cells of benchmarks/transfer_forecast.py: this, and always the same verdict


def early(
    seen: dict[str, Activations], y: np.ndarray, entries: Sequence[Contender], kind: str, *,
    groups: np.ndarray | None = None, seed: int = 0,
) -> list[Trial]:  # fmt: skip
    """Cheap contenders on a sample (n rows): each trial holds what is said of every row by a fit without it."""
    order = np.random.default_rng(seed).permutation(len(y))
    valid, train = np.sort(order[: len(y) // 5]), np.sort(order[len(y) // 5 :])
    ground = Field(lambda c, _: seen[c.backbone], y, train, valid, valid, metric_for(y, kind), groups=groups, seed=seed)
    return [t for t in race(entries, ground, Clock(np.inf)) if "known" in t.scores]


def forecast(
    trials: Sequence[Trial], y: np.ndarray, kind: str, sizes: tuple[int, int], *,
    groups: np.ndarray | None = None, seed: int = 0,
) -> dict[str, Any]:  # fmt: skip
    """What the verdict will be: {helped, chances, gain, low, high, against, rows, words}, {} with nothing to compare.

    Use it to know what to expect before hours are spent; the verdict on test rows stays the one to quote. `sizes` are
    the labelled rows and the test rows of the whole run. The gain on the sample, where every row was left out of the
    fit that answers for it, is taken for that on the test rows, whose own chance error is that of the sample scaled to
    their number. A verdict says "helped" where the gain clears 1.96 of those errors: `chances` are the probabilities of
    helped, no evidence and hurt under a normal law, and `helped` is the likeliest. Nothing in it was fitted to earlier
    runs. With more labels than the sample has, the gain is usually smaller. (Held-out comparison of cheap heads as in
    Renggli et al., Which Model to Transfer?, CVPR 2022; the predictive probability of a later trial's outcome as in
    Spiegelhalter, Freedman and Blackburn, Controlled Clinical Trials, 1986.)
    """
    arms = [Arm(t.contender.role, t.contender.technique, (t.valid or {})["value"], t.scores["known"]) for t in trials]
    metric = metric_for(y, kind)
    said = verdict(arms, y, metric, groups=groups, seed=seed)
    if said["gain"] is None:
        return {}
    noise = max((said["high"] - said["low"]) / 3.92, 1e-9)  # points
    chances = outcomes(said["gain"], noise, noise * np.sqrt(len(y) / max(sizes[1], 1)))
    helped = OUTCOMES[int(np.argmax(list(chances.values())))]
    words = _words(helped, {**said, "chances": chances}, metric.name.replace("_", " "), (len(y), *sizes))
    return {**said, "helped": helped, "chances": chances, "rows": len(y), "words": words}


def outcomes(gain: float, noise: float, later: float) -> dict[str, float]:
    """Chances of each verdict, from a gain known to within `noise` and judged with a chance error of `later`.

    >>> {k: round(v, 2) for k, v in outcomes(0.0, 1.0, 1.0).items()}
    {'helped': 0.08, 'no evidence': 0.83, 'hurt': 0.08}
    """
    both, bar = float(np.hypot(noise, later)), 1.96 * later
    helped, hurt = float(norm.sf(bar, gain, both)), float(norm.cdf(-bar, gain, both))
    return {"helped": helped, "no evidence": max(0.0, 1 - helped - hurt), "hurt": hurt}


def _words(helped: bool | None, said: dict[str, Any], metric: str, sizes: tuple[int, int, int]) -> str:
    """The forecast in a sentence or two, and what such forecasts were worth."""
    rows, known, tests = sizes
    name = {True: "helped", None: "no evidence", False: "hurt"}[helped]
    more = f" With all {known:,} labels the gain is usually smaller." if known > 1.5 * rows and said["gain"] > 0 else ""
    return (
        f"Forecast before training, from {rows:,} training rows: {name!r} is the likeliest verdict on {tests:,}"
        f" test rows ({said['chances'][name]:.0%}; gain {said['gain']:+.1f} points"
        f" [{said['low']:+.1f}, {said['high']:+.1f}] of {metric}).{more} Such forecasts were right in {RIGHT:.0%} of"
        f" the benchmark's cells, always the commonest verdict in {COMMONEST:.0%}."
    )
