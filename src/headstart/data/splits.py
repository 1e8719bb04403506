"""Who is learnt from, who is chosen by, who is tested on: decided by content hash, so that it never wanders."""

from __future__ import annotations

import hashlib

import numpy as np

from headstart._words import counted
from headstart.data.dataset import SPLITS, TargetKind
from headstart.errors import DataError

WORDS = {
    "train": ("train", "training", "tr", "trn", "learn"),
    "valid": ("valid", "validation", "val", "dev", "eval", "development"),
    "test": ("test", "testing", "te", "tst", "holdout", "hold-out", "held-out"),
}
MANY = 200  # units of a class from which shares by chance are near enough: 20 % give or take 3
CARVED = (0.75, 0.25, 0.0)  # of the user's train rows, where they gave no valid: 0.6 to 0.2, as in our own split


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

    Order does not matter, and equal ids and rows of one group stay together. In a class of 200 units or more the hash
    alone decides, so that adding rows moves no old ones and shares are met within chance. In a smaller class shares are
    met exactly, those with the smallest hashes first: adding a row there may move one across the border. A class of
    three rows or more is on every side and every class is in train. Returns (n,) of "train", "valid" or "test". Raises
    DataError where fewer than three units can be told apart.

    >>> ids = np.array([f"{i:032x}" for i in range(100)])
    >>> split = assign(ids, np.arange(100) % 2, "label")
    >>> [int((split == side).sum()) for side in SPLITS]
    [60, 20, 20]
    """
    unit, keys = units(ids, groups)
    if len(keys) < len(SPLITS):
        what = "groups" if groups is not None else "different rows"
        raise DataError(
            f"only {len(keys)} {what}", expected="at least 3, one for each of train, valid and test",
            do="name another --group" if groups is not None else "check which columns are learnt from (--input)",
        )  # fmt: skip
    place = np.array([position(key, seed) for key in keys])
    stratum = _strata(unit, len(keys), target, kind)
    side = np.zeros(len(keys), dtype=np.int64)
    for value in np.unique(stratum):
        members = np.flatnonzero(stratum == value)
        side[members] = _sides(place[members], fractions)
    if target is not None and kind != "number":
        _learn_every_class(side, place, unit, _indicator(target, kind))
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


def _indicator(target: np.ndarray, kind: TargetKind | None) -> np.ndarray:
    """(n, classes) of which class a row has."""
    return target[:, None] == np.unique(target) if kind == "label" else target.astype(bool)


def _strata(unit: np.ndarray, number: int, target: np.ndarray | None, kind: TargetKind | None) -> np.ndarray:
    """What each unit is spread by: its most frequent class; of several labels a row the rarest that it has."""
    if target is None or kind == "number":
        return np.zeros(number, dtype=np.int64)
    has = _indicator(target, kind)
    counts = np.zeros((number, has.shape[1]))
    np.add.at(counts, unit, has)
    if kind == "label":
        return np.asarray(counts.argmax(1))
    rarity = np.where(counts > 0, -has.sum(0), -np.inf)  # Sechidis et al. 2011 spread the rarest label first, too
    return np.asarray(np.where(counts.any(1), rarity.argmax(1), -1))


def _sides(place: np.ndarray, fractions: tuple[float, float, float]) -> np.ndarray:
    """0, 1 or 2 for the units of one stratum: by their hash alone where they are many, else by its rank."""
    n = len(place)
    if n >= MANY:
        return np.asarray(np.searchsorted(np.cumsum(fractions)[:-1], place, side="right"))
    test = max(round(fractions[2] * n), int(n > 1)) if fractions[2] else 0
    valid = max(round(fractions[1] * n), int(n > 2))
    rank = np.argsort(np.argsort(place))
    return np.asarray(np.searchsorted([n - valid - test, n - test], rank, side="right"))


def _learn_every_class(side: np.ndarray, place: np.ndarray, unit: np.ndarray, has: np.ndarray) -> None:
    """A class that mixed units left outside train gets the unit of its own that is nearest to train; in place."""
    for k in range(has.shape[1]):
        members = np.unique(unit[has[:, k]])
        if len(members) and (side[members] != 0).all():
            side[members[np.argmin(place[members])]] = 0


def by_user(
    cells: np.ndarray,
    ids: np.ndarray,
    target: np.ndarray,
    kind: TargetKind,
    groups: np.ndarray | None,
    *,
    notes: list[str],
    seed: int,
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
    unit, _ = units(ids, groups)
    for low, high in (("train", "test"), ("valid", "test"), ("train", "valid")):
        twins = (sides == low) & np.isin(unit, unit[sides == high])
        if twins.any():
            keep &= ~twins
            notes.append(f"also in {high}, and dropped from {low}: {counted(int(twins.sum()))}")
    if "valid" not in sides:
        train = np.flatnonzero((sides == "train") & keep)
        own = None if groups is None else groups[train]
        sides[train] = assign(ids[train], target[train], kind, own, fractions=CARVED, seed=seed)
    return sides, keep


def side_of(word: str) -> str | None:
    """The side that a word stands for.

    >>> side_of("Validation"), side_of("fold 3")
    ('valid', None)
    """
    return next((s for s, words in WORDS.items() if word.strip().lower() in words), None)
