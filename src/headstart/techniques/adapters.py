"""Small bottleneck networks between frozen stages."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from headstart._compute import device
from headstart.activations.activations import Activations
from headstart.errors import NotApplicable
from headstart.techniques._forward import tensors
from headstart.techniques._head import Network
from headstart.techniques._learner import Recipe
from headstart.techniques._network import Trained


class Adapters(Trained):
    """Puts a small residual network, down to `width` and up again, after every frozen stage; only these are trained.

    Use it as lora, where one frozen network serves several tasks: the stages stay bit for bit, what is new lies between
    them. Not where latency counts: unlike lora's products the bottlenecks stay. Stages of tokens and maps; `layers` as
    elsewhere. (Houlsby et al., Parameter-Efficient Transfer Learning for NLP, ICML 2019; Rebuffi et al., Learning
    multiple visual domains with residual adapters, NeurIPS 2017.)

    >>> Adapters(layers=1).where(("input", "embeddings", "layer.0", "layer.1", "pooled"))
    'layer.0'
    """

    cost = 4
    usual = Recipe(epochs=6, lr=2e-3, layer_decay=1.0, weight_decay=0.0)

    def __init__(
        self, width: int = 16, layers: int | None = None, epochs: float | None = None,
        lr: float | None = None, seconds: float | None = None, seed: int = 0, training: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(layers, epochs, lr, seconds, seed, training)
        self.width = width

    def fit(self, X: Activations, y: np.ndarray, *, sample_weight: np.ndarray | None = None, target: Any = None) -> Any:
        """See what comes out of each stage, then train."""
        self.shapes_ = _shapes(X)
        return super().fit(X, y, sample_weight=sample_weight, target=target)

    def wrap(self, network: Network) -> None:
        """Freeze the stages and put a bottleneck after each."""
        network.suffix.requires_grad_(False)
        steps: Any = network.get_submodule("suffix.steps")
        for name, (channels, dims) in self.shapes_.items():
            steps[name] = _Adapted(steps[name], channels, self.width, dims)


class _Adapted(nn.Module):
    def __init__(self, stage: nn.Module, channels: int, width: int, dims: int) -> None:
        super().__init__()
        self.stage = stage
        make: Any = nn.Linear if dims == 3 else lambda a, b: nn.Conv2d(a, b, 1)
        self.down, self.up = make(channels, width), make(width, channels)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        x = self.stage(x, mask)
        out: Tensor = x + self.up(nn.functional.gelu(self.down(x)))
        return out


@torch.inference_mode()
def _shapes(X: Activations) -> dict[str, list[int]]:
    """Channels and dimensions of what each stage gives out, of those that give tokens or maps."""
    suffix: Any = X.suffix().to(device()).eval()
    shapes = {}

    def note(name: str, out: Tensor) -> None:
        if out.ndim in (3, 4):
            shapes[name] = [int(out.shape[1] if out.ndim == 4 else out.shape[2]), out.ndim]

    hooks = [
        m.register_forward_hook(lambda _m, _i, out, name=name: note(name, out)) for name, m in suffix.steps.items()
    ]
    suffix(*tensors(X, np.arange(1)))
    for hook in hooks:
        hook.remove()
    if not shapes:
        raise NotApplicable("adapters: no stage above this cut gives tokens or maps", do="use bitfit or lora")
    return shapes
