"""From whatever a user has to a `Dataset`; every choice that was made is in its `notes`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from headstart.data import images, roles, tables, targets, texts
from headstart.data.dataset import SPLITS, Dataset, Modality
from headstart.data.files import from_frame, from_records, load
from headstart.data.folders import load_folder
from headstart.data.raw import Raw, column, content_id
from headstart.data.splits import assign, by_user
from headstart.errors import DataError, PlanError

Built = tuple[Sequence[Any], list[str], list[str | None]]


def read(
    source: Any, *, target: Any = None, inputs: Sequence[str] = (), group: str | None = None, split: str | None = None,
    modality: str | None = None, seed: int = 0,
) -> Dataset:  # fmt: skip
    """Read labelled rows and split them into train, valid and test.

    `source` is a folder of images, a CSV/TSV/JSONL/Parquet file, a Hugging Face folder, "sample:reviews", a DataFrame,
    or a list or array (then `target` is the array of targets). `group` and `split` name columns. What was chosen by
    looking is in `notes`; broken rows are in `skipped`. Raises DataError where the rows, the target or the split cannot
    be used, or more than 5 % of the rows are broken.

    >>> data = read(["good"] + [f"text {i}" for i in range(19)], target=[0, 1] * 10)
    >>> data.modality, data.target_kind, data.classes
    ('text', 'label', ('0', '1'))
    """
    raw = _load(source)
    if target is not None and not isinstance(target, str):
        target = _attach(raw, target)
    names = list(raw.columns)
    group = roles.known(group, names, "group") if group else None
    split = roles.known(split, names, "split") if split else raw.split
    found = roles.find(
        raw, target=target, inputs=tuple(inputs), apart=tuple(c for c in (group, split) if c), modality=modality
    )
    if found.target is None:
        raise DataError(
            "nothing says what to predict", expected="class folders, a target column or targets", do="pass --target"
        )
    raw.notes += found.notes
    raw.drop(targets.reasons(raw.columns[found.target]))
    rows, ids = _build(raw, found.modality, found.inputs)
    raw.refuse_if_broken()
    if not len(raw):
        raise DataError("no usable row is left", expected="rows with an input and a target", do="check the source")
    aim = targets.encode(raw.columns[found.target], found.target)
    raw.notes.append(aim.note)
    groups = _groups(raw, group)
    sides, keep = _split(raw, split, ids, aim, groups, seed)
    data = Dataset(
        found.modality, rows, ids, aim.values, aim.kind, aim.classes, sides, groups=groups, names=raw.names,
        columns={k: v for k, v in raw.columns.items() if k not in (found.target, split) and (k not in found.inputs or found.modality == "table")},
        notes=tuple(raw.notes), skipped=tuple(raw.skipped), inputs=found.inputs if raw.base is None or found.modality != "image" else (),
        own_split=split is not None,
    )  # fmt: skip
    return data if keep.all() else data.take(keep)


def read_rows(source: Any, *, modality: str, inputs: Sequence[str] = ()) -> Dataset:
    """Read rows to predict, in the order of the source and without a target; a broken row raises DataError.

    `modality` and `inputs` are what the model was trained on.

    >>> read_rows(["fine", "bad"], modality="text", inputs=()).names.tolist()
    ['0', '1']
    """
    raw = _load(source)
    names = tuple(raw.columns)
    if inputs and len(names) == 1 and modality in ("text", "image"):
        picks = names
    elif inputs:
        picks = tuple(roles.known(c, list(names), "input") for c in inputs)
    elif raw.modality == modality or len(names) == 1:
        picks = names[:1] if modality != "table" else names
    else:
        _, picks = roles.inputs_of(raw, names, modality, [], given=False, aim=None)
    rows, ids = _build(raw, cast(Modality, modality), picks)
    raw.refuse_if_broken()
    return Dataset(
        cast(Modality, modality),
        rows,
        ids,
        names=raw.names,
        notes=tuple(raw.notes),
        skipped=tuple(raw.skipped),
        inputs=picks,
    )


def _load(source: Any) -> Raw:
    """Columns out of any source."""
    if isinstance(source, str | Path):
        return _load_path(source)
    if hasattr(source, "iloc") and hasattr(source, "columns"):
        return from_frame(source)
    if hasattr(source, "iloc"):  # a pandas Series
        raw = from_frame(source.to_frame())
        return raw
    if isinstance(source, np.ndarray):
        if source.ndim == 2 and source.dtype != object:
            return Raw({"x": column(np.asarray(source, dtype=np.float64))}, _numbered(len(source)), modality="vector")
        kind = "image" if source.ndim in (3, 4) else None
        return Raw({"x": column(source)}, _numbered(len(source)), modality=kind)
    source = list(source)
    if not source:
        raise DataError("no rows", expected="a list of texts, pictures, dicts or numbers")
    if all(isinstance(row, dict) for row in source):
        return from_records(source)
    return _from_list(source)


def _load_path(source: str | Path) -> Raw:
    if isinstance(source, str) and source.startswith("sample:"):
        from headstart.data import samples

        raw = _load_path(samples.pull(source.partition(":")[2]))
        return raw
    path = Path(source).expanduser()
    if path.is_dir():
        return load_folder(path)
    if path.is_file():
        if images.is_picture(path.name):
            return Raw({"image": column([str(path)])}, column([path.name]), path.parent, modality="image")
        return load(path)
    near = sorted(p.name for p in path.parent.iterdir())[:8] if path.parent.is_dir() else []
    raise DataError(f"no file or folder {str(source)!r}", expected="an existing path or sample:NAME", do=f"{path.parent} holds {', '.join(near)}" if near else "check the path")  # fmt: skip


def _from_list(source: list[Any]) -> Raw:
    first = source[0]
    if isinstance(first, int | float | np.number) or (
        isinstance(first, list | tuple) and first and isinstance(first[0], int | float)
    ):
        values = np.asarray(source, dtype=np.float64)
        return Raw({"x": column(values.reshape(len(source), -1))}, _numbered(len(source)), modality="vector")
    if isinstance(first, np.ndarray) and first.ndim == 1:
        return Raw(
            {"x": column(np.asarray(r, dtype=np.float64) for r in source)}, _numbered(len(source)), modality="vector"
        )
    cells = column(str(r) if isinstance(r, Path) else r for r in source)
    kind = "image" if roles.look(cells, None) == "picture" else "text" if isinstance(first, str) else None
    if kind is None:
        raise DataError(
            f"rows of {type(first).__name__} are not read", expected="texts, picture paths, pictures, dicts or numbers"
        )
    return Raw({"x": cells}, _numbered(len(source)), modality=kind)


def _attach(raw: Raw, target: Any) -> str:
    values = np.asarray(target, dtype=object) if not hasattr(target, "to_numpy") else target.to_numpy(dtype=object)
    if len(values) != len(raw):
        raise DataError(f"{len(values)} targets for {len(raw)} rows", expected="one target a row")
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    name = "target" if "target" not in raw.columns else "target (given)"
    raw.columns[name] = (
        column([str(k) for k in np.flatnonzero(v)] for v in values) if values.ndim == 2 else column(values)
    )
    return name


def _build(raw: Raw, modality: Modality, names: tuple[str, ...]) -> tuple[Sequence[Any], np.ndarray]:
    """Rows and ids of one modality; broken rows move from `raw` to its `skipped`."""
    cells = [raw.columns[c] for c in names]
    if modality == "image":
        built = _pictures(cells[0], raw)
    elif modality == "text":
        built = texts.rows(cells)
    elif modality == "table":
        built = tables.rows(dict(zip(names, cells, strict=True)), raw.notes)
    else:
        built = _vectors(cells)
    rows, ids, reasons = built
    keep = raw.drop(reasons)
    kept = np.stack([rows[i] for i in keep]) if modality == "vector" and len(keep) else [rows[i] for i in keep]
    return kept, np.array([ids[i] for i in keep], dtype="<U32")


def _pictures(cells: np.ndarray, raw: Raw) -> Built:
    rows = [str((raw.base or Path()) / c) if isinstance(c, str) else c for c in cells]
    there = [i for i, c in enumerate(cells) if c is not None and (not isinstance(c, str) or c.strip())]
    ids, reasons = [""] * len(rows), ["no picture is named"] * len(rows)
    found, why = images.check_all([rows[i] for i in there])
    for k, i in enumerate(there):
        ids[i], reasons[i] = found[k], why[k]  # type: ignore[call-overload]
    return rows, ids, cast("list[str | None]", reasons)


def _vectors(cells: list[np.ndarray]) -> Built:
    if len(cells) == 1:
        rows = [np.asarray(c, dtype=np.float64).ravel() for c in cells[0]]
    else:
        rows = list(np.array([[np.nan if (n := targets.as_number(v)) is None else n for v in c] for c in cells]).T)
    width = {len(r) for r in rows}
    if len(width) > 1:
        raise DataError(f"rows of different lengths: {sorted(width)[:5]}", expected="as many numbers in every row")
    return rows, [content_id(b"vector\0" + r.tobytes()) for r in rows], [None] * len(rows)


def _groups(raw: Raw, group: str | None) -> np.ndarray | None:
    if group is None:
        return None
    cells = [str(c).strip() if c is not None else "" for c in raw.columns[group]]
    alone = sum(not c for c in cells)
    if alone:
        raw.notes.append(f"{alone} rows name no {group!r}: each counts as a group of its own")
    groups = np.array([c or f"(row {n})" for c, n in zip(cells, raw.names, strict=True)])
    raw.notes.append(f"rows of one {group!r} stay together: {len(set(groups.tolist()))} groups")
    return groups


def _split(
    raw: Raw, name: str | None, ids: np.ndarray, aim: targets.Target, groups: np.ndarray | None, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """The side of every row, and which rows stay."""
    keep = np.ones(len(ids), dtype=bool)
    if name is None:
        sides = assign(ids, aim.values, aim.kind, groups, seed=seed)
        raw.notes.append(
            "rows are split by a hash of their content" + (", whole groups together" if groups is not None else "")
        )
    else:
        sides, keep = by_user(raw.columns[name], ids, aim, groups, raw.notes, seed)
    counts = ", ".join(f"{s} {(sides[keep] == s).sum()}" for s in SPLITS)
    raw.notes.append(f"split: {counts}")
    return sides, keep


def _numbered(n: int) -> np.ndarray:
    return column(str(i) for i in range(n))
