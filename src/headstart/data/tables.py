"""Table rows: a dict a row of numbers, strings and None; a column is numbers when all its cells are."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np

from headstart.data.raw import content_id, is_missing
from headstart.data.targets import as_number

# further words for "not known", in columns that hold numbers otherwise
UNKNOWN = frozenset({"?", "-", "none", "unknown"})
MARKED = re.compile(r"[,$€£¥₹%'’]")  # in a number: somebody's way of writing it
WITH_UNIT = re.compile(r"\s*[+-]?\d+(?:[.,]\d+)?\s*([a-zA-Zµ°/]{1,8})\s*")
FEW = 0.01  # of the cells of a column of numbers may be no numbers; they become missing


def rows(columns: dict[str, np.ndarray], notes: list[str]) -> tuple[list[Any], list[str], list[str | None]]:
    """Rows, ids and, for a row that says nothing at all, the reason.

    >>> rows({"age": np.array(["41", "?"], dtype=object), "sex": np.array(["f", "m"], dtype=object)}, [])[0]
    [{'age': 41.0, 'sex': 'f'}, {'age': None, 'sex': 'm'}]
    """
    typed = {name: _typed(name, cells, notes) for name, cells in columns.items()}
    out: list[Any] = [dict(zip(typed, values, strict=True)) for values in zip(*typed.values(), strict=True)]
    reasons = [None if any(v is not None for v in row.values()) else "all its cells are empty" for row in out]
    return out, [identify(row) for row in out], reasons


def identify(row: dict[str, Any]) -> str:
    """The id of a table row: its names and values, whatever their order."""
    return content_id(b"table\0" + json.dumps(row, sort_keys=True, ensure_ascii=True, default=str).encode())


def _typed(name: str, cells: np.ndarray, notes: list[str]) -> list[Any]:
    missing = [is_missing(c) for c in cells]
    if any(isinstance(c, bool) for c in cells):
        return [None if m else str(c) for c, m in zip(cells, missing, strict=True)]
    numbers = [None if m else as_number(c) for c, m in zip(cells, missing, strict=True)]
    odd = [str(c) for c, n, m in zip(cells, numbers, missing, strict=True) if n is None and not m]
    strange = [c for c in odd if c.strip().lower() not in UNKNOWN]
    there = sum(n is not None for n in numbers)
    if there and len(strange) <= FEW * there:
        infinite = sum(n is not None and not np.isfinite(n) for n in numbers)
        if odd or infinite:
            shown = ", ".join(sorted({*odd, *(["inf"] if infinite else [])})[:5])
            number = len(odd) + infinite
            notes.append(f"column {name!r} holds numbers; {number} cells are none ({shown}) and count as missing")
        if signs := [c for c in cells if isinstance(c, str) and MARKED.search(c) and as_number(c) is not None]:
            notes.append(f"column {name!r} holds amounts: {signs[0].strip()!r} was read as {as_number(signs[0]):g}")
        return [None if n is None or not np.isfinite(n) else n for n in numbers]
    units = {found[1] for c, m in zip(cells, missing, strict=True) if not m and (found := WITH_UNIT.fullmatch(str(c)))}
    if len(units) == 1 and sum(bool(WITH_UNIT.fullmatch(str(c))) for c in cells) == len(cells) - sum(missing):
        notes.append(f"column {name!r} holds numbers with {units.pop()!r} behind them and was read as words: remove it")
    return [None if m else str(c).strip() for c, m in zip(cells, missing, strict=True)]
