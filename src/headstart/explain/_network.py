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

    def __call__(self, values: Tensor, score: Score) -> Tensor:
        """(n,) float64 scores of prepared rows, all of one length: there is nothing to mask."""
        x = values
        for module in self.below:
            x = module(x, None)
        if self.top is None or self.model.adapter is not None:  # an adapter moves what the last layer reads
            return Head.apply(x.float() if self.top is None else self.top.features(x, None), score)
        return score.logits(self.top(x, None)).double()

    @contextmanager
    def changed(self, place: str, change: Change) -> Iterator[None]:
        """Inside, what comes out at a place goes on as `change` returns it."""
        hook = self.places[place].register_forward_hook(lambda _module, _given, out: change(out))
        try:
            yield
        finally:
            hook.remove()

    @torch.no_grad()
    def at(self, place: str, values: Tensor, score: Score) -> tuple[Tensor, Tensor]:
        """The scores (n,), and what comes out at a place."""
        kept: list[Tensor] = []

        def keep(out: Tensor) -> Tensor:
            kept.append(out.detach().clone())
            return out

        with self.changed(place, keep):
            told = self(values, score)
        return told, kept[0]

    def slope(
        self, place: str, values: Tensor, score: Score, point: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The scores (n,), what comes out at a place (or `point` instead), and how each score changes with it."""
        leaves: list[Tensor] = []

        def leaf(out: Tensor) -> Tensor:
            leaves.append((out if point is None else point).detach().clone().requires_grad_())
            return leaves[0] * 1.0  # a stage above may work in place

        with self.changed(place, leaf), torch.enable_grad():
            told = self(values, score)
            if not told.requires_grad:
                raise NotApplicable(f"nothing that is said depends on the stage {place!r}")
            (found,) = torch.autograd.grad(told.sum(), leaves[0])
        return told.detach(), leaves[0].detach(), found
