"""Linear probe first, then fine-tuning."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from headstart.activations.activations import Activations
from headstart.techniques._linear import class_weights, logistic, ridge_path, targets
from headstart.techniques._loop import Recipe, outputs
from headstart.techniques._network import Network, Trained

STRENGTHS = (3e-4, 3e-3, 3e-2, 0.3)


class LpFt(Trained):
    """Fits the head on frozen features, then trains head and last layers together from there.

    Use it where new data may differ from the training rows: a head that already fits does not tear the features apart,
    which keeps accuracy under shift. Not for a handful of rows (the probe alone is better). Reads the cut below the
    last k stages. (Kumar et al., Fine-Tuning can Distort Pretrained Features, ICLR 2022.)

    >>> LpFt(layers=1).where(("input", "layer.0", "layer.1", "pooled"))
    'layer.0'
    """

    cost = 3

    def __init__(
        self, layers: int = 2, epochs: float = 3, lr: float = 1e-4, seconds: float | None = None, seed: int = 0
    ) -> None:
        self.layers = layers
        self.epochs = epochs
        self.lr = lr
        self.seconds = seconds
        self.seed = seed

    def where(self, cuts: Sequence[str]) -> str:
        """The cut below the last k stages (the pooling above them has no weights)."""
        return cuts[max(0, len(cuts) - 2 - self.layers)]

    def recipe(self) -> Recipe:
        """Gentle everywhere: the head is already right."""
        return Recipe(epochs=self.epochs, lr=self.lr, head_lr=5e-4, seconds=self.seconds, seed=self.seed)

    def begin(self, network: Network, X: Activations, y: np.ndarray) -> None:
        """Put the probe's solution into the head."""
        with torch.inference_mode():
            vectors = torch.from_numpy(outputs(network.suffix, X).copy())
            scaled = network.scale.eval().cpu()(vectors).numpy().astype(np.float64)
        if self.target_kind_ == "number":
            fit = ridge_path(scaled, targets((y - self.centre_) / self.spread_), class_weights(y))
            coef, intercept = fit.coef, fit.intercept
        else:
            coef, intercept, _ = logistic(scaled, y, class_weights(y), STRENGTHS, self.seed)
            if self.target_kind_ == "label" and coef.shape[1] == 1:  # two classes: one logit becomes two
                coef, intercept = np.c_[-coef / 2, coef / 2], np.r_[-intercept / 2, intercept / 2]
        with torch.no_grad():
            network.head.weight.copy_(torch.from_numpy(coef.T))
            network.head.bias.copy_(torch.from_numpy(np.atleast_1d(intercept)))
