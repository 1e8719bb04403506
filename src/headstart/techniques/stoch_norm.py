"""Fine-tuning in which BatchNorm takes the batch's statistics or the old ones by chance."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from headstart._compute import device
from headstart.activations.activations import Activations
from headstart.errors import NotApplicable
from headstart.techniques._head import Network
from headstart.techniques._learner import Recipe
from headstart.techniques._network import Trained


class StochNorm(Trained):
    """Normalises each channel with the pre-trained statistics with probability p, else with those of the batch.

    Use it on convolutional networks with few rows: noise of the right size against overfitting. Not on transformers
    (they have no BatchNorm), nor after self-supervised pre-training, where the paper's tables show it to hurt. What is
    kept are plain BatchNorms with the pre-trained statistics, where the paper moves them. Reads the "input" cut;
    `layers` as elsewhere. (Kou et al., Stochastic Normalization, NeurIPS 2020.)

    >>> StochNorm(p=0.7).get_params()["p"]
    0.7
    """

    accepts = frozenset({"map", "pixels"})
    cost = 4
    usual = Recipe(epochs=4, lr=1e-4)

    def __init__(
        self, p: float = 0.5, layers: int | None = None, epochs: float | None = None,
        lr: float | None = None, seconds: float | None = None, seed: int = 0, training: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(layers, epochs, lr, seconds, seed, training)
        self.p = p

    def suited(self, kind: str) -> None:
        """NotApplicable also for a probability above 1."""
        super().suited(kind)
        if self.p > 1:
            raise NotApplicable(f"p={self.p}", expected="a probability")

    def begin(self, network: Network, X: Activations, y: np.ndarray) -> None:
        """Put a stochastic one in the place of each BatchNorm."""
        found = [n for n, m in network.suffix.named_modules() if isinstance(m, _BatchNorm)]
        if not found:
            raise NotApplicable("stoch_norm: there is no BatchNorm above this cut", do="use l2_sp or bss")
        for name in found:
            norm: Any = network.suffix.get_submodule(name)
            network.suffix.set_submodule(name, Stochastic(norm, self.p).to(device()))

    def finish(self, network: Network, *_: Any) -> None:
        """Put them back, with the scales and shifts that were learnt."""
        for name, module in list(network.suffix.named_modules()):
            if isinstance(module, Stochastic):
                network.suffix.set_submodule(name, module.norm.eval())


class Stochastic(nn.Module):
    """One BatchNorm, by chance with the statistics that it came with."""

    def __init__(self, norm: Any, p: float) -> None:
        super().__init__()
        self.norm, self.p = norm, p

    def forward(self, x: Tensor) -> Tensor:
        """The same shape; also the activation that timm keeps inside its norms."""
        old: Tensor = self.norm(x)
        if not self.training or x.numel() // x.shape[1] < 2:
            return old
        norm = self.norm
        new = nn.functional.batch_norm(x, None, None, norm.weight, norm.bias, training=True, eps=norm.eps)
        if hasattr(norm, "act"):
            new = norm.act(norm.drop(new))
        shape = (1, x.shape[1], *[1] * (x.ndim - 2))
        return torch.where(torch.rand(shape, device=x.device) < self.p, old, new)
