"""Near duplicates never straddle a split: rows whose activations almost coincide are brought to one side."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from headstart.data.dataset import SPLITS, Dataset

# Measured with the packaged backbones, cosines of centred vectors. Among 4.4 million pairs of review snippets none of
# different classes reaches 0.85; what lies above 0.94 is one sentence but for a word or a comma. Among 1.8 million
# pairs of emoji pictures, pairs of different classes reach 0.93, none 0.94; a "not" put into a sentence leaves 0.92.
# To take two different rows for one would drop a hard row from the test and flatter the score, which is worse than to
# miss a copy that was saved anew as a JPEG (0.91 at 64 pixels): so 0.95.
THRESHOLD = 0.95
LEAST_LEFT = 0.5  # of the test and of the valid rows must stay, or the rows are all alike and nothing is moved
ROWS, COLUMNS = 2048, 8192  # of one product: 64 MB however many rows there are
NAMED = 20


def separate(data: Dataset, vectors: np.ndarray, *, threshold: float = THRESHOLD) -> tuple[Dataset, dict[str, Any]]:
    """Bring near duplicates (cosine of centred vectors at or above `threshold`) to one side of the split.

    `vectors` is (n, d), one a row of `data`. Held-out rows that resemble a train row, directly or through other rows,
    move to train; test rows that resemble a valid row move to valid. Where the split is the user's own, the rows they
    resemble are dropped from train (or valid) instead, so that their test rows stay as they are. Returns the data and
    what was done: {moved, threshold, pairs: [[name, name, cosine]], words}. Where this would take more than half of
    a side, rows are all alike: nothing is moved and `left` says how many should have been. For texts and images; the
    numbers of a table say too little about identity, so that its rows are returned as they are.

    >>> rows = Dataset("text", list("abcd"), np.array(list("abcd")), split=np.array(["train", "test", "test", "valid"]))
    >>> separate(rows, np.array([[1.0, 0], [1, 0], [0, 1], [-2, -1]]))[0].split.tolist()
    ['train', 'train', 'test', 'valid']
    """
    nothing = {"moved": 0, "threshold": threshold, "pairs": [], "words": "no near duplicates across the split"}
    if data.split is None or data.modality not in ("text", "image") or len(data) < 2:
        return data, nothing
    unit = _unit(vectors)
    pairs: list[tuple[int, int, float]] = []
    if data.own_split:
        out, moved = _drop(data, unit, threshold, pairs)
    else:
        out, moved = _move(data, unit, threshold, pairs)
    if not moved:
        return data, nothing
    if not _is_worth(data, out):
        words = (
            f"{moved} rows resemble a row across the split: nearly all rows are alike, so the split was left as it is"
        )
        return data, nothing | {"left": moved, "words": words}
    names = data.names if data.names is not None else np.arange(len(data)).astype(str)
    shown = [[str(names[a]), str(names[b]), round(c, 4)] for a, b, c in sorted(pairs, key=lambda p: -p[2])[:NAMED]]
    done = (
        "dropped from train, your test rows stay"
        if data.own_split
        else "moved to the side of the row that they resemble"
    )
    words = f"rows that resembled one across the split (cosine of {threshold} or more): {moved:,}, {done}"
    return out, {"moved": moved, "threshold": threshold, "pairs": shown, "words": words}


def _is_worth(before: Dataset, after: Dataset) -> bool:
    """Whether enough rows of every side are left."""
    return all(len(after.rows_of(side)) >= LEAST_LEFT * len(before.rows_of(side)) for side in SPLITS)


def _move(
    data: Dataset, unit: np.ndarray, threshold: float, pairs: list[tuple[int, int, float]]
) -> tuple[Dataset, int]:
    assert data.split is not None
    split = data.split.copy()
    for side, held in (("train", ("valid", "test")), ("valid", ("test",))):
        anchors = np.flatnonzero(split == side)
        while len(anchors):  # what has just moved may pull others after it
            waiting = np.flatnonzero(np.isin(split, held))
            anchors = _near(unit, waiting, anchors, threshold, pairs)
            split[anchors] = side
    return replace(data, split=split), int((split != data.split).sum())


def _drop(
    data: Dataset, unit: np.ndarray, threshold: float, pairs: list[tuple[int, int, float]]
) -> tuple[Dataset, int]:
    assert data.split is not None
    keep = np.ones(len(data), dtype=bool)
    for side, held in (("valid", ("test",)), ("train", ("valid", "test"))):
        fixed = np.flatnonzero(np.isin(data.split, held) & keep)
        keep[_near(unit, data.rows_of(side), fixed, threshold, pairs)] = False
    return data.take(keep), int((~keep).sum())


def _near(
    unit: np.ndarray, rows: np.ndarray, anchors: np.ndarray, threshold: float, pairs: list[tuple[int, int, float]]
) -> np.ndarray:
    """The rows with an anchor at or above the threshold; the nearest anchor of each is added to `pairs`."""
    found = []
    for start in range(0, len(rows), ROWS):
        block = rows[start : start + ROWS]
        best, where = np.full(len(block), -np.inf, dtype=np.float32), np.zeros(len(block), dtype=np.int64)
        for first in range(0, len(anchors), COLUMNS):
            some = anchors[first : first + COLUMNS]
            cosine = unit[block] @ unit[some].T
            column = cosine.argmax(1)
            value = cosine[np.arange(len(block)), column]
            better = value > best
            best[better], where[better] = value[better], some[column[better]]
        hit = best >= threshold
        found.append(block[hit])
        pairs += [(int(r), int(w), float(c)) for r, w, c in zip(block[hit], where[hit], best[hit], strict=True)]
    return np.concatenate(found) if found else rows[:0]


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Centred rows of length one: what all rows share (a style, a language) says nothing about two of them."""
    values = np.nan_to_num(np.asarray(vectors, dtype=np.float32))
    values = values - values.mean(0)
    unit: np.ndarray = values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)
    return unit
