"""What a training minimises: losses a row, and what a batch tells the techniques that add to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, mse_loss

GAMMA = 2.0  # of the focal loss
BETA = 0.999  # of the class-balanced loss: how soon one more row of a class says nothing new
LOSSES = ("plain", "focal", "class_balanced")


@dataclass(frozen=True)
class Told:
    """One part of a batch after the forward pass; weights sum to the part's share of the batch."""

    features: Tensor  # (n, d) float32, what the head reads
    outputs: Tensor  # (n, k) float32
    losses: Tensor  # (n,)
    y: Tensor  # (n,) codes or numbers, or (n, L)
    weight: Tensor  # (n,)
    other: tuple[Tensor, Tensor] | None = None  # features and outputs of unlabelled target rows, for who asks for some

    @property
    def share(self) -> Tensor:
        """Of the batch: penalties that are not sums over rows are multiplied by it, so that parts add up."""
        return self.weight.sum()


def row_losses(kind: str, outputs: Tensor, y: Tensor, loss: str = "plain") -> Tensor:
    """(n,): cross entropy for label, binary cross entropy for labels, squared error for number.

    "focal" takes weight from rows that are already told rightly, (1 - p)^2 (Lin et al., Focal Loss, ICCV 2017).

    >>> logits, y = torch.tensor([[2.0, 0.0]]), torch.tensor([0])
    >>> plain, p = row_losses("label", logits, y), torch.softmax(logits, 1)[:, 0]
    >>> torch.allclose(row_losses("label", logits, y, "focal"), (1 - p) ** 2 * plain)
    True
    """
    if kind == "number":
        return mse_loss(outputs, y[:, None].float(), reduction="none").mean(1)
    if kind == "labels":
        value = binary_cross_entropy_with_logits(outputs, y.float(), reduction="none")
        return ((1 - torch.exp(-value)) ** GAMMA * value if loss == "focal" else value).mean(1)
    value = cross_entropy(outputs, y, reduction="none")
    return (1 - torch.exp(-value)) ** GAMMA * value if loss == "focal" else value


def balanced_weights(y: np.ndarray) -> np.ndarray:
    """A weight a row, mean one, by the effective number of rows of its class, (1 - b^n) / (1 - b).

    Gentler than one over the count where classes are large. (Cui et al., Class-Balanced Loss, CVPR 2019.)

    >>> balanced_weights(np.array([0, 0, 0, 1])).round(3).tolist()
    [0.667, 0.667, 0.667, 1.999]
    """
    counts = np.bincount(y)
    effective = (1 - BETA ** np.maximum(counts, 1)) / (1 - BETA)
    weight = 1 / effective[y]
    return np.asarray(weight * len(y) / weight.sum())
