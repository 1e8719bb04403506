"""Accuracy on held-out source rows, those that look like the target counting more."""

from __future__ import annotations

from headstart.selection.validators._base import Outlook
from headstart.selection.validators._ratio import weights


def importance_weighted(outlook: Outlook) -> float:
    """Accuracy on held-out source rows weighted by the density ratio target / source; 0 to 1, higher is better.

    Use it under covariate shift with overlap: some source rows must look like target rows. Not where the domains lie
    apart (all weights end up at the clip, and it becomes plain source accuracy) or where labels mean something else in
    the target. (Sugiyama et al., Covariate Shift Adaptation by Importance Weighted Cross Validation, JMLR 2007.)

    >>> from headstart.selection.validators._example import example
    >>> importance_weighted(example()) > importance_weighted(example(blind=True))
    True
    """
    weight = weights(outlook)
    right = outlook.told_held.argmax(1) == outlook.y
    return float(weight @ right / weight.sum())
