"""Do the model's prediction sets hold the true class as often as they promise?"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import betabinom

from headstart.audit._base import LEVEL, TOLD, Check, Evidence, Finding
from headstart.audit._multiple import holm
from headstart.errors import NotApplicable
from headstart.selection.calibration import COVERAGE

FEWEST = 10  # test rows of a class from which its own coverage is looked at


class Conformal(Check):
    """Prediction sets at 90 % that hold the true class in fewer rows than that: overall, or of one class.

    Use it before sets of possible answers are handed to people. The sets are all classes with a probability of at least
    1 - qhat (`selection.calibration.conformal`), qhat from validation rows. Of exchangeable rows the number that is
    covered follows a beta-binomial law exactly (Vovk, Conditional Validity of Inductive Conformal Predictors, 2012),
    which gives the p-value of the whole; the promise says nothing of single classes, but a class far below it is worth
    knowing. Holm over all of these at `level`. Validation rows that chose the model, or more of them than stand in the
    split, make this a little too strict or too lax.

    >>> from headstart.audit._example import evidence
    >>> clean = evidence()
    >>> Conformal()(evidence(qhat=0.6))
    []
    >>> [f.code for f in Conformal()(evidence(qhat=0.2))]
    ['conformal:coverage']
    """

    def __init__(self, level: float = LEVEL) -> None:
        self.level = level

    def __call__(self, evidence: Evidence) -> list[Finding]:
        if evidence.kind != "label" or evidence.qhat is None:
            seen = f"the rows have {TOLD[evidence.kind]}" if evidence.kind != "label" else "the model carries no qhat"
            raise NotApplicable(seen, expected="a model of classes that was fitted with ten validation rows or more")
        test, held = evidence.of("test"), len(evidence.of("valid"))
        y = evidence.target[test]
        sets = evidence.scores >= 1 - evidence.qhat
        covered = sets[np.arange(len(y)), y]
        parts = {"all rows": np.ones(len(y), dtype=bool)}
        parts |= {c: y == k for k, c in enumerate(evidence.classes) if (y == k).sum() >= FEWEST}
        held = held or len(y)
        rank = min(held, int(np.ceil((held + 1) * COVERAGE)))
        p = holm(np.array([_chance(covered[part], held, rank) for part in parts.values()]))
        if p.min() > self.level:
            return []
        rows: list[list[Any]] = [
            [name, int(part.sum()), f"{covered[part].mean():.3f}", f"{sets[part].sum(1).mean():.2f}", f"{value:.3g}"]
            for (name, part), value in zip(parts.items(), p, strict=True)
        ]
        low = [name for name, value in zip(parts, p, strict=True) if value <= self.level]
        is_whole = low[0] == "all rows"
        said = (
            f"{100 * covered.mean():.0f} % of the rows" if is_whole else f"fewer rows of {', '.join(low[:5])} than that"
        )
        return [
            Finding(
                code="conformal:coverage" if is_whole else "conformal:classes",
                title=f"Prediction sets promise to hold the true class in {100 * COVERAGE:.0f} % and do in {said}",
                severity="warning" if is_whole else "info",
                do="The sets were made for other rows than these: make them anew on labelled rows like these."
                if is_whole
                else "The promise holds on average, not for each class: do not rely on the sets for these.",
                evidence={
                    "coverage": round(float(covered.mean()), 4), "size": round(float(sets.sum(1).mean()), 3),
                    "qhat": round(evidence.qhat, 4),
                    "table": {"columns": ["rows of", "rows", "covered", "classes a set", "p (Holm)"], "rows": rows},
                },
            )
        ]  # fmt: skip


def _chance(covered: np.ndarray, held: int, rank: int) -> float:
    """How likely so few rows, or fewer, are covered where rows are exchangeable."""
    return float(betabinom.cdf(int(covered.sum()), len(covered), rank, held + 1 - rank))
