"""Fine-tuning with two contrasts: rows against class weights, rows against rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from headstart._compute import device
from headstart.activations.activations import Activations
from headstart.techniques._head import Network
from headstart.techniques._learner import Recipe
from headstart.techniques._network import Trained
from headstart.techniques._objective import Told

TEMPERATURE = 0.07


class BiTuning(Trained):
    """Adds two contrasts to the cross entropy: each class weight finds its rows, and rows find others of their class.

    Use it with some tens of rows a class and more, fine-grained pictures above all. Not with batches in which classes
    are alone: raise `training={"batch": 32}` with many classes. The keys are the other rows of the batch, where the
    paper keeps a queue from a slowly moving copy. Reads the "input" cut; `layers` as elsewhere. (Zhong et al.,
    Bi-Tuning of Pre-trained Representations, 2020.)

    >>> BiTuning(width=64).get_params()["width"]
    64
    """

    learns = frozenset({"label"})
    without = frozenset({"mix"})
    cost = 4
    usual = Recipe(epochs=4, lr=1e-4)

    def __init__(
        self, width: int = 128, weight: float = 1.0, layers: int | None = None, epochs: float | None = None,
        lr: float | None = None, seconds: float | None = None, seed: int = 0, training: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(layers, epochs, lr, seconds, seed, training)
        self.width = width
        self.weight = weight

    def begin(self, network: Network, X: Activations, y: np.ndarray) -> None:
        """A projection in which rows are compared."""
        network.add_module("project", nn.Linear(self.width_, self.width).to(device()))

    def loss(self, network: Network, told: Told) -> Tensor:
        """Cross entropy, and both contrasts."""
        standard = network.scale(told.features)
        vectors = torch.nn.functional.normalize(network.get_submodule("project")(standard), dim=1)
        among_rows = contrast(vectors @ vectors.T / TEMPERATURE, told.y, told.y, others=True)
        weights = torch.nn.functional.normalize(network.head.weight, dim=1)
        keys = torch.nn.functional.normalize(standard, dim=1)
        present = told.y.unique()
        of_classes = contrast(weights[present] @ keys.T / TEMPERATURE, present, told.y)
        return super().loss(network, told) + self.weight * told.share * (among_rows + of_classes)

    def finish(self, network: Network, *_: Any) -> None:
        """The projection goes."""
        del network.project


def contrast(similar: Tensor, asked: Tensor, keys: Tensor, *, others: bool = False) -> Tensor:
    """Mean of -log softmax(similar) (a, k) over the keys of the class asked for; with `others`, never the row itself.

    >>> round(float(contrast(torch.zeros(2, 4), torch.tensor([0, 1]), torch.tensor([0, 0, 1, 1]))), 4)
    1.3863
    """
    own = (asked[:, None] == keys[None]).float()
    if others:
        itself = torch.eye(len(asked), dtype=torch.bool, device=similar.device)
        similar, own = similar.masked_fill(itself, -1e4), own.masked_fill(itself, 0)
    said = torch.log_softmax(similar, 1)
    able = own.sum(1) > 0
    value = -(said * own).sum(1) / own.sum(1).clamp_min(1)
    return value[able].mean() if bool(able.any()) else similar.sum() * 0
