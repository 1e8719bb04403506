"""Who is learnt from, who is chosen by, who is tested on: decided by content hash, so that it never wanders."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from headstart.data.dataset import SPLITS, TargetKind
from headstart.errors import DataError

WORDS = {
    "train": ("train", "training", "tr", "trn", "learn"),
    "valid": ("valid", "validation", "val", "dev", "eval", "development"),
    "test": ("test", "testing", "te", "tst", "holdout", "hold-out", "held-out"),
}
CARVED = 0.25  # of the user's train rows become valid where the user gave none: 0.2 of 0.8, as in our own split


def assign(
    ids: np.ndarray,
    target: np.ndarray | None,
    kind: TargetKind | None,
    groups: np.ndarray | None = None,
    *,
    fractions: tuple[float, float, float] = (0.6, 0.2, 0.2),
    seed: int = 0,
) -> np.ndarray:
    """Split rows into train, valid and test by the hash of their id, or of their group.

    A row's side depends on its own id alone, so that adding rows moves no old ones and order does not matter. Equal ids
    and rows of one group stay together. Only where a class would get less than half or more than one and a half times
    its share of a side (small classes, by bad luck) the rows nearest to the border change sides; every class appears in
    train. Returns (n,) of "train", "valid" or "test". Raises DataError where fewer than three units can be told apart.

    >>> ids = np.array([f"{i:032x}" for i in range(100)])
    >>> split = assign(ids, np.arange(100) % 2, "label")
    >>> bool((assign(ids[:50], np.arange(50) % 2, "label") == split[:50]).mean() > 0.9)
    True
    """
    unit, keys = units(ids, groups)
    if len(keys) < len(SPLITS):
        what = "groups" if groups is not None else "different rows"
        raise DataError(
            f"only {len(keys)} {what}", expected="at least 3: one each for train, valid and test", do="add rows"
        )
    place = np.array([position(key, seed) for key in keys])
    side = np.searchsorted(np.cumsum(fractions)[:-1], place, side="right")
    for members in _strata(unit, len(keys), target, kind):
        _balance(side, place, members, fractions)
    split: np.ndarray = np.array(SPLITS)[side[unit]]
    return split


def units(ids: np.ndarray, groups: np.ndarray | None = None) -> tuple[np.ndarray, list[str]]:
    """What must stay together: equal ids, and equal groups where there are any; (n,) unit numbers and a key a unit."""
    if groups is None:
        different, unit = np.unique(ids, return_inverse=True)
        return unit, [str(k) for k in different]
    names, first = np.unique(groups.astype(str), return_inverse=True)
    _, second = np.unique(ids, return_inverse=True)
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    size = len(names) + int(second.max(initial=-1)) + 1
    links = coo_matrix((np.ones(len(ids)), (first, len(names) + second)), shape=(size, size))
    _, labels = connected_components(links, directed=False)
    _, unit = np.unique(labels[first], return_inverse=True)
    keys = [""] * (int(unit.max(initial=-1)) + 1)
    for name, number in sorted(zip(names[first], unit, strict=True), key=lambda pair: str(pair[0]), reverse=True):
        keys[number] = str(name)  # the smallest name of the unit is the last one written
    return unit, keys


def position(key: str, seed: int) -> float:
    """A number in [0, 1) that depends on the key and the seed alone."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{key}".encode()).digest()[:6], "big") / 2**48


def _strata(unit: np.ndarray, number: int, target: np.ndarray | None, kind: TargetKind | None) -> list[np.ndarray]:
    """Lists of units that must be spread over all sides, the rarest last, so that its needs prevail."""
    everyone = [np.arange(number)]
    if target is None or kind == "number":
        return everyone
    columns = target[:, None] == np.unique(target) if kind == "label" else target.astype(bool)
    strata = [np.unique(unit[columns[:, k]]) for k in range(columns.shape[1])]
    return everyone + sorted((s for s in strata if len(s)), key=len, reverse=True)


def _balance(side: np.ndarray, place: np.ndarray, members: np.ndarray, fractions: Sequence[float]) -> None:
    """Move the units of a class that are nearest to the border until no side is far from its share; in place."""
    n = len(members)
    for s in (0, 2, 1):  # train first, then test, then valid
        share = fractions[s] * n
        least = max(1, int(share / 2)) if s == 0 or n >= len(SPLITS) else 0
        most = max(int(np.ceil(1.5 * share)), 1) if s else n
        _fill(side, place, members, s, least)
        _drain(side, place, members, s, most)


def _fill(side: np.ndarray, place: np.ndarray, members: np.ndarray, s: int, least: int) -> None:
    while (side[members] == s).sum() < least:
        counts = np.bincount(side[members], minlength=3)
        counts[s] = 0
        donor = int(np.argmax(counts))
        if counts[donor] <= 1 and s:  # never take the last one of another side for valid or test
            return
        own = members[side[members] == donor]
        side[own[np.argmin(place[own]) if s < donor else np.argmax(place[own])]] = s


def _drain(side: np.ndarray, place: np.ndarray, members: np.ndarray, s: int, most: int) -> None:
    while (side[members] == s).sum() > most:
        own = members[side[members] == s]
        side[own[np.argmin(place[own])]] = 0


def by_user(
    cells: np.ndarray, ids: np.ndarray, groups: np.ndarray | None, notes: list[str], seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """The user's own split: their test rows are never touched, valid is carved from train where they gave none.

    Returns the side of every row and which rows stay: train rows whose content, or group, is also in test or valid go.
    """
    sides = np.array([side_of(str(c)) or "" for c in cells], dtype="<U5")
    if unknown := sorted({str(c) for c, s in zip(cells, sides, strict=True) if not s}):
        raise DataError(
            f"the split column holds {', '.join(map(repr, unknown[:5]))}", expected="train, valid or test in every row"
        )
    there = set(sides.tolist())
    if "train" not in there or len(there) == 1:
        seen = f"the split holds {' and '.join(sorted(there))} only"
        raise DataError(
            seen, expected="train and test, or train, valid and test", do="or let headstart split: leave it out"
        )
    if "test" not in there:
        sides[sides == "valid"] = "test"
        notes.append(
            "your split has train and valid only: valid is held out as the test, a new valid is carved from train"
        )
    elif "valid" not in there:
        notes.append("your split is kept; valid is carved from your train rows")
    else:
        notes.append("your split is kept")
    keep = np.ones(len(ids), dtype=bool)
    unit, keys = units(ids, groups)
    for low, high in (("train", "test"), ("valid", "test"), ("train", "valid")):
        twins = (sides == low) & np.isin(unit, unit[sides == high])
        if twins.any():
            keep &= ~twins
            notes.append(f"{twins.sum()} {low} rows are also in {high}: they were dropped from {low}")
    if "valid" not in sides:
        place = np.array([position(k, seed) for k in keys])
        train = np.unique(unit[(sides == "train") & keep])
        cut = np.zeros(len(keys), dtype=int)
        cut[train[place[train] < CARVED]] = 1
        sides[(sides == "train") & (cut[unit] == 1)] = "valid"
    return sides, keep


def side_of(word: str) -> str | None:
    """The side that a word stands for.

    >>> side_of("Validation"), side_of("fold 3")
    ('valid', None)
    """
    return next((s for s, words in WORDS.items() if word.strip().lower() in words), None)
