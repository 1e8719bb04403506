"""How sure the candidate is of its answers on the target."""

from __future__ import annotations

import numpy as np
from scipy.special import entr

from headstart.selection.validators._base import Outlook


def entropy(outlook: Outlook) -> float:
    """Negative mean entropy (nats) of the target predictions; at most 0, higher is better.

    Use it beside others, among candidates whose probabilities are calibrated alike. Not alone: a candidate that gives
    every row the same sure answer reaches 0, the best value. (Morerio et al., Minimal-Entropy Correlation Alignment for
    Unsupervised Deep Domain Adaptation, ICLR 2018.)

    >>> from dataclasses import replace
    >>> from headstart.selection.validators._example import example
    >>> round(entropy(replace(example(), told=np.array([[1.0, 0.0], [0.5, 0.5]]))), 4)
    -0.3466
    """
    return -float(entr(np.asarray(outlook.told, dtype=np.float64)).sum(1).mean())
