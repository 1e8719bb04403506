"""A backbone made of another one: whatever it does not change is asked of that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from headstart.backbones._base import Backbone, Batch


class Around(Backbone):
    """Reads rows as another backbone does; what becomes of them then is for those who derive from this."""

    def __init__(self, inner: Backbone, name: str) -> None:
        self.inner, self.name, self.licence = inner, name, inner.licence
        self.modalities, self.input_kind, self.preparation = inner.modalities, inner.input_kind, inner.preparation
        self.blank = inner.blank

    @property
    def preprocessing(self) -> dict[str, Any]:
        """As the other one."""
        return self.inner.preprocessing

    def prepare(self, rows: Sequence[Any]) -> Batch:
        """As the other one."""
        return self.inner.prepare(rows)

    def prepare_quickly(self, rows: Sequence[Any]) -> Batch:
        """As the other one."""
        return self.inner.prepare_quickly(rows)

    def tokens(self, rows: Sequence[Any]) -> list[list[int]]:
        """As the other one."""
        return self.inner.tokens(rows)

    def spans(self, text: str) -> list[tuple[int, int]]:
        """As the other one."""
        return self.inner.spans(text)
