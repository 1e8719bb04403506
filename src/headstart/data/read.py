"""From whatever a user has to a `Dataset`; every choice that was made is in its `notes`."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from headstart._words import counted
from headstart.data import images, roles, tables, targets, texts
from headstart.data.dataset import SPLITS, Dataset, Modality
from headstart.data.raw import Raw, content_id, is_missing
from headstart.data.sources import attach, open_source
from headstart.data.splits import assign, by_user, side_of
from headstart.errors import DataError

Built = tuple[Sequence[Any], list[str], list[str | None]]


def read(
    source: Any, *, target: Any = None, inputs: Sequence[str] = (), group: Any = None, split: str | None = None,
    modality: str | None = None, beside: Sequence[str] = (), seed: int = 0,
) -> Dataset:  # fmt: skip
    """Read labelled rows and split them into train, valid and test.

    `source` is a folder of images, a CSV/TSV/JSONL/Parquet file, a Hugging Face folder, "sample:reviews", a DataFrame,
    or a list or array (then `target` is the array of targets). `target` names a column; "stars:number" says its kind
    (number, label or labels) as well. `group` and `split` name columns; `group` may also be an array; `beside` names
    columns that are kept, and not learnt from unless they are inputs too. What was chosen by looking is in `notes`;
    broken rows are in `skipped`. Raises DataError where the rows, the target or the split cannot be used, or more than
    5 % of the rows are broken.

    >>> data = read(["good"] + [f"text {i}" for i in range(19)], target=[0, 1] * 10)
    >>> data.modality, data.target_kind, data.classes
    ('text', 'label', ('0', '1'))
    """
    raw = open_source(source)
    is_made_up = raw.modality is not None  # a folder or list: its columns carry our names, not the user's
    if target is not None and not isinstance(target, str):
        target = attach(raw, target, "target")
    if group is not None and not isinstance(group, str):
        group = attach(raw, group, "group")
    if not len(raw):
        raise DataError("no rows", expected="rows with an input and a target", do="check the source")
    if is_made_up and target is None and raw.target is None:
        raise DataError(
            "nothing says what each row is", expected="one folder a class, or one target a row",
            do="move each picture into a folder of its class, or name files and classes in a CSV beside them",
        )  # fmt: skip
    names = list(raw.columns)
    target, kind = targets.asked(target, names) if target else (None, None)
    group = roles.known(group, names, "group") if group else None
    own = roles.known(split, names, "split") if split else raw.split or _split_column(raw)
    others = [roles.known(c, names, "attribute") for c in beside]
    apart = {c for c in (group, own, *others) if c}
    found = roles.find(raw, target=target, inputs=inputs, apart=apart, grouped=group is not None, modality=modality)
    raw.notes += found.notes
    is_class = kind is None and found.target == raw.target  # the source itself says that these are names of classes
    raw.drop(targets.reasons(raw.columns[found.target], is_class=is_class, kind=kind))
    rows, ids, _ = _build(raw, found.modality, found.inputs)
    raw.refuse_if_broken()
    if not len(raw):
        raise DataError("no usable row is left", expected="rows with an input and a target", do="check the source")
    aim = targets.encode(raw.columns[found.target], found.target, "label" if is_class else kind)
    raw.notes.append(aim.note)
    _name_copies(ids, aim.values, raw.notes)
    groups = _groups(raw, group)
    if own:
        sides, keep = by_user(raw.columns[own], ids, aim.values, aim.kind, groups, notes=raw.notes, seed=seed)
    else:
        sides, keep = assign(ids, aim.values, aim.kind, groups, seed=seed), np.ones(len(ids), dtype=bool)
        raw.notes.append("rows are split by a hash of their content" + (", whole groups together" if group else ""))
    raw.notes.append("split: " + ", ".join(_counted(s, keep & (sides == s), groups) for s in SPLITS))
    _need_every_side(sides[keep], aim.values[keep], aim)
    used = {found.target, own} | (set() if found.modality == "table" else {*found.inputs} - {*others})
    data = Dataset(
        found.modality, rows, ids, aim.values, aim.kind, aim.classes, sides, groups=groups, names=raw.names,
        columns={k: v for k, v in raw.columns.items() if k not in used}, notes=tuple(raw.notes),
        skipped=tuple(raw.skipped), inputs=() if is_made_up else found.inputs, own_split=own is not None,
    )  # fmt: skip
    return data if keep.all() else data.take(keep)


def read_rows(source: Any, *, modality: str, inputs: Sequence[str] = (), beside: Sequence[str] = ()) -> Dataset:
    """Read rows to predict, in the order of the source and without a target.

    `modality` and `inputs` are what the model was trained on; `beside` names columns that it asks for as well. Broken
    rows of files, open ones too, are listed in `skipped`, and `gaps` says where they stood; DataError where every row
    is broken, and for a broken row in memory. Empty texts and empty table rows are rows as well.

    >>> read_rows(["fine", ""], modality="text").names.tolist()
    ['0', '1']
    """
    raw = open_source(source)
    if not len(raw) and not raw.skipped:
        raise DataError("no rows", expected="one row to predict, or more")
    kind = cast(Modality, modality)
    for name in beside:
        roles.known(name, list(raw.columns), "column that the model asks for")
    picks = _picks(raw, kind, tuple(inputs))
    count = len(raw)
    rows, ids, kept = _build(raw, kind, picks, keep_empty=True)
    if raw.skipped and not isinstance(source, str | Path | io.IOBase):
        name, why = raw.skipped[0]
        raise DataError(
            f"broken: {counted(len(raw.skipped))}, the first is row {name}: {why}", expected="rows that decode"
        )
    if not len(rows):
        raw.refuse_if_broken()
    torn, broken = np.array(raw.torn, dtype=int), np.setdiff1d(np.arange(count), kept)
    gaps = np.concatenate([torn + np.arange(len(torn)), broken + np.searchsorted(torn, broken, side="right")])
    return Dataset(
        kind, rows, ids, names=raw.names, columns={name: raw.columns[name] for name in beside},
        notes=tuple(raw.notes), skipped=tuple(raw.skipped), gaps=tuple(gaps.tolist()), inputs=picks,
    )  # fmt: skip


def read_known(
    source: Any, *, like: Dataset, target: str | None = None, beside: Sequence[str] = (), also: Sequence[str] = ()
) -> Dataset:
    """Read labelled rows as those of `like` were read: its modality, inputs and classes; every row is a test row.

    Use it to judge a model on rows that did not come with its training rows; `like` needs no rows of its own. `beside`
    names columns that are kept, `also` such that are kept where they are, and missed in `notes` otherwise. Rows without
    a target, or of a class that `like` does not know, are listed in `skipped`; DataError where none is left.

    >>> like = Dataset("text", [], np.array([]), np.array([]), "label", ("no", "yes"))
    >>> data = read_known([{"text": "fine", "label": "yes"}, {"text": "odd", "label": "maybe"}], like=like)
    >>> data.target.tolist(), data.skipped
    ([1], (('1', "the model knows no class 'maybe'"),))
    """
    raw = open_source(source)
    names, kind = list(raw.columns), str(like.target_kind)
    for name in beside:
        roles.known(name, names, "attribute")
    if lacking := [name for name in also if name not in names]:
        raw.notes.append(f"groups are not compared by {', '.join(map(repr, lacking))}: these rows have no such column")
    aim = raw.target or (roles.known(targets.asked(target, names)[0], names, "target") if target else None)
    aim = aim or roles.find_target(raw, set(like.inputs), raw.notes)
    raw.drop(targets.reasons(raw.columns[aim], is_class=aim == raw.target))
    raw.drop(targets.encode_as(raw.columns[aim], kind, like.classes)[1])
    if len(raw):
        picks = _picks(raw, like.modality, tuple(like.inputs))
        rows, ids, _ = _build(raw, like.modality, picks, keep_empty=True)
    if not len(raw):
        why = f", the first: {': '.join(raw.skipped[0])}" if raw.skipped else ""
        raise DataError(f"no usable row is left{why}", expected="rows of the model's classes", do="check the target")
    values, _ = targets.encode_as(raw.columns[aim], kind, like.classes)
    used = {aim} | (set() if like.modality == "table" else {*picks} - {*beside, *also})
    return Dataset(
        like.modality, rows, ids, values, like.target_kind, like.classes, np.full(len(ids), "test", dtype="<U5"),
        names=raw.names, columns={k: v for k, v in raw.columns.items() if k not in used}, notes=tuple(raw.notes),
        skipped=tuple(raw.skipped), inputs=picks, own_split=True,
    )  # fmt: skip


def _picks(raw: Raw, modality: Modality, inputs: tuple[str, ...]) -> tuple[str, ...]:
    """The columns that the rows of a model with these inputs are made of."""
    names = tuple(raw.columns)
    if raw.modality == "vector" and modality == "table":  # a matrix for a model of named columns
        matrix = np.stack([np.ravel(v) for v in raw.columns["x"]])
        if matrix.shape[1] != len(inputs):
            raise DataError(f"rows of {matrix.shape[1]} numbers", expected=f"{len(inputs)}: {', '.join(inputs)}")
        raw.columns = {name: matrix[:, k].astype(object) for k, name in enumerate(inputs)}
        return inputs
    if raw.modality is not None:
        if raw.modality != modality:
            raise DataError(f"rows of {raw.modality}s", expected=f"{modality} rows, as the model was trained on")
        return names[:1]
    if modality == "table" and names == tuple(map(str, range(len(inputs)))):  # an array of words and numbers
        raw.columns = dict(zip(inputs, raw.columns.values(), strict=True))
        return inputs
    if missing := [c for c in inputs if c not in names]:
        raise DataError(
            f"no column {', '.join(map(repr, missing))}, which the model learnt from; there are: {', '.join(names)}",
            expected=f"the columns {', '.join(inputs)}",
            do="call them as they were called in training; what is not known may stay empty",
        )  # fmt: skip
    if inputs:
        return inputs
    return roles.inputs_of(raw, names, modality, [], given=False)[1]


def _build(
    raw: Raw, modality: Modality, names: tuple[str, ...], *, keep_empty: bool = False
) -> tuple[Sequence[Any], np.ndarray, np.ndarray]:
    """Rows and ids of one modality, and where they stood; broken rows move from `raw` to its `skipped`."""
    cells = [raw.columns[c] for c in names]
    if modality == "image":
        rows, ids, reasons = _pictures(cells[0], raw.base)
    elif modality == "text":
        rows, ids, reasons = texts.rows(cells)
    elif modality == "table":
        rows, ids, reasons = tables.rows(dict(zip(names, cells, strict=True)), raw.notes)
    else:
        rows, ids, reasons = _vectors(cells)
    if keep_empty and modality != "image":
        reasons = [None] * len(rows)
    kept = raw.drop(reasons)
    chosen: Any = [rows[i] for i in kept]
    if modality == "vector" and chosen:
        chosen = np.stack(chosen)
    return chosen, np.array([ids[i] for i in kept], dtype="<U32"), kept


def _pictures(cells: np.ndarray, base: Path | None) -> Built:
    rows = [images.place_of(c, base or Path()) if isinstance(c, str) else c for c in cells]
    there = [i for i, c in enumerate(cells) if c is not None and (not isinstance(c, str) or c.strip())]
    ids: list[str] = [""] * len(rows)
    reasons: list[str | None] = ["no picture is named"] * len(rows)
    for i, (identity, why) in zip(there, images.check_all([rows[i] for i in there]), strict=True):
        ids[i], reasons[i] = identity, why
    return rows, ids, reasons


def _vectors(cells: list[np.ndarray]) -> Built:
    if len(cells) == 1 and isinstance(cells[0][0], np.ndarray | list | tuple):
        rows = [np.asarray(c, dtype=np.float64).ravel() for c in cells[0]]
    else:
        numbers = [[np.nan if (n := targets.as_number(v)) is None else n for v in c] for c in cells]
        rows = list(np.array(numbers, dtype=np.float64).T)
    widths = {len(r) for r in rows}
    if len(widths) > 1:
        raise DataError(f"rows of different lengths: {sorted(widths)[:5]}", expected="as many numbers in every row")
    rows = [np.where(np.isfinite(r), r, np.nan) for r in rows]
    return rows, [content_id(b"vector\0" + r.tobytes()) for r in rows], [None] * len(rows)


def _name_copies(ids: np.ndarray, values: np.ndarray, notes: list[str]) -> None:
    """Say how many rows repeat another one, and how many of those disagree with it about the target."""
    _, first, unit = np.unique(ids, return_index=True, return_inverse=True)
    copies = len(ids) - len(first)
    if not copies:
        return
    differs = values != values[first][unit]
    conflicts = int((differs.any(1) if differs.ndim == 2 else differs).sum())
    said = f"{conflicts} of them with another target; " if conflicts else ""
    notes.append(f"rows that repeat an earlier one exactly: {copies}; {said}copies stay on one side of the split")


def _split_column(raw: Raw) -> str | None:
    """A column that is called split and says train, valid or test in every row."""
    name = next((c for c in raw.columns if c.strip().lower() == "split"), None)
    if name is None or not all(side_of(str(c)) for c in raw.columns[name]):
        return None
    raw.notes.append(f"column {name!r} says which rows are for what")
    return name


def _groups(raw: Raw, group: str | None) -> np.ndarray | None:
    if group is None:
        return None
    cells = ["" if is_missing(c) else str(c).strip() for c in raw.columns[group]]
    if alone := sum(not c for c in cells):
        raw.notes.append(f"{counted(alone)} without a {group!r}: each counts as a group of its own")
    groups = np.array([c or f"(row {n})" for c, n in zip(cells, raw.names, strict=True)])
    raw.notes.append(f"rows of one {group!r} stay together: {len(set(groups.tolist()))} groups")
    return groups


def _counted(side: str, rows: np.ndarray, groups: np.ndarray | None) -> str:
    """Rows of a side, and groups: their number says more of what a test can tell."""
    return f"{side} {rows.sum()}" + (f" of {len(set(groups[rows].tolist()))} groups" if groups is not None else "")


def _need_every_side(sides: np.ndarray, values: np.ndarray, aim: targets.Target) -> None:
    empty = [s for s in SPLITS if s not in sides]
    if empty:
        raise DataError(
            f"no rows are left for {' and '.join(empty)}", expected="rows on every side", do="add rows or groups"
        )
    if aim.kind == "label":
        missing = [aim.classes[k] for k in np.setdiff1d(values, values[sides == "train"])]
        if missing:
            raise DataError(
                f"no train rows of {', '.join(missing[:8])}",
                expected="every class among the train rows",
                do="change the split",
            )
