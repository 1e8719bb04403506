"""There and back: does a model of the target's guessed labels know the source's true ones?"""

from __future__ import annotations

import numpy as np

from headstart.selection.validators._base import Outlook


def circular(outlook: Outlook) -> float:
    """Adapt back from the target with its predicted labels, and take the accuracy on the source; 0 to 1, higher better.

    Use it to compare candidates that adapt: a bad mapping seldom leads back to right answers. It costs one more
    training. Not to find that a model without adaptation fails: one that takes its own answers as labels learns its own
    boundary again, and errors that are symmetric cancel. 0 when all rows fall to one class or the way back yields no
    numbers. (Bruzzone and Marconcini, Domain Adaptation Problems: A DASVM Classification Technique and a Circular
    Validation Strategy, TPAMI 2010.)

    >>> from headstart.selection.validators._example import example
    >>> circular(example()) > circular(example(blind=True))
    True
    """
    guessed = outlook.told.argmax(1)
    if len(np.unique(guessed)) < 2:
        return 0.0
    back = outlook.refit(outlook.target, guessed, outlook.source, outlook.source)
    return float((back.argmax(1) == outlook.labels).mean()) if np.isfinite(back).all() else 0.0
