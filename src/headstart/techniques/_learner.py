"""How a training is described: its recipe, and what a technique may change about it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from headstart.activations.activations import Activations
from headstart.errors import NotApplicable
from headstart.techniques._augment import MIXES, VIEWS
from headstart.techniques._base import setting
from headstart.techniques._checkpoint import EVERY
from headstart.techniques._head import Network
from headstart.techniques._objective import LOSSES, Told
from headstart.techniques._schedule import SCHEDULES
from headstart.techniques._track import TRACKERS


@dataclass(frozen=True)
class Recipe:
    """How to train: rates, length and limits. The `training` setting of a technique overrides any of them."""

    epochs: float = 5
    least: int = 60  # steps, however few rows there are
    lr: float = 5e-4  # of the topmost stage, which in many networks is a pooling without weights
    head_lr: float = 5e-3
    layer_decay: float = 0.9  # rate of a stage over that of the one above it
    weight_decay: float = 0.01
    batch: int = 16
    schedule: str = "cosine"  # "cosine" | "slanted" | "constant"
    loss: str = "plain"  # "plain" | "focal" | "class_balanced"
    mix: str | None = None  # "mixup" | "cutmix": maps and pixels
    augment: str | None = None  # "crop" | "rand": pixels, drawn anew in every step
    views: int = 0  # so many other views of each picture are computed once and stored: for any cut
    ema: float = 0.0  # decay of the moving average of the weights that is kept instead of the last ones
    stop_on: str = "loss"  # "loss" | "balanced_accuracy" | "macro_f1" of the held-out rows
    patience: int = 3  # looks at the held-out rows without gain, one an epoch or every ten steps
    norm_learns: bool = False  # BatchNorm statistics follow the data; only for networks that start untrained
    precision: str = "auto"  # "auto" | "bf16" | "fp16" | "fp32"
    track: str | None = None  # "tensorboard" | "mlflow"
    checkpoint: float = EVERY  # seconds
    seconds: float | None = None
    seed: int = 0


# what a field may be where it is one of several words
WORDS: dict[str, tuple[str | None, ...]] = {
    "schedule": SCHEDULES, "loss": LOSSES, "mix": (None, *MIXES), "augment": (None, *VIEWS),
    "stop_on": ("loss", "balanced_accuracy", "macro_f1"), "precision": ("auto", "bf16", "fp16", "fp32"),
    "track": (None, *TRACKERS),
}  # fmt: skip
# and those that have a meaning where the target is not one class
MEANT: dict[str, dict[str, tuple[str, ...]]] = {
    "labels": {"loss": ("plain", "focal"), "stop_on": ("loss",)},
    "number": {"loss": ("plain",), "stop_on": ("loss",)},
}


def changed(recipe: Recipe, settings: dict[str, Any]) -> Recipe:
    """Another recipe; NotApplicable for a field or a word that there is not.

    >>> changed(Recipe(), {"loss": "focal"}).loss
    'focal'
    """
    known = {f.name: f for f in fields(Recipe)}
    if unknown := sorted(set(settings) - set(known)):
        raise NotApplicable(f"training: {unknown}", expected=f"some of {', '.join(known)}")
    for name, able in WORDS.items():
        if settings.get(name, able[0]) not in able:
            raise NotApplicable(f"training: {name}={settings[name]!r}", expected=f"one of {able}")
    fit = {k: setting(f"training: {k}", v, str(known[k].type), known[k].default) for k, v in settings.items()}
    if fit.get("ema", 0) >= 1:
        raise NotApplicable(f"training: ema={fit['ema']}", expected="a decay below 1, such as 0.99")
    return replace(recipe, **fit)


class Learner:
    """What a technique may change about a training; as it stands, plain fine-tuning."""

    folder: Path | None = None  # where an unfinished training is kept, if anywhere
    beside: Activations | None = None  # unlabelled rows of which every step sees a batch as well, as `told.other`

    def groups(self, network: Network, recipe: Recipe) -> list[dict[str, Any]]:
        """Parameters with their rates."""
        return layered(network, recipe)

    def at(self, network: Network, done: float) -> None:
        """Called before each step with the share of the training that is done."""

    def loss(self, network: Network, told: Told) -> Tensor:
        """What to minimise on a part of a batch."""
        return (told.losses * told.weight).sum()

    def batches(self, lengths: np.ndarray, y: np.ndarray, size: int, rng: np.random.Generator) -> list[np.ndarray]:
        """The batches of one epoch: in random order, each of rows of about one length."""
        return list(_bucketed(lengths, size, rng))

    def others(self, number: int, size: int, rng: np.random.Generator) -> list[np.ndarray]:
        """So many batches of `beside`, through all of it before a row comes again; empty ones where there is none."""
        if self.beside is None:
            return [np.arange(0)] * number
        lengths, found = self.beside.lengths(), list[np.ndarray]()
        while len(found) < number:
            found += _bucketed(lengths, size, rng)
        return found[:number]


def layered(network: Network, recipe: Recipe) -> list[dict[str, Any]]:
    """Parameters with their rates: each stage a little less than the one above, what is new the head's.

    New is what is not of the suffix, or says that it is `untrained`. What stands beside the stages learns as the last
    of them does. Biases and norms are not decayed.
    """
    stages = list(network.get_submodule("suffix.steps")._modules)
    depth = {f"suffix.steps.{name}": len(stages) - 1 - i for i, name in enumerate(stages)}
    untrained = tuple(f"{name}." for name, m in network.named_modules() if getattr(m, "untrained", False))
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            below = depth.get(".".join(name.split(".")[:3]), 0)  # by its path: a stage may be called "head" as well
            is_new = not name.startswith("suffix.") or name.startswith(untrained)
            rate = recipe.head_lr if is_new else recipe.lr * recipe.layer_decay**below
            groups.setdefault((rate, recipe.weight_decay if parameter.ndim > 1 else 0.0), []).append(parameter)
    return [{"params": p, "lr": lr, "weight_decay": decay} for (lr, decay), p in groups.items()]


def _bucketed(lengths: np.ndarray, size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Batches in random order, each of rows of about one length."""
    noisy = lengths * rng.uniform(0.95, 1.05, len(lengths)) + rng.random(len(lengths))
    batches = np.array_split(np.argsort(noisy, kind="stable"), math.ceil(len(lengths) / size))
    for i in rng.permutation(len(batches)):
        yield batches[i]
