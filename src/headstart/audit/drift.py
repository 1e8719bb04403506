"""Do rows from elsewhere, or from later, follow another distribution than those that were learnt from?"""

from __future__ import annotations

import numpy as np

from headstart.audit._base import LEVEL, Check, Evidence, Finding
from headstart.audit._shift import shift
from headstart.audit._vectors import some, vectors
from headstart.errors import NotApplicable

MOST = 400  # rows a side: the tests' time grows with their square
NAMED = 20


class Drift(Check):
    """A shift between training rows and test rows that did not come from the same draw.

    Use it for new rows (`headstart audit RUN --data NEW`) and for a split of the user's own, by time or site. Two
    permutation tests, at most one false alarm in a hundred in all; what kind of shift it is and the most foreign rows
    are in the evidence (`audit._shift.shift`). With a domain classifier's AUC of `auc` or more it is a warning, below a
    note: with many rows the smallest difference is found. Not for rows that a hash split: they are one draw, and rows
    of one owner look surer of a shift than they are.

    >>> from headstart.audit._example import evidence
    >>> Drift()(evidence(own_split=True))
    []
    >>> moved = evidence().values + 0.6 * (evidence().split == "test")[:, None]
    >>> [(f.code, f.severity) for f in Drift()(evidence(values=moved, own_split=True))]
    [('drift:shift', 'warning')]
    """

    def __init__(self, auc: float = 0.7) -> None:
        self.auc = auc

    def __call__(self, evidence: Evidence) -> list[Finding]:
        if not evidence.own_split:
            raise NotApplicable("test and training rows are one draw, split by hash", expected="rows from elsewhere")
        known = some(evidence.of("train"), MOST, evidence.seed)
        test = some(evidence.of("test"), MOST, evidence.seed)
        if not len(known):
            raise NotApplicable("the rows that were learnt from are not here", expected="the run's own data")
        X = vectors(evidence, known)
        is_label = evidence.kind == "label"
        y = evidence.target[known] if is_label else None
        told = evidence.scores[np.searchsorted(evidence.of("test"), test)] if is_label else None
        found = shift(X[known], X[test], told, y, seed=evidence.seed)
        if not found.is_shift:
            return []
        return [
            Finding(
                code="drift:shift",
                title=f"Test rows follow another distribution than training rows (domain AUC {found.auc:.2f})",
                severity="warning" if found.auc >= self.auc else "info",
                do="Expect another quality here; train on such rows where some are labelled, else try headstart adapt.",
                evidence={
                    "auc": round(found.auc, 4), "auc_p": found.auc_p, "mmd_p": found.mmd_p, "level": LEVEL,
                    "kinds": [list(pair) for pair in found.kinds],
                    "suspects": [
                        {"position": int(test[i]), "row": evidence.name(int(test[i]))} for i in found.far[:NAMED]
                    ],
                },
            )
        ]  # fmt: skip
