"""A check says what could be wrong as a Finding: an object for programs, plain words for people."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Severity = Literal["info", "warning", "serious"]


@dataclass(frozen=True)
class Finding:
    """One thing a reader should know before trusting the number. `code` begins with the name of the check's file."""

    code: str
    title: str
    severity: Severity
    do: str
    evidence: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As `result.json` shows it."""
        return asdict(self)
