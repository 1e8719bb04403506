"""Does a class, or a group of those asked about, have far fewer rows than it should?"""

from __future__ import annotations

import numpy as np

from headstart.audit._base import LEVEL, Check, Evidence, Finding
from headstart.audit._groups import Measure, compare, named
from headstart.audit._multiple import holm
from headstart.errors import NotApplicable


class Imbalance(Check):
    """A class with a tenth of the rows of the largest; a group that the model is asked about more than it learnt from.

    Classes are counted: the largest has `ratio` times the rows of the smallest, or it has not. For several labels a
    row, each label is compared with its own absence. Groups, of the attributes that were asked about, are compared
    where the test rows come from elsewhere or the split is the user's own: one is told of when its share of the test
    rows is `times` that of the rows learnt from, and Fisher's exact test, Holm over all groups, says that it is no
    chance (`level`). Rows that a hash split hold all groups in equal shares, however few; `group_gaps` names those.

    >>> from headstart.audit._example import evidence
    >>> Imbalance()(evidence())
    []
    >>> [f.code for f in Imbalance()(evidence(target=(np.arange(600) % 30 == 0).astype(int)))]
    ['imbalance:classes']
    >>> sex = np.where((np.arange(600) < 480) & (np.arange(600) % 20 > 0) | (np.arange(600) % 2 > 0), "m", "f")
    >>> [f.title for f in Imbalance()(evidence(columns={"sex": sex}, attributes=("sex",), own_split=True))]
    ['sex: f is 5 % of the rows learnt from and 50 % of the test rows']
    """

    def __init__(self, ratio: float = 10.0, times: float = 1.5, level: float = LEVEL) -> None:
        self.ratio = ratio
        self.times = times
        self.level = level

    def __call__(self, evidence: Evidence) -> list[Finding]:
        asked = evidence.attributes if evidence.own_split else ()
        if evidence.kind == "number" and not asked:
            raise NotApplicable("the target is a number", expected="classes")
        return (self._classes(evidence) if evidence.kind != "number" else []) + self._groups(evidence, asked)

    def _classes(self, evidence: Evidence) -> list[Finding]:
        classes = evidence.classes
        if evidence.kind == "labels":
            counts = evidence.target.sum(0)
            least, most = int(counts.argmin()), len(evidence.target) - int(counts.min())
            said = f"Label {classes[least]!r} is on {counts[least]:,} of {len(evidence.target):,} rows"
        else:
            counts = np.bincount(evidence.target, minlength=len(classes))
            least, most = int(counts.argmin()), int(counts.max())
            common = classes[int(counts.argmax())]
            said = f"Class {common!r} has {most:,} rows, class {classes[least]!r} only {counts[least]:,}"
        if most < self.ratio * max(int(counts[least]), 1):
            return []
        return [
            Finding(
                code="imbalance:classes",
                title=said,
                severity="info",
                do="Classes were weighted while training; read the confusion matrix, not one number.",
                evidence={"counts": dict(zip(classes, counts.tolist(), strict=True))},
            )
        ]

    def _groups(self, evidence: Evidence, asked: tuple[str, ...]) -> list[Finding]:
        is_test = evidence.split == "test"
        asks = Measure("test row", is_test, np.ones(len(is_test), dtype=bool))
        tried = []  # (attribute, group, share learnt from, share of the test rows, p)
        for attribute in asked:
            names = named(evidence.columns[attribute])
            sides = names[is_test], names[~is_test]
            if any((side == "(missing)").all() for side in sides):  # no rows there, or no such column
                continue
            for group in np.unique(names):
                inside = names == group
                p = compare(asks, inside, evidence.groups)
                if p is not None:
                    tried.append((attribute, str(group), inside[~is_test].mean(), inside[is_test].mean(), p))
        adjusted = holm(np.array([t[-1] for t in tried])) if tried else np.empty(0)
        few = [
            (*t[:-1], float(p)) for t, p in zip(tried, adjusted, strict=True)
            if p <= self.level and t[3] >= self.times * t[2]
        ]  # fmt: skip
        return [self._finding(a, [f[1:] for f in few if f[0] == a]) for a in dict.fromkeys(f[0] for f in few)]

    def _finding(self, attribute: str, few: list[tuple[str, float, float, float]]) -> Finding:
        group, learnt, asked, _ = max(few, key=lambda f: f[2] - f[1])
        said = f"{group} is {_share(learnt)} of the rows learnt from and {_share(asked)} of the test rows"
        return Finding(
            code=f"imbalance:{attribute}",
            title=f"{attribute}: {said}",
            severity="warning",
            do="Label more rows of this group, and see in group_gaps how the model fares there.",
            evidence={
                "level": self.level, "times": self.times,
                "table": {
                    "columns": ["group", "of the rows learnt from", "of the test rows", "p"],
                    "rows": [[g, _share(a), _share(b), f"{p:.1g}"] for g, a, b, p in few],
                },
            },
        )  # fmt: skip


def _share(of: float) -> str:
    return f"{100 * of:.3g} %"
