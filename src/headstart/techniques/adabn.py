"""BatchNorm with the statistics of the target: nothing but these is learnt from it."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import torch
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import update_bn

from headstart._compute import device
from headstart.activations.activations import Activations
from headstart.errors import NotApplicable
from headstart.techniques._deep import unlabelled
from headstart.techniques._forward import tensors
from headstart.techniques._head import Network
from headstart.techniques._linear import class_weights
from headstart.techniques._network import Trained, fit_head, standardise

BLOCK = 64  # rows whose statistics are taken at once, and then averaged


class AdaBN(Trained):
    """Replaces the statistics of every BatchNorm above the cut by those of the target; no weight of the network moves.

    Use it with convolutional networks where the domains differ in camera, light or style, and the classes have like
    shares. Not on transformers (they have no BatchNorm) nor with a few dozen target rows. The linear head is the
    probe's solution on vectors that were normalised with the source's own statistics; what it reads afterwards is
    normalised with the target's. The standardising of the vectors counts as a BatchNorm. `layers` as elsewhere, 1 by
    default. (Li et al., Revisiting Batch Normalization For Practical Domain Adaptation, 2016.)

    >>> AdaBN().where(("input", "blocks.0", "head", "pooled"))
    'blocks.0'
    """

    accepts = frozenset({"map", "pixels"})
    learns = frozenset({"label"})
    needs_target = True
    cost = 2
    depth = 1

    def __init__(self, layers: int | None = None, seed: int = 0) -> None:
        self.layers = layers
        self.seed = seed

    @property
    def views(self) -> int:
        """None: nothing is trained."""
        return 0

    def fit(
        self, X: Activations, y: np.ndarray, *, sample_weight: np.ndarray | None = None, target: Any = None
    ) -> Self:
        """The source's statistics and a head, then the target's statistics; the head's classes count alike, always."""
        kind, other = self._check(y), unlabelled("adabn", X, target)
        torch.manual_seed(self.seed)
        network = self._build(X.suffix(), X)
        if not any(isinstance(m, _BatchNorm) for m in network.suffix.modules()):
            raise NotApplicable(
                f"adabn: there is no BatchNorm above the cut {X.cut!r}",
                expected="a convolutional network, cut below one",
                do="raise layers, or use mcc or dann",
            )
        normalise(network, X)
        fit_head(network, X, y, class_weights(y), kind, self.seed)
        normalise(network, other)
        self.network_ = network.cpu().eval()
        return self


def normalise(network: Network, X: Activations) -> None:
    """Every BatchNorm's mean and variance from these rows, the standardising of the vectors last."""
    order = np.array_split(np.random.default_rng(0).permutation(len(X)), -(-len(X) // BLOCK))
    suffix = network.suffix.to(device())
    with torch.inference_mode():
        update_bn((tensors(X, rows)[0] for rows in order), suffix)
    suffix.eval()
    standardise(network, X, most=len(X))
