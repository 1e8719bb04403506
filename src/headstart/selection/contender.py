"""Who may run in the race: a backbone, a technique with its settings, a role."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from headstart import _discover
from headstart.errors import NotApplicable, PlanError
from headstart.techniques._base import setting, settings


@dataclass(frozen=True)
class Contender:
    """A pair of backbone and technique, and the role it plays in the verdict."""

    backbone: str
    technique: str
    role: str  # "pretrained" | "scratch" | "classical" | "majority"

    @property
    def cost(self) -> int:
        """Order in the race: 0 nothing, 1 closed form, 2 a head, 3 some layers, 4 the whole network."""
        cost: int = _discover.load("techniques", self.name).cost
        return cost

    @property
    def name(self) -> str:
        """The technique's, without settings."""
        return self.technique.partition(":")[0]

    @property
    def uses_domains(self) -> bool:
        """Whether it learns from the names of domains."""
        uses: bool = _discover.load("techniques", self.name).uses_domains
        return uses

    def build(self, **settings: Any) -> Any:
        """The technique, unfitted, with those of the settings that it knows."""
        technique = make(self.technique)
        known = technique.get_params()
        return technique.set_params(**{k: v for k, v in settings.items() if k in known})


def make(spec: str) -> Any:
    """A technique by name, with settings after a colon; those that it has not are for its training's recipe.

    >>> technique = make("lora:rank=4,variant=dora,loss=focal")
    >>> technique.rank, technique.variant, technique.training
    (4, 'dora', {'loss': 'focal'})
    """
    name, _, given = spec.partition(":")
    technique = _discover.load("techniques", name)()
    own = settings(technique)
    recipe = [f.name for f in fields(technique.recipe())] if own.pop("training", None) else []
    told: dict[str, Any] = {}
    try:
        for word in filter(None, given.split(",")):
            key, _, text = (part.strip() for part in word.partition("="))
            try:
                value = json.loads(text)
            except ValueError:
                value = text
            if key in own:
                told[key] = setting(key, value, *own[key])
            elif key in recipe:
                told.setdefault("training", {})[key] = value
            else:
                able = ", ".join([*own, *(r for r in recipe if r not in own)]) or "none: leave them out"
                raise NotApplicable(f"no setting {key!r}", expected=able)
        technique.set_params(**told)
        if "training" in told:
            technique.recipe()  # what does not fit is said before anything is read
    except NotApplicable as error:
        raise PlanError(f"technique {spec!r}: {error.seen}", expected=error.expected) from error
    return technique


def rows_a_class(y: np.ndarray) -> float:
    """Rows a class, all of them for a number: of those to learn from, what says which techniques are worth their time.

    >>> rows_a_class(np.array([0, 0, 1, 1])), rows_a_class(np.array([0.5, 1.5, 2.5]))
    (2.0, 3.0)
    """
    if y.ndim == 2 or not np.issubdtype(y.dtype, np.integer):
        return float(len(y))
    return len(y) / max(1, len(np.unique(y)))


def unasked(rows: float, modality: str, *, domains: bool = False) -> list[str]:
    """Techniques that race without being named, at so many rows a class; the measured table is in docs/log.md.

    Those for several domains race where there are `domains`.
    """
    found = {n: _discover.load("techniques", n) for n in _discover.names("techniques")}
    able = {n: t for n, t in found.items() if modality not in t.named_only and (domains or not t.uses_domains)}
    spans = {n: t.unasked for n, t in able.items()}
    return [n for n, span in spans.items() if span is not None and span[0] <= rows < span[1]]


def contenders(
    names: Sequence[str], backbone: str, classical: str, *, kind: str, floor: Sequence[str]
) -> list[Contender]:
    """Everything that may run, cheapest first; `floor` names the techniques that read the classical features."""
    own = [Contender(classical, n, "classical") for n in floor]
    rest = [Contender(backbone, n, {"majority": "majority", "scratch": "scratch"}.get(n, "pretrained")) for n in names]
    fits = [c for c in own + rest if kind in _discover.load("techniques", c.name).learns]
    order = {"majority": 0, "classical": 1, "scratch": 3}
    return sorted(fits, key=lambda c: (2.5 if c.role == "scratch" else c.cost, order.get(c.role, 2)))
