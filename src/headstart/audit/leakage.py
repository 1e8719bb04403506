"""Could the test rows have been known before? What was moved or noticed while reading says it."""

from __future__ import annotations

from headstart.audit._base import Check, Evidence, Finding


class Leakage(Check):
    """Near duplicates that lay on both sides of the split, before they were brought together.

    Silent when nothing had to be moved; "warning" when more than 2 % of the rows had a twin on the other side, because
    rows that come in twins are often not independent in other ways.

    >>> from headstart.audit._example import evidence
    >>> Leakage()(evidence(moved={"moved": 0}))
    []
    >>> [f.severity for f in Leakage()(evidence(moved={"moved": 30}))]
    ['warning']
    """

    def __init__(self, level: float = 0.02) -> None:
        self.level = level

    def __call__(self, evidence: Evidence) -> list[Finding]:
        number = int(evidence.moved.get("moved", 0))
        if not number:
            return []
        return [
            Finding(
                code="leakage:near_duplicates",
                title=f"{number:,} rows had a near duplicate across the split; they were brought together",
                severity="warning" if number > self.level * len(evidence.split) else "info",
                do="Where rows come in twins (one patient, one product, one page), name what ties them with --group.",
                evidence={k: v for k, v in evidence.moved.items() if isinstance(v, int | float | str | list)},
            )
        ]
