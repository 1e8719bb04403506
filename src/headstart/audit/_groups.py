"""Groups of rows by what is known of them, and what a model's answers are counted by in each."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

import numpy as np
from scipy.stats import binomtest, ttest_ind

from headstart.audit._base import Evidence
from headstart.audit._levels import is_gap
from headstart.audit._multiple import design_effect, fisher
from headstart.errors import NotApplicable

QUARTERS = (0.25, 0.5, 0.75)
MOST_VALUES = 12  # groups of an attribute; rarer values are one group, "(other)"
MOST_CLASSES = 10  # that are looked at one by one
DRAWS = 500


@dataclass(frozen=True)
class Measure:
    """Something said of each test row, and the rows it is said of. `selects`: a share of answers, not of errors."""

    name: str
    value: np.ndarray  # (t,) 0 or 1, or any number
    among: np.ndarray  # (t,) bool
    selects: bool = False
    scale: float = 1.0  # a gap of 0.1 of it counts as large

    @property
    def is_share(self) -> bool:
        """Whether it counts rows."""
        return bool(np.isin(self.value, (0, 1)).all())


def measures(evidence: Evidence) -> list[Measure]:
    """What groups are compared by: right answers, answers of a class, false and missed ones, and confidence.

    Two classes: the second one is what false positives and false negatives are of. Several: every class in turn.
    """
    y, told = evidence.target[evidence.of("test")], evidence.scores
    every = np.ones(len(y), dtype=bool)
    if evidence.kind == "number":
        error, spread = told[:, 0] - y, float(y.std()) or 1.0
        return [
            Measure("absolute error", np.abs(error), every, scale=spread),
            Measure("error", error, every, scale=spread),
        ]
    several = evidence.kind == "labels"
    has = y.astype(bool) if several else np.eye(told.shape[1], dtype=bool)[y]
    said = told >= 0.5 if several else np.eye(told.shape[1], dtype=bool)[told.argmax(1)]
    right = (has == said).all(1)
    out = [Measure("accuracy", right, every)]
    is_binary = len(evidence.classes) == 2 and not several
    for k, name in list(enumerate(evidence.classes))[1 if is_binary else 0 : MOST_CLASSES]:
        of = "" if is_binary else f" of {name}"
        out += [
            Measure(f"selection rate{of}", said[:, k], every, selects=True),
            Measure(f"false-positive rate{of}", said[:, k], ~has[:, k]),
            Measure(f"false-negative rate{of}", ~said[:, k], has[:, k]),
        ]
    if not several:
        out.append(Measure("overconfidence", told.max(1) - right, every))
    return out


def groupings(evidence: Evidence) -> dict[str, np.ndarray]:
    """(t,) names of groups of the test rows, by attribute and by each pair of attributes."""
    test = evidence.of("test")
    singles = {a: named(evidence.columns[a])[test] for a in evidence.attributes}
    pairs = {
        f"{a} x {b}": np.array([f"{x}, {z}" for x, z in zip(singles[a], singles[b], strict=True)])
        for a, b in combinations(singles, 2)
    }
    return singles | pairs


def named(values: np.ndarray) -> np.ndarray:
    """(n,) a group's name for each value: numbers by quarters, words as they are, rare ones together.

    >>> named(np.array(["f", "m", None, "f"], dtype=object)).tolist()
    ['f', 'm', '(missing)', 'f']
    >>> sorted(set(named(np.arange(100)).tolist()))
    ['24.8 to 49.5', '49.5 to 74.2', 'above 74.2', 'up to 24.8']
    """
    cells = ["" if is_gap(v) else str(v).strip() for v in values.tolist()]
    there = [c for c in cells if c]
    numbers = _numbers(there)
    if numbers is not None and len(set(there)) > len(QUARTERS) + 1:
        cuts = np.unique(np.quantile(numbers, QUARTERS))
        words = [f"{c:.3g}" for c in cuts]
        between = [f"{a} to {b}" for a, b in pairwise(words)]
        names = [f"up to {words[0]}", *between, f"above {words[-1]}"]
        return np.array([names[int(np.searchsorted(cuts, float(c)))] if c else "(missing)" for c in cells])
    common = {c for c, _ in Counter(there).most_common(MOST_VALUES)}
    return np.array([c if c in common else "(other)" if c else "(missing)" for c in cells])


def _numbers(cells: list[str]) -> np.ndarray | None:
    try:
        return np.array([float(c) for c in cells]) if cells else None
    except ValueError:
        return None


def compare(measure: Measure, inside: np.ndarray, clusters: np.ndarray | None) -> float | None:
    """p-value of a group against all other rows: Fisher's exact test for shares, Welch's for means.

    Where rows come in clusters, counts are divided by the design effect of both sides together (Rao and Scott 1992; a
    side in which all are right has none of its own), and means are those of clusters. None below ten rows a side.
    """
    sides = [measure.among & inside, measure.among & ~inside]
    if min(side.sum() for side in sides) < 10:
        return None
    if measure.is_share:
        hit = measure.value.astype(np.float64)
        effect = design_effect(hit[measure.among], None if clusters is None else clusters[measure.among])
        counts = [[round(hit[side].sum() / effect), max(1, round(side.sum() / effect))] for side in sides]
        return fisher(*counts[0], *counts[1])
    values = [_means(measure.value[side], None if clusters is None else clusters[side]) for side in sides]
    if min(len(v) for v in values) < 2 or max(np.ptp(v) for v in values) == 0:
        return None
    return float(ttest_ind(*values, equal_var=False).pvalue)


def _means(values: np.ndarray, clusters: np.ndarray | None) -> np.ndarray:
    if clusters is None:
        return values
    _, member = np.unique(clusters, return_inverse=True)
    return np.asarray(np.bincount(member, values) / np.bincount(member))


def table(
    what: list[Measure], names: np.ndarray, shown: list[str], clusters: np.ndarray | None, seed: int
) -> dict[str, Any]:
    """A row a group: its rows and each measure with a 95 % bootstrap interval over rows, or over clusters."""
    rng = np.random.default_rng(seed)
    n = len(names)
    member = np.arange(n) if clusters is None else np.unique(clusters, return_inverse=True)[1]
    units = int(member.max()) + 1
    weights = rng.multinomial(units, np.full(units, 1 / units), size=DRAWS)[:, member].astype(np.float32)
    rows = []
    for name in shown:
        inside = names == name
        cells: list[Any] = [name, int(inside.sum())]
        for measure in what:
            side = measure.among & inside
            if not side.any():
                cells.append("")
                continue
            value = measure.value[side].astype(np.float64)
            drawn = weights[:, side]
            total = drawn.sum(1)
            means = (drawn @ value)[total > 0] / total[total > 0]
            low, high = np.percentile(means, (2.5, 97.5))
            if measure.is_share and low == high:  # a bootstrap of flawless rows has no width, which is a lie
                known = binomtest(int(value.sum()), len(value)).proportion_ci(method="wilson")
                low, high = known.low, known.high
            cells.append(f"{value.mean():.3f} [{low:.3f}, {high:.3f}]")
        rows.append(cells)
    return {"columns": ["group", "rows", *(m.name for m in what)], "rows": rows}


def known_attributes(evidence: Evidence) -> None:
    """Raise NotApplicable where there is nothing to compare by."""
    if not evidence.attributes:
        raise NotApplicable("no attribute was named", expected="columns such as sex or site", do="pass --attribute")
