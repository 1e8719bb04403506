"""Domain-adversarial training: features from which no network can tell the domain."""

from __future__ import annotations

from torch import Tensor, nn

from headstart.techniques._adversary import domain_loss, judge, reverse
from headstart.techniques._deep import WIDTH, Deep
from headstart.techniques._objective import Told


class DANN(Deep):
    """Trains features against a discriminator that tells the domains apart by them.

    Use it where source and target hold the same classes in like shares and differ in look, and hundreds of target rows
    are at hand. Not where the shares of the classes differ (making the domains alike then mixes classes) nor with a few
    dozen rows. The discriminator's gradient is turned round, times a ramp, on its way to the features. `layers` as
    elsewhere; with 0, the default, a bottleneck of 256 features learns on pooled vectors (n, d). Needs `target=`,
    unlabelled rows. (Ganin et al., Domain-Adversarial Training of Neural Networks, JMLR 2016.)

    >>> DANN(layers=1).where(("input", "layer.0", "layer.1", "pooled")), DANN().where(("input", "pooled"))
    ('layer.0', 'pooled')
    """

    def partners(self) -> dict[str, nn.Module]:
        """The discriminator."""
        return {"judge": judge(WIDTH)}

    def term(self, network: nn.Module, told: Told, other: tuple[Tensor, Tensor], ramp: float) -> Tensor:
        """How badly the domains are told apart, as the discriminator is to lower it and the features to raise it."""
        discriminate = network.get_submodule("judge")
        return domain_loss(discriminate(reverse(told.features, ramp)), discriminate(reverse(other[0], ramp)))
