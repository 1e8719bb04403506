"""Log expected empirical prediction: do the classes that a network was pre-trained on tell the new ones?"""

from __future__ import annotations

import numpy as np


def leep(told: np.ndarray, y: np.ndarray) -> float:
    """Mean log of the probability that the old classes, through a table of counts, give each row's own class.

    Use it to compare networks that bring the classifier they were pre-trained with; 0 is best. Not without such a
    classifier, and not between data sets, whose number of classes moves it. `told` (n, Z) are that classifier's
    probabilities of its own classes, `y` (n,) the codes of the new ones. (Nguyen et al., LEEP: A New Measure to
    Evaluate Transferability of Learned Representations, ICML 2020.)

    >>> leep(np.repeat(np.eye(2), 5, axis=0), np.repeat([0, 1], 5))
    0.0
    """
    told = np.asarray(told, dtype=np.float64)
    shares = np.eye(int(y.max()) + 1)[y].T @ told  # (C, Z)
    mass = told.sum(0)
    given = np.divide(shares, mass, out=np.zeros_like(shares), where=mass > 0)
    return float(np.log(np.maximum((told * given[y]).sum(1), 1e-300)).mean())
