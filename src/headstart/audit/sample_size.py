"""Are there enough rows to say anything?"""

from __future__ import annotations

from headstart.audit._base import Check, Evidence, Finding


class SampleSize(Check):
    """A test interval too wide to act on.

    The interval of the served model's score counts as wide past `width`. It is 95 % of the bootstrap; nothing is tested
    here, so there is no false alarm to control. Not a power analysis: how many rows more are needed, the report's curve
    of more labels says.

    >>> from headstart.audit._example import evidence
    >>> SampleSize()(evidence(score={"low": 0.86, "high": 0.94, "rows": 120}))
    []
    >>> [f.code for f in SampleSize()(evidence(score={"low": 0.5, "high": 0.9, "rows": 20}))]
    ['sample_size:wide_interval']
    """

    def __init__(self, width: float = 0.15) -> None:
        self.width = width

    def __call__(self, evidence: Evidence) -> list[Finding]:
        score = evidence.score
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
