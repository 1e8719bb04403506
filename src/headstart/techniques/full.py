"""Fine-tuning of the whole network."""

from __future__ import annotations

import math

from headstart.techniques._learner import Recipe
from headstart.techniques._network import Trained


class Full(Trained):
    """Trains every weight, from the input up, lower stages more gently than higher ones.

    Use it from some 16 rows a class on, or where the task is far from what the network was taught. Not with fewer,
    where the last layers alone do as well, nor where seconds count. Reads the "input" cut ("ids" or "pixels").
    (Howard and Ruder, ULMFiT, ACL 2018, for the lower rates of lower layers.)

    >>> Full(epochs=1).get_params()["epochs"]
    1
    """

    cost = 4
    unasked = (16, math.inf)
    usual = Recipe(epochs=4, lr=1e-4)
