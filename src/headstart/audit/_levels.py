"""A column of metadata as a few levels: what rows are grouped by when they are audited or repaired."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

MOST = 8  # levels; rarer ones are taken together
FEW = 20  # rows below which a level is taken together with the others that are rare
REST = "other"


@dataclass(frozen=True)
class Levels:
    """The levels of a column, so that cells of new rows can be placed as the known ones were."""

    names: tuple[str, ...]
    edges: tuple[float, ...] = ()  # between the parts of a column of numbers
    parts: tuple[int, ...] = ()  # which part each level is; the one after the last holds gaps

    def __call__(self, column: np.ndarray) -> np.ndarray:
        """(n,) codes; -1 where a cell belongs to no level.

        >>> Levels.of(np.array(["a"] * 30 + ["b"] * 30))(np.array(["b", "c"])).tolist()
        [1, -1]
        """
        if self.edges:
            numbers = np.array([np.nan if is_gap(v) else v for v in column]).astype(np.float64)
            codes = np.where(np.isnan(numbers), len(self.edges) + 1, np.searchsorted(self.edges, numbers))
            place = dict(zip(self.parts, range(len(self.parts)), strict=True))
            return np.array([place.get(int(c), -1) for c in codes])
        known = {name: k for k, name in enumerate(self.names)}
        return np.array([known.get(_word(v), known.get(REST, -1)) for v in column])

    @classmethod
    def of(cls, column: np.ndarray) -> Levels:
        """Those of a column, see `levels`."""
        numbers = _numbers(column)
        if numbers is not None:
            gap = np.isnan(numbers)
            edges = np.unique(np.quantile(numbers[~gap], (0.25, 0.5, 0.75)))
            said = [f"{e:.3g}" for e in edges]
            middle = [f"{a} to {b}" for a, b in pairwise(said)]
            names = [f"up to {said[0]}", *middle, f"above {said[-1]}", "missing"]
            present = np.unique(np.where(gap, len(edges) + 1, np.searchsorted(edges, numbers))).tolist()
            return cls(tuple(names[i] for i in present), tuple(edges.tolist()), tuple(present))
        words, counts = np.unique(np.array([_word(v) for v in column]), return_counts=True)
        kept = np.sort(np.argsort(-counts, kind="stable")[:MOST])
        kept = kept[counts[kept] >= FEW]
        rest = [REST] if len(kept) < len(words) and REST not in words[kept] else []
        return cls((*words[kept].tolist(), *rest))


def levels(column: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Codes (n,) and the names of the levels; numbers of many values become quarters, gaps a level of their own.

    >>> levels(np.array(["a"] * 30 + ["b"] * 30 + ["c"] * 2))[1]
    ('a', 'b', 'other')
    >>> levels(np.arange(100.0))[1]
    ('up to 24.8', '24.8 to 49.5', '49.5 to 74.2', 'above 74.2')
    """
    found = Levels.of(column)
    return found(column), found.names


def _numbers(column: np.ndarray) -> np.ndarray | None:
    """The column as floats where it holds numbers of more than MOST values; gaps are NaN."""
    try:
        values = np.array([np.nan if is_gap(v) else v for v in column]).astype(np.float64)
    except (TypeError, ValueError):
        return None
    return values if len(np.unique(values[~np.isnan(values)])) > MOST else None


def is_gap(value: object) -> bool:
    """Whether a cell says nothing: None, NaN or an empty text."""
    return value is None or value != value or value == ""  # noqa: PLR0124  (NaN differs from itself)


def _word(value: object) -> str:
    return "missing" if is_gap(value) else str(value)
