"""Joint adaptation network: features and predicted classes have one joint distribution in both domains."""

from __future__ import annotations

from torch import Tensor, nn

from headstart.techniques._deep import Deep
from headstart.techniques._discrepancy import mmd
from headstart.techniques._objective import Told


class JAN(Deep):
    """Adds the joint maximum mean discrepancy: kernels of features times kernels of probabilities.

    Use it where DAN would move a class of the target onto another of the source: rows are alike only when features
    and classes are. Not where the source's classifier is hardly better than chance on the target. Otherwise as `dann`.
    (Long et al., Deep Transfer Learning with Joint Adaptation Networks, ICML 2017.)

    >>> JAN(seed=1).get_params()["seed"]
    1
    """

    def term(self, network: nn.Module, told: Told, other: tuple[Tensor, Tensor], ramp: float) -> Tensor:
        """The discrepancy of the product."""
        return ramp * mmd([(told.features, other[0]), (told.outputs.softmax(1), other[1].softmax(1))], joint=True)
