"""Linear probe first, then fine-tuning."""

from __future__ import annotations

import math

import numpy as np

from headstart.activations.activations import Activations
from headstart.techniques._head import Network
from headstart.techniques._learner import Recipe
from headstart.techniques._network import Trained


class LpFt(Trained):
    """Fits the head on frozen features, then trains head and last layers together from there.

    Use it where new data may differ from the training rows: a head that already fits does not tear the features apart,
    which keeps accuracy under shift. Not for a handful of rows (the probe alone is better). Reads the cut below the
    last k stages. (Kumar et al., Fine-Tuning can Distort Pretrained Features, ICLR 2022.)

    >>> LpFt(layers=1).where(("input", "layer.0", "layer.1", "pooled"))
    'layer.0'
    """

    cost = 3
    unasked = (0, math.inf)
    depth = 2
    usual = Recipe(epochs=3, lr=1e-4, head_lr=5e-4)  # gentle everywhere: the head is already right

    def begin(self, network: Network, X: Activations, y: np.ndarray) -> None:
        """Put the probe's solution into the head."""
        self._start_head(network, X, y)
