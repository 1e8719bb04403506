"""Could the answers have been known in another way than the model should know them?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from headstart._words import counted
from headstart.audit._base import LEVEL, Check, Evidence, Finding
from headstart.audit._tells import aims, alike, columns_of, lookup, told
from headstart.audit._vectors import some

MOST = 1000  # rows that a permutation test looks at
FEWEST = 40
ALIKE, SEEN = 0.3, 0.3  # owners' rows this alike, metadata telling this much, are a warning and no note
LITTLE = 0.01  # less of the target than this is nothing to speak of, however sure


class Leakage(Check):
    """Rows on both sides of the split, owners on both sides, columns that are the target, metadata that tells it.

    Use it first: nothing else counts where one of these is wrong. Near duplicates and rows seen before are counted as
    they were found. A column called as owners are (patient, user, ...) counts where test rows have a sibling among the
    training rows and siblings resemble each other in the target; metadata (file names and sizes, the shape of pictures,
    lengths of texts) where a small model of it alone explains the target. Both are permutation tests at half of `level`
    each, Holm (here: Bonferroni) over owners. A column of a table that alone removes `tells` of the error is serious;
    that is a threshold, not a test: a feature that truly is so good looks the same. What metadata tell may be honest,
    too (complaints are longer); it is then a reason to look at rows where they say the opposite. (Kaufman et al.,
    Leakage in Data Mining, TKDD 2012.)

    >>> from headstart.audit._example import evidence
    >>> Leakage()(evidence(moved={"moved": 0}))
    []
    >>> [f.severity for f in Leakage()(evidence(moved={"moved": 30}))]
    ['warning']
    >>> [f.code for f in Leakage()(evidence(metadata={"bytes": 1000 + evidence().target * 50}))]
    ['leakage:metadata']
    """

    def __init__(self, twins: float = 0.02, tells: float = 0.95, level: float = LEVEL) -> None:
        self.twins = twins
        self.tells = tells
        self.level = level

    def __call__(self, evidence: Evidence) -> list[Finding]:
        rng = np.random.default_rng(evidence.seed)
        return [
            *self._rows(evidence), *self._columns(evidence, rng), *self._owners(evidence, rng),
            *self._metadata(evidence, rng),
        ]  # fmt: skip

    def _rows(self, evidence: Evidence) -> Iterator[Finding]:
        plain = {k: v for k, v in evidence.moved.items() if isinstance(v, int | float | str | list)}
        number = int(evidence.moved.get("moved", 0))
        if number:
            yield Finding(
                code="leakage:near_duplicates",
                title=f"Near duplicates lay across the split: {number:,} of the rows were moved to bring them together",
                severity="warning" if number > self.twins * len(evidence.split) else "info",
                do="Where rows come in twins (one patient, one product, one page), name what ties them with --group.",
                evidence=plain,
            )
        tests = len(evidence.of("test"))
        seen = int(evidence.moved.get("seen", 0))
        near = max(int(evidence.moved.get("alike", 0)), seen)
        usual = float(evidence.moved.get("repeats", 0.0))  # rows of few cells are equal by chance
        if near:
            yield Finding(
                code="leakage:seen_before",
                title=f"The model learnt from {seen:,} of the {tests:,} rows"
                if seen
                else f"The model learnt from {counted(near)} much like one of these {tests:,}",
                severity="serious" if near > (self.twins + usual) * tests else "info",
                do="Leave them out: on rows that it has learnt from, a model looks better than it is.",
                evidence=plain,
            )

    def _columns(self, evidence: Evidence, rng: np.random.Generator) -> Iterator[Finding]:
        """Columns of a table that are the target in another form."""
        if evidence.modality != "table" or evidence.kind == "labels" or not len(evidence.rows):
            return
        rows = some(np.arange(len(evidence.split)), 5 * MOST, evidence.seed)
        for name in dict.fromkeys(evidence.rows[0]):
            values = np.array([evidence.rows[i].get(name) for i in rows], dtype=object)
            share = lookup(values, evidence.target[rows], evidence.kind, rng)
            if share >= self.tells:
                yield Finding(
                    code="leakage:column",
                    title=f"Column {name!r} alone tells the target: it removes {share:.0%} of the error",
                    severity="serious",
                    do="If it is not known before the target is, leave it out: name the others with --input.",
                    evidence={"column": name, "share": round(share, 4)},
                )

    def _owners(self, evidence: Evidence, rng: np.random.Generator) -> Iterator[Finding]:
        """Owners of rows on both sides, whose rows are alike."""
        if evidence.groups is not None:  # the split kept owners together
            return
        rows = some(np.arange(len(evidence.split)), 2 * MOST, evidence.seed)
        aim, test = aims(evidence.target[rows], evidence.kind), evidence.of("test")
        for name in evidence.owners:
            owner = evidence.columns[name].astype(str)
            crosses = float(np.isin(owner[test], owner[evidence.of("train")]).mean())
            if not crosses:
                continue
            share, p = alike(owner[rows], aim, rng)
            if p <= self.level / (2 * len(evidence.owners)):
                yield Finding(
                    code="leakage:owners",
                    title=f"{crosses:.0%} of test rows share their {name!r} with training rows; those of one are alike",
                    severity="serious" if share >= ALIKE else "warning",
                    do=f"Run again with --group {name}: the score may fall, and will be the one that new ones meet.",
                    evidence={"column": name, "crosses": round(crosses, 4), "alike": round(share, 4), "p": p},
                )

    def _metadata(self, evidence: Evidence, rng: np.random.Generator) -> Iterator[Finding]:
        """What is known without reading a row, and tells its target."""
        told_of = np.zeros(len(evidence.split), dtype=bool)
        for values in evidence.metadata.values():
            told_of |= np.array([v is not None for v in values.tolist()])
        rows = some(np.flatnonzero(told_of), MOST, evidence.seed)
        parts = {k: columns_of(v[rows]) for k, v in evidence.metadata.items()}
        parts = {k: z[:, z.std(0) > 0] for k, z in parts.items() if (z.std(0) > 0).any()}
        if not parts or len(rows) < FEWEST:
            return
        aim = aims(evidence.target[rows], evidence.kind)
        share, p = told(np.concatenate([*parts.values()], axis=1), aim, rng)
        if p > self.level / 2 or share < LITTLE:
            return
        each: list[list[Any]] = sorted(
            ([name, round(max(told(z, aim, rng, draws=0)[0], 0.0), 3)] for name, z in parts.items()),
            key=lambda pair: -pair[1],
        )
        yield Finding(
            code="leakage:metadata",
            title=f"{each[0][0]} and other metadata explain {share:.0%} of the target without a row being read"
            if len(each) > 1
            else f"{each[0][0]} explains {share:.0%} of the target without a row being read",
            severity="warning" if share >= SEEN else "info",
            do="Ask whether new rows will have it, too; if not, make it equal for all classes.",
            evidence={
                "share": round(share, 4), "p": p, "table": {"columns": ["metadata", "explains alone"], "rows": each},
            },
        )  # fmt: skip
