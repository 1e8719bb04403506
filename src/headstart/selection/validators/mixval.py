"""Does the candidate keep its answers half-way between target rows?"""

from __future__ import annotations

import numpy as np

from headstart.selection.validators._base import Outlook

SHARE = 0.6  # of the row whose answer should hold


def mixval(outlook: Outlook) -> float:
    """Accuracy on mixtures (0.6 / 0.4) of target rows against the larger share's guessed class; 0 to 1, higher better.

    Half of the value comes from pairs of one predicted class (are they clusters?), half from pairs of different ones
    (does the boundary run between them?). Use it for any shift; it costs one more training. Not on features where a
    mixture of two rows means nothing (one-hot codes), or on very few rows. 0 when all rows fall to one class. (Hu et
    al., Mixed Samples as Probes for Unsupervised Model Selection in Domain Adaptation, NeurIPS 2023.)

    >>> from headstart.selection.validators._example import example
    >>> mixval(example()) > mixval(example(blind=True))
    True
    """
    guessed = outlook.told.argmax(1)
    if len(np.unique(guessed)) < 2:
        return 0.0
    rng = np.random.default_rng(outlook.seed)
    first: list[np.ndarray] = []
    second: list[np.ndarray] = []
    for code in np.unique(guessed):
        rows = rng.permutation(np.flatnonzero(guessed == code))
        first.append(rows)
        second.append(np.roll(rows, 1))  # each with another row of its class
    for code in np.unique(guessed):
        rows = np.flatnonzero(guessed == code)
        first.append(rows)
        second.append(rng.choice(np.flatnonzero(guessed != code), len(rows)))
    a, b = np.concatenate(first), np.concatenate(second)
    a, b = a[a != b], b[a != b]  # a row alone in its class has no partner there
    mixed = SHARE * outlook.target[a] + (1 - SHARE) * outlook.target[b]
    told = outlook.refit(outlook.source, outlook.labels, outlook.target, mixed)
    if not np.isfinite(told).all():
        return 0.0
    kept, within = told.argmax(1) == guessed[a], guessed[a] == guessed[b]
    return float(np.mean([kept[part].mean() for part in (within, ~within) if part.any()]))
