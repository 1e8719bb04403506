"""The simple baseline: accuracy on held-out source rows."""

from __future__ import annotations

from headstart.selection.validators._base import Outlook


def source_accuracy(outlook: Outlook) -> float:
    """Accuracy on source rows that the candidate was not trained on; 0 to 1, higher is better.

    Use it as the value that others must beat, and alone when the shift is small. Not to find the candidate that adapts
    best to a far target: it never looks there. (In many settings no validator beats it: Musgrave et al., Three New
    Validators and a Large-Scale Benchmark Ranking for Unsupervised Domain Adaptation, 2022.)

    >>> from headstart.selection.validators._example import example
    >>> source_accuracy(example()) > source_accuracy(example(blind=True))
    True
    """
    return float((outlook.told_held.argmax(1) == outlook.y).mean())
