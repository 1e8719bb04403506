"""Training of the last layers from the cached boundary."""

from __future__ import annotations

import math

from headstart.techniques._learner import Recipe
from headstart.techniques._network import Trained


class TopLayers(Trained):
    """Trains the last k stages that have weights; all below is frozen, computed once and read from the store.

    Use it from a few hundred rows on: nearly the gain of full fine-tuning for a fraction of the time. Not where the
    first layers are what must change (another camera, another alphabet). Reads the cut below those stages ("tokens" or
    "map"). (Yosinski et al., How transferable are features in deep neural networks?, NeurIPS 2014.)

    >>> TopLayers(layers=2).where(("input", "embeddings", "layer.0", "layer.1", "layer.2", "pooled"))
    'layer.0'
    """

    cost = 3
    unasked = (0, math.inf)
    depth = 1
    usual = Recipe(epochs=6, lr=1e-4)
