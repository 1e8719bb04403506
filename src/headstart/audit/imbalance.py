"""Does one class have far fewer rows than another?"""

from __future__ import annotations

import numpy as np

from headstart.audit._base import Check, Evidence, Finding
from headstart.errors import NotApplicable


class Imbalance(Check):
    """The largest class has `ratio` times the rows of the smallest.

    A count, no test: it is so or it is not. For several labels a row, each label is compared with its own absence.

    >>> from headstart.audit._example import evidence
    >>> Imbalance()(evidence())
    []
    >>> [f.code for f in Imbalance()(evidence(target=(np.arange(600) % 30 == 0).astype(int)))]
    ['imbalance:classes']
    """

    def __init__(self, ratio: float = 10.0) -> None:
        self.ratio = ratio

    def __call__(self, evidence: Evidence) -> list[Finding]:
        if evidence.kind == "number":
            raise NotApplicable("the target is a number", expected="classes")
        classes = evidence.classes
        if evidence.kind == "labels":
            counts = evidence.target.sum(0)
            least, most = int(counts.argmin()), len(evidence.target) - int(counts.min())
            said = f"Label {classes[least]!r} is on {counts[least]:,} of {len(evidence.target):,} rows"
        else:
            counts = np.bincount(evidence.target, minlength=len(classes))
            least, most = int(counts.argmin()), int(counts.max())
            common = classes[int(counts.argmax())]
            said = f"Class {common!r} has {most:,} rows, class {classes[least]!r} only {counts[least]:,}"
        if most < self.ratio * max(int(counts[least]), 1):
            return []
        return [
            Finding(
                code="imbalance:classes",
                title=said,
                severity="info",
                do="Classes were weighted while training; read the confusion matrix, not one number.",
                evidence={"counts": dict(zip(classes, counts.tolist(), strict=True))},
            )
        ]
