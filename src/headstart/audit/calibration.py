"""When the model says 80 %, is it right in 80 % of the rows?"""

from __future__ import annotations

import numpy as np

from headstart.audit._base import LEVEL, Check, Evidence, Finding
from headstart.errors import NotApplicable
from headstart.selection.calibration import BINS

DRAWS = 999


class Calibration(Check):
    """The expected calibration error of the answers, against what a calibrated model shows on as many rows by chance.

    Use it before a probability decides anything. Even a calibrated model has an error above 0 on few rows, so answers
    are drawn again as if every stated probability were true; the finding needs an error that at most `level` of these
    draws reach (Broecker and Smith, Increasing the Reliability of Reliability Diagrams, 2007; the error of Naeini et
    al. 2015, in bins of equal size). The interval is a bootstrap over rows. From `gap` on it is a warning. With
    several labels a row, every cell is an answer and rows count as independent, which they are within a row only
    roughly. Not for numbers.

    >>> from headstart.audit._example import evidence
    >>> Calibration()(evidence())
    []
    >>> sure = np.where(evidence().scores > 0.5, 0.999, 0.001)
    >>> [f.severity for f in Calibration()(evidence(scores=sure))]
    ['warning']
    """

    def __init__(self, level: float = LEVEL, gap: float = 0.05) -> None:
        self.level = level
        self.gap = gap

    def __call__(self, evidence: Evidence) -> list[Finding]:
        if evidence.kind == "number":
            raise NotApplicable("the target is a number", expected="probabilities of classes")
        y = evidence.target[evidence.of("test")]
        if evidence.kind == "labels":
            sure = np.maximum(evidence.scores, 1 - evidence.scores).ravel()
            right = ((evidence.scores >= 0.5) == y.astype(bool)).ravel()
        else:
            sure, right = evidence.scores.max(1), evidence.scores.argmax(1) == y
        rng = np.random.default_rng(evidence.seed)
        order = np.argsort(sure, kind="stable")
        sure, hits = np.clip(sure[order], 0, 1), right[order].astype(np.float64)
        by_chance = errors(sure, rng.random((DRAWS, len(sure))) < sure)
        found = float(errors(sure, hits[None])[0])
        p = (1 + int((by_chance >= found - 1e-12).sum())) / (1 + DRAWS)
        if p > self.level:
            return []
        drawn = np.sort(rng.integers(0, len(sure), (DRAWS, len(sure))), axis=1)
        low, high = np.percentile(errors(sure[drawn], hits[drawn]), (2.5, 97.5))
        off = float(sure.mean() - hits.mean())
        return [
            Finding(
                code="calibration:ece",
                title=f"Stated probabilities are off by {100 * found:.0f} points on average"
                f" ({'too sure' if off > 0 else 'too modest'} by {100 * abs(off):.0f})",
                severity="warning" if found >= self.gap else "info",
                do="Do not act on the probabilities; label rows like these and train again, or scale them anew.",
                evidence={
                    "ece": round(found, 4), "low": round(min(float(low), found), 4), "high": round(float(high), 4),
                    "by_chance": round(float(np.median(by_chance)), 4), "p": round(p, 4), "too_sure": round(off, 4),
                },
            )
        ]  # fmt: skip


def errors(sure: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(B,) calibration errors of B draws (B, n) of right answers; `sure` is (n,) or (B, n), rising along the rows.

    >>> errors(np.full(10, 0.9), np.array([[1.0] * 9 + [0.0], [1.0] * 10])).round(3).tolist()
    [0.1, 0.1]
    """
    n = right.shape[1]
    starts = np.array([part[0] for part in np.array_split(np.arange(n), min(BINS, max(1, n // 5)))])
    return np.asarray(np.abs(np.add.reduceat(sure - right, starts, axis=1)).sum(1) / n)
