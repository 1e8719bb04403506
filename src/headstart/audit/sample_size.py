"""Are there enough rows to say anything, and enough of each class?"""

from __future__ import annotations

import numpy as np

from headstart.audit._base import Check, Evidence, Finding


class SampleSize(Check):
    """A test interval too wide to act on, and classes that are badly unbalanced.

    The interval of the served model's score counts as wide past `width`; classes count as unbalanced when the largest
    has `ratio` times the rows of the smallest.

    >>> from headstart.audit._example import evidence
    >>> SampleSize()(evidence(score={"low": 0.86, "high": 0.94, "rows": 120}))
    []
    >>> [f.code for f in SampleSize()(evidence(score={"low": 0.5, "high": 0.9, "rows": 20}))]
    ['sample_size:wide_interval']
    """

    def __init__(self, width: float = 0.15, ratio: float = 10.0) -> None:
        self.width = width
        self.ratio = ratio

    def __call__(self, evidence: Evidence) -> list[Finding]:
        return [*self._interval(evidence.score), *(self._balance(evidence) if evidence.kind == "label" else ())]

    def _interval(self, score: dict[str, float]) -> list[Finding]:
        width = score["high"] - score["low"] if score else 0.0
        if width <= self.width:
            return []
        return [
            Finding(
                code="sample_size:wide_interval",
                title=f"{int(score['rows']):,} test rows leave the quality uncertain by {100 * width:.0f} points",
                severity="warning",
                do="Label more rows before acting on differences smaller than that.",
                evidence={"rows": int(score["rows"]), "width": round(width, 4)},
            )
        ]

    def _balance(self, evidence: Evidence) -> list[Finding]:
        classes = evidence.classes
        counts = np.bincount(evidence.target, minlength=len(classes))
        if counts.max() < self.ratio * max(counts.min(), 1):
            return []
        rare, common = classes[int(counts.argmin())], classes[int(counts.argmax())]
        return [
            Finding(
                code="sample_size:imbalance",
                title=f"Class {common!r} has {counts.max():,} rows, class {rare!r} only {counts.min():,}",
                severity="info",
                do="Classes were weighted while training; read the confusion matrix, not one number.",
                evidence={"counts": dict(zip(classes, counts.tolist(), strict=True))},
            )
        ]
