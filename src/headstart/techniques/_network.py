"""What techniques share that train the rest of the network: suffix, head, hold-out, and how they are kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from headstart._compute import device
from headstart.activations.activations import Activations
from headstart.techniques._base import State, Technique
from headstart.techniques._linear import class_weights, logits_to_probability
from headstart.techniques._loop import Recipe, outputs, train

FEW = 200  # fewer training rows than this are all trained on: no early stopping
HELD = 0.1


class Network(nn.Module):
    """The stages above the cut and a linear head on standardised vectors."""

    def __init__(self, suffix: nn.Module, width: int, outs: int) -> None:
        super().__init__()
        self.suffix = suffix
        self.scale = nn.BatchNorm1d(width, affine=False)
        self.head = nn.Linear(width, outs)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, values: Tensor, mask: Tensor | None = None) -> Tensor:
        out: Tensor = self.head(self.scale(self.suffix(values, mask).float()))
        return out


class Trained(Technique):
    """Base of techniques that train what lies above a cut; they differ in the cut, the start and the recipe."""

    accepts = frozenset({"tokens", "map", "ids", "pixels"})
    learns = frozenset({"label", "labels", "number"})
    fresh = False  # start from untrained weights

    def recipe(self) -> Recipe:
        """How to train, from the settings."""
        raise NotImplementedError

    def begin(self, network: Network, X: Activations, y: np.ndarray) -> None:
        """What happens between building the network and training it."""

    def fit(
        self, X: Activations, y: np.ndarray, *, sample_weight: np.ndarray | None = None, target: Any = None
    ) -> Self:
        """Train on all rows, or on most of them with early stopping on the others where there are enough."""
        kind = self._check(y)
        recipe = self.recipe()
        torch.manual_seed(recipe.seed)
        weight = class_weights(y) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        self.centre_, self.spread_ = (float(y.mean()), float(y.std()) or 1.0) if kind == "number" else (0.0, 1.0)
        aim = ((y - self.centre_) / self.spread_).astype(np.float32) if kind == "number" else y
        network = self._build(X.suffix(fresh=self.fresh), X)
        keep, held = _hold_out(aim, recipe.seed) if len(y) >= FEW else (np.arange(len(y)), None)
        _standardise(network, X[keep])
        self.begin(network, X[keep], y[keep])
        pair = None if held is None else (X[held], aim[held])
        self.done_ = train(network, X[keep], aim[keep], weight[keep], kind, replace(recipe), pair)
        self.network_ = network.cpu()
        return self

    def predict_proba(self, X: Activations) -> np.ndarray:
        """Probabilities, or (n, 1) numbers."""
        logits = outputs(self.network_, X).astype(np.float64)
        if self.target_kind_ == "number":
            return logits * self.spread_ + self.centre_
        return logits_to_probability(logits, self.target_kind_)

    def _build(self, suffix: nn.Module, X: Activations) -> Network:
        from headstart.techniques._loop import tensors

        with torch.inference_mode():
            self.width_ = int(suffix.to(device()).eval()(*tensors(X, np.arange(1))).shape[1])
        return Network(suffix, self.width_, self.n_outputs_)

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
        self.network_ = Network(suffix(), self.width_, self.n_outputs_)
        own = {k.removeprefix("network_."): torch.from_numpy(v.copy()) for k, v in state.arrays.items()}
        self.network_.load_state_dict(own)
        self.network_.eval()
        return self


def _standardise(network: Network, X: Activations, most: int = 256) -> None:
    """Set the head's scale from the vectors as they are before training, so that one rate suits every network."""
    rows = np.linspace(0, len(X) - 1, min(most, len(X))).astype(int)
    vectors = torch.from_numpy(outputs(network.suffix, X[rows]).copy())
    assert network.scale.running_mean is not None
    assert network.scale.running_var is not None
    network.scale.running_mean.copy_(vectors.mean(0))
    network.scale.running_var.copy_(vectors.var(0).clamp_min(1e-8) if len(rows) > 1 else torch.ones(vectors.shape[1]))


def _hold_out(y: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions to train on and to stop by: one tenth, of each class where rows have one."""
    rng = np.random.default_rng(seed)
    held = np.zeros(len(y), dtype=bool)
    codes = y if y.ndim == 1 and np.issubdtype(y.dtype, np.integer) else np.zeros(len(y), dtype=int)
    for code in np.unique(codes):
        rows = rng.permutation(np.flatnonzero(codes == code))
        held[rows[: int(len(rows) * HELD)]] = True
    return np.flatnonzero(~held), np.flatnonzero(held)
