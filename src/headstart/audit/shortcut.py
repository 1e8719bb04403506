"""Does the model go by something that merely came along with the target, such as the scanner or the site?"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import chi2_contingency

from headstart.audit._base import Check, Evidence, Finding
from headstart.audit._erasure import leace, within
from headstart.audit._held_out import left_out
from headstart.audit._lean import ROWS, decoded, lean, usual
from headstart.audit._levels import levels
from headstart.errors import NotApplicable
from headstart.techniques._linear import Scaler, class_weights, ridge_path, targets


class Shortcut(Check):
    """An attribute that goes with the target, shows in the activations, and on which the model leans.

    Use it for every attribute that should not matter: name them with --attribute. All three must hold: the attribute
    and the class are associated among the training rows (chi-squared test); a linear probe tells it among rows of one
    class; and rows of one class score higher for the classes that their attribute usually goes with: test rows under
    the served model, and, as these are few, other rows under a ridge head that was fitted without them. The last two
    are permutation tests, each at `level` over the number of attributes, so that less than one clean run in a hundred
    is alarmed. Where only the first holds, a note says so as long as too few rows break the association to rule out
    that a lean costs them `worth` of their right answers. It cannot tell a shortcut from an attribute that rightly
    matters: that is for a person to say. (Geirhos et al., Shortcut learning in deep neural networks, 2020.)

    >>> from headstart.audit._example import evidence
    >>> made = evidence(columns={"site": np.arange(600) % 2}, attributes=("site",))
    >>> Shortcut()(made)
    []
    """

    def __init__(self, level: float = 0.01, tied: float = 0.9, worth: float = 0.05) -> None:
        self.level = level
        self.tied = tied
        self.worth = worth

    def __call__(self, evidence: Evidence) -> list[Finding]:
        if evidence.kind != "label":
            raise NotApplicable("shortcuts are looked for where a row has one class")
        if not evidence.attributes:
            raise NotApplicable("no attribute was named", do="name columns that should not matter with --attribute")
        if not len(evidence.of("train")):
            raise NotApplicable("the rows that the model learnt from are not here", expected="the run's own data")
        found = [self._one(evidence, name) for name in evidence.attributes]
        return [f for f in found if f is not None]

    def _one(self, evidence: Evidence, name: str) -> Finding | None:
        codes, names = levels(evidence.columns[name])
        train, test = evidence.of("train"), evidence.of("test")
        y, level = evidence.target, self.level / len(evidence.attributes)
        strength, p = association(codes[train], y[train])
        if p > level:
            return None
        told = {"attribute": name, "levels": list(names), "association": round(strength, 3)}
        if strength >= self.tied:
            return Finding(
                code=f"shortcut:{name}",
                title=f"{name!r} and the target go together so closely that nothing tells which of them was learnt",
                severity="serious",
                do=f"Add rows in which {name!r} and the target do not go together; no method can make up for them.",
                evidence=told,
            )
        rng = np.random.default_rng(evidence.seed)
        some = rng.permutation(np.flatnonzero(evidence.split != "test"))[:ROWS]
        shown, p_shown = decoded(evidence.values[some], codes[some], y[some], rng)
        pull = usual(codes[train], y[train], len(evidence.classes))
        size, _ = lean(evidence.scores, y[test], codes[test], pull, rng)
        told_known, known = left_out(evidence)
        scores = np.concatenate([evidence.scores, told_known])
        both = np.concatenate([test, known])
        part = y[both] + len(evidence.classes) * (np.arange(len(both)) >= len(test))  # exchanged within class and part
        _, p_lean = lean(scores, part, codes[both], pull, rng)
        p_lean = p_lean if size > 0 else 1.0
        leans = max(p_shown, p_lean) <= level
        most = most_lost(scores.argmax(1), y[both], codes[both], pull)
        if not leans and most < self.worth:  # enough rows break the association: they would have shown it
            return None
        gap = with_and_against(evidence.scores.argmax(1), y[test], codes[test], pull)
        told |= {
            "decoded_r2": round(shown, 3), "decoded_p": p_shown, "lean": round(size, 4), "lean_p": p_lean, **gap,
            **_erased(evidence, codes, train, test),
        }  # fmt: skip
        if not leans:
            return _possible(name, told, most)
        return Finding(
            code=f"shortcut:{name}",
            title=f"The model leans on {name!r}: right on {_share(gap['with'])} of the rows where it goes with the"
            f" class as usual, on {_share(gap['against'])} where it does not",
            severity="serious" if (gap["with"] or 0) - (gap["against"] or 0) >= 0.1 else "warning",
            do=f"If {name!r} should not matter, headstart repair --finding shortcut:{name} trains the head again,"
            " leaning less on it; rows that break the association help most.",
            evidence=told,
        )


def most_lost(said: np.ndarray, y: np.ndarray, codes: np.ndarray, pull: np.ndarray) -> float:
    """How many right answers may be lost where the level speaks against the true class: the upper end of 95 %.

    The mean over classes of the difference to where it speaks for the class, with one right and one wrong row added on
    each side, so that a handful of rows proves nothing; 1 where no class has rows of both kinds. (Agresti and Caffo,
    Simple and effective confidence intervals for proportions, The American Statistician 2000.)

    >>> y, codes = np.repeat([0, 1], 200), np.tile([0, 1], 200)
    >>> bool(most_lost(y, y, codes, np.array([[1.0, -1.0], [-1.0, 1.0]])) < 0.05)  # a hundred rows a side, none wrong
    True
    >>> bool(most_lost(y[::20], y[::20], codes[:20], np.array([[1.0, -1.0], [-1.0, 1.0]])) > 0.2)  # five
    True
    """
    speaks, right = pull[codes, y], said == y
    sides = [[right[(y == c) & (speaks > 0)], right[(y == c) & (speaks < 0)]] for c in np.unique(y)]
    sides = [pair for pair in sides if all(len(side) for side in pair)]
    if not sides:
        return 1.0
    shares = np.array([[(side.sum() + 1) / (len(side) + 2) for side in pair] for pair in sides])
    rows = np.array([[len(side) + 2 for side in pair] for pair in sides])
    error = np.sqrt((shares * (1 - shares) / rows).sum()) / len(sides)
    return float(np.clip((shares[:, 0] - shares[:, 1]).mean() + 1.96 * error, 0.0, 1.0))


def association(codes: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Cramer's V of two codes, and the p-value of the chi-squared test."""
    counts = np.zeros((int(codes.max()) + 1, int(y.max()) + 1))
    np.add.at(counts, (codes, y), 1)
    counts = counts[counts.sum(1) > 0][:, counts.sum(0) > 0]
    if min(counts.shape) < 2:
        return 0.0, 1.0
    statistic, p, _, _ = chi2_contingency(counts, correction=False)
    return float(np.sqrt(statistic / counts.sum() / (min(counts.shape) - 1))), float(p)


def with_and_against(said: np.ndarray, y: np.ndarray, codes: np.ndarray, pull: np.ndarray) -> dict[str, Any]:
    """Share of right answers where the level speaks for the true class, and where it speaks against it.

    The mean over the classes that have rows of both kinds, so that a class that is easy anyhow speaks for neither.

    >>> y, codes = np.repeat([0, 1], 4), np.array([0, 0, 0, 1, 0, 1, 1, 1])
    >>> with_and_against(codes, y, codes, np.array([[1.0, -1.0], [-1.0, 1.0]]))["with"]
    1.0
    """
    speaks, right = pull[codes, y], said == y
    sides = {"with": speaks > 0, "against": speaks < 0}
    members = [y == c for c in np.unique(y)]
    members = [m for m in members if all((m & side).any() for side in sides.values())]
    shares = {
        k: round(float(np.mean([right[m & side].mean() for m in members])), 4) if members else None
        for k, side in sides.items()
    }
    return {**shares, "rows_with": int(sides["with"].sum()), "rows_against": int(sides["against"].sum())}


def _possible(name: str, told: dict[str, Any], most: float) -> Finding:
    """What is said where no lean was found and too few rows could have shown one."""
    return Finding(
        code=f"shortcut:{name}",
        title=f"{name!r} goes with the target (Cramer's V {told['association']:.2f}); no lean on it was found, but"
        f" one that costs {100 * most:.0f} points where it misleads is not ruled out",
        severity="info",
        do=f"If {name!r} should not matter, add rows in which it does not go with the target, and audit again.",
        evidence={**told, "most": round(most, 4)},
    )


def _share(value: float | None) -> str:
    return "none" if value is None else f"{100 * value:.0f} %"


def _erased(evidence: Evidence, codes: np.ndarray, train: np.ndarray, test: np.ndarray) -> dict[str, Any]:
    """What a plain head says before and after the attribute was erased from the activations, within the classes."""
    scaler = Scaler.of(evidence.values[train])
    X, Z, y = scaler(evidence.values[train]), scaler(evidence.values[test]), evidence.target
    fit = ridge_path(X, targets(y[train]), class_weights(y[train]))
    inner = within(X, y[train])
    erase = leace(inner, within(np.eye(int(codes.max()) + 1)[codes[train]], y[train]))
    before = (Z @ fit.coef + fit.intercept).argmax(1)
    after = ((Z - (Z - X.mean(0)) @ erase.matrix.T) @ fit.coef + fit.intercept).argmax(1)
    right = [round(float((said == y[test]).mean()), 4) for said in (before, after)]
    return {"erased": {"flips": round(float((before != after).mean()), 4), "before": right[0], "after": right[1]}}
