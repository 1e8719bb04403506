"""The contract of a check: it looks at Evidence and says what could be wrong as Findings."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from headstart import _discover
from headstart.errors import NotApplicable

Severity = Literal["info", "warning", "serious"]
SEVERITIES = ("serious", "warning", "info")
LEVEL = 0.01  # of every check: how often it may speak where nothing is wrong, over all its comparisons together
TOLD = {"label": "one class each", "labels": "several labels each", "number": "a number each"}  # what rows are to have


@dataclass(frozen=True)
class Finding:
    """One thing a reader should know before trusting the number. `code` begins with the name of the check's file.

    Two keys of `evidence` are drawn by the report: "table" {columns: [str], rows: [[cell]]}, and "suspects"
    [{position, row, ...}], rows to look at, each with what is said of it.
    """

    code: str
    title: str
    severity: Severity
    do: str
    evidence: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As `result.json` shows it."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Evidence:
    """What every check may look at: one data set as arrays, and what the model that ships says of its test rows.

    Positions are those of the n rows. `look` computes the vectors of some rows read in another way, through the store:
    "untrained" (the same network, random weights), "beside" (pictures whose object is hidden), "bare:0" to
    "bare:3" (what lies off the object in that corner hidden), "only:0" to "only:3" (that corner alone); or, (n, 4),
    how much of each corner lies off the object ("marks", NaN where that cannot be told). NotApplicable where that makes
    no sense, or where the budget does not allow it.
    """

    modality: str
    kind: str  # "label" | "labels" | "number"
    classes: tuple[str, ...]
    target: np.ndarray  # (n,) or (n, L)
    split: np.ndarray  # (n,) of "train" | "valid" | "test"
    values: np.ndarray  # (n, d) vectors of the chosen network
    scores: np.ndarray  # (t, C) calibrated probabilities, or (t, 1) numbers, for the test rows in their order
    score: dict[str, float] = field(default_factory=dict)  # {metric, value, low, high, rows} of these
    groups: np.ndarray | None = None  # (n,)
    columns: dict[str, np.ndarray] = field(default_factory=dict)  # (n,) each: what else is known of the rows
    attributes: tuple[str, ...] = ()  # those of the columns that were asked about
    owners: tuple[str, ...] = ()  # those of the columns that are called as owners of several rows are
    metadata: dict[str, np.ndarray] = field(default_factory=dict)  # (n,) each: file names and sizes, lengths of texts
    own_split: bool = False  # the split is the user's own, or the test rows come from another source
    qhat: float | None = None  # 1 - the probability from which a class is in a row's prediction set
    rows: Sequence[Any] = ()  # the raw rows: a text, a path, a dict
    names: np.ndarray | None = None
    moved: dict[str, Any] = field(default_factory=dict)  # what was noticed when near duplicates were brought together
    look: Callable[[str, np.ndarray], np.ndarray] | None = None
    seed: int = 0

    def of(self, split: str) -> np.ndarray:
        """Positions of the rows of one split."""
        return np.flatnonzero(self.split == split)

    def name(self, row: int) -> str:
        """What a person calls a row."""
        return str(row if self.names is None else self.names[row])


class Check(ABC):
    """One thing that can be wrong. It fires where it is, is silent where it is not, and says where it cannot look.

    Settings (levels, sizes) are the keywords of `__init__`, with defaults that stay silent on clean data.
    """

    @abstractmethod
    def __call__(self, evidence: Evidence) -> list[Finding]:
        """What was found, nothing where all is well; raises NotApplicable where the evidence cannot tell."""


def names() -> list[str]:
    """Every check that there is."""
    return _discover.names("audit")


def audit(
    evidence: Evidence, checks: Sequence[str] = (), *, seconds: float = math.inf
) -> tuple[list[Finding], list[tuple[str, str]]]:
    """Findings of all checks (or of the named ones), the most serious first; and which could not look, and why.

    No check begins after `seconds`; those left out are among the ones that could not look.
    """
    found: list[Finding] = []
    unchecked = []
    start = time.monotonic()
    for name in checks or names():
        check: Check = _discover.load("audit", name)()
        if time.monotonic() - start > seconds:
            unchecked.append((name, "the budget was used up; headstart audit runs it on the finished run"))
            continue
        try:
            found += check(evidence)
        except NotApplicable as error:
            unchecked.append((name, str(error)))
    return sorted(found, key=lambda f: SEVERITIES.index(f.severity)), unchecked
