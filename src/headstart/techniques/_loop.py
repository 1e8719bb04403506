"""The one training loop: length-bucketed batches, a schedule that ends on time, early stopping, halving on OOM."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from headstart._compute import device
from headstart.activations.activations import Activations
from headstart.techniques import _augment
from headstart.techniques._checkpoint import EVERY, Checkpoint, generator
from headstart.techniques._forward import Quicker, autocast, outputs, tensors
from headstart.techniques._head import Network
from headstart.techniques._learner import Learner, Recipe
from headstart.techniques._objective import Told, row_losses
from headstart.techniques._schedule import rate
from headstart.techniques._track import tracker

LOOK = 10  # steps at least between two looks at the held-out rows: an epoch of few rows is a step or two
SETTLED = 128  # rows that BatchNorm's statistics are taken of, where a training changes them
Held = tuple[Activations, np.ndarray]


@dataclass
class _Progress:
    """Where a training stands; with the tensors beside it, what a checkpoint holds."""

    step: int = 0
    within: int = 0  # batches of this epoch that are done
    parts: int = 1
    waited: int = 0
    looked: int = 0  # the step at which the held-out rows were last looked at
    best: float = math.inf
    spent: float = 0.0


def train(
    network: Network, X: Activations, y: np.ndarray, weight: np.ndarray, kind: str, recipe: Recipe,
    held: Held | None = None, learner: Learner | None = None,
) -> dict[str, float]:  # fmt: skip
    """Train a network in place; returns what was done: steps, seconds.

    The rate follows its schedule over max(share of epochs, share of seconds), so a training that runs out of time has
    still gone through all of it. With held-out rows the weights of the best epoch come back. A step that does not fit
    into memory is repeated in halves that add up to the same gradient.
    """
    learner = learner or Learner()
    _augment.check(X.kind, recipe.augment, recipe.mix)
    torch.manual_seed(recipe.seed)
    network.to(device())
    _ready(network, recipe)
    optimiser = torch.optim.AdamW(learner.groups(network, recipe), fused=device().type in ("cpu", "cuda"))
    rates = [group["lr"] for group in optimiser.param_groups]
    scaler = torch.amp.GradScaler(device().type, enabled=autocast(X.kind, recipe.precision)["dtype"] == torch.float16)
    tracked = tracker(recipe.track, learner.folder, type(learner).__name__.strip("_"))
    checkpoint = Checkpoint(learner.folder, _key(X, recipe, learner.beside), recipe.checkpoint)
    average = {k: v.detach().clone() for k, v in network.state_dict().items()} if recipe.ema else {}
    kept: dict[str, Tensor] = {}
    at, chance, over = _Progress(), None, False
    if (found := checkpoint.read()) is not None:
        network.load_state_dict(found["network"])
        optimiser.load_state_dict(found["optimiser"])
        scaler.load_state_dict(found["scaler"])
        at, chance, average, kept = _Progress(**found["at"]), found["epoch"], found["average"], found["kept"]
    rng = generator(chance, recipe.seed)
    start, before = time.monotonic() - at.spent, at.spent
    total = max(recipe.least, round(math.ceil(len(X) / recipe.batch) * recipe.epochs))
    lengths = X.lengths()
    while at.step < total and not over:
        chance = rng.bit_generator.state
        batches = learner.batches(lengths, y, recipe.batch, rng)
        others = learner.others(len(batches), recipe.batch, rng)
        for batch in list(zip(batches, others, strict=True))[at.within :]:
            at.spent = time.monotonic() - start
            done = max(at.step / total, at.spent / (before + recipe.seconds) if recipe.seconds else 0.0)
            if over := done >= 1:
                break
            learner.at(network, done)
            for group, top in zip(optimiser.param_groups, rates, strict=True):
                group["lr"] = top * rate(recipe.schedule, done)
            optimiser.zero_grad(set_to_none=True)
            loss, at.parts = _accumulate(network, learner, (X, y, weight, kind), batch, at.parts, recipe, scaler)
            scaler.unscale_(optimiser)
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            scaler.step(optimiser)
            scaler.update()
            at.step, at.within = at.step + 1, at.within + 1
            if average:
                _follow(average, network, min(recipe.ema, (1 + at.step) / (10 + at.step)))  # at first soon
            if recipe.track:
                tracked.log(at.step, {"loss": float(loss), "rate": rate(recipe.schedule, done)})
            if checkpoint.due():
                at.spent = time.monotonic() - start
                checkpoint.write({
                    "network": network.state_dict(), "optimiser": optimiser.state_dict(), "kept": kept,
                    "scaler": scaler.state_dict(), "at": asdict(at), "epoch": chance, "average": average,
                })  # fmt: skip
        at.within = 0
        if held is not None and (at.step - at.looked >= LOOK or over or at.step >= total):
            at.looked = at.step
            with _swapped(network, average):
                _settle(network, X, recipe)
                value = held_value(network, held, kind, recipe)
                if not kept or value < at.best:
                    _keep(kept, network.state_dict())
                    at.best, at.waited = value, 0
                else:
                    at.waited += 1
            tracked.log(at.step, {f"held_out/{recipe.stop_on}": value})
            _ready(network, recipe)
            if at.waited >= recipe.patience:
                break
    if kept or average:
        network.load_state_dict(kept or average)
    if not kept:
        _settle(network, X, recipe)
    network.eval().zero_grad(set_to_none=True)
    tracked.close()
    checkpoint.done()
    return {"steps": float(at.step), "seconds": time.monotonic() - start}


def _ready(network: nn.Module, recipe: Recipe) -> None:
    """Training mode; BatchNorm keeps its statistics: small batches would wash out what was learnt."""
    network.train()
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and not recipe.norm_learns:
            module.eval()


@torch.no_grad()
def _settle(network: Network, X: Activations, recipe: Recipe) -> None:
    """Take the statistics of BatchNorm that follow the data again, from some rows and the weights as they are now.

    What is gathered while weights move fast belongs to none of them: after some thirty steps a network that knew four
    in ten training pictures gave one answer to all. (Wu and Johnson, Rethinking "Batch" in BatchNorm, 2021.)
    """
    if not recipe.norm_learns:
        return
    network.eval()
    norms = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    usual = [m.momentum for m in norms]
    for module in norms:
        module.train().reset_running_stats()
        module.momentum = None  # the plain mean over batches
    rows = np.random.default_rng(0).permutation(len(X))[:SETTLED]
    for batch in np.array_split(rows, max(1, len(rows) // recipe.batch)):
        _forward(network, *tensors(X, batch), X.kind, recipe)
    for module, momentum in zip(norms, usual, strict=True):
        module.momentum = momentum


def _accumulate(
    network: Network, learner: Learner, rows: tuple[Activations, np.ndarray, np.ndarray, str],
    batches: tuple[np.ndarray, np.ndarray], parts: int, recipe: Recipe, scaler: torch.amp.GradScaler,
) -> tuple[Tensor, int]:  # fmt: skip
    """Gradients of a batch, in so many parts that each fits into memory; returns the loss and that number."""
    (X, y, weight, kind), (batch, others) = rows, batches
    seen = (X, *X.views)[int(torch.randint(1 + len(X.views), ()))] if X.views else X
    share = float(weight[batch].sum())
    while True:
        try:
            total = torch.zeros((), device=device())
            count = min(parts, len(batch))
            for part, other in zip(np.array_split(batch, count), np.array_split(others, count), strict=True):
                w = torch.as_tensor(weight[part], dtype=torch.float32, device=device()) / share
                told = _told(network, tensors(seen, part), (y[part], w, kind), recipe, X)
                if learner.beside is not None and len(other):
                    told = replace(told, other=_beside(network, learner.beside, other, recipe))
                loss = learner.loss(network, told)
                scaler.scale(loss).backward()
                total += loss.detach()
            return total, parts
        except (torch.OutOfMemoryError, MemoryError):
            if parts >= len(batch):
                raise
            parts *= 2
            network.zero_grad(set_to_none=True)
            if device().type == "cuda":
                torch.cuda.empty_cache()


def _told(
    network: Network, inputs: tuple[Tensor, Tensor | None], rows: tuple[np.ndarray, Tensor, str], recipe: Recipe,
    X: Activations,
) -> Told:  # fmt: skip
    values, mask = inputs
    y, weight, kind = torch.from_numpy(np.ascontiguousarray(rows[0])).to(values.device), rows[1], rows[2]
    if recipe.augment:
        values = _augment.views(values, recipe.augment)
    other, share = None, 1.0
    if recipe.mix and len(values) > 1:
        values, other, share = _augment.mixed(values, recipe.mix)
    features, said = _forward(network, values, mask, X.kind, recipe)
    losses = row_losses(kind, said, y, recipe.loss)
    if other is not None:
        losses = share * losses + (1 - share) * row_losses(kind, said, y[other], recipe.loss)
    return Told(features, said, losses, y, weight)


def _beside(network: Network, rows: Activations, batch: np.ndarray, recipe: Recipe) -> tuple[Tensor, Tensor]:
    values, mask = tensors(rows, batch)
    values = _augment.views(values, recipe.augment) if recipe.augment else values
    return _forward(network, values, mask, rows.kind, recipe)


def _forward(network: Network, values: Tensor, mask: Tensor | None, kind: str, recipe: Recipe) -> tuple[Tensor, Tensor]:
    with Quicker(), torch.autocast(device().type, **autocast(kind, recipe.precision)):
        features = network.features(values, mask)
    return features, network.told(features.float()).float()


def _keep(kept: dict[str, Tensor], now: dict[str, Tensor]) -> None:
    """The weights as they are now, in the place of those that were kept before: never two copies."""
    for name, value in now.items():
        kept.setdefault(name, torch.empty_like(value)).copy_(value)


def _follow(average: dict[str, Tensor], network: nn.Module, decay: float) -> None:
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            average[name].lerp_(value, 1 - decay)
        else:
            average[name].copy_(value)


@contextmanager
def _swapped(network: nn.Module, weights: dict[str, Tensor]) -> Iterator[None]:
    """The network with other weights for a moment; with its own where none are given."""
    if not weights:
        yield
        return
    own = {k: v.clone() for k, v in network.state_dict().items()}
    network.load_state_dict(weights)
    yield
    network.load_state_dict(own)


def held_value(network: Network, held: Held, kind: str, recipe: Recipe) -> float:
    """What early stopping lowers on the held-out rows: the loss, or one minus a score."""
    told, y = outputs(network, held[0], precision=recipe.precision), held[1]
    if recipe.stop_on != "loss" and kind == "label":
        from sklearn.metrics import f1_score, recall_score

        said = told.argmax(1)
        seen = np.unique(y)
        score = recall_score if recipe.stop_on == "balanced_accuracy" else f1_score
        return 1 - float(score(y, said, labels=seen, average="macro", zero_division=0))
    return float(row_losses(kind, torch.from_numpy(told.copy()), torch.from_numpy(np.ascontiguousarray(y))).mean())


def _key(X: Activations, recipe: Recipe, beside: Activations | None) -> str:
    """Of rows and recipe: another training does not go on from this one's checkpoint."""
    ids = [*X.ids.tolist(), *([] if beside is None else beside.ids.tolist())]
    words = repr((replace(recipe, seconds=None, checkpoint=EVERY), X.cut))
    return hashlib.sha256(words.encode() + "".join(ids).encode()).hexdigest()
