"""Features whose covariance is the same in both domains."""

from __future__ import annotations

from torch import Tensor, nn

from headstart.techniques._deep import WIDTH, Deep
from headstart.techniques._discrepancy import coral
from headstart.techniques._objective import Told


class DeepCORAL(Deep):
    """Adds the squared distance of the features' covariances in source and target.

    Use it as the mildest of these: it seldom harms, where the domains differ in contrast, noise or correlation. Not
    where only the means differ: it does not look at them. The term is ||Cs - Ct||^2 / (4 d^2) of the d features, times
    d, so that it has the size of the other loss. Otherwise as `dann`. (Sun and Saenko, Deep CORAL: Correlation
    Alignment for Deep Domain Adaptation, ECCV Workshops 2016.)

    >>> DeepCORAL(weight=10.0).get_params()["weight"]
    10.0
    """

    def term(self, network: nn.Module, told: Told, other: tuple[Tensor, Tensor], ramp: float) -> Tensor:
        """The distance of the covariances."""
        return ramp * WIDTH * coral(told.features, other[0])
