"""Are there rows unlike all others: broken pictures, empty pages, texts in another language?"""

from __future__ import annotations

import numpy as np
from scipy.stats import false_discovery_control

from headstart._words import counted
from headstart.audit._base import LEVEL, Check, Evidence, Finding
from headstart.audit._vectors import MOST, distance, some, vectors
from headstart.errors import NotApplicable

FEWEST = 50
BODY, SHOULDER = 0.75, 0.95  # quantiles between which the tail's steepness is measured
NAMED = 20


class Outliers(Check):
    """Rows whose ten nearest neighbours are much further away than those of other rows.

    Use it to find rows that should not be there; not for rare classes, which are far from the others, too, but near to
    each other. Distances are taken on the logarithm; beyond the upper quarter they are given an exponential tail (the
    heaviest that distances of one cloud show), whose steepness is read between the 75 % and the 95 % quantile, so that
    up to 5 % outliers do not bend it. Rows are named by Benjamini and Hochberg (1995) at `level`: where no row is an
    outlier, none is named in all but that share of data sets. The distance: Ramaswamy et al., Efficient Algorithms for
    Mining Outliers, SIGMOD 2000.

    >>> from headstart.audit._example import evidence
    >>> Outliers()(evidence())
    []
    >>> values = evidence().values.copy()
    >>> values[5] = 9.0
    >>> [s["position"] for f in Outliers()(evidence(values=values)) for s in f.evidence["suspects"]]
    [5]
    """

    def __init__(self, level: float = LEVEL) -> None:
        self.level = level

    def __call__(self, evidence: Evidence) -> list[Finding]:
        rows = some(np.arange(len(evidence.split)), MOST, evidence.seed)
        if len(rows) < FEWEST:
            raise NotApplicable(counted(len(rows)), expected=f"at least {FEWEST}")
        X = vectors(evidence, rows)[rows]
        apart = np.log(np.maximum(distance(X, X, same=True), 1e-12))
        body, shoulder = np.quantile(apart, [BODY, SHOULDER])
        steep = max(float(shoulder - body), 1e-9) / np.log((1 - BODY) / (1 - SHOULDER))
        p = np.where(apart > body, (1 - BODY) * np.exp(-np.maximum(apart - body, 0) / steep), 1.0)
        named = np.flatnonzero(false_discovery_control(p) <= self.level)
        if not len(named):
            return []
        named = named[np.argsort(-apart[named], kind="stable")]
        usual = float(np.exp(np.median(apart)))
        return [
            Finding(
                code="outliers:rows",
                title=f"Unlike all others: {len(named):,} of {counted(len(rows))}",
                severity="info",
                do="Look at them: broken or foreign rows should go, rare but real ones need more of their kind.",
                evidence={
                    "rows": len(named),
                    "suspects": [
                        {
                            "position": int(rows[i]), "row": evidence.name(int(rows[i])),
                            "times the usual distance": round(float(np.exp(apart[i])) / usual, 2),
                        }
                        for i in named[:NAMED]
                    ],
                },
            )
        ]  # fmt: skip
