"""Only the biases are trained."""

from __future__ import annotations

import numpy as np

from headstart.activations.activations import Activations
from headstart.errors import NotApplicable
from headstart.techniques._head import Network
from headstart.techniques._learner import Recipe
from headstart.techniques._network import Trained


class Bitfit(Trained):
    """Trains the biases (a thousandth of the weights) and the head; every matrix stays as it was.

    Use it where a network must change little and many tasks share it, from some tens of rows a class. Not where the
    network has no biases (LLaMA's kin), nor to save time: the backward pass is nearly that of full fine-tuning. Reads
    the "input" cut, or with `layers` the cut below the last so many stages. (Ben Zaken et al., BitFit, ACL 2022.)

    >>> Bitfit().where(("input", "embeddings", "layer.0", "pooled"))
    'input'
    """

    cost = 4
    usual = Recipe(epochs=6, lr=2e-3, layer_decay=1.0, weight_decay=0.0)

    def begin(self, network: Network, X: Activations, y: np.ndarray) -> None:
        """Freeze all but biases."""
        biases = 0
        for name, parameter in network.suffix.named_parameters():
            parameter.requires_grad_(name.endswith("bias"))
            biases += name.endswith("bias")
        if not biases:
            raise NotApplicable("bitfit: the network has no biases", do="use lora, which adds its own weights")
