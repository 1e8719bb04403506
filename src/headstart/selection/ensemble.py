"""The mean of the winner and the other cheap models, where that is as good as the winner alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from headstart.selection.calibration import apply, temperature
from headstart.selection.contender import make
from headstart.selection.race import Field, Trial


@dataclass(frozen=True)
class Ensemble:
    """The winner, those whose answers are averaged with its own, and what that mean said of rows not seen by any."""

    winner: Trial
    others: tuple[Trial, ...] = ()
    held_out: np.ndarray | None = None  # (n, C) of the rows that the winner was judged by

    @property
    def names(self) -> list[str]:
        """The others as a person calls them."""
        return [f"{t.contender.technique} on {t.contender.backbone}" for t in self.others]


def ensemble(winner: Trial, trials: Sequence[Trial], ground: Field, *, seconds: float) -> Ensemble:
    """The winner with the other cheap contenders, if their mean is as good as it alone on rows that none had seen.

    Use it once the winner is known. One that was trained through the network, or is judged by domains, stays alone.
    The mean is that of calibrated probabilities, or of numbers, each counted once: weights (Breiman, Stacked
    regressions, 1996) are more than few rows can tell. Contenders that took longest to fit are left out until all
    can be fitted once more in `seconds`, and so are those that keep rows: a model folder should hold none for a small
    gain. A classical winner is averaged with classical ones: where pre-training lost, nothing of it ships.
    """
    key = "known" if "known" in winner.scores else "valid"
    sides = {"classical"} if winner.contender.role == "classical" else {"classical", "pretrained"}
    able = [t for t in trials if t is not winner and _able(t, key) and t.contender.role in sides]
    able = [t for t in able if not make(t.contender.technique).keeps_rows]
    able.sort(key=lambda t: t.fit_seconds)
    while able and sum(t.fit_seconds for t in able) > seconds:
        able.pop()
    if not able or not _able(winner, key) or ground.domains is not None:
        return Ensemble(winner)
    metric, rows, _ = ground.judge(key)
    y = ground.y[rows]
    told = mean([calibrated(t.scores[key], y) for t in (winner, *able)])
    if metric(y, told) < metric(y, winner.scores[key]):
        return Ensemble(winner)
    return Ensemble(winner, tuple(able), told)


def mean(told: Sequence[np.ndarray]) -> np.ndarray:
    """Of what several models say of the same rows; a class that one of them was never given has no chance there.

    >>> mean([np.array([[1.0]]), np.array([[0.0, 1.0]])])
    array([[0.5, 0.5]])
    """
    width = max(t.shape[1] for t in told)
    return np.asarray(np.mean([np.pad(t, ((0, 0), (0, width - t.shape[1]))) for t in told], axis=0))


def calibrated(scores: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Probabilities at the temperature that these rows ask for; numbers stay as they are."""
    is_number = y.ndim == 1 and np.issubdtype(y.dtype, np.floating)
    return scores if is_number else apply(scores, temperature(scores, y))


def _able(trial: Trial, key: str) -> bool:
    c = trial.contender
    is_cheap = c.role in ("pretrained", "classical") and c.cost < 3 and not c.uses_domains
    return trial.status == "done" and is_cheap and key in trial.scores
