"""Minimum class confusion: target rows are made to be of one class each, in a way that few classes are mixed up."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from headstart.techniques._deep import Deep
from headstart.techniques._discrepancy import confusion
from headstart.techniques._objective import Told


class MCC(Deep):
    """Adds the confusion between classes in what is told of target rows; the domains are not made alike.

    Use it first: it led the benchmark in which methods were chosen without target labels, and asks for no like shares
    of classes. Not where the source's classifier is hardly better than chance on the target: it makes it sure of that.
    Probabilities are taken at `temperature`. Otherwise as `dann`. (Jin et al., Minimum Class Confusion for Versatile
    Domain Adaptation, ECCV 2020; Lalou et al., SKADA-Bench, TMLR 2025.)

    >>> MCC(temperature=2.0).get_params()["temperature"]
    2.0
    """

    def __init__(
        self, temperature: float = 2.5, weight: float = 1.0, layers: int | None = None,
        epochs: float | None = None, lr: float | None = None, seconds: float | None = None, seed: int = 0,
        training: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(weight, layers, epochs, lr, seconds, seed, training)
        self.temperature = temperature

    def term(self, network: nn.Module, told: Told, other: tuple[Tensor, Tensor], ramp: float) -> Tensor:
        """The confusion of the target's classes."""
        return ramp * confusion(other[1], self.temperature)
