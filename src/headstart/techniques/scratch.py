"""The same network, trained from nothing: what pre-training is measured against."""

from __future__ import annotations

import math

from headstart.techniques._learner import Recipe
from headstart.techniques._network import Trained


class Scratch(Trained):
    """Trains the backbone's architecture from untrained weights on the rows at hand.

    Use it as the control of every claim: it always runs, and where it wins it ships. Reads the "input" cut ("ids" or
    "pixels"). BatchNorm statistics follow the data here, because there are none to keep.

    >>> Scratch(epochs=1).get_params()["epochs"]
    1
    """

    cost = 4
    unasked = (0, math.inf)
    fresh = True
    usual = Recipe(
        epochs=20, lr=5e-4, head_lr=5e-4, layer_decay=1.0, weight_decay=0.05, norm_learns=True, patience=5
    )  # fmt: skip
