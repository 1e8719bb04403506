"""A column of metadata as a few levels: what rows are grouped by when they are audited or repaired."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

MOST = 8  # levels; rarer ones are taken together
FEW = 20  # rows below which a level is taken together with the others that are rare
REST = "other"


def levels(column: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Codes (n,) and the names of the levels; numbers of many values become quarters, gaps a level of their own.

    >>> levels(np.array(["a"] * 30 + ["b"] * 30 + ["c"] * 2))[1]
    ('a', 'b', 'other')
    >>> levels(np.arange(100.0))[1]
    ('up to 24.8', '24.8 to 49.5', '49.5 to 74.2', 'above 74.2')
    """
    numbers = _numbers(column)
    if numbers is not None:
        gap = np.isnan(numbers)
        edges = np.unique(np.quantile(numbers[~gap], (0.25, 0.5, 0.75)))
        said = [f"{e:.3g}" for e in edges]
        middle = [f"{a} to {b}" for a, b in pairwise(said)]
        names = [f"up to {said[0]}", *middle, f"above {said[-1]}", "missing"]
        codes = np.where(gap, len(edges) + 1, np.searchsorted(edges, numbers))
        return _packed(codes, names)
    words, codes = np.unique(np.array(["missing" if is_gap(v) else str(v) for v in column]), return_inverse=True)
    counts = np.bincount(codes)
    kept = np.sort(np.argsort(-counts, kind="stable")[:MOST])
    kept = kept[counts[kept] >= FEW]
    place = np.full(len(words), len(kept))
    place[kept] = np.arange(len(kept))
    return _packed(place[codes], [*words[kept].tolist(), REST])


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


def _packed(codes: np.ndarray, names: list[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Levels that no row has are left out."""
    present, packed = np.unique(codes, return_inverse=True)
    return packed, tuple(names[i] for i in present)
