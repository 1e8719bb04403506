"""What each column is for, found by looking, and said in words."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from headstart.data.dataset import Modality
from headstart.data.looks import LOOKED_AT, count_different, id_like, is_id_name, look, tells
from headstart.data.raw import Raw, is_missing
from headstart.errors import DataError, PlanError

TARGETS = (
    *("target", "label", "labels", "class", "y", "category", "categories", "tags", "sentiment", "outcome", "diagnosis"),
    *("finding", "stars", "rating", "score", "species"),
)
TEXTS = ("text", "review", "comment", "message", "body", "sentence", "content", "description", "document", "abstract")
OWNERS = (
    "patient",
    "subject",
    "person",
    "user",
    "customer",
    "client",
    "author",
    "speaker",
    "participant",
    "site",
    "group",
)
NAME_IT = "--target, or --label of adapt,"
FACTS = 4  # with more columns of numbers or categories than this, a long text of any name is one fact among others
MODALITIES = ("image", "text", "table", "vector")


@dataclass
class Roles:
    """Which columns are learnt from, which is predicted, and why."""

    modality: Modality
    inputs: tuple[str, ...]
    target: str
    notes: list[str] = field(default_factory=list)


def known(name: str, columns: Sequence[str], what: str) -> str:
    """The column of that name; a DataError that names the closest where there is none."""
    if name in columns:
        return name
    close = difflib.get_close_matches(name.lower(), [c.lower() for c in columns], n=1, cutoff=0.6)
    nearest = next((c for c in columns if close and c.lower() == close[0]), None)
    raise DataError(
        f"no column {name!r} for the {what}; there are: {', '.join(columns)}",
        do=f"did you mean {nearest!r}?" if nearest else "name one of these",
    )


def find(
    raw: Raw, *, target: str | None, inputs: Sequence[str], apart: set[str], grouped: bool, modality: str | None
) -> Roles:
    """Decide the target, the modality and the inputs, leaving columns such as the group and the split apart."""
    names = list(raw.columns)
    if modality not in (None, *MODALITIES):
        raise PlanError(f"no modality {modality!r}", expected=f"one of {', '.join(MODALITIES)}")
    notes: list[str] = []
    wanted = [known(c, names, "input") for c in inputs]
    aim = known(target, names, "target") if target else raw.target or find_target(raw, {*apart, *wanted}, notes)
    if aim in wanted:
        raise PlanError(f"column {aim!r} is the target and an input", do="leave it out of --input")
    free = wanted or [c for c in names if c != aim and c not in apart]
    if not free:
        raise DataError(f"there is no column beside the target {aim!r}", expected="something to learn from")
    found, chosen = inputs_of(raw, free, modality or raw.modality, notes, given=bool(wanted))
    if found == "table":
        _warn(raw, chosen, aim, notes)
    if not grouped:
        _suggest_group(raw, aim, notes)
    return Roles(found, chosen, aim, notes)


def inputs_of(
    raw: Raw, names: Sequence[str], modality: str | None, notes: list[str], *, given: bool
) -> tuple[Modality, tuple[str, ...]]:
    """The modality and the columns that rows are made of."""
    looks = {c: look(raw.columns[c], raw.base) for c in names}
    pictures = [c for c in names if looks[c] == "picture"]
    if modality == "image" or (modality is None and pictures):
        return "image", _picture_column(names, pictures, looks, notes)
    if modality == "vector":
        numbers = tuple(c for c in names if looks[c] in ("number", "vector"))
        return "vector", numbers or tuple(names)
    called = [c for c in names if c.strip().lower() in TEXTS and looks[c] in ("prose", "phrase", "word")]
    phrases = [c for c in names if c in called or looks[c] in ("prose", "phrase")]
    facts = sum(looks[c] in ("number", "category") for c in names)
    is_text = bool(called) or (facts <= FACTS and any(looks[c] == "prose" for c in names))
    only_words = all(looks[c] in ("phrase", "word") for c in names)
    if modality == "text" or (modality is None and (is_text or only_words)):
        picks = tuple(names) if given else tuple(phrases or [c for c in names if looks[c] != "number"])
        if not picks:
            raise DataError("no column of texts", expected=f"text in one of {', '.join(names)}", do="pass --input")
        notes.append(f"text is read from {_list(picks)}" + (", joined" if len(picks) > 1 else ""))
        if rest := [c for c in names if c not in picks]:
            notes.append(f"{_list(rest)}: kept beside the text, not learnt from (--modality table takes all)")
        return "text", picks
    picks = tuple(names) if given else _leave_out(raw, names, notes)
    if not picks:
        raise DataError(
            "no column to learn from is left", expected="columns besides target, ids and groups", do="pass --input"
        )
    notes.append(
        f"table rows are made of {len(picks)} columns: {_list(picks[:12])}{', ...' if len(picks) > 12 else ''}"
    )
    return "table", picks


def _picture_column(
    names: Sequence[str], pictures: list[str], looks: dict[str, str], notes: list[str]
) -> tuple[str, ...]:
    picks = pictures or [c for c in names if looks[c] not in ("number", "category")]
    if not picks:
        raise DataError("no column of picture files", expected=f"file names in one of {', '.join(names)}")
    if len(picks) > 1:
        notes.append(f"several columns hold pictures ({', '.join(picks)}): the first is used")
    notes.append(f"pictures are read from column {picks[0]!r}")
    return (picks[0],)


def _leave_out(raw: Raw, names: Sequence[str], notes: list[str]) -> tuple[str, ...]:
    picks = []
    for name in names:
        cells = raw.columns[name]
        if look(cells, None) == "date":
            notes.append(
                f"column {name!r} holds dates: left out; to learn from them add what matters as a column of numbers,"
                " such as the month or the days since, or name the columns with --input"
            )
        elif why := id_like(name, cells, first=name == next(iter(raw.columns))):
            notes.append(f"column {name!r} looks like an id ({why}): left out")
        elif all(is_missing(c) for c in cells):
            notes.append(f"column {name!r} is empty: left out")
        elif count_different(cells[:LOOKED_AT]) == 1 == count_different(cells) and len(cells) > 1:
            notes.append(f"column {name!r} holds one value only: left out")
        else:
            picks.append(name)
    return tuple(picks)


def _warn(raw: Raw, names: Sequence[str], aim: str, notes: list[str]) -> None:
    for name in names:
        if tells(raw.columns[name], raw.columns[aim]):
            notes.append(
                f"column {name!r} tells the target {aim!r} one to one: if it is not known before the target is, "
                "leave it out by naming the other columns with --input"
            )


def _suggest_group(raw: Raw, aim: str, notes: list[str]) -> None:
    """Name a column whose values recur and that is called as owners of several rows are, or folders within classes."""
    if raw.target and "folder" in raw.columns:
        notes.append(
            "the class folders hold folders: if each of them is one patient or series, pass --group folder,"
            " or the test will look better than it is"
        )
    for name in owners({k: v for k, v in raw.columns.items() if k != aim}):
        different = count_different(raw.columns[name])
        notes.append(
            f"column {name!r} recurs ({different} different values): if rows of one are alike, pass --group, "
            "or the test will look better than it is"
        )


def owners(columns: dict[str, np.ndarray]) -> tuple[str, ...]:
    """Columns that are called as owners of several rows are, and whose values recur.

    >>> owners({"patient": np.arange(40) // 2, "age": np.arange(40) // 2, "ward": np.arange(40) // 20})
    ('patient',)
    """
    called = [name for name in columns if is_id_name(name) or name.strip().lower() in OWNERS]
    return tuple(
        name for name in called
        if max(10, len(columns[name]) // 20) <= count_different(columns[name]) <= 0.9 * len(columns[name])
    )  # fmt: skip


def find_target(raw: Raw, taken: set[Any], notes: list[str]) -> str:
    """The column that is called as targets are, or the only one beside the input; DataError where it is not plain."""
    names = [c for c in raw.columns if c not in taken]
    by_name = [c for c in names if c.strip().lower() in TARGETS]
    first = [c for c in by_name if c.strip().lower() in TARGETS[:5]]
    if len(by_name) == 1 or len(first) == 1:
        aim = (first or by_name)[0]
        notes.append(f"the target is column {aim!r}, by its name ({NAME_IT} chooses another)")
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
    seen = f"{found}; there are: {', '.join(raw.columns)}"
    raise DataError(seen, expected="one column to predict", do=f"name it with {NAME_IT}")


def _list(names: Sequence[str]) -> str:
    return ("column " if len(names) == 1 else "columns ") + ", ".join(repr(n) for n in names)
