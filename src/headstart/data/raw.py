"""What a source holds before anybody decides what it means: named columns, one value a row."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from headstart.errors import DataError

MISSING = frozenset({"", "nan", "na", "n/a", "#n/a", "null", "<na>"})  # cells that say "not known", in any case
MOST_BROKEN = 0.05  # a larger share of broken rows is a broken source, not a few bad rows
SHOWN = 10


@dataclass
class Raw:
    """Columns as they were found, object arrays of one length; readers fill it, `read` gives it a meaning."""

    columns: dict[str, np.ndarray]
    names: np.ndarray  # what a person calls a row
    base: Path | None = None  # where relative paths in cells start
    notes: list[str] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)  # rows that the reader itself could not use
    torn: list[int] = field(default_factory=list)  # how many rows of `columns` stand before each of them, where known
    modality: str | None = None  # where the source leaves no choice
    target: str | None = None  # likewise
    split: str | None = None

    def __len__(self) -> int:
        return len(self.names)

    def take(self, keep: np.ndarray) -> None:
        """Keep these rows only, in place."""
        self.columns = {k: v[keep] for k, v in self.columns.items()}
        self.names = self.names[keep]

    def drop(self, reasons: list[str | None]) -> np.ndarray:
        """Leave out the rows that have a reason to; returns the positions that stayed."""
        keep = np.array([i for i, why in enumerate(reasons) if why is None], dtype=np.int64)
        self.skipped += [(str(self.names[i]), why) for i, why in enumerate(reasons) if why is not None]
        self.take(keep)
        return keep

    def refuse_if_broken(self) -> None:
        """Raise DataError when more than 5 % of the rows are broken, naming the first of them."""
        total = len(self) + len(self.skipped)
        if not self.skipped or len(self.skipped) <= MOST_BROKEN * total:
            return
        kinds = ", ".join(f"{n} x {why}" for why, n in Counter(why for _, why in self.skipped).most_common(4))
        some = "; ".join(f"{name}: {why}" for name, why in self.skipped[:SHOWN])
        more = f"; and {len(self.skipped) - SHOWN} more" if len(self.skipped) > SHOWN else ""
        raise DataError(
            f"{len(self.skipped)} of {total} rows are broken ({kinds}). They are: {some}{more}",
            expected=f"at most {MOST_BROKEN:.0%} broken rows",
            do="mend or remove them, then run again",
        )


def is_missing(value: Any) -> bool:
    """Whether a cell says nothing: None, NaN, empty, or one of the usual words for it.

    >>> [is_missing(v) for v in (None, float("nan"), " ", "N/A", "none", 0)]
    [True, True, True, True, False, False]
    """
    if value is None:
        return True
    if isinstance(value, float):
        return math.isnan(value)
    if isinstance(value, str):
        return value.strip().lower() in MISSING
    return bool(np.isscalar(value) and value != value)  # noqa: PLR0124  (NaN and NaT differ from themselves)


def content_id(content: bytes) -> str:
    """The id of a row: 128 bits of SHA-256 over its raw content.

    >>> content_id(b"good") == content_id(b"good"), len(content_id(b""))
    (True, 32)
    """
    return hashlib.sha256(content).hexdigest()[:32]


def column(values: Any) -> np.ndarray:
    """Values as an object array of one dimension, however nested they are."""
    values = list(values)
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out
