"""Are there more test rows far from what the model knows than there should be?"""

from __future__ import annotations

import numpy as np

from headstart.audit._base import LEVEL, Check, Evidence, Finding
from headstart.audit._familiar import SHARE, Familiar
from headstart.audit._vectors import MOST, some, vectors

NAMED = 20


class Ood(Check):
    """More test rows beyond the threshold that 95 % of the validation rows keep than chance brings.

    Use it on rows from elsewhere; on a random split it speaks in at most `level` of the cases, exactly: of exchangeable
    rows the number beyond a rank among held-out rows is beta-binomial, whatever the distribution. How the distance is
    measured: `Familiar`. From `share` of the rows on it is a warning. Names the farthest rows. Not a test of single
    rows: 5 % lie beyond where nothing is wrong.

    >>> from headstart.audit._example import evidence
    >>> Ood()(evidence())
    []
    >>> strange = evidence().values + 2.0 * (evidence().split == "test")[:, None]
    >>> [(f.code, f.severity) for f in Ood()(evidence(values=strange))]
    [('ood:far', 'warning')]
    """

    def __init__(self, level: float = LEVEL, share: float = 0.15) -> None:
        self.level = level
        self.share = share

    def __call__(self, evidence: Evidence) -> list[Finding]:
        known = some(evidence.of("train"), MOST, evidence.seed)
        held, test = (some(evidence.of(s), MOST, evidence.seed) for s in ("valid", "test"))
        X = vectors(evidence, known) if len(known) else evidence.values
        familiar = Familiar().fit(X[known], X[held])
        apart = familiar.distance(X[test])
        beyond = apart > familiar.limit_
        p = familiar.chance(int(beyond.sum()), len(test))
        if p > self.level:
            return []
        farthest = np.argsort(-apart, kind="stable")[: min(NAMED, int(beyond.sum()))]
        return [
            Finding(
                code="ood:far",
                title=f"{beyond.mean():.0%} of the test rows lie further from the training rows than {SHARE:.0%} of"
                " validation rows do",
                severity="warning" if beyond.mean() >= self.share else "info",
                do="Look at the farthest; label some like them, or leave them to a person.",
                evidence={
                    "share": round(float(beyond.mean()), 4), "expected": round(1 - SHARE, 2), "p": p,
                    "suspects": [
                        {
                            "position": int(test[i]), "row": evidence.name(int(test[i])),
                            "times the limit": round(float(apart[i] / familiar.limit_), 2),
                        }
                        for i in farthest
                    ],
                },
            )
        ]  # fmt: skip
