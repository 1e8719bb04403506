"""Table rows and numeric matrices as numbers, by a schema that is made from training rows alone."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from headstart.backbones._featurizer import Featurizer
from headstart.data.targets import as_number

MOST_VALUES = 30  # of a category column; rarer values share one column, "anything else"


class Columns(Featurizer):
    """Numbers as they are (NaN where missing), words one column a value, and one for any other value.

    Use it for table rows (dicts of numbers and words) and numeric matrices. Nothing is scaled or filled here: what is
    fitted belongs in the technique. `schema` maps a column to "number" or to its list of values.

    >>> Columns.of([{"age": 40.0, "sex": "f"}, {"age": None, "sex": "m"}]).features([{"age": 1.0, "sex": "f"}])
    array([[1., 1., 0., 0.]])
    """

    modalities = frozenset({"table", "vector"})
    input_kind = kind_out = "frame"
    name = "columns"

    def __init__(self, schema: dict[str, Any] | None = None) -> None:
        self.schema = schema or {}

    @classmethod
    def of(cls, rows: Sequence[Any]) -> Self:
        """The schema of some training rows; a matrix needs none."""
        if not len(rows) or not isinstance(rows[0], dict):
            return cls()
        schema: dict[str, Any] = {}
        for key in dict.fromkeys(k for row in rows for k in row):
            values = [row[key] for row in rows if row.get(key) is not None]
            if all(isinstance(v, int | float | np.number) for v in values):
                schema[key] = "number"
            else:
                common = Counter(map(str, values)).most_common(MOST_VALUES)
                schema[key] = sorted(v for v, _ in common)
        return cls(schema)

    @property
    def preprocessing(self) -> dict[str, Any]:
        """The schema."""
        return {"schema": self.schema}

    @property
    def headings(self) -> list[str]:
        """Names of the columns of `features`."""
        return [
            name
            for key, kind in self.schema.items()
            for name in ([key] if kind == "number" else [*(f"{key}={v}" for v in kind), f"{key}=(other)"])
        ]

    def features(self, rows: Sequence[Any]) -> np.ndarray:
        """(n, d) float64; NaN where a number is missing, all zeros where a word is."""
        if not self.schema:
            return np.asarray(rows, dtype=np.float64)
        return np.concatenate([self._column(key, kind, rows) for key, kind in self.schema.items()], axis=1)

    def _column(self, key: str, kind: Any, rows: Sequence[Any]) -> np.ndarray:
        cells = [row.get(key) for row in rows]
        if kind == "number":
            return np.array([[_number(v)] for v in cells])
        place = {_plain(v): i for i, v in enumerate(kind)} | {v: i for i, v in enumerate(kind)}
        out = np.zeros((len(rows), len(kind) + 1))
        for i, value in enumerate(cells):
            if value is not None:
                out[i, place.get(str(value), place.get(_plain(value), len(kind)))] = 1.0
        return out

    def unlike(self, rows: Sequence[Any]) -> list[str]:
        """In words, columns whose cells are of another kind than those of the training rows.

        >>> Columns.of([{"age": 40.0, "sex": "f"}]).unlike([{"age": "old", "sex": "F"}])
        ["column 'age': 1 of 1 cells are no numbers, and count as missing"]
        """
        words = []
        for key, kind in self.schema.items():
            cells = [cell for row in rows if (cell := row.get(key)) is not None]
            seen = self._column(key, kind, [{key: cell} for cell in cells]) if cells else np.zeros((0, 1))
            odd = int(np.isnan(seen[:, 0]).sum()) if kind == "number" else int(seen[:, -1].sum())
            if not cells and len(rows) > 1:
                words.append(f"column {key!r}: empty in all {len(rows):,} rows")
            elif kind == "number" and odd > len(cells) / 2:
                words.append(f"column {key!r}: {odd} of {len(cells)} cells are no numbers, and count as missing")
            elif kind != "number" and len(kind) < MOST_VALUES and 0 < len(cells) == odd:
                words.append(f"column {key!r}: none of {odd} cells has a value that training rows had")
        return words

    @classmethod
    def read(cls, folder: Path, card: dict[str, Any]) -> Self:
        """Undo `save`."""
        return cls(json.loads(json.dumps(card["preprocessing"]["schema"])))


def _number(value: Any) -> float:
    number = as_number(value)
    return float("nan") if number is None else number  # missing, or a word where training had numbers only


def _plain(value: Any) -> str:
    """A word however a program wrote it: TRUE is True, and the 1.0 of a column of numbers is 1."""
    is_whole = isinstance(value, float) and value.is_integer()
    return str(int(value) if is_whole else value).strip().casefold()
