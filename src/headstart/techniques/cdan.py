"""Conditional domain-adversarial training: the discriminator sees which class was told as well."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from headstart.techniques._adversary import certain, domain_loss, judge, reverse
from headstart.techniques._deep import WIDTH, Deep
from headstart.techniques._objective import Told

MOST = 4096  # columns of the whole product; above that it is met through random projections
PROJECTED = 1024


class CDAN(Deep):
    """As DANN, but the domains are compared within what the network takes for a class: features times probabilities.

    Use it where classes form several clusters that DANN would match crosswise. Not where the source's own classifier is
    hardly better than chance on the target: it conditions on wrong classes. `entropy` weighs rows by 1 + exp(-H), so
    that unsure ones count less (CDAN+E). The product of 256 features and C probabilities is projected at random where
    it has more than 4,096 columns. Otherwise as `dann`. (Long et al., Conditional Adversarial Domain Adaptation,
    NeurIPS 2018.)

    >>> CDAN(entropy=False).get_params()["entropy"]
    False
    """

    def __init__(
        self, entropy: bool = True, weight: float = 1.0, layers: int | None = None,
        epochs: float | None = None, lr: float | None = None, seconds: float | None = None, seed: int = 0,
        training: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(weight, layers, epochs, lr, seconds, seed, training)
        self.entropy = entropy

    def partners(self) -> dict[str, nn.Module]:
        """The product and the discriminator."""
        product = Product(WIDTH, self.n_outputs_)
        return {"product": product, "judge": judge(product.columns)}

    def term(self, network: nn.Module, told: Told, other: tuple[Tensor, Tensor], ramp: float) -> Tensor:
        """How badly the domains are told apart, given the classes; no gradient goes through these."""
        said, weights = [], []
        for features, outputs in ((told.features, told.outputs), other):
            given = torch.softmax(outputs, 1).detach()
            product = network.get_submodule("product")(features, given)
            said.append(network.get_submodule("judge")(reverse(product, ramp)))
            weights.append(certain(given) if self.entropy else None)
        return domain_loss(said[0], said[1], weights[0], weights[1])


class Product(nn.Module):
    """Every feature times every probability; where that is wide, (R f) * (S p) / sqrt(d) with fixed Gaussian R, S."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.whole = width * classes <= MOST
        self.columns = width * classes if self.whole else PROJECTED
        if not self.whole:
            self.register_buffer("of_features", torch.randn(width, PROJECTED))
            self.register_buffer("of_classes", torch.randn(classes, PROJECTED))

    def forward(self, features: Tensor, told: Tensor) -> Tensor:
        """(n, columns)."""
        if self.whole:
            return (features[:, :, None] * told[:, None]).flatten(1)
        drawn: Tensor = (features @ self.get_buffer("of_features")) * (told @ self.get_buffer("of_classes"))
        return drawn / PROJECTED**0.5
