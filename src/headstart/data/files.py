"""Files of rows: CSV and its kin, JSON lines, Parquet, Arrow, data frames. Nothing is guessed silently."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

import numpy as np

from headstart.data.delimited import load_delimited, text_of, unique_names
from headstart.data.raw import Raw, column, is_missing
from headstart.errors import DataError

DELIMITED = (".csv", ".tsv", ".tab", ".txt")
SHEET, ARCHIVE = "save the sheet as CSV", "unpack it and give the folder"
INSTEAD = dict.fromkeys((".xlsx", ".xls", ".xlsm", ".ods"), SHEET) | dict.fromkeys(
    (".zip", ".tar", ".gz", ".7z"), ARCHIVE
)
MARKS = b"\xef\xbb\xbf\xff\xfe\0 \t\r\n"  # byte order marks and blanks before the first letter
KNOWN = (*DELIMITED, ".jsonl", ".ndjson", ".json", ".parquet", ".pq", ".arrow", ".feather")


def load(path: Path) -> Raw:
    """The columns of a file, chosen by its ending."""
    if path.stat().st_size == 0:
        raise DataError(
            f"{path.name} is empty (0 bytes)", expected="a header line and rows", do="check how it was written"
        )
    suffix = path.suffix.lower()
    if suffix in DELIMITED:
        raw = load_delimited(path)
    elif suffix in (".jsonl", ".ndjson", ".json"):
        raw = _json(path)
    elif suffix in (".parquet", ".pq"):
        raw = _parquet([path])
    elif suffix in (".arrow", ".feather"):
        raw = _arrow([path])
    else:
        seen = f"{path.name}: files ending in {suffix or 'nothing'} are not read"
        raise DataError(seen, expected=", ".join(KNOWN), do=INSTEAD.get(suffix, ""))
    raw.base = path.parent
    if not len(raw):
        raise DataError(f"{path.name} holds no rows", expected="a header line and at least one row")
    return raw


def load_stream(stream: IO[bytes]) -> Raw:
    """The columns of CSV or JSON lines that come in without a name; relative paths in cells start where the process is.

    All of it is read first, as of a file, and by the same code: the separator, the encoding and decimal commas show in
    all rows together.
    """
    lines = []
    while (line := stream.readline()) and not line.strip(MARKS):
        lines.append(line)
    if not line:
        raise DataError(
            "nothing came in on standard input", expected="CSV with a header line, or JSON lines",
            do="headstart predict RUN - < new.csv",
        )  # fmt: skip
    suffix = ".jsonl" if line.lstrip(MARKS).startswith((b"{", b"[")) else ".csv"
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"standard input{suffix}"
        with path.open("wb") as file:
            file.writelines([*lines, line])
            shutil.copyfileobj(stream, file)
        raw = load(path)
    raw.base = Path.cwd()
    return raw


def from_frame(frame: Any) -> Raw:
    """The columns of a pandas DataFrame; rows are called by its index."""
    names = [str(c) for c in frame.columns]
    raw = Raw({}, column(str(i) for i in frame.index))
    for name, position in zip(unique_names(names, raw.notes), range(len(names)), strict=True):
        series = frame.iloc[:, position]
        values = column(series.astype(object).where(series.notna(), None))
        raw.columns[name] = column(v.item() if isinstance(v, np.generic) else v for v in values)
    return raw


def from_records(records: list[dict[str, Any]]) -> Raw:
    """The columns of a list of dicts; a key that a row lacks is None there."""
    keys = dict.fromkeys(str(k) for r in records for k in r)
    columns = {k: column(r.get(k) for r in records) for k in keys}
    return _spread(Raw(columns, column(str(i) for i in range(len(records)))))


def _spread(raw: Raw) -> Raw:
    """Columns of objects as columns of their fields: `review` with a `text` becomes `review.text`."""
    while nested := [n for n, cells in raw.columns.items() if any(isinstance(c, dict) for c in cells)]:
        name = nested[0]
        cells = [c if isinstance(c, dict) else {} if is_missing(c) else {"": c} for c in raw.columns.pop(name)]
        fields = dict.fromkeys(str(k) for c in cells for k in c)
        raw.columns |= {f"{name}.{k}".rstrip("."): column(c.get(k) for c in cells) for k in fields}
    return raw


def _json(path: Path) -> Raw:
    text, note = text_of(path)
    records: list[dict[str, Any]] = []
    names: list[str] = []
    skipped: list[tuple[str, str]] = []
    torn: list[int] = []
    entries: list[tuple[str, Any]] = []
    if text.lstrip().startswith("["):
        try:
            entries = [(f"entry {i}", e) for i, e in enumerate(json.loads(text))]
        except ValueError as error:
            raise DataError(
                f"{path.name} is no JSON ({error})", expected="a list of objects, or one object a line"
            ) from error
    else:
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                try:
                    entries.append((f"line {number}", json.loads(line)))
                except ValueError as error:
                    entries.append((f"line {number}", error))
    only = entries[0][1] if len(entries) == 1 else None
    if isinstance(only, dict) and only and all(isinstance(v, list) or _is_column(v) for v in only.values()):
        raise DataError(
            f"{path.name} is one object of {', '.join(list(only)[:5])}",
            expected="a list of rows, or one a line",
            do="write rows: in pandas frame.to_json(path, orient='records')",
        )  # fmt: skip
    for name, entry in entries:
        if isinstance(entry, dict):
            records.append(entry)
            names.append(name)
        else:
            skipped.append((name, f"no JSON ({entry})" if isinstance(entry, ValueError) else "no JSON object"))
            torn.append(len(records))
    raw = from_records(records)
    raw.names, raw.skipped, raw.torn, raw.notes = column(names), skipped, torn, [note] if note else []
    if not any(records):
        raw.refuse_if_broken()
    return raw


def _is_column(value: Any) -> bool:
    """A column as pandas writes it: an object whose keys are the numbers of the rows."""
    return isinstance(value, dict) and "0" in value


def _parquet(paths: list[Path]) -> Raw:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return _from_arrow(pa.concat_tables([pq.read_table(p) for p in paths], promote_options="permissive"))
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{paths[0].name} is no readable Parquet file ({error})", expected="a whole Parquet file"
        ) from error


def _arrow(paths: list[Path]) -> Raw:
    import pyarrow as pa

    tables = []
    for path in paths:
        try:
            with pa.memory_map(str(path)) as source:
                tables.append(pa.ipc.open_stream(source).read_all())
        except pa.ArrowInvalid:
            try:
                with pa.memory_map(str(path)) as source:
                    tables.append(pa.ipc.open_file(source).read_all())
            except pa.ArrowException as error:
                raise DataError(
                    f"{path.name} is no readable Arrow file ({error})", expected="a whole Arrow file"
                ) from error
    return _from_arrow(pa.concat_tables(tables, promote_options="permissive"))


def _from_arrow(table: Any) -> Raw:
    notes: list[str] = []
    names = unique_names(table.column_names, notes)
    columns = {n: column(map(_plain, table.column(i).to_pylist())) for i, n in enumerate(names)}
    raw = _spread(Raw(columns, column(f"row {i}" for i in range(table.num_rows)), notes=notes))
    told = json.loads((table.schema.metadata or {}).get(b"huggingface", b"{}"))
    if features := told.get("info", {}).get("features"):  # Hugging Face writes class names into the schema
        from headstart.data.huggingface import name_classes

        name_classes(raw, features)
    return raw


def _plain(cell: Any) -> Any:
    """A picture stored as {bytes, path} becomes its bytes, or its path."""
    if isinstance(cell, dict) and cell.keys() == {"bytes", "path"}:
        return cell["bytes"] or cell["path"]
    return cell
