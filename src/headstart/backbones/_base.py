"""A backbone is an ordered list of stages; where it is cut decides the technique."""

from __future__ import annotations

import copy
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from headstart.activations.activations import Kind
from headstart.errors import NotApplicable


@dataclass(frozen=True)
class Batch:
    """Prepared rows: what the first stage reads. `mask` is (n, t) bool where rows are ragged, else None."""

    values: Tensor
    mask: Tensor | None = None


@dataclass(frozen=True)
class Stage:
    """One step of the network: `module(x, mask) -> x`. `kind` is the kind of what comes out."""

    name: str
    module: nn.Module
    kind: Kind


def untraced(module: nn.Module) -> None:
    """Say to a compiler that a module depends on its input in ways that a recorded graph would lose or not gain by."""
    if torch.jit.is_tracing():  # type: ignore[attr-defined,no-untyped-call]  # torch does not export it
        raise RuntimeError(f"{type(module).__name__} is run as it is, not compiled")


class Plain(nn.Module):
    """Lets a module that knows no mask stand in a stage list."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        out: Tensor = self.inner(x)
        return out


class Chain(nn.Module):
    """Stages in order; composing all of them is the network."""

    def __init__(self, stages: Iterable[Stage]) -> None:
        super().__init__()
        self.steps = nn.ModuleDict({s.name.replace(".", "_"): s.module for s in stages})

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        for step in self.steps.values():
            x = step(x, mask)
        return x


class Backbone(ABC):
    """One family of networks. A family writes `prepare` and `stages`; the rest is derived here.

    Cuts are named after the stage below them: "input" (before the first stage), each stage's name, and the last stage
    is always called "pooled" and gives one vector a row.
    """

    modalities: frozenset[str]  # of {"image", "text", "table", "vector"}
    input_kind: Kind
    pretrained: bool = True
    endings: ClassVar[tuple[str, ...]] = ()  # of single files that hold such a network
    extra: ClassVar[str] = ""  # of headstart's, that reads such files

    name: str  # what `headstart run --backbone` takes and `backbones.get` gives back
    licence: str = "unknown"
    blank: int | tuple[int, ...] = 0  # the id (or characters) of a token that says nothing, where the input is "ids"
    preparation: Any = None  # how pictures become pixels; worker processes are handed it alone

    @classmethod
    def reads(cls, folder: Path, config: dict[str, Any]) -> bool:
        """Whether a folder with this config.json (empty where there is none) holds such a network."""
        return False

    @abstractmethod
    def prepare(self, rows: Sequence[Any]) -> Batch:
        """Raw rows to tensors: deterministic, and part of the weights (size, mean and deviation, tokenizer)."""

    def prepare_quickly(self, rows: Sequence[Any]) -> Batch:
        """As `prepare`, but large JPEGs may be decoded at a fraction of their size."""
        return self.prepare(rows)

    def tokens(self, rows: Sequence[Any]) -> list[list[int]]:
        """Token ids of each row without padding, for families whose input kind is "ids"."""
        raise TypeError(f"{self.name} reads no tokens")

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where in a text each of its `tokens` begins and ends; (0, 0) for those that stand for no part of it."""
        raise NotApplicable(f"{self.name} does not say where its tokens stand in a text")

    @abstractmethod
    def stages(self) -> list[Stage]:
        """The network as a list, in eval mode, sharing one set of parameters between calls."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write weights and preprocessing so that `backbones.get(f"local-dir:{folder}")` reads them back. No pickle."""

    @property
    @abstractmethod
    def preprocessing(self) -> dict[str, Any]:
        """Everything that decides what `prepare` returns, as JSON; part of the fingerprint."""

    def fresh(self) -> list[Stage]:
        """The same stages untrained, weights drawn anew from torch's current seed."""
        stages = copy.deepcopy(self.stages())
        for stage in stages:
            for module in stage.module.modules():
                reset = getattr(module, "reset_parameters", None)
                if callable(reset):
                    reset()
        return stages

    @cached_property
    def cuts(self) -> tuple[str, ...]:
        """Names of all places where the network can be cut, from the input to the top."""
        return ("input", *(s.name for s in self.stages()))

    def kind(self, cut: str) -> Kind:
        """Kind of the activations at a cut."""
        return self.input_kind if cut == "input" else next(s.kind for s in self.stages() if s.name == cut)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of weights, architecture and preprocessing: two backbones with one fingerprint give one answer."""
        digest = hashlib.sha256(repr((type(self).__name__, sorted(self.preprocessing.items()))).encode())
        for stage in self.stages():
            digest.update(f"{stage.name} {stage.module!r}".encode())
            for key, value in stage.module.state_dict().items():
                digest.update(key.encode())
                digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
        return digest.hexdigest()

    @torch.no_grad()
    def prefix(self, batch: Batch, cuts: Iterable[str]) -> dict[str, Tensor]:
        """The plain, exact route from a batch to the values at some cuts (the engine knows faster ones)."""
        wanted, out, x = set(cuts), {}, batch.values
        if "input" in wanted:
            out["input"] = x
        for stage in self.stages():
            if len(out) == len(wanted):
                break
            x = stage.module(x, batch.mask)
            if stage.name in wanted:
                out[stage.name] = x
        return out

    def suffix(self, cut: str, *, fresh: bool = False) -> nn.Module:
        """A trainable copy of everything above a cut; called as `suffix(values, mask)`, returns (n, d) vectors."""
        stages = self.fresh() if fresh else self.stages()
        above = Chain(stages[self.cuts.index(cut) :])
        return (above if fresh else copy.deepcopy(above)).requires_grad_(True)

    def source_head(self) -> nn.Module | None:
        """A copy of the classifier that the weights were trained with, on "pooled" vectors; None where it is lost."""
        return None
