"""Margin disparity discrepancy: no second classifier may agree on the source and differ on the target."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from headstart.techniques._adversary import judge, margin_disparity, reverse
from headstart.techniques._deep import WIDTH, Deep
from headstart.techniques._objective import Told

SHARE = 0.1  # of the turned gradient that reaches the features: the whole of it undoes what the labels teach


class MDD(Deep):
    """Trains features against a second classifier that agrees with the first on the source and not on the target.

    Use it where there are many classes and hundreds of rows of either domain. Not with few rows, and not unwatched: in
    the benchmark in which methods were chosen without target labels it lost to doing nothing. `margin` is the paper's
    gamma, how much agreeing on the source counts. Otherwise as `dann`. (Zhang et al., Bridging Theory and Algorithm for
    Domain Adaptation, ICML 2019.)

    >>> MDD(margin=2.0).get_params()["margin"]
    2.0
    """

    def __init__(
        self, margin: float = 4.0, weight: float = 1.0, layers: int | None = None,
        epochs: float | None = None, lr: float | None = None, seconds: float | None = None, seed: int = 0,
        training: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(weight, layers, epochs, lr, seconds, seed, training)
        self.margin = margin

    def partners(self) -> dict[str, nn.Module]:
        """The second classifier."""
        return {"rival": judge(WIDTH, self.n_outputs_)}

    def term(self, network: nn.Module, told: Told, other: tuple[Tensor, Tensor], ramp: float) -> Tensor:
        """The disparity, as the second classifier is to lower it and the features to raise it."""
        rival = network.get_submodule("rival")
        ours, theirs = (rival(reverse(features, SHARE * ramp)) for features in (told.features, other[0]))
        return margin_disparity(ours, told.outputs.argmax(1), theirs, other[1].argmax(1), self.margin)
