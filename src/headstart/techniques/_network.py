"""What techniques share that train the rest of the network: suffix, head, hold-out, and how they are kept."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import nn

from headstart._compute import device
from headstart.activations.activations import Activations
from headstart.errors import NotApplicable
from headstart.techniques._base import State, Technique
from headstart.techniques._forgetting import forgetting
from headstart.techniques._forward import outputs, tensors
from headstart.techniques._head import Network
from headstart.techniques._learner import MEANT, Learner, Recipe, changed
from headstart.techniques._linear import Scaler, class_weights, logistic, logits_to_probability, ridge_path, targets
from headstart.techniques._loop import SETTLED, Held, train
from headstart.techniques._objective import balanced_weights

STRENGTHS = (3e-3, 3e-2, 0.3)  # of the probe whose solution a head may start or end with
MOST, GLANCE = 128, 8  # rows that the head's scale and the pace are taken of; those that say whether there is time
BLOCK = 32  # rows of about one length that are read together
AFTER = 0.7  # rows that will be predicted, valid and test, over those that were trained on
NEVER = -1e4  # the logit of a class that a head never saw
FEW = 200  # fewer training rows than this are all trained on: no early stopping


class Trained(Technique, Learner):
    """Base of techniques that train what lies above a cut; they differ in the cut, the start and the recipe.

    A technique states its `usual` recipe and how many stages it trains (`depth`, None: all), and overrides of `wrap`
    (modules that stay), `begin` (before training), `loss`, `groups`, `at` (see `Learner`) and `finish` what it needs.
    Of the settings, `layers`, `epochs` and `lr` are the technique's own where they are None, and `training` names other
    fields of the recipe: {"loss": "focal"}, {"mix": "cutmix"}, {"schedule": "slanted"}, {"track": "tensorboard"}.
    """

    accepts = frozenset({"tokens", "map", "ids", "pixels"})
    learns = frozenset({"label", "labels", "number"})
    tunes = True
    usual: ClassVar[Recipe]
    depth: ClassVar[int | None] = None
    unasked: ClassVar[tuple[float, float] | None] = None
    fresh: ClassVar[bool] = False  # start from untrained weights
    without: ClassVar[frozenset[str]] = frozenset()  # fields of the recipe that its loss has no use for
    few: ClassVar[int] = FEW
    held_share: ClassVar[float] = 0.1

    def __init__(
        self, layers: int | None = None, epochs: float | None = None, lr: float | None = None,
        seconds: float | None = None, seed: int = 0, training: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        self.layers = layers
        self.epochs = epochs
        self.lr = lr
        self.seconds = seconds
        self.seed = seed
        self.training = training

    def where(self, cuts: Sequence[str]) -> str:
        """The cut below the last so many stages that have weights (the pooling has none); the input where all learn."""
        layers = self.depth if self.layers is None else self.layers
        return cuts[0] if layers is None else cuts[max(0, len(cuts) - 2 - layers)]

    def recipe(self) -> Recipe:
        """The usual one with what the settings change."""
        own = {k: getattr(self, k) for k in ("epochs", "lr") if getattr(self, k) is not None}
        return changed(self.usual, {**own, "seconds": self.seconds, "seed": self.seed, **(self.training or {})})

    def suited(self, kind: str) -> None:
        """NotApplicable also for a loss, or a score to stop by, that such a target or this technique has not."""
        super().suited(kind)
        if self.without and (idle := self.without & set(self.training or {})):
            raise NotApplicable(f"training: {sorted(idle)}", expected="none of them: its loss has no use for them")
        for name, able in MEANT.get(kind, {}).items():
            if (word := getattr(self.recipe(), name)) not in able:
                raise NotApplicable(
                    f"training: {name}={word} for a target of the kind {kind!r}", expected=" or ".join(able)
                )

    @property
    def views(self) -> int:
        """As many as the recipe asks for."""
        return self.recipe().views

    def network(self, suffix: nn.Module) -> Network:
        """What is trained: the stages above the cut, and what stands on their vectors."""
        return Network(suffix, self.width_, self.n_outputs_)

    def wrap(self, network: Network) -> None:
        """Add modules that answer as well, in place; called before training and before restoring."""

    def begin(self, network: Network, X: Activations, y: np.ndarray) -> None:
        """What happens between building the network and training it; `requires_grad` says what will be trained.

        `y` is as the head learns it: codes, 0/1 columns, or standardised numbers.
        """

    def finish(self, network: Network, X: Activations, y: np.ndarray, held: Held | None) -> None:
        """What happens after training; arguments as for `begin`, and the rows held out for stopping."""

    def fit(
        self, X: Activations, y: np.ndarray, *, sample_weight: np.ndarray | None = None, target: Any = None
    ) -> Self:
        """Train on all rows, or on most of them with early stopping on the others where there are enough.

        `seconds` are for everything until valid and test rows have been predicted, so that whoever set them keeps them.
        """
        start, kind = time.monotonic(), self._check(y)
        recipe = self.recipe()
        torch.manual_seed(recipe.seed)
        weight = class_weights(y) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        if recipe.loss == "class_balanced" and kind == "label" and sample_weight is None:
            weight = balanced_weights(y)
        if (weight == 0).any():  # they would say nothing, and a batch of them alone would divide by nothing
            X, y, weight = X[weight > 0], y[weight > 0], weight[weight > 0]
        self.centre_, self.spread_ = (float(y.mean()), float(y.std()) or 1.0) if kind == "number" else (0.0, 1.0)
        aim = ((y - self.centre_) / self.spread_).astype(np.float32) if kind == "number" else y
        network = self._build(X.suffix(fresh=self.fresh), X)
        keep, rest = np.arange(len(y)), np.arange(0)
        if len(y) >= self.few:
            keep, rest = _hold_out(aim, recipe.seed, self.held_share)
        held = (X[rest], aim[rest]) if len(rest) else None
        if recipe.seconds is not None:  # many rows may use them up; of few at once, one may take twice as long
            _in_time(_glance(network, X[keep]) / 2 * (min(MOST, len(keep)) + AFTER * len(y)), recipe.seconds)
        pace, self._weight = standardise(network, X[keep]), weight[keep]
        self.begin(network, X[keep], aim[keep])
        if recipe.seconds is not None:
            after = AFTER * len(y) + recipe.norm_learns * min(SETTLED, len(y))
            left = recipe.seconds - (time.monotonic() - start) - pace * after
            _in_time(recipe.seconds - left, recipe.seconds)
            recipe = replace(recipe, seconds=left)
        self.done_ = train(network, X[keep], aim[keep], weight[keep], kind, recipe, held, self)
        self.finish(network, X[keep], aim[keep], held)
        self.network_ = network.cpu().eval()
        del self._weight
        return self

    def _start_head(self, network: Network, X: Activations, y: np.ndarray) -> None:
        """Put the linear probe's solution on these rows, weighted as in `fit`, into the network's head."""
        fit_head(network, X, y, self._weight, self.target_kind_, self.seed)

    def predict_proba(self, X: Activations) -> np.ndarray:
        """Probabilities, or (n, 1) numbers; of its own `vectors` too."""
        if X.kind in self.accepts:
            logits = outputs(self.network_, X).astype(np.float64)
        else:
            with torch.inference_mode():
                values = torch.from_numpy(np.asarray(X, dtype=np.float32))
                logits = self.network_.cpu().eval().told(values).numpy().astype(np.float64)
        if self.target_kind_ == "number":
            return logits * self.spread_ + self.centre_
        return logits_to_probability(logits, self.target_kind_)

    def vectors(self, X: Activations) -> np.ndarray:
        """(n, d) what the fitted head reads of rows, before it is standardised."""
        return outputs(self.network_, X, step="features")

    def headed(self, head: Any) -> Self:
        """A copy whose last layer says what a ridge head says that learnt on `vectors`, never a class new to that."""
        new, seen = copy.deepcopy(self), head.coef_.shape[1]
        scale, last = new.network_.scale, new.network_.head
        assert scale.running_mean is not None
        assert scale.running_var is not None
        slope = head.coef_.T * np.sqrt(scale.running_var.numpy() + scale.eps)
        start = head.intercept_ + (scale.running_mean.numpy() - head.mean_) @ head.coef_
        with torch.no_grad():
            last.weight.zero_()
            last.bias.fill_(NEVER)
            last.weight[:seen] = torch.from_numpy(head.sharpness_ * slope)
            last.bias[:seen] = torch.from_numpy(head.sharpness_ * start)
        return new

    def forgetting(self, X: Activations) -> dict[str, float] | None:
        """How far the trained network moved from the pre-trained one on these rows."""
        return None if self.fresh else forgetting(X, self.network_.suffix)

    def _build(self, suffix: nn.Module, X: Activations) -> Network:
        with torch.inference_mode():
            self.width_ = int(suffix.to(device()).eval()(*tensors(X, np.arange(1))).shape[1])
        network = self.network(suffix)
        self.wrap(network)
        return network

    def state(self) -> State:
        """Parameters of suffix and head, and the plain values."""
        state = super().state()
        state.values.pop("network_", None)
        return state

    def restore(self, state: State, suffix: Callable[[], nn.Module] | None = None) -> Self:
        """Undo `state`; `suffix` builds the stages above the cut."""
        assert suffix is not None
        for key, value in state.values.items():
            setattr(self, key, value)
        self.network_ = self.network(suffix())
        self.wrap(self.network_)
        own = {k.removeprefix("network_."): torch.from_numpy(v.copy()) for k, v in state.arrays.items()}
        self.network_.load_state_dict(own)
        self.network_.eval()
        return self


def fit_head(network: Network, X: Activations, y: np.ndarray, weight: np.ndarray, kind: str, seed: int) -> None:
    """Put the linear probe's solution on the network's own vectors into its head."""
    with torch.inference_mode():
        vectors = torch.from_numpy(outputs(network.suffix, X).copy())
        scaled = network.scale.eval().cpu()(vectors).numpy().astype(np.float64)
    if kind == "number":
        fit = ridge_path(scaled, targets(y), weight)
        coef, intercept = fit.coef, fit.intercept
    else:
        coef, intercept, _ = logistic(scaled, y, weight, STRENGTHS, seed)
        if kind == "label" and coef.shape[1] == 1:  # two classes: one logit becomes two
            coef, intercept = np.c_[-coef / 2, coef / 2], np.r_[-intercept / 2, intercept / 2]
    with torch.no_grad():
        network.head.weight.copy_(torch.from_numpy(coef.T))
        network.head.bias.copy_(torch.from_numpy(np.atleast_1d(intercept)))


def _in_time(needed: float, seconds: float) -> None:
    """NotApplicable where next to nothing of the seconds is left to train."""
    if needed > 0.9 * seconds:
        raise NotApplicable(f"{seconds:.0f} s are over before anything is trained", do="raise --budget")


def _glance(network: Network, X: Activations) -> float:
    """Seconds that the network takes for a row, by a few of all lengths, after two that warm it up."""
    lengths = X.lengths()
    rows = np.argsort(lengths, kind="stable")[np.linspace(0, len(X) - 1, min(GLANCE, len(X))).astype(int)]
    outputs(network.suffix, X[rows[:2]])
    start = time.monotonic()
    outputs(network.suffix, X[rows])  # padded to the longest of them
    return (time.monotonic() - start) / len(rows) * float(lengths.mean() / lengths[rows].max())


def standardise(network: Network, X: Activations, most: int = MOST) -> float:
    """Set the head's scale from the vectors as they are before training, so that one rate suits every network.

    Returns the seconds that the network took for a row. The rows are blocks of about one length, one from each
    quarter of them, so that they are padded as little as all rows will be.
    """
    order = np.lexsort((np.random.default_rng(0).random(len(X)), X.lengths()))
    if len(X) > most:
        blocks = most // BLOCK
        starts = ((np.arange(blocks) + 0.5) / blocks * (len(X) - BLOCK)).astype(int)
        order = order[(starts[:, None] + np.arange(BLOCK)).ravel()]
    rows, start = np.unique(order), time.monotonic()
    scaler = Scaler.of(outputs(network.suffix, X[rows]).astype(np.float64), alike=True)
    pace = (time.monotonic() - start) / len(rows)
    assert network.scale.running_mean is not None
    assert network.scale.running_var is not None
    network.scale.running_mean.copy_(torch.from_numpy(scaler.mean))
    network.scale.running_var.copy_(torch.from_numpy(scaler.scale**2))
    return pace


def _hold_out(y: np.ndarray, seed: int, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Positions to train on and to stop by: a share of each class where its rows have one."""
    rng = np.random.default_rng(seed)
    held = np.zeros(len(y), dtype=bool)
    codes = y if y.ndim == 1 and np.issubdtype(y.dtype, np.integer) else np.zeros(len(y), dtype=int)
    for code in np.unique(codes):
        rows = rng.permutation(np.flatnonzero(codes == code))
        held[rows[: int(len(rows) * share)]] = True
    return np.flatnonzero(~held), np.flatnonzero(held)
