"""Was an attribute in the network before anything was learnt from these rows, or does any network show it?"""

from __future__ import annotations

import numpy as np

from headstart._words import counted
from headstart.audit._base import Check, Evidence, Finding
from headstart.audit._held_out import left_out_right
from headstart.audit._lean import decoded
from headstart.audit._levels import levels
from headstart.errors import NotApplicable

LEAST = 40  # rows


class InheritedBias(Check):
    """An attribute that the pre-trained network tells far better than the same network untrained does.

    Use it with --attribute, beside `shortcut`: it says whether what a model could lean on comes from the pre-training
    or from plain colours and lengths, which an untrained network shows as well. On rows in which the attribute does
    not go with the class (as many of each level within each class), a linear probe tells its levels: R2 held out. It
    speaks when that of the frozen network is beyond chance (permutation test at `level` over the attributes) and
    `more` above the untrained one's. That is no fault in itself, hence "info". (Salman et al., When does bias transfer
    in transfer learning?, 2022.) The finding says in which share of these rows a head names the level, as
    in "name that data set" (Torralba and Efros, Unbiased Look at Dataset Bias, CVPR 2011): name the column of the
    source, site or vendor. The pre-training's own data do not ship, so that nothing is said of them.

    >>> from headstart.audit._example import evidence
    >>> sites = {"site": np.arange(600) % 2}
    >>> made = evidence(columns=sites, attributes=("site",), look=lambda way, rows: np.zeros((len(rows), 1)))
    >>> InheritedBias()(made)
    []
    """

    def __init__(self, level: float = 0.01, more: float = 0.1, rows: int = 300) -> None:
        self.level = level
        self.more = more
        self.rows = rows

    def __call__(self, evidence: Evidence) -> list[Finding]:
        if evidence.kind != "label" or not evidence.attributes or evidence.look is None:
            raise NotApplicable(
                "needs a pre-trained network, one class a row and an attribute", do="name one with --attribute"
            )
        found = [self._one(evidence, name) for name in evidence.attributes]
        return [f for f in found if f is not None]

    def _one(self, evidence: Evidence, name: str) -> Finding | None:
        assert evidence.look is not None
        codes, _ = levels(evidence.columns[name])
        known = np.flatnonzero(evidence.split != "test")
        rng = np.random.default_rng(evidence.seed)
        rows = known[balanced(evidence.target[known], codes[known], self.rows, rng)]
        if len(rows) < LEAST:
            raise NotApplicable(f"{name!r} does not go with the class in {counted(len(rows))}", expected=f"{LEAST}")
        y, own = evidence.target[rows], np.unique(codes[rows], return_inverse=True)[1]
        frozen, p = decoded(evidence.values[rows], own, y, rng)
        if p > self.level / len(evidence.attributes):
            return None
        twin = evidence.look("untrained", rows)
        untrained, _ = decoded(twin, own, y, rng)
        if frozen - max(untrained, 0.0) < self.more:
            return None
        named = [float(left_out_right(v, own).mean()) for v in (evidence.values[rows], twin)]
        chance = 1 / (int(own.max()) + 1)
        return Finding(
            code=f"inherited_bias:{name}",
            title=f"The pre-trained network tells {name!r}: right on {named[0]:.0%} of the rows, untrained on"
            f" {named[1]:.0%}, where guessing is on {chance:.0%}",
            severity="info",
            do=f"Any head on it can lean on {name!r}; see whether shortcut:{name} was found.",
            evidence={
                "attribute": name, "frozen": round(frozen, 4), "untrained": round(untrained, 4), "p": p,
                "rows": len(rows), "named": round(named[0], 4), "named_untrained": round(named[1], 4),
                "chance": round(chance, 4),
            },
        )  # fmt: skip


def balanced(y: np.ndarray, codes: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """Positions of rows, as many of each level within each class that has all levels, at most so many in all.

    >>> rows = balanced(np.array([0, 0, 0, 1, 1, 1]), np.array([0, 0, 1, 0, 1, 1]), 9, np.random.default_rng(0))
    >>> len(rows)
    4
    """
    kept: list[np.ndarray] = []
    levels_, classes = np.unique(codes), np.unique(y)
    for c in classes:
        own = [rng.permutation(np.flatnonzero((y == c) & (codes == k))) for k in levels_]
        size = min(*(len(o) for o in own), max(1, most // (len(classes) * len(levels_))))
        kept += [o[:size] for o in own]
    return np.sort(np.concatenate(kept)) if kept else np.empty(0, dtype=int)
