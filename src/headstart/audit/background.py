"""Does what lies beside the object of a picture decide what the model says?"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import NamedTuple

import numpy as np
from scipy.stats import binomtest

from headstart.audit._base import LEVEL, Check, Evidence, Finding
from headstart.audit._multiple import fisher
from headstart.errors import NotApplicable
from headstart.techniques._linear import Scaler, class_weights, ridge_path, targets

CORNERS = ("upper left", "upper right", "lower left", "lower right")
LEAST = 0.02  # share of a corner that a mark takes at least
TOLD_APART = 0.8  # share of the pictures in which object and background can be told apart at least
NAMED = 8  # pictures that are shown


class Background(Check):
    """Pictures whose class is told by what surrounds the object, or whose answer hangs on a mark in one corner.

    Use it for pictures from several sources: watermarks, rulers, burnt-in letters and frames lie beside the object. The
    border is told of when a ridge head that sees at most `rows` training pictures without their object reaches `share`
    of what one on whole pictures reaches beyond always saying the commonest class. A corner is told of when a mark
    there goes with a class (Fisher's exact test on three times as many pictures, `level` over all classes and corners)
    and painting it over costs that class `worth` of its usual lead, and more test pictures than by chance lose some
    (sign test, `level`). What is connected with the object is a part of it: sleeves are no marks; loose parts are. It
    is silent on corners where a fifth of the pictures have no plain background, as photographs. (Xiao et al., Noise or
    signal: the role of image backgrounds in object recognition, ICLR 2021; what the object is: Wei et al., Geodesic
    saliency using background priors, ECCV 2012.)

    >>> from headstart.audit._example import evidence
    >>> def look(view, rows):  # nothing that is hidden matters
    ...     if view == "marks":
    ...         return np.zeros((len(rows), 4))
    ...     return np.random.default_rng(0).normal(size=(len(rows), 20))
    >>> Background()(evidence(modality="image", look=look))
    []
    """

    def __init__(self, share: float = 0.8, worth: float = 0.1, level: float = LEVEL, rows: int = 240) -> None:
        self.share = share
        self.worth = worth
        self.level = level
        self.rows = rows

    def __call__(self, evidence: Evidence) -> list[Finding]:
        if evidence.modality != "image" or evidence.kind != "label" or evidence.look is None:
            raise NotApplicable("borders and corners are looked at in pictures of one class each")
        if not len(evidence.of("train")):
            raise NotApplicable("the rows that the model learnt from are not here", expected="the run's own data")
        return [*self._corner(evidence), *self._border(evidence)]

    def _some(self, evidence: Evidence, split: str, most: int) -> np.ndarray:
        rows = evidence.of(split)
        return np.sort(np.random.default_rng(evidence.seed).permutation(rows)[:most])

    def _corner(self, evidence: Evidence) -> list[Finding]:
        assert evidence.look is not None
        train, test = self._some(evidence, "train", 3 * self.rows), self._some(evidence, "test", self.rows)
        shares = evidence.look("marks", np.concatenate([train, test]))
        plain, marked = ~np.isnan(shares[:, 0]), shares >= LEAST
        if plain.mean() < TOLD_APART:
            return []
        known = plain[: len(train)]
        said = speaks_for(marked[: len(train)][known], evidence.target[train[known]])
        if said is None or said.p > self.level:
            return []
        rows = test[marked[len(train) :, said.place]]
        if not len(rows):
            return []
        lead = _lead(evidence, said.code)
        usual = float(np.abs(lead(evidence.values[test])).mean())
        lost = (lead(evidence.values[rows]) - lead(evidence.look(f"bare:{said.place}", rows))) / usual
        p = binomtest(int((lost > 0).sum()), len(rows), alternative="greater").pvalue
        if p > self.level or lost.mean() < self.worth:
            return []
        corner, label = CORNERS[said.place], evidence.classes[said.code]
        own, others, costs = (f"{100 * v:.0f} %" for v in (said.own, said.others, lost.mean()))
        return [
            Finding(
                code="background:corner",
                title=f"A mark in the {corner} corner speaks for {label!r}: {own} of its pictures have one, {others} of"
                f" the others; painting it over costs the class {costs} of its usual lead",
                severity="warning",  # it cannot tell a mark from a loose part of the object
                do="Look at that corner of some pictures. Marks, letters or a frame: cut them off, hide them in all"
                " pictures, or headstart repair --finding background:corner. A part of the object: nothing to do.",
                evidence={
                    "corner": corner, "class": label, "own": round(said.own, 4), "others": round(said.others, 4),
                    "lost": round(float(lost.mean()), 4), "p": float(max(p, said.p)), "rows": len(rows),
                    "suspects": [
                        {"position": int(rows[i]), "row": evidence.name(int(rows[i])), "lost": round(float(lost[i]), 2)}
                        for i in np.argsort(-lost, kind="stable")[:NAMED]
                    ],
                },
            )
        ]  # fmt: skip

    def _border(self, evidence: Evidence) -> list[Finding]:
        assert evidence.look is not None
        rows = self._some(evidence, "train", self.rows)
        y = np.unique(evidence.target[rows], return_inverse=True)[1]
        whole, border = (skill(v, y) for v in (evidence.values[rows], evidence.look("beside", rows)))
        if border < self.share * whole or whole < 0.2:
            return []
        return [
            Finding(
                code="background:border",
                title=f"The border alone tells the class nearly as well as the whole picture ({100 * border:.0f} and"
                f" {100 * whole:.0f} % of the way from the commonest class to none wrong)",
                severity="warning",
                do="Check that backgrounds differ between classes for a reason that will last; crop to the object.",
                evidence={"border": round(border, 4), "whole": round(whole, 4), "rows": len(rows)},
            )
        ]


def skill(X: np.ndarray, y: np.ndarray) -> float:
    """Left-out accuracy of a ridge head, 0 for always saying the commonest class and 1 for no error."""
    fit = ridge_path(Scaler.of(X)(X), targets(y), class_weights(y))
    floor = np.bincount(y).max() / len(y)
    return float(((fit.held_out.argmax(1) == y).mean() - floor) / max(1 - floor, 1e-9))


class Spoken(NamedTuple):
    """A mark's place, the class it speaks for, how many of its rows and of the others have it, and p."""

    p: float
    place: int
    code: int
    own: float
    others: float


def speaks_for(marked: np.ndarray, y: np.ndarray) -> Spoken | None:
    """Which place (a column of `marked` (n, k)) goes most clearly with which class, p over all; None where none does.

    >>> y = np.repeat([0, 1], 50)
    >>> speaks_for(np.c_[np.arange(100) % 2, y] > 0, y)[1:]
    (1, 1, 1.0, 0.0)
    """
    tried, codes = [], np.unique(y)
    for place, code in product(range(marked.shape[1]), codes):
        own, others = marked[y == code, place], marked[y != code, place]
        if len(others) and own.mean() > others.mean():
            p = fisher(int(own.sum()), len(own), int(others.sum()), len(others)) * marked.shape[1] * len(codes)
            tried.append(Spoken(min(p, 1.0), place, int(code), float(own.mean()), float(others.mean())))
    return min(tried, default=None)


def _lead(evidence: Evidence, code: int) -> Callable[[np.ndarray], np.ndarray]:
    """How far a ridge head on the training rows puts a class before the best of the others."""
    train = evidence.of("train")
    scaler, y = Scaler.of(evidence.values[train]), evidence.target[train]
    head = ridge_path(scaler(evidence.values[train]), targets(y), class_weights(y))

    def lead(values: np.ndarray) -> np.ndarray:
        scores = scaler(values) @ head.coef + head.intercept
        return np.asarray(scores[:, code] - np.delete(scores, code, axis=1).max(1))

    return lead
