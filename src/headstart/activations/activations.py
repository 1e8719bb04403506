"""What a frozen prefix says about each row: plain arrays that everyone upstairs reads, blind to the modality."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

if TYPE_CHECKING:
    from torch import nn

Kind = Literal["vector", "tokens", "map", "pixels", "ids", "counts", "frame"]


class Source(Protocol):
    """The backbone that spoke, as far as the floors above may know it."""

    name: str
    pretrained: bool

    @property
    def fingerprint(self) -> str:
        """Of weights and preprocessing."""
        ...

    @property
    def cuts(self) -> tuple[str, ...]:
        """Names of the places where it can be cut."""
        ...

    def suffix(self, cut: str, *, fresh: bool = False) -> nn.Module:
        """A trainable copy of everything above a cut."""
        ...

    def source_head(self) -> nn.Module | None:
        """The classifier that the network was pre-trained with, on "pooled" vectors; None where there is none."""
        ...


class Values(Protocol):
    """Rows that may lie on disk: a numpy array, or the store's memory-mapped shards."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: np.ndarray) -> np.ndarray: ...


@dataclass(frozen=True, eq=False)
class Activations:
    """The values of one cut for some rows.

    Kinds and the shape of one row: "vector" (d,), "tokens" (t, d), "map" (c, h, w), "pixels" (3, h, w) uint8,
    "ids" (t,) integers, "frame" (d,) raw table columns, NaN = missing, "counts" one row of a CSR matrix.
    Rows of "tokens" and "ids" differ in length: `batch` pads them and returns the mask.

    >>> a = Activations(np.eye(3, dtype="float32"), np.array(["a", "b", "c"]), cut="pooled", kind="vector")
    >>> a[np.array([2, 0])].batch()[0].shape
    (2, 3)
    """

    values: Values
    ids: np.ndarray
    cut: str
    kind: Kind
    source: Source | None = None
    rows: np.ndarray | None = None  # positions in `values`; None = all of them, in order
    views: tuple[Activations, ...] = ()  # the same rows seen differently, for training: augmentations that were stored

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def is_alike(self) -> bool:
        """Whether columns are features of one network, and so of one unit: a table's or a caller's may not be."""
        return self.kind == "vector" and self.source is not None

    def __getitem__(self, index: np.ndarray) -> Activations:
        """A view of some rows; nothing is read from disk."""
        index = np.asarray(index)
        index = np.flatnonzero(index) if index.dtype == bool else index
        rows = index if self.rows is None else self.rows[index]
        return replace(self, ids=self.ids[index], rows=rows, views=tuple(v[index] for v in self.views))

    def batch(self, index: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray | None]:
        """Read rows: (values, mask); ragged kinds are padded with zeros and carry a boolean (n, t) mask."""
        rows = np.arange(len(self)) if self.rows is None else self.rows
        values = self.values[rows if index is None else rows[np.asarray(index)]]
        if values.dtype != object:
            return values, None
        longest = max(len(v) for v in values)
        padded = np.zeros((len(values), longest, *values[0].shape[1:]), dtype=values[0].dtype)
        mask = np.zeros((len(values), longest), dtype=bool)
        for i, v in enumerate(values):
            padded[i, : len(v)], mask[i, : len(v)] = v, True
        return padded, mask

    def lengths(self) -> np.ndarray:
        """Rows' lengths in tokens; ones where rows are not ragged."""
        measure = getattr(self.values, "lengths", None)
        rows = np.arange(len(self)) if self.rows is None else self.rows
        if measure is not None:
            return np.asarray(measure(rows))
        values = self.values[rows]
        return np.array([len(v) for v in values]) if values.dtype == object else np.ones(len(self), dtype=int)

    def __array__(self, dtype: np.typing.DTypeLike | None = None, copy: bool | None = None) -> np.ndarray:
        values, mask = self.batch()
        if mask is not None:
            raise TypeError(f"rows of kind {self.kind!r} differ in length; use batch() or pool()")
        return np.asarray(values, dtype=dtype)

    def pool(self, how: str = "mean") -> Activations:
        """One vector a row out of tokens or places: "mean", "max", "gem", "cls" (first) or "last"; vectors stay.

        >>> tokens = np.array([[[1.0], [3.0]], [[2.0], [4.0]]], dtype="float32")
        >>> np.asarray(Activations(tokens, np.arange(2), "layer.1", "tokens").pool("max")).ravel().tolist()
        [3.0, 4.0]
        """
        if self.kind in ("vector", "frame"):
            return self
        parts = [self._pooled(np.arange(i, min(i + 256, len(self))), how) for i in range(0, len(self), 256)]
        return Activations(np.concatenate(parts), self.ids, f"{self.cut}+{how}", "vector", self.source)

    def _pooled(self, index: np.ndarray, how: str) -> np.ndarray:
        values, mask = self.batch(index)
        values = np.asarray(values, dtype=np.float32)
        if self.kind == "map":
            values = values.reshape(*values.shape[:2], -1).swapaxes(1, 2)
        seen = np.ones(values.shape[:2], dtype=bool) if mask is None else mask
        weight = seen[..., None] / seen.sum(1)[:, None, None]
        if how == "cls":
            return values[:, 0]
        if how == "last":
            return values[np.arange(len(values)), seen.sum(1) - 1]
        if how == "max":
            return np.where(seen[..., None], values, -np.inf).max(1)
        if how == "gem":
            return np.cbrt((values**3 * weight).sum(1), dtype=np.float32)
        return np.asarray((values * weight).sum(1), dtype=np.float32)

    def suffix(self, *, fresh: bool = False) -> nn.Module:
        """The rest of the network above this cut, trainable: pre-trained, or (`fresh`) untrained.

        Called as `suffix(values, mask)` with torch tensors as `batch` gives them; returns pooled vectors (n, d).
        """
        if self.source is None:
            raise TypeError("these activations came from an array: there is no network above them")
        return self.source.suffix(self.cut, fresh=fresh)

    def source_head(self) -> nn.Module | None:
        """A copy of the classifier that the network was pre-trained with, where there is one: vectors to logits."""
        return None if self.source is None else self.source.source_head()
