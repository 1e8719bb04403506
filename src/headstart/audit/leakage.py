"""Could the test rows have been known before? What was moved or noticed while reading says it."""

from __future__ import annotations

from typing import Any

from headstart.audit._base import Finding


def leakage(moved: dict[str, Any], counts: dict[str, int]) -> Finding | None:
    """Say how many near duplicates lay on both sides of the split, after they were moved together.

    `moved` is what `duplicates.separate` returned. Silent when nothing had to be moved; "warning" when more than 2 % of
    the rows had a twin on the other side, because rows that come in twins are often not independent in other ways.

    >>> leakage({"moved": 0}, {"train": 60, "test": 20}) is None
    True
    >>> leakage({"moved": 3}, {"train": 60, "test": 20}).severity
    'warning'
    """
    number, rows = int(moved.get("moved", 0)), sum(counts.values())
    if not number:
        return None
    return Finding(
        code="leakage:near_duplicates",
        title=f"{number:,} rows had a near duplicate on the other side of the split; they were brought together",
        severity="warning" if number > 0.02 * rows else "info",
        do="Where rows come in twins (one patient, one product, one page), name what ties them with --group.",
        evidence={k: v for k, v in moved.items() if isinstance(v, int | float | str | list)},
    )
