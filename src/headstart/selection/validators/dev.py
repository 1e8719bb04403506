"""Importance-weighted risk with a control variate, so that a few heavy rows do not decide."""

from __future__ import annotations

import numpy as np

from headstart.selection.validators._base import Outlook
from headstart.selection.validators._ratio import weights


def dev(outlook: Outlook) -> float:
    """Deep embedded validation: the weighted 0/1 risk of held-out source rows, negated; higher is better.

    Use it like importance weighting, where weights vary much. Not on few held rows: the correction divides by the
    weights' variance and can leave the range 0..1, and then order candidates wrongly. (You et al., Towards Accurate
    Model Selection in Deep Unsupervised Domain Adaptation, ICML 2019.)

    >>> from headstart.selection.validators._example import example
    >>> dev(example()) > dev(example(blind=True))
    True
    """
    weight = weights(outlook)
    return -_risk(weight, (outlook.told_held.argmax(1) != outlook.y).astype(np.float64))


def _risk(weight: np.ndarray, loss: np.ndarray) -> float:
    """Mean weighted loss, corrected by how far the mean weight is from one."""
    variance = float(np.var(weight, ddof=1)) if len(weight) > 1 else 0.0
    eta = -float(np.cov(weight * loss, weight)[0, 1]) / variance if variance > 1e-12 else 0.0
    return float(np.mean(weight * loss)) + eta * float(np.mean(weight)) - eta
