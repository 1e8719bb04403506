"""Is there a class that nobody tests, or that the model never says?"""

from __future__ import annotations

import numpy as np

from headstart.audit._base import Check, Evidence, Finding
from headstart.errors import NotApplicable


class MissingClasses(Check):
    """Classes without a row among the test (or validation) rows, and classes that the model never answers.

    Counts, no tests. A class that has at least `fewest` test rows and is never answered is a warning; the model may
    have learnt to ignore it.

    >>> from headstart.audit._example import evidence
    >>> MissingClasses()(evidence())
    []
    >>> always_no = np.tile([0.9, 0.1], (120, 1))
    >>> [f.title for f in MissingClasses()(evidence(scores=always_no))]
    ['The model never says: yes']
    """

    def __init__(self, fewest: int = 5) -> None:
        self.fewest = fewest

    def __call__(self, evidence: Evidence) -> list[Finding]:
        if evidence.kind == "number":
            raise NotApplicable("the target is a number", expected="classes")
        has = (
            evidence.target if evidence.kind == "labels" else np.eye(len(evidence.classes), dtype=int)[evidence.target]
        )
        found = []
        for split, do in (("test", "nothing is known of how well they are answered"), ("valid", "they had no say")):
            counts = has[evidence.of(split)].sum(0)
            absent = [c for c, n in zip(evidence.classes, counts, strict=True) if not n]
            if absent and counts.sum():
                found.append(
                    Finding(
                        code=f"missing_classes:{split}",
                        title=f"No {split} row of {_list(absent)}",
                        severity="warning" if split == "test" else "info",
                        do=f"Label rows of these classes: {do}.",
                        evidence={"classes": absent},
                    )
                )
        counts = has[evidence.of("test")].sum(0)
        told = evidence.scores
        answers = told >= 0.5 if evidence.kind == "labels" else np.eye(told.shape[1], dtype=bool)[told.argmax(1)]
        said = np.asarray(answers.any(0))
        silent = [c for c, n, s in zip(evidence.classes, counts, said, strict=True) if n >= self.fewest and not s]
        if silent:
            found.append(
                Finding(
                    code="missing_classes:never_said",
                    title=f"The model never says: {_list(silent)}",
                    severity="warning",
                    do="Label more rows of these classes, or leave them out and say so to whoever uses the model.",
                    evidence={
                        "rows": {c: int(n) for c, n in zip(evidence.classes, counts, strict=True) if c in silent}
                    },
                )
            )
        return found


def _list(names: list[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
