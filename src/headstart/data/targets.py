"""From the cells of the target column to classes, several classes a row, or a number; what was decided is said."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from headstart.data.dataset import TargetKind
from headstart.data.raw import is_missing
from headstart.errors import DataError

SEPARATOR = "|"
CODE = re.compile(r"0\d")
AMOUNT = re.compile(  # what people write and Python does not read: $1,200.50, 45 %, 1.200,50 €
    r"(?P<sign>[+-]?)\s?[$€£¥₹]?\s?(?P<whole>[1-9]\d{0,2}(?P<gap>[,.'’\u00a0\u202f ])\d{3}(?:(?P=gap)\d{3})*|\d+)"
    r"(?P<rest>[.,]\d+)?\s?[$€£¥₹%]?"
)
KINDS = ("label", "labels", "number")
MOST_WHOLE = 20  # this many different whole numbers, or fewer, are taken for classes


@dataclass(frozen=True)
class Target:
    """An encoded target: codes, a 0/1 matrix or numbers, and what the columns are called."""

    values: np.ndarray
    kind: TargetKind
    classes: tuple[str, ...]
    note: str


def asked(name: str, columns: Collection[str]) -> tuple[str, TargetKind | None]:
    """The column that is meant, and the kind of target that was asked for behind a colon.

    >>> asked("stars:number", ["text", "stars"])
    ('stars', 'number')
    >>> asked("stars:number", ["text", "stars:number"])  # a column may be called so
    ('stars:number', None)
    """
    column, _, kind = name.rpartition(":")
    is_asked = name not in columns and column in columns and kind in KINDS
    return (column, cast(TargetKind, kind)) if is_asked else (name, None)


def reasons(cells: np.ndarray, *, is_class: bool = False, kind: TargetKind | None = None) -> list[str | None]:
    """Why a row cannot be used for its target, or None; numbers must be finite, a class may be called NA.

    Where a number was asked for, what is none is a reason too.
    """
    if is_class:
        return ["the target is missing" if c is None else None for c in cells]
    out: list[str | None] = []
    for cell in cells:
        if isinstance(cell, list | tuple | set | np.ndarray):
            out.append(None)
        elif is_missing(cell):
            out.append("the target is missing")
        elif (number := as_number(cell)) is not None and not np.isfinite(number):
            out.append("the target is infinite")
        elif kind == "number" and number is None:
            out.append(f"the target {cell!r} is no number")
        else:
            out.append(None)
    return out


def encode(cells: np.ndarray, name: str, kind: TargetKind | None = None) -> Target:
    """Encode cells that are all there, as the kind that is asked for or as they look.

    Cells with `|`, or lists, are several labels a row. Numbers are a number to predict unless they are few whole ones,
    or codes such as 007. Lists that a spreadsheet made text of, ['a', 'b'], are lists again. A "label" that is asked
    for (folder names are) is the name of a class, whatever it looks like.
    """
    if kind == "label":
        texts = np.array([str(c) for c in cells])
        by_value = {t: n for t in set(texts.tolist()) if (n := as_number(t)) is not None}
        return _label(texts, sorted(set(texts.tolist()), key=lambda t: (by_value.get(t, np.inf), t)), name, "")
    cells = _listed(cells)
    holds_several = any(isinstance(c, list | tuple | set | np.ndarray) or SEPARATOR in str(c) for c in cells)
    if kind == "labels" or (holds_several and kind is None):
        return _several(cells, name)
    numbers = [as_number(c) for c in cells]
    is_code = any(isinstance(c, bool) or (isinstance(c, str) and CODE.match(c.strip())) for c in cells)
    if kind == "number" or (all(n is not None for n in numbers) and not is_code):
        values = np.array(numbers, dtype=np.float64)
        different = np.unique(values)
        whole = bool((different == np.round(different)).all())
        many = len(different) > min(MOST_WHOLE, max(2, len(values) // 2))
        if kind == "number" or many or not whole:
            why = f"{len(different)} different whole numbers; {name}:label makes them classes" if whole else "fractions"
            why = "as asked for" if kind else why
            _refuse_one(different, name)
            return Target(values, "number", (), f"the target {name!r} is a number to predict ({why})")
        texts = np.array([str(int(v)) for v in values])
        order = [str(int(v)) for v in different]
        why = f"{len(order)} different whole numbers"
        why += f"; {name}:number makes them a number to predict" if len(order) > 2 else ""
        return _label(texts, order, name, why)
    texts = np.array([_word(c) for c in cells])
    return _label(texts, sorted(set(texts.tolist())), name, "")


def encode_as(cells: np.ndarray, kind: str, classes: tuple[str, ...]) -> tuple[np.ndarray, list[str | None]]:
    """Encode cells that are all there as a model with these classes knows them; and why a cell cannot be, or None.

    >>> encode_as(np.array(["b", "c"]), "label", ("a", "b"))
    (array([1, 0]), [None, "the model knows no class 'c'"])
    """
    if kind == "number":
        numbers = [as_number(c) for c in cells]
        values = np.array([np.nan if n is None else n for n in numbers], dtype=np.float64)
        return values, [
            f"the target {c!r} is no number" if n is None else None for c, n in zip(cells, numbers, strict=True)
        ]
    cells = _listed(cells) if kind == "labels" else cells
    code = {name: k for k, name in enumerate(classes)}
    words = [[_name(w, code) for w in (_parts(c) if kind == "labels" else [c])] for c in cells]
    strange = [next((w for w in some if w not in code), None) for some in words]
    why = [None if w is None else f"the model knows no class {w!r}" for w in strange]
    has = np.zeros((len(cells), len(classes)), dtype=np.int64)
    for i, some in enumerate(words):
        has[i, [code[w] for w in some if w in code]] = 1
    return (has if kind == "labels" else has.argmax(1)), why


def _name(cell: Any, known: dict[str, int]) -> str:
    """What `encode` would call a cell: 1.0 and 1 are one class, unless the classes say otherwise."""
    number = None if _word(cell) in known else as_number(cell)
    return str(int(number)) if number is not None and np.isfinite(number) and number == round(number) else _word(cell)


def as_number(cell: Any) -> float | None:
    """A cell as a float, or None where it is no number.

    Amounts as people write them are numbers too; of "1,200" the comma parts thousands, of "1,25" and "0,125" decimals.

    >>> as_number("1e3"), as_number(True), as_number("1_000"), as_number("red")
    (1000.0, 1.0, None, None)
    >>> as_number("$1,200.50"), as_number("45 %"), as_number("-1.200,50 €"), as_number("1,25")
    (1200.5, 45.0, -1200.5, 1.25)
    """
    if isinstance(cell, str) and ("_" in cell or not cell.strip()):  # Python reads 1_000 as a number; people do not
        return None
    try:
        return float(cell)
    except (TypeError, ValueError, OverflowError):
        return _amount(cell) if isinstance(cell, str) else None


def _amount(text: str) -> float | None:
    found = AMOUNT.fullmatch(text.strip())
    if found is None:
        return None
    whole, gap, rest = found["whole"], found["gap"] or "", found["rest"] or ""
    if gap and rest.startswith(gap):
        return None
    if gap != "." or rest:  # 1.200 alone is one and a fifth, as Python has it
        whole = whole.replace(gap, "")
    return float(f"{found['sign']}{whole}{rest.replace(',', '.')}") if whole.count(".") < 2 else None


def _listed(cells: np.ndarray) -> np.ndarray:
    """Lists again where every cell is one that was written as text; the cells as they are otherwise."""
    if not all(isinstance(c, str) and c.strip()[:1] == "[" and c.strip()[-1:] == "]" for c in cells):
        return cells
    out = np.empty(len(cells), dtype=object)
    try:
        out[:] = [ast.literal_eval(c.strip()) for c in cells]
    except (ValueError, SyntaxError):
        return cells
    return out


def _label(texts: np.ndarray, order: list[str], name: str, why: str) -> Target:
    _refuse_one(np.array(order), name)
    code = {text: k for k, text in enumerate(order)}
    values = np.array([code[t] for t in texts], dtype=np.int64)
    counts = np.bincount(values)
    if len(order) > 50 and len(order) > len(values) // 2:
        raise DataError(
            f"the target {name!r} has {len(order)} different values in {len(values)} rows",
            expected="classes that recur, or numbers", do="name another column as the target",
        )  # fmt: skip
    shown = ", ".join(f"{c} {n}" for c, n in list(zip(order, counts, strict=True))[:8]) + (
        ", ..." if len(order) > 8 else ""
    )
    note = f"the target {name!r} is a label with {len(order)} classes" + (f" ({why})" if why else "") + f": {shown}"
    note += _alike(order)
    rare = [c for c, n in zip(order, counts, strict=True) if n < 3]
    if rare:
        note += f"; fewer than 3 rows of {', '.join(rare[:8])}: too few to learn from and to test on"
    return Target(values, "label", tuple(order), note)


def _alike(order: list[str]) -> str:
    """What a person may have meant by these classes and did not write."""
    plain: dict[str, list[str]] = {}
    for name in order:
        plain.setdefault(" ".join(name.casefold().split()), []).append(name)
    note = ""
    if twins := [same for same in plain.values() if len(same) > 1]:
        shown = "; ".join(", ".join(map(repr, same[:4])) for same in twins[:3])
        note += (
            f"; {shown} differ in capitals or blanks only and count as different classes: write them alike if they are"
        )
    for mark in (",", ";"):
        parts = {part.strip() for name in order for part in name.split(mark)}
        if any(mark in name for name in order) and len(parts) < len(order):
            note += f"; some hold {mark!r}: if these are several labels a row, write a{SEPARATOR}b"
    return note


def _several(cells: np.ndarray, name: str) -> Target:
    sets = [_parts(c) for c in cells]
    order = sorted({part for s in sets for part in s})
    _refuse_one(np.array(order), name)
    code = {text: k for k, text in enumerate(order)}
    values = np.zeros((len(cells), len(order)), dtype=np.int64)
    for i, parts in enumerate(sets):
        values[i, [code[p] for p in parts]] = 1
    mean = values.sum(1).mean()
    note = f"the target {name!r} holds several labels a row: {len(order)} in all, {mean:.1f} a row"
    return Target(values, "labels", tuple(order), note)


def _parts(cell: Any) -> list[str]:
    found = (
        cell.split(SEPARATOR)
        if isinstance(cell, str)
        else cell
        if isinstance(cell, list | tuple | set | np.ndarray)
        else [cell]
    )
    return [w for part in found if (w := _word(part))]


def _word(cell: Any) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


def _refuse_one(different: np.ndarray, name: str) -> None:
    if len(different) < 2:
        only = f"only one value ({str(different[0])[:60]})" if len(different) else "no values"
        seen = f"the target {name!r} has {only}"
        raise DataError(seen, expected="at least two classes or numbers", do="name another column as the target")
