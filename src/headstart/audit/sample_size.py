"""Are there enough rows to say anything, and enough of each class?"""

from __future__ import annotations

import numpy as np

from headstart.audit._base import Finding


def sample_size(test: dict[str, float], target: np.ndarray, kind: str, classes: tuple[str, ...]) -> list[Finding]:
    """Say when the test interval is too wide to act on and when classes are badly unbalanced.

    `test` is the Score of what ships; the interval counts as wide past 15 points. Classes count as unbalanced when the
    largest has ten times the rows of the smallest.

    >>> y = np.array([0] * 50 + [1] * 2)
    >>> [f.code for f in sample_size({"low": 0.5, "high": 0.9, "rows": 20}, y, "label", ("a", "b"))]
    ['sample_size:wide_interval', 'sample_size:imbalance']
    """
    found = []
    width = test["high"] - test["low"]
    if width > 0.15:
        found.append(
            Finding(
                code="sample_size:wide_interval",
                title=f"{int(test['rows']):,} test rows leave the quality uncertain by {100 * width:.0f} points",
                severity="warning",
                do="Label more rows before acting on differences smaller than that.",
                evidence={"rows": int(test["rows"]), "width": round(width, 4)},
            )
        )
    if kind == "label":
        counts = np.bincount(target, minlength=len(classes))
        if counts.max() >= 10 * max(counts.min(), 1):
            rare, common = classes[int(counts.argmin())], classes[int(counts.argmax())]
            found.append(
                Finding(
                    code="sample_size:imbalance",
                    title=f"Class {common!r} has {counts.max():,} rows, class {rare!r} only {counts.min():,}",
                    severity="info",
                    do="Classes were weighted while training; read the confusion matrix, not one number.",
                    evidence={"counts": dict(zip(classes, counts.tolist(), strict=True))},
                )
            )
    return found
