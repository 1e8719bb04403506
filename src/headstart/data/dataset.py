"""What every reader returns and every floor above understands: rows, their ids, their target, their split."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

Modality = Literal["image", "text", "table", "vector"]
TargetKind = Literal["label", "labels", "number"]
SPLITS = ("train", "valid", "test")


@dataclass(frozen=True, eq=False)
class Dataset:
    """Rows that are decoded on access, with the target, split and groups that belong to them.

    `rows[i]` is raw: a str (text), a dict (table), a 1-D float array (vector) or, for an image, a path, bytes, array
    or PIL image, which `headstart.data.images.decode` turns into RGB pixels. `ids` are hashes of the raw content, so
    equal content has an equal id wherever it lies.

    >>> data = Dataset("text", ["good", "bad"], np.array(["a", "b"]), np.array([1, 0]), "label", ("no", "yes"))
    >>> len(data.where(target=1))
    1
    """

    modality: Modality
    rows: Sequence[Any]
    ids: np.ndarray  # (n,) str
    target: np.ndarray | None = None  # label: (n,) int64; labels: (n, L) int64 of 0/1; number: (n,) float64
    target_kind: TargetKind | None = None
    classes: tuple[str, ...] = ()  # names of the columns of `predict_proba`; empty for a number
    split: np.ndarray | None = None  # (n,) of "train" | "valid" | "test"
    domain: np.ndarray | None = None
    groups: np.ndarray | None = None  # rows of one group never straddle a split
    names: np.ndarray | None = None  # what a person calls a row: its file name or line number
    columns: dict[str, np.ndarray] = field(default_factory=dict)  # further columns, for audits
    notes: tuple[str, ...] = ()  # what was read and why, in words; printed and kept in the result
    skipped: tuple[tuple[str, str], ...] = ()  # (name of the row, reason)
    gaps: tuple[int, ...] = ()  # where in the source the last so many skipped rows stood, for those who predict
    inputs: tuple[str, ...] = ()  # columns the rows were made of; empty where there were none
    own_split: bool = False  # the user's own split: its valid and test rows are never moved

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, index: np.ndarray) -> Dataset:
        """The rows at integer positions (or a boolean mask), in that order."""
        index = np.asarray(index)
        index = np.flatnonzero(index) if index.dtype == bool else index

        def pick(values: Any) -> Any:
            return None if values is None else values[index]

        own: Any = self.rows
        rows: Any = own[index] if isinstance(own, np.ndarray) else [own[i] for i in index]
        return replace(
            self, rows=rows, ids=self.ids[index], target=pick(self.target), split=pick(self.split),
            domain=pick(self.domain), groups=pick(self.groups), names=pick(self.names),
            columns={k: v[index] for k, v in self.columns.items()},
        )  # fmt: skip

    def where(self, **conditions: Any) -> Dataset:
        """The rows whose fields equal the given values: `data.where(split="test", domain="b")`."""
        keep = np.ones(len(self), dtype=bool)
        for name, value in conditions.items():
            column = getattr(self, name)
            keep &= False if column is None else np.asarray(column == value)
        return self.take(keep)

    def rows_of(self, split: str) -> np.ndarray:
        """Integer positions of the rows of one split."""
        assert self.split is not None
        return np.flatnonzero(self.split == split)

    def sample(self, split: str, most: int) -> np.ndarray:
        """Positions of at most so many rows of a split, the same ones every time: those with the smallest ids."""
        rows = self.rows_of(split)
        return np.sort(rows[np.argsort(self.ids[rows], kind="stable")[:most]])

    def some(self, rows: int) -> np.ndarray:
        """Positions of about so many rows, of each split its share and 30 at least; fewer are among more."""
        keep = [self.sample(s, max(30, rows * len(self.rows_of(s)) // len(self))) for s in SPLITS]
        return np.sort(np.concatenate(keep))

    @property
    def fingerprint(self) -> str:
        """Changes when rows, targets or the split change."""
        parts = ["".join(self.ids), "".join(() if self.split is None else self.split), str(self.classes)]
        digest = hashlib.sha256("\n".join(parts).encode())
        digest.update(np.ascontiguousarray(self.target).tobytes())
        return digest.hexdigest()[:16]
