"""Is the model worse, or otherwise, for some groups of people, sites or machines?"""

from __future__ import annotations

from typing import Any

import numpy as np

from headstart.audit._base import LEVEL, Check, Evidence, Finding, Severity
from headstart.audit._groups import Measure, compare, groupings, known_attributes, measures, table
from headstart.audit._multiple import holm

FEWEST = 20  # test rows of a group that is compared
LARGE, PLAIN = 0.1, 0.05


class GroupGaps(Check):
    """Groups whose answers differ from those of all other rows by more than chance.

    Use it wherever a decision touches people, or rows come from several sites. Every value of every attribute, and of
    every pair of attributes, is compared with the rest in accuracy, selection rate, false-positive and false-negative
    rate and overconfidence (stated minus true share of right answers); numbers in absolute and signed error. Exact
    tests, counted by clusters where rows belong together; Holm over all comparisons at `level`, so that at most that
    share of fair models is blamed. A gap of 0.1 in errors is serious, of 0.05 a warning, a gap in selection alone at
    most a warning: groups may truly differ in how often they have the class. Groups below 20 test rows are named and
    not compared. An attribute that was asked about and shows no gap gets a note with its table. Rates as in fairlearn's
    MetricFrame. (Hardt et al., Equality of Opportunity in Supervised Learning, NeurIPS 2016.)

    >>> from headstart.audit._example import evidence
    >>> sex = np.array(["f", "m"])[np.arange(600) % 2]
    >>> asked = {"columns": {"sex": sex}, "attributes": ("sex",)}
    >>> [(f.code, f.severity) for f in GroupGaps()(evidence(**asked))]
    [('group_gaps:none:sex', 'info')]
    >>> unfair = np.where((sex[-120:] == "f")[:, None], evidence().scores[:, ::-1], evidence().scores)
    >>> [(f.code, f.severity) for f in GroupGaps()(evidence(**asked, scores=unfair))]
    [('group_gaps:sex', 'serious')]
    """

    def __init__(self, level: float = LEVEL) -> None:
        self.level = level

    def __call__(self, evidence: Evidence) -> list[Finding]:
        known_attributes(evidence)
        what = measures(evidence)
        clusters = None if evidence.groups is None else evidence.groups[evidence.of("test")]
        parts = groupings(evidence)
        tried = []  # (attribute, group, measure, gap, p)
        for attribute, names in parts.items():
            large = [g for g, n in zip(*np.unique(names, return_counts=True), strict=True) if n >= FEWEST]
            is_pair = len(np.unique(names)) == 2
            for group in large[:1] if is_pair and len(large) == 2 else large:
                inside = names == group
                for measure in what:
                    p = compare(measure, inside, clusters)
                    if p is not None:
                        tried.append((attribute, group, measure, _gap(measure, inside), p))
        adjusted = holm(np.array([t[-1] for t in tried])) if tried else np.empty(0)
        found: list[Finding] = []
        for attribute, names in parts.items():
            gaps = [
                (group, measure, gap, float(p))
                for (a, group, measure, gap, _), p in zip(tried, adjusted, strict=True)
                if a == attribute and p <= self.level
            ]  # fmt: skip
            is_known = any(f.severity != "info" and f.code[11:] in attribute.split(" x ") for f in found)
            if gaps or attribute in evidence.attributes:
                found.append(self._finding(evidence, attribute, names, what, gaps, clusters, is_known=is_known))
        return found

    def _finding(
        self, evidence: Evidence, attribute: str, names: np.ndarray, what: list[Measure], gaps: list[Any],
        clusters: np.ndarray | None, *, is_known: bool,
    ) -> Finding:  # fmt: skip
        groups, counts = np.unique(names, return_counts=True)
        large = groups[counts >= FEWEST].tolist()
        few = [(str(g), int(n)) for g, n in zip(groups, counts, strict=True) if n < FEWEST]
        small = [f"{g} ({n})" for g, n in few]
        shown = table(what, names, large, clusters, evidence.seed)
        shown["rows"] += [[g, n, "too few", *[""] * (len(what) - 1)] for g, n in few]
        told: dict[str, Any] = {
            "too_small": small, "level": self.level, "summary": summary(what, names, large),
            "gaps": [
                {"group": str(g), "measure": m.name, "gap": round(gap, 4), "p": p} for g, m, gap, p in gaps
            ],
            "table": shown,
        }  # fmt: skip
        if not gaps:
            rest = f"; too few rows of {', '.join(small[:6])}" if small else ""
            title = f"{attribute}: no gap beyond chance between {len(large)} groups{rest}"
            do = "Nothing; more test rows would show smaller gaps."
            if len(large) < 2:
                do = "Label more rows of the other groups."
                alone = f"only {large[0]}" if large else "no group"
                title = f"{attribute}: cannot be compared, {alone} has enough test rows{rest}"
            return Finding(f"group_gaps:none:{attribute}", title, "info", do, told)
        group, measure, gap, _ = max(gaps, key=lambda g: (not g[1].selects, abs(g[2]) / g[1].scale))
        inside = names == group
        here, there = (float(measure.value[measure.among & side].mean()) for side in (inside, ~inside))
        of = f" of {evidence.classes[1]!r}" if len(evidence.classes) == 2 and measure.name.endswith(" rate") else ""
        size = abs(gap) / measure.scale
        severity: Severity = (
            "serious" if size >= LARGE and not measure.selects else "warning" if size >= PLAIN else "info"
        )
        return Finding(
            code=f"group_gaps:{attribute}",
            title=f"{attribute}: {measure.name}{of} {here:.2f} for {group}, {there:.2f} for the others",
            severity="info" if is_known else severity,
            do="Look at the table; more rows of these groups may help, or do not use the model for them.",
            evidence=told,
        )


def _gap(measure: Measure, inside: np.ndarray) -> float:
    here, there = (measure.value[measure.among & side].astype(np.float64).mean() for side in (inside, ~inside))
    return float(here - there)


def summary(what: list[Measure], names: np.ndarray, groups: list[str]) -> dict[str, Any]:
    """Largest differences between two of the groups, measure by measure, and the worst group.

    For two classes, with the names the literature uses: demographic parity (selection rate) and equalised odds (the
    larger of the differences in true-positive and false-positive rate).

    >>> hit = np.array([1, 1, 0, 1])
    >>> summary([Measure("accuracy", hit, hit >= 0)], np.array(["a", "a", "b", "b"]), ["a", "b"])
    {'accuracy difference': 0.5, 'worst group': 'b'}
    """
    told: dict[str, Any] = {}
    for measure in what:
        sides = [measure.among & (names == g) for g in groups]
        rates = [float(measure.value[s].astype(np.float64).mean()) for s in sides if s.any()]
        if rates:
            told[f"{measure.name} difference"] = round(max(rates) - min(rates), 4)
        if measure is what[0] and len(rates) == len(groups) and groups:
            worst = int(np.argmax(rates) if "error" in measure.name else np.argmin(rates))
            told["worst group"] = str(groups[worst])
    if odds := [
        v for k, v in told.items() if k in ("false-positive rate difference", "false-negative rate difference")
    ]:
        told["demographic parity difference"] = told["selection rate difference"]
        told["equalised odds difference"] = max(odds)
    return told
