"""Does a picture's border, or one of its corners, decide what the model says?"""

from __future__ import annotations

import numpy as np
from scipy.stats import binomtest

from headstart.audit._base import Check, Evidence, Finding
from headstart.errors import NotApplicable
from headstart.techniques._linear import Scaler, class_weights, ridge_path, targets

CORNERS = ("upper left", "upper right", "lower left", "lower right")


class Background(Check):
    """Pictures whose class is told by the border alone, or whose answer flips when a certain corner is hidden.

    Use it for pictures from several sources: watermarks, rulers, burnt-in letters and frames lie at the edge. At most
    `rows` pictures are read again with the middle hidden, and half as many with each corner hidden. The border is told
    of when a ridge head on it reaches the `share` of what one on whole pictures reaches beyond always saying the
    commonest class. A corner is told of when hiding it flips `flips` more of the answers than hiding another does, and
    more often than by chance (sign test against the corner that comes next, `level`, four corners). It is silent on
    objects that reach the edge, as long as their middle matters more. (Xiao et al., Noise or signal: the role of image
    backgrounds in object recognition, ICLR 2021.)

    >>> from headstart.audit._example import evidence
    >>> def look(view, rows):  # nothing that is hidden matters
    ...     return made.values[rows] if view != "border" else np.random.default_rng(0).normal(size=(len(rows), 20))
    >>> made = evidence(modality="image", look=look)
    >>> Background()(made)
    []
    """

    def __init__(self, share: float = 0.8, flips: float = 0.08, level: float = 0.01, rows: int = 240) -> None:
        self.share = share
        self.flips = flips
        self.level = level
        self.rows = rows

    def __call__(self, evidence: Evidence) -> list[Finding]:
        if evidence.modality != "image" or evidence.kind != "label" or evidence.look is None:
            raise NotApplicable("borders and corners are looked at in pictures of one class each")
        return [*self._corner(evidence), *self._border(evidence)]

    def _some(self, evidence: Evidence, split: str, most: int) -> np.ndarray:
        rows = evidence.of(split)
        return np.sort(np.random.default_rng(evidence.seed).permutation(rows)[:most])

    def _corner(self, evidence: Evidence) -> list[Finding]:
        assert evidence.look is not None
        train, test = evidence.of("train"), self._some(evidence, "test", self.rows // 2)
        scaler, y = Scaler.of(evidence.values[train]), evidence.target[train]
        head = ridge_path(scaler(evidence.values[train]), targets(y), class_weights(y))

        def said(values: np.ndarray) -> np.ndarray:
            return np.asarray((scaler(values) @ head.coef + head.intercept).argmax(1))

        plain = said(evidence.values[test])
        flips = np.array([said(evidence.look(f"corner:{k}", test)) != plain for k in range(4)])
        order = np.argsort(-flips.sum(1), kind="stable")
        first, second = flips[order[0]], flips[order[1]]
        apart = first != second
        p = (
            binomtest(int((first & apart).sum()), int(apart.sum()), alternative="greater").pvalue
            if apart.any()
            else 1.0
        )
        if first.mean() - second.mean() < self.flips or p > self.level / 4:
            return []
        name = CORNERS[order[0]]
        return [
            Finding(
                code="background:corner",
                title=f"Hiding the {name} corner flips {100 * first.mean():.0f} % of the answers, hiding another one"
                f" {100 * second.mean():.0f} %",
                severity="warning",  # it cannot tell a mark from a sleeve
                do="Look at that corner of some pictures. Marks, letters or a frame: cut them off, hide them in all"
                " pictures, or headstart repair --finding background:corner. A part of the object: nothing to do.",
                evidence={"corner": name, "flips": flips.mean(1).round(4).tolist(), "p": float(p), "rows": len(test)},
            )
        ]

    def _border(self, evidence: Evidence) -> list[Finding]:
        assert evidence.look is not None
        rows = self._some(evidence, "train", self.rows)
        y = np.unique(evidence.target[rows], return_inverse=True)[1]
        whole, border = (skill(v, y) for v in (evidence.values[rows], evidence.look("border", rows)))
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
