"""What each column is for, found by looking, and said in words."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from headstart.data.dataset import Modality
from headstart.data.images import is_picture
from headstart.data.raw import Raw, is_missing
from headstart.data.targets import as_number
from headstart.errors import DataError, PlanError

TARGETS = (
    "target", "label", "labels", "class", "y", "category", "categories", "tags", "sentiment", "outcome", "diagnosis", "finding",
    "stars", "rating", "score", "species",
)  # fmt: skip
TEXTS = (
    "text",
    "review",
    "comment",
    "message",
    "body",
    "sentence",
    "content",
    "description",
    "document",
    "abstract",
    "question",
)
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
LOOKED_AT = 2000  # cells of a column that are looked at
PROSE, PHRASE = 5.0, 2.5  # mean words a cell of a text; of something that may be joined to a text
MODALITIES = ("image", "text", "table", "vector")


@dataclass
class Roles:
    """Which columns are learnt from, which is predicted, and why."""

    modality: Modality
    inputs: tuple[str, ...]
    target: str | None
    notes: list[str] = field(default_factory=list)


def known(name: str, columns: list[str], what: str) -> str:
    """The column of that name; a DataError that names the closest where there is none."""
    if name in columns:
        return name
    close = difflib.get_close_matches(name.lower(), [c.lower() for c in columns], n=1, cutoff=0.5)
    nearest = next((c for c in columns if close and c.lower() == close[0]), None)
    raise DataError(
        f"no column {name!r} for the {what}; there are: {', '.join(columns)}",
        do=f"did you mean {nearest!r}?" if nearest else "name one of these",
    )


def find(
    raw: Raw, *, target: str | None, inputs: tuple[str, ...], apart: tuple[str, ...], modality: str | None
) -> Roles:
    """Decide the target, the modality and the inputs; `apart` are the columns of the group and the split."""
    names = list(raw.columns)
    if modality not in (None, *MODALITIES):
        raise PlanError(f"no modality {modality!r}", expected=f"one of {', '.join(MODALITIES)}")
    notes: list[str] = []
    wanted = tuple(known(c, names, "input") for c in inputs)
    aim = known(target, names, "target") if target else raw.target or _find_target(raw, {*apart, *wanted}, notes)
    if aim in wanted:
        raise PlanError(f"column {aim!r} is the target and an input", do="leave it out of --input")
    free = [c for c in names if c not in (aim, *apart)]
    found, chosen = inputs_of(raw, wanted or tuple(free), modality or raw.modality, notes, given=bool(wanted), aim=aim)
    return Roles(found, chosen, aim, notes)


def inputs_of(
    raw: Raw, names: tuple[str, ...], modality: str | None, notes: list[str], *, given: bool, aim: str | None
) -> tuple[Modality, tuple[str, ...]]:
    """The modality and the columns that rows are made of."""
    looks = {c: look(raw.columns[c], raw.base) for c in names}
    pictures = [c for c in names if looks[c] == "picture"]
    prose = [c for c in names if looks[c] == "prose" or (looks[c] == "phrase" and c.lower() in TEXTS)]
    phrases = [c for c in names if looks[c] in ("prose", "phrase") or c in prose]
    strings = [c for c in names if looks[c] != "number"]
    others = [c for c in names if c not in phrases]
    if modality == "image" or (modality is None and pictures):
        picks = pictures or strings
        if not picks:
            raise DataError("no column of picture files", expected=f"file names in one of {', '.join(names)}")
        if len(picks) > 1:
            notes.append(f"several columns hold pictures ({', '.join(picks)}): {picks[0]!r} is used")
        notes.append(f"pictures are read from column {picks[0]!r}")
        return "image", (picks[0],)
    only_words = bool(strings) and not [c for c in names if looks[c] in ("number", "category")]
    if modality == "text" or (modality is None and (prose or (only_words and (phrases or len(names) == 1)))):
        picks = tuple(names if given else phrases or strings)
        if not picks:
            raise DataError(
                "no column of texts", expected=f"text in one of {', '.join(names)}", do="name it with --input"
            )
        notes.append(f"text is read from {_list(picks)}" + (", joined" if len(picks) > 1 else ""))
        if rest := [c for c in others if c not in picks]:
            notes.append(
                f"{_list(rest)}: kept beside the text, not learnt from (--modality table learns from all columns)"
            )
        return "text", picks
    picks = tuple(names)
    if not given:
        picks = _leave_out(raw, names, looks, notes, aim)
    if not picks:
        raise DataError("no column to learn from is left", expected="columns besides the target, ids and groups", do="name them with --input")  # fmt: skip
    notes.append(
        f"table rows are made of {len(picks)} columns: {_list(picks[:12])}{', ...' if len(picks) > 12 else ''}"
    )
    return "table", picks


def look(cells: np.ndarray, base: Path | None) -> str:
    """What a column holds: "picture", "prose", "phrase" (a few words, mostly different), "category" or "number"."""
    seen = [c for c in cells[:LOOKED_AT] if not is_missing(c)]
    if not seen:
        return "number"
    if all(_is_picture(c) for c in seen[:50]) and sum(map(_is_picture, seen)) >= 0.8 * len(seen):
        return "picture"
    if not isinstance(seen[0], str) or sum(as_number(c) is not None for c in seen) >= 0.9 * len(seen):
        return "number" if as_number(seen[0]) is not None else "category"
    words = sum(len(str(c).split()) for c in seen) / len(seen)
    different = len(set(seen)) / len(seen)
    if words >= PROSE and (different >= 0.3 or len(set(seen)) > 50):
        return "prose"
    return "phrase" if words >= PHRASE and different >= 0.5 else "category"


def id_like(name: str, cells: np.ndarray) -> str | None:
    """Why a column looks like a row's name and not like something to learn from, or None."""
    seen = [c for c in cells if not is_missing(c)]
    different = len({str(c) for c in seen})
    if len(seen) < 10 or different < len(seen):
        return None
    numbers = [as_number(c) for c in seen]
    if all(n is not None and n == int(n) for n in numbers if n is None or np.isfinite(n)):
        steps = np.diff(np.array(numbers, dtype=float))
        if (steps > 0).all() or (steps < 0).all():
            return "whole numbers that only rise or fall from row to row"
        return "a different whole number in every row" if is_id_name(name) else None
    if all(n is not None for n in numbers):
        return None
    return "a different text in every row"


def is_id_name(name: str) -> bool:
    """Whether a column is called as ids are: id, patient_id, userId, ..."""
    plain = name.strip().lower()
    return plain in IDS or plain.endswith(("_id", " id", "-id", "_uuid", "_key")) or name.endswith(("Id", "ID"))


def _leave_out(
    raw: Raw, names: tuple[str, ...], looks: dict[str, str], notes: list[str], aim: str | None
) -> tuple[str, ...]:
    picks = []
    for name in names:
        cells = raw.columns[name]
        if why := id_like(name, cells):
            notes.append(f"column {name!r} looks like an id ({why}): left out")
        elif all(is_missing(c) for c in cells):
            notes.append(f"column {name!r} is empty: left out")
        elif len({str(c) for c in cells}) == 1:
            notes.append(f"column {name!r} holds one value only: left out")
        else:
            picks.append(name)
            if aim and tells(cells, raw.columns[aim]):
                notes.append(
                    f"column {name!r} tells the target {aim!r} one to one: is it known before the target is? "
                    "If not, leave it out by naming the others with --input"
                )
    return tuple(picks)


def tells(cells: np.ndarray, target: np.ndarray) -> bool:
    """Whether each value of a column goes with one value of the target and the other way round."""
    pairs = {(str(c), str(t)) for c, t in zip(cells, target, strict=True) if not is_missing(c) and not is_missing(t)}
    left, right = {a for a, _ in pairs}, {b for _, b in pairs}
    return 2 <= len(pairs) == len(left) == len(right) and len(pairs) <= len(target) // 2


def _find_target(raw: Raw, taken: set[str], notes: list[str]) -> str:
    names = [c for c in raw.columns if c not in taken]
    by_name = [c for c in names if c.strip().lower() in TARGETS]
    first = [c for c in by_name if c.strip().lower() in TARGETS[:4]]
    if len(by_name) == 1 or len(first) == 1:
        aim = (first or by_name)[0]
        notes.append(f"the target is column {aim!r}, by its name (--target chooses another)")
        return aim
    if len(names) == 2 and not by_name:
        looks = [look(raw.columns[c], raw.base) in ("picture", "prose", "phrase") for c in names]
        if sum(looks) == 1:
            aim = names[looks.index(False)]
            notes.append(f"the target is column {aim!r}, the only one beside {names[looks.index(True)]!r}")
            return aim
    found = (
        f"several columns could be the target: {', '.join(by_name)}"
        if by_name
        else "no column is called as targets are"
    )
    raise DataError(
        f"{found}; there are: {', '.join(raw.columns)}", expected="the column to predict", do="name it with --target"
    )


def _is_picture(cell: Any) -> bool:
    if isinstance(cell, bytes):
        return True
    if isinstance(cell, str):
        return is_picture(cell) and len(cell) < 1000 and "\n" not in cell
    return hasattr(cell, "getpixel") or (isinstance(cell, np.ndarray) and cell.ndim in (2, 3))


def _list(names: tuple[str, ...] | list[str]) -> str:
    return ("column " if len(names) == 1 else "columns ") + ", ".join(repr(n) for n in names)
