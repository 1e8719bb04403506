"""Deep adaptation network: features whose distributions are the same in both domains, by many kernels."""

from __future__ import annotations

from torch import Tensor, nn

from headstart.techniques._deep import Deep
from headstart.techniques._discrepancy import mmd
from headstart.techniques._objective import Told


class DAN(Deep):
    """Adds the maximum mean discrepancy of the features and of the outputs, by five Gaussian kernels each.

    Use it where the classes have like shares in both domains; it has no adversary and so trains steadily. Not where
    the shares differ, nor with batches under 16, which say little of a distribution. Unbiased, kernels of even weight,
    where the paper learns their weights and estimates in linear time. Otherwise as `dann`. (Long et al., Learning
    Transferable Features with Deep Adaptation Networks, ICML 2015.)

    >>> DAN(layers=2).get_params()["layers"]
    2
    """

    def term(self, network: nn.Module, told: Told, other: tuple[Tensor, Tensor], ramp: float) -> Tensor:
        """The discrepancies of both layers, summed."""
        return ramp * mmd([(told.features, other[0]), (told.outputs.softmax(1), other[1].softmax(1))])
