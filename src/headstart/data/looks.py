"""What a column looks like: pictures, texts, numbers, ids, or the target in disguise."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from headstart.data.images import is_picture
from headstart.data.raw import is_missing
from headstart.data.targets import as_number

IDS = (
    "id",
    "uuid",
    "guid",
    "index",
    "idx",
    "key",
    "rowid",
    "row",
    "number",
    "no",
    "nr",
    "unnamed: 0",
    "hash",
    "column 1",
)
DATE = re.compile(r"(\d{4}[-/.]\d\d?[-/.]\d\d?|\d\d?[-/.]\d\d?[-/.](\d\d){1,2})([T ]+\d\d?:\d\d.*)?")
LOOKED_AT = 2000  # cells of a column that are looked at
PROSE, PHRASE = 5.0, 2.5  # mean words a cell of a text; of something that may be joined to a text
MOSTLY = 0.5  # share of different values from which cells are rather names or texts than categories


def look(cells: np.ndarray, base: Path | None) -> str:
    """What a column holds: picture, prose, phrase, word (mostly different), category, date, number or vector."""
    seen = [c for c in cells[:LOOKED_AT] if not is_missing(c)]
    if not seen:
        return "number"
    if all(_is_picture(c) for c in seen[:50]) and sum(map(_is_picture, seen)) >= 0.8 * len(seen):
        return "picture"
    if isinstance(seen[0], list | tuple | np.ndarray):
        return "vector"
    if sum(as_number(c) is not None for c in seen) >= 0.9 * len(seen):
        return "number"
    if all(isinstance(c, date) or (isinstance(c, str) and DATE.fullmatch(c.strip())) for c in seen):
        return "date"
    words = sum(_words(str(c)) for c in seen) / len(seen)
    different = count_different(seen) / len(seen)
    if words >= PROSE and (different >= 0.3 or different * len(seen) > 50):
        return "prose"
    if different < MOSTLY:
        return "category"
    return "phrase" if words >= PHRASE else "word"


def _words(text: str) -> float:
    """Words of a text; two signs of a script that has no spaces count as one."""
    return len(text.split()) + sum(sign >= "\u2e80" for sign in text) / 2


def id_like(name: str, cells: np.ndarray, *, first: bool = False) -> str | None:
    """Why a column looks like a row's name and not like something to learn from, or None.

    >>> id_like("nr", np.arange(100, 120))
    'whole numbers that only rise or fall from row to row'
    >>> id_like("age", np.arange(40) % 7)
    """
    seen = [c for c in cells if not is_missing(c)]
    different = count_different(seen)
    if len(seen) < 10:
        return None
    if different < len(seen):
        rare = different > MOSTLY * len(seen) and is_id_name(name)
        return "called as ids are, and hardly ever the same" if rare else None
    numbers = [n for c in seen if (n := as_number(c)) is not None and np.isfinite(n)]
    if len(numbers) < len(seen):
        return None if numbers else "a different text in every row"
    if any(n != round(n) for n in numbers):
        return None
    steps = np.diff(np.array(numbers))
    if ((steps > 0).all() or (steps < 0).all()) and (first or is_id_name(name) or len(set(steps.tolist())) == 1):
        return "whole numbers that only rise or fall from row to row"
    return "a different whole number in every row" if is_id_name(name) else None


def is_id_name(name: str) -> bool:
    """Whether a column is called as ids are: id, patient_id, userId, ..."""
    plain = name.strip().lower()
    return plain in IDS or plain.endswith(("_id", " id", "-id", "_uuid", "_key")) or name.endswith(("Id", "ID"))


def tells(cells: np.ndarray, target: np.ndarray) -> bool:
    """Whether each value of a column goes with one value of the target and the other way round.

    >>> tells(np.array([0, 1, 0, 1]), np.array(["no", "yes", "no", "yes"]))
    True
    """
    to: dict[str, str] = {}
    back: dict[str, str] = {}
    for cell, aim in zip(cells, target, strict=True):
        if is_missing(cell) or is_missing(aim):
            continue
        a, b = str(cell), str(aim)
        if to.setdefault(a, b) != b or back.setdefault(b, a) != a:
            return False
    return 2 <= len(to) <= len(target) // 2


def _is_picture(cell: Any) -> bool:
    if isinstance(cell, bytes):
        return True
    if isinstance(cell, str):
        return is_picture(cell) and len(cell) < 1000 and "\n" not in cell
    return hasattr(cell, "getpixel") or (isinstance(cell, np.ndarray) and cell.ndim in (2, 3))


def count_different(cells: Sequence[Any] | np.ndarray) -> int:
    """How many different values there are; lists have no hash, their words do."""
    try:
        return len(set(cells))
    except TypeError:
        return len({str(c) for c in cells})
