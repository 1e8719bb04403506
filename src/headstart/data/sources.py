"""Any source, a path or something in memory, as `Raw` columns."""

from __future__ import annotations

import io
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from headstart.data import images
from headstart.data.files import from_frame, from_records, load, load_stream
from headstart.data.folders import load_folder
from headstart.data.looks import look
from headstart.data.raw import Raw, column, is_missing
from headstart.errors import DataError


def open_source(source: Any) -> Raw:
    """Columns of a path, "sample:NAME", open binary file, DataFrame, Series, array or list."""
    if isinstance(source, str | Path):
        return _path(source)
    if isinstance(source, io.IOBase):
        return load_stream(cast(IO[bytes], source))
    if hasattr(source, "iloc"):
        return from_frame(source) if hasattr(source, "columns") else _named(_list(list(source)), source.index)
    if isinstance(source, np.ndarray):
        return _array(source)
    if isinstance(source, dict):
        raise DataError("one dict", expected="a list of dicts, one a row, or a DataFrame", do="write [row]")
    try:
        rows = list(source)
    except TypeError as error:
        what = type(source).__name__
        raise DataError(f"data of type {what}", expected="a path, a DataFrame, a list or an array") from error
    if not rows:
        raise DataError("no rows", expected="a list of texts, pictures, dicts or numbers")
    return from_records(rows) if all(isinstance(row, dict) for row in rows) else _list(rows)


def attach(raw: Raw, values: Any, name: str) -> str:
    """Add targets or groups that were given as an array; returns the name of the new column."""
    cells = values.to_numpy(dtype=object) if hasattr(values, "to_numpy") else np.asarray(values)
    if len(cells) != len(raw):
        raise DataError(f"{len(cells)} values of the {name} for {len(raw)} rows", expected=f"one {name} a row")
    if cells.ndim == 2 and cells.shape[1] == 1:
        cells = cells[:, 0]
    while name in raw.columns:
        name += " (given)"
    if cells.ndim == 2:  # 0/1 columns: several labels a row
        raw.columns[name] = column([str(k) for k in np.flatnonzero(v)] for v in cells)
    else:
        raw.columns[name] = column(cells.tolist())
    return name


def _path(source: str | Path) -> Raw:
    if isinstance(source, str) and source.startswith("sample:"):
        from headstart.data import samples

        return _path(samples.pull(source.partition(":")[2]))
    path = Path(source).expanduser().absolute()  # rows keep their paths wherever the process goes
    if path.is_dir():
        return load_folder(path)
    if path.is_file() and images.is_picture(path.name):
        return Raw({"image": column([str(path)])}, column([path.name]), path.parent, modality="image")
    if path.is_file():
        return load(path)
    beside = path.parent.iterdir() if path.parent.is_dir() else ()
    near = sorted(p.name for p in beside if not p.name.startswith("."))[:8]
    raise DataError(
        f"no file or folder {str(source)!r}",
        expected="an existing path, or sample:NAME",
        do=f"{path.parent} holds {', '.join(near)}" if near else "check the path",
    )


def _array(source: np.ndarray) -> Raw:
    if source.ndim == 1:
        return _list(source.tolist())
    if source.ndim == 2 and source.dtype.kind in "biuf":
        return Raw({"x": column(np.asarray(source, dtype=np.float64))}, _numbered(len(source)), modality="vector")
    if source.ndim == 2:
        return from_records([{str(k): v for k, v in enumerate(row)} for row in source.tolist()])
    if source.ndim == 3 and source.shape[2] in (3, 4) and source.shape[1] > source.shape[2]:
        seen = f"an array of shape {source.shape}, which is one picture in colour"
        raise DataError(seen, expected="pictures (n, h, w, channels)", do="write [picture]")
    if source.ndim in (3, 4):
        return Raw({"x": column(source)}, _numbered(len(source)), modality="image")
    raise DataError(f"an array of shape {source.shape}", expected="rows of numbers, or pictures (n, h, w, channels)")


def _list(rows: list[Any]) -> Raw:
    first = next((r for r in rows if not is_missing(r)), None)
    if isinstance(first, list | tuple) or (isinstance(first, np.ndarray) and first.ndim == 1):
        return Raw({"x": _floats(rows)}, _numbered(len(rows)), modality="vector")
    if isinstance(first, int | float | np.number):
        return Raw({"x": _floats([[r] for r in rows])}, _numbered(len(rows)), modality="vector")
    cells = column(str(r) if isinstance(r, Path) else r for r in rows)
    kind = "image" if look(cells, None) == "picture" else "text" if isinstance(first, str) else None
    if kind is None:
        raise DataError(f"rows of {type(first).__name__}", expected="texts, picture paths, pictures, dicts or numbers")
    return Raw({"x": cells}, _numbered(len(rows)), modality=kind)


def _floats(rows: list[Any]) -> np.ndarray:
    """One array of numbers a row; DataError where there are words among them."""
    try:
        return column(np.asarray(r, dtype=np.float64) for r in rows)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"rows of numbers and of other things ({error})", expected="numbers only, or named columns",
            do="write a list of dicts, one a row, or a DataFrame",
        ) from error  # fmt: skip


def _named(raw: Raw, names: Any) -> Raw:
    raw.names = column(str(n) for n in names)
    return raw


def _numbered(n: int) -> np.ndarray:
    return column(str(i) for i in range(n))
