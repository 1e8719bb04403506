"""A model as one differentiable function: the frozen stages, and above them what was trained, or any head at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from headstart._compute import device
from headstart.errors import NotApplicable
from headstart.explain._score import Head, Score
from headstart.model import Model

Change = Callable[[Tensor], Tensor]


class Whole:
    """Everything between prepared rows and a score; `places` are the stages' names, from the input to the top."""

    def __init__(self, model: Model) -> None:
        backbone, technique = model.backbone, model.technique
        stages = backbone.stages()
        if not stages or not technique.smooth:
            what = model.card.technique if stages else backbone.name
            raise NotApplicable(f"{what} has no gradient", expected="a network and a head that changes smoothly")
        at = backbone.cuts.index(model.card.cut)
        self.model = model
        self.top: Any = getattr(technique, "network_", None)
        if self.top is None and model.card.cut != "pooled":
            raise NotApplicable(f"{model.card.technique} at the cut {model.card.cut!r} cannot be followed")
        self.below = [stage.module.to(device()).eval() for stage in stages[:at]]
        self.places: dict[str, nn.Module] = {s.name: m for s, m in zip(stages[:at], self.below, strict=True)}
        if self.top is not None:
            self.top.to(device()).eval()
            steps = self.top.suffix.steps
            self.places |= {s.name: steps[s.name.replace(".", "_")] for s in stages[at:]}
        self.kinds = {stage.name: stage.kind for stage in stages}

    def __call__(self, values: Tensor, mask: Tensor | None, score: Score) -> Tensor:
        """(n,) float64 scores of prepared rows."""
        x = values
        for module in self.below:
            x = module(x, mask)
        if self.top is None:
            return Head.apply(x.float(), score)
        return score.logits(self.top(x, mask)).double()

    @contextmanager
    def changed(self, place: str, change: Change) -> Iterator[None]:
        """Inside, what comes out at a place goes on as `change` returns it."""
        hook = self.places[place].register_forward_hook(lambda _module, _given, out: change(out))
        try:
            yield
        finally:
            hook.remove()

    @torch.no_grad()
    def at(self, place: str, values: Tensor, mask: Tensor | None, score: Score) -> tuple[Tensor, Tensor]:
        """What comes out at a place, and the scores (n,)."""
        kept: list[Tensor] = []

        def keep(out: Tensor) -> Tensor:
            kept.append(out.detach().clone())
            return out

        with self.changed(place, keep):
            told = self(values, mask, score)
        return kept[0], told


def slope(whole: Whole, place: str, point: Tensor, given: tuple[Tensor, Tensor | None], score: Score) -> Tensor:
    """How the score of each row changes with what comes out at a place, where `point` comes out."""
    leaf = point.detach().clone().requires_grad_()
    with whole.changed(place, lambda _out: leaf * 1.0), torch.enable_grad():  # a stage above may work in place
        told = whole(given[0], given[1], score)
        if not told.requires_grad:
            raise NotApplicable(f"nothing that is said depends on the stage {place!r}")
        (found,) = torch.autograd.grad(told.sum(), leaf)
    return found
