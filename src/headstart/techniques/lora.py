"""Low-rank updates of frozen matrices."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from torch import nn

from headstart.activations.activations import Activations
from headstart.errors import NotApplicable
from headstart.techniques._head import Network
from headstart.techniques._learner import Recipe
from headstart.techniques._loop import Held
from headstart.techniques._network import Trained


class Lora(Trained):
    """Trains a product of two thin matrices beside each frozen one, W + (2r/r) BA, and adds it in at the end.

    Use it for networks too large to keep an optimiser's state for, and where few weights should move: from some tens
    of rows a class. Not for tiny networks, where full fine-tuning is as quick. `variant`: "lora", "rslora" (over the
    root of the rank: ranks above 16), "dora" (length and direction apart: slower). Linear layers and convolutions
    without groups are adapted; `layers` as elsewhere. What is kept is a plain network: no peft is needed to predict.
    (Hu et al., LoRA, ICLR 2022; Kalajdzievski, rsLoRA, 2023; Liu et al., DoRA, ICML 2024.)

    >>> Lora(layers=1).where(("input", "embeddings", "layer.0", "layer.1", "pooled"))
    'layer.0'
    """

    cost = 4
    usual = Recipe(epochs=6, lr=5e-4, layer_decay=1.0, weight_decay=0.0)

    def __init__(
        self, rank: int = 8, variant: Literal["lora", "rslora", "dora"] = "lora", layers: int | None = None,
        epochs: float | None = None, lr: float | None = None, seconds: float | None = None, seed: int = 0,
        training: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(layers, epochs, lr, seconds, seed, training)
        self.rank = rank
        self.variant = variant

    def begin(self, network: Network, X: Activations, y: np.ndarray) -> None:
        """Freeze all, and let peft put its layers around those that it can adapt."""
        from peft import LoraConfig, inject_adapter_in_model

        names = [n for n, m in network.suffix.named_modules() if _adaptable(m)]
        if not names:
            raise NotApplicable("lora: no linear layer or plain convolution above this cut", do="use bitfit, or layers")
        config = LoraConfig(
            r=self.rank, lora_alpha=2 * self.rank, target_modules=names,
            use_rslora=self.variant == "rslora", use_dora=self.variant == "dora",
        )  # fmt: skip
        inject_adapter_in_model(config, network.suffix)  # freezes the rest

    def finish(self, network: Network, X: Activations, y: np.ndarray, held: Held | None) -> None:
        """Add the products to the matrices and take peft's layers away."""
        from peft.tuners.tuners_utils import BaseTunerLayer

        for name, module in list(network.suffix.named_modules()):
            if isinstance(module, BaseTunerLayer):
                module.merge()
                network.suffix.set_submodule(name, module.get_base_layer())


def _adaptable(module: nn.Module) -> bool:
    return type(module) is nn.Linear or (isinstance(module, nn.Conv2d) and module.groups == 1)
