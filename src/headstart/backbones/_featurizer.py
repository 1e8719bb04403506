"""Backbones that know nothing beforehand: a fixed rule from a row to numbers, no network to train."""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from scipy.sparse import csr_matrix

from headstart.activations.activations import Kind
from headstart.backbones._base import Backbone, Batch, Stage


class Featurizer(Backbone):
    """A classical baseline: `features` is the whole of it, and "pooled" its only cut."""

    pretrained = False
    licence = "Apache-2.0"
    kind_out: ClassVar[Kind]

    @abstractmethod
    def features(self, rows: Sequence[Any]) -> np.ndarray | csr_matrix:
        """(n, d) numbers, each row from that row alone."""

    def prepare(self, rows: Sequence[Any]) -> Batch:
        """There is nothing to prepare for a network."""
        raise TypeError(f"{self.name} has no network: call features(rows)")

    def stages(self) -> list[Stage]:
        """None: there is no network."""
        return []

    @cached_property
    def cuts(self) -> tuple[str, ...]:
        """Only the top."""
        return ("pooled",)

    def kind(self, cut: str) -> Kind:
        """Kind of the features."""
        return self.kind_out

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the rule: its name and settings."""
        return hashlib.sha256(json.dumps([self.name, self.preprocessing], sort_keys=True).encode()).hexdigest()

    def save(self, folder: Path) -> None:
        """Write the rule's settings."""
        folder.mkdir(parents=True, exist_ok=True)
        card = {"family": type(self).__module__.rpartition(".")[2], "preprocessing": self.preprocessing}
        (folder / "headstart.json").write_text(json.dumps(card, indent=1), encoding="utf-8")
