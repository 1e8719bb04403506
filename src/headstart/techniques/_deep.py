"""What techniques share that learn beside unlabelled rows of another domain: a bottleneck, a ramp, the term's place."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any, ClassVar, Self

import numpy as np
from torch import Tensor, nn

from headstart._words import counted
from headstart.activations.activations import Activations
from headstart.errors import NotApplicable
from headstart.techniques._head import Network
from headstart.techniques._learner import Recipe
from headstart.techniques._network import Trained
from headstart.techniques._objective import Told

STEEP = 10.0  # how soon the term's coefficient rises (Ganin et al. 2016)
WIDTH = 256  # features of the bottleneck
LEAST = 10  # target rows: fewer tell nothing about a domain


def ramp(done: float) -> float:
    """Coefficient of a domain term at a share of the training: 0 at first, so that noise teaches nothing, then 1.

    2 / (1 + exp(-10 p)) - 1 (Ganin et al., Domain-Adversarial Training of Neural Networks, JMLR 2016).

    >>> [round(ramp(p), 3) for p in (0.0, 0.1, 0.5, 1.0)]
    [0.0, 0.462, 0.987, 1.0]
    """
    return 2 / (1 + math.exp(-STEEP * done)) - 1


class Bottleneck(Network):
    """A network whose head reads a few learnt features of the standardised vectors: what domains are compared in."""

    def __init__(self, suffix: nn.Module, width: int, outs: int, narrow: int) -> None:
        super().__init__(suffix, width, outs)
        self.neck = nn.Sequential(nn.Linear(width, narrow), nn.ReLU())
        self.head = nn.Linear(narrow, outs)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def features(self, values: Tensor, mask: Tensor | None = None) -> Tensor:
        """(n, narrow): what the head reads and domains are compared in."""
        out: Tensor = self.neck(self.scale(super().features(values, mask))).float()
        return out

    def told(self, features: Tensor) -> Tensor:
        """(n, k) logits."""
        out: Tensor = self.head(features)
        return out


class Deep(Trained):
    """Base of techniques that add a term of source and unlabelled target rows to the loss of the source's labels.

    The loss is CE(source) + weight * term. A technique writes `term`, which ramps its part of the gradient, and in
    `partners` the modules that it trains besides and that go afterwards. `layers` stages below the pooled vectors are
    trained too; with 0 the bottleneck and the head alone, on stored vectors. No target label is asked for anywhere.
    All rows are trained on and the last weights are kept: held-out source rows would stop it where the source is best.
    """

    accepts = frozenset({"tokens", "map", "ids", "pixels", "vector"})
    learns = frozenset({"label"})
    needs_target = True
    cost = 3
    depth = 0
    few: ClassVar[int] = 1 << 62
    usual = Recipe(epochs=20, least=400, lr=1e-4, head_lr=1e-3, batch=32)

    def __init__(
        self, weight: float = 1.0, layers: int | None = None, epochs: float | None = None,
        lr: float | None = None, seconds: float | None = None, seed: int = 0, training: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(layers, epochs, lr, seconds, seed, training)
        self.weight = weight

    @abstractmethod
    def term(self, network: Network, told: Told, other: tuple[Tensor, Tensor], ramp: float) -> Tensor:
        """What to add to the loss of a batch: `other` holds features and outputs of target rows, `ramp` goes 0 to 1."""

    def partners(self) -> dict[str, nn.Module]:
        """Modules by name that are trained beside the network and then forgotten."""
        return {}

    def where(self, cuts: Any) -> str:
        """The cut below the last so many stages that have weights; with 0, the vectors themselves."""
        none = (self.depth if self.layers is None else self.layers) == 0
        return str(cuts[-1]) if none else super().where(cuts)

    def network(self, suffix: nn.Module) -> Network:
        """The stages above the cut, a bottleneck, a head."""
        return Bottleneck(suffix, self.width_, self.n_outputs_, WIDTH)

    def fit(
        self, X: Activations, y: np.ndarray, *, sample_weight: np.ndarray | None = None, target: Any = None
    ) -> Self:
        """Train on labelled rows X beside the unlabelled rows `target`, activations of the same cut.

        NotApplicable without such rows, or where they were read by another network.
        """
        self.beside = unlabelled(type(self).__module__.rpartition(".")[2], X, target)
        try:
            return super().fit(X, y, sample_weight=sample_weight)
        finally:
            del self.beside

    def begin(self, network: Network, X: Activations, y: np.ndarray) -> None:
        """Put the partners where their weights are trained and kept in checkpoints."""
        if len(np.unique(y)) < 2:
            raise NotApplicable("the source domain has one class only", expected="two or more")
        for name, module in self.partners().items():
            network.add_module(name, module.to(network.head.weight.device))

    def at(self, network: Network, done: float) -> None:
        """How far the ramp is."""
        self._ramp = ramp(done)

    def loss(self, network: Network, told: Told) -> Tensor:
        """Of the source's labels, and the term between the domains."""
        own = super().loss(network, told)
        if told.other is None:  # a step in so many parts that none of the target's rows is in this one
            return own
        return own + self.weight * told.share * self.term(network, told, told.other, self._ramp)

    def finish(self, network: Network, *_: Any) -> None:
        """The partners go."""
        for name in self.partners():
            delattr(network, name)


def unlabelled(name: str, X: Activations, target: Any) -> Activations:
    """The rows of the target domain in an order of their own, if they can be used beside X."""
    if not isinstance(target, Activations):
        raise NotApplicable(
            f"{name} was given no rows of the target domain",
            expected="fit(X, y, target=Activations of unlabelled rows)",
            do=f"run: headstart adapt --source LABELLED --target UNLABELLED --technique {name}",
        )
    if (target.cut, target.kind) != (X.cut, X.kind):
        raise NotApplicable(
            f"source rows are {X.kind} of the cut {X.cut!r}, target rows {target.kind} of {target.cut!r}",
            expected="both domains read by one network at one cut",
        )
    if len(target) < LEAST:
        raise NotApplicable(f"the target domain has {counted(len(target))}", expected=f"at least {LEAST}")
    for domain, rows in (("source", X), ("target", target)) if X.kind == "vector" else ():
        if bad := int((~np.isfinite(np.asarray(rows, dtype=np.float64))).any(1).sum()):
            raise NotApplicable(f"NaN or infinite features in {counted(bad, domain)}", expected="finite numbers")
    return target[np.argsort(target.ids, kind="stable")]  # the order that they came in decides nothing
