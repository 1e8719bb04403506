"""Fine-tuning that is pulled back to where it started."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from headstart._compute import device
from headstart.activations.activations import Activations
from headstart.techniques._head import Network
from headstart.techniques._learner import Recipe
from headstart.techniques._network import Trained
from headstart.techniques._objective import Told


class L2Sp(Trained):
    """Adds start/2 |w - w0|^2 + head/2 |v|^2 to the loss: w the network's weights, w0 the pre-trained ones, v the head.

    Use it in place of full where rows are few or what the network knew must last: decay to where it started instead of
    to zero. Not where the task is far from what the network was taught. Reads the "input" cut; `layers` as elsewhere.
    (Li et al., Explicit Inductive Bias for Transfer Learning with Convolutional Networks, ICML 2018.)

    >>> L2Sp(start=0.1).get_params()["start"]
    0.1
    """

    cost = 4
    usual = Recipe(epochs=4, lr=1e-4, weight_decay=0.0)

    def __init__(
        self, start: float = 0.1, head: float = 0.01, layers: int | None = None, epochs: float | None = None,
        lr: float | None = None, seconds: float | None = None, seed: int = 0, training: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(layers, epochs, lr, seconds, seed, training)
        self.start = start
        self.head = head

    def begin(self, network: Network, X: Activations, y: np.ndarray) -> None:
        """Remember the start."""
        self._start = [p.detach().clone().to(device()) for p in network.suffix.parameters()]

    def loss(self, network: Network, told: Told) -> Tensor:
        """Cross entropy and the two penalties."""
        away = torch.stack([
            (p - start).square().sum() for p, start in zip(network.suffix.parameters(), self._start, strict=True)
        ]).sum()  # fmt: skip
        penalty = self.start / 2 * away + self.head / 2 * network.head.weight.square().sum()
        return super().loss(network, told) + told.share * penalty
