"""A data frame as a file beside a run, so that the run can be repeated and gone on with."""

from __future__ import annotations

from os.path import isfile
from pathlib import Path
from typing import Any

from headstart.data.images import is_picture
from headstart.errors import DataError


def places(out: Path, **given: Any) -> tuple[list[str], dict[Path, Any]]:
    """Where the rows of each lie: a path as it is, a data frame in a file of its own under `out`; and those frames.

    >>> paths, frames = places(Path("run"), data="a.csv", target=[1, 2])
    >>> paths[0], {file.name: rows for file, rows in frames.items()}
    ('a.csv', {'target.jsonl': [1, 2]})
    """
    frames = {out / f"{name}.jsonl": v for name, v in given.items() if not isinstance(v, str | Path)}
    return [str(v if isinstance(v, str | Path) else out / f"{name}.jsonl") for name, v in given.items()], frames


def written(frame: Any, file: Path, *, keep: bool = False) -> Path:
    """The file, JSON lines, that holds the frame's rows; with `keep`, as it is.

    Paths of pictures become absolute. Raises DataError for what is no frame, for columns of one name, and for pictures
    in cells, which a line of text cannot hold.
    """
    if not hasattr(frame, "columns"):
        raise DataError(
            f"data of type {type(frame).__name__}", expected="a path, sample:NAME or a data frame",
            do='make one, pandas.DataFrame({"text": texts, "label": labels}), or use the estimators, .fit(X, y)',
        )  # fmt: skip
    if not frame.columns.is_unique:
        twins = ", ".join(map(str, frame.columns[frame.columns.duplicated()]))
        raise DataError(f"several columns called {twins}", expected="a name of its own for every column")
    if frame.map(lambda cell: hasattr(cell, "getbands")).any(axis=None):
        raise DataError("pictures in a data frame", expected="their paths", do="save them, or use TransferClassifier")
    if not keep:
        file.parent.mkdir(parents=True, exist_ok=True)
        frame.map(_whole_path).to_json(file, orient="records", lines=True, date_format="iso")
    return file


def _whole_path(cell: Any) -> Any:
    return str(Path(cell).absolute()) if isinstance(cell, str) and is_picture(cell) and isfile(cell) else cell
