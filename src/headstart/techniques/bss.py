"""Fine-tuning that lets go of what does not transfer."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from headstart.techniques._head import Network
from headstart.techniques._learner import Recipe
from headstart.techniques._network import Trained
from headstart.techniques._objective import Told


class Bss(Trained):
    """Adds eta times the sum of the k smallest squared singular values of the batch's features to the loss.

    Use it in place of full with few rows: the directions in which features hardly vary are those that transfer badly,
    and they are shrunk. Not with batches smaller than about eight rows. Reads the "input" cut; `layers` as elsewhere.
    (Chen et al., Catastrophic Forgetting Meets Negative Transfer: Batch Spectral Shrinkage, NeurIPS 2019.)

    >>> Bss(eta=1e-2).get_params()["eta"]
    0.01
    """

    cost = 4
    usual = Recipe(epochs=4, lr=1e-4)

    def __init__(
        self, eta: float = 1e-3, k: int = 1, layers: int | None = None, epochs: float | None = None,
        lr: float | None = None, seconds: float | None = None, seed: int = 0, training: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(layers, epochs, lr, seconds, seed, training)
        self.eta = eta
        self.k = k

    def loss(self, network: Network, told: Told) -> Tensor:
        """Cross entropy and the shrinkage."""
        return super().loss(network, told) + told.share * self.eta * shrinkage(told.features, self.k)


def shrinkage(features: Tensor, k: int) -> Tensor:
    """Sum of the k smallest squared singular values of (n, d).

    >>> float(shrinkage(torch.diag(torch.tensor([3.0, 2.0, 1.0])), 2))
    5.0
    """
    gram = features @ features.T if features.shape[0] < features.shape[1] else features.T @ features
    return torch.linalg.eigvalsh(gram)[:k].clamp_min(0).sum()  # ascending: the squares of the singular values
