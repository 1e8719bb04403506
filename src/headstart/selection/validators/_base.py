"""What a validator looks at: one candidate's answers on held-out source rows and on the target's unlabelled rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Refit = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Outlook:
    """A candidate as seen without target labels; arrays of n held-out source rows and m target rows, C classes.

    `refit(X, y, other, ask)` trains the same kind of candidate from scratch: adapts labelled rows X, y to unlabelled
    rows `other` and returns the probabilities (k, C) of the rows `ask`, which lie in the domain of `other`.
    """

    held: np.ndarray  # (n, d) features of source rows that the candidate was not trained on
    y: np.ndarray  # (n,) their codes
    told_held: np.ndarray  # (n, C) what the candidate says of them
    source: np.ndarray  # (k, d) features of the source rows that it was trained on
    labels: np.ndarray  # (k,) their codes
    target: np.ndarray  # (m, d) features of the target rows
    told: np.ndarray  # (m, C) what the candidate says of them
    refit: Refit
    seed: int = 0
    maps: bool = False  # the candidate moved features alone and never looked at its own answers for the target
    agreed: bool = False  # it learnt what several candidates agree on, and is judged by the target's clusters as well
    odds: np.ndarray | None = None  # (n,) density ratio target over source at the held rows, where it is known already
