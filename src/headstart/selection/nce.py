"""Negative conditional entropy: how much of the new classes is settled once the old class is known?"""

from __future__ import annotations

import numpy as np


def nce(told: np.ndarray, y: np.ndarray) -> float:
    """Minus the entropy of the new class given the likeliest old one, in nats; 0 is best.

    Use it beside `leep`, of which it is the hard version; with few rows an old class that one row alone is given
    settles that row, so that it flatters. `told` (n, Z) are the probabilities that the pre-training's classifier gives
    its own classes, `y` (n,) the codes of the new ones. (Tran et al., Transferability and Hardness of Supervised
    Classification Tasks, ICCV 2019.)

    >>> nce(np.repeat(np.eye(2), 4, axis=0), np.repeat([0, 1], 4)), round(nce(np.ones((8, 1)), np.tile([0, 1], 4)), 4)
    (0.0, -0.6931)
    """
    counts = np.zeros((told.shape[1], int(y.max()) + 1))
    np.add.at(counts, (told.argmax(1), y), 1)
    joint = counts / len(y)
    given = np.divide(joint, joint.sum(1, keepdims=True), out=np.ones_like(joint), where=joint > 0)
    return float((joint * np.log(given)).sum())
