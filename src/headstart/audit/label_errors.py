"""Which labels are probably wrong?"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from scipy.stats import chi2
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from headstart.audit._base import LEVEL, Check, Evidence, Finding
from headstart.audit._vectors import MOST, principal, some, vectors
from headstart.errors import NotApplicable

FOLDS = 5
DIRECTIONS = 50
NAMED = 50


class LabelErrors(Check):
    """Labels that a cross-validated model contradicts with confidence, where more do than overlapping classes explain.

    Use it before more rows are labelled: the most suspect ones are listed with the label that was given and the one
    that is suggested. Confident learning names them (Northcutt et al., Confident Learning, JAIR 2021): out-of-fold
    probabilities of logistic regression on the leading directions, a threshold a class, and the rows that are counted
    off the diagonal of the confident joint. Classes that overlap have such rows too. So a test comes first: where
    labels are right, the share of right answers goes to 1 as the model grows sure; where a share of the labels is
    wrong, it stays below by that share, however sure it is. This lapse rate (Wichmann and Hill, The Psychometric
    Function, 2001) is fitted to the answers, and the finding needs a likelihood ratio against a lapse of 0 at `level`.
    From `share` lapses on it is a warning. Not for rows with several labels, nor for numbers; labels that are wrong in
    the same way everywhere look right.

    >>> from headstart.audit._example import evidence
    >>> LabelErrors()(evidence())
    []
    >>> clean = evidence()
    >>> wrong = np.where(np.arange(600) % 8 == 0, 1 - clean.target, clean.target)
    >>> [f.severity for f in LabelErrors()(evidence(values=3 * clean.values + 2 * clean.target[:, None], target=wrong))]
    ['warning']
    """

    def __init__(self, level: float = LEVEL, share: float = 0.03) -> None:
        self.level = level
        self.share = share

    def __call__(self, evidence: Evidence) -> list[Finding]:
        if evidence.kind != "label":
            raise NotApplicable(f"the target is a {evidence.kind}", expected="one class a row")
        rows = some(np.arange(len(evidence.split)), MOST, evidence.seed)
        y = evidence.target[rows]
        counts = np.bincount(y, minlength=len(evidence.classes))
        rows, y = rows[counts[y] >= FOLDS], y[counts[y] >= FOLDS]
        codes, y = np.unique(y, return_inverse=True)
        if len(codes) < 2 or len(rows) < 10 * FOLDS:
            raise NotApplicable("too few rows of a class", expected=f"two classes of {FOLDS} rows, {10 * FOLDS} in all")
        X = principal(vectors(evidence, rows)[rows], np.arange(len(rows)), DIRECTIONS)
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=evidence.seed)
        head = LogisticRegression(C=0.1, max_iter=200, tol=1e-3)
        scores = cross_val_predict(head, X / X[:, -1].std(), y, cv=folds, method="predict_proba")
        lapse, p = lapses(scores, y)
        if p > self.level:
            return []
        counted = confident_joint(scores, y)
        named, suggested = issues(scores, y)
        classes = [evidence.classes[k] for k in codes]
        return [
            Finding(
                code="label_errors:lapses",
                title=f"About {max(lapse, 0.001):.1%} of the labels look wrong; {len(named):,} rows deserve a look",
                severity="warning" if lapse >= self.share else "info",
                do="Look at the listed rows, mend wrong labels and run again.",
                evidence={
                    "share": round(lapse, 4), "p": p, "rows": len(named),
                    "table": {
                        "columns": ["given \\ suggested", *classes],
                        "rows": [[c, *map(int, row)] for c, row in zip(classes, counted, strict=True)],
                    },
                    "suspects": [
                        {
                            "position": int(rows[i]), "row": evidence.name(int(rows[i])), "given": classes[y[i]],
                            "suggested": classes[k], "sure": round(float(scores[i, k]), 3),
                        }
                        for i, k in list(zip(named, suggested, strict=True))[:NAMED]
                    ],
                },
            )
        ]  # fmt: skip


def confident_joint(scores: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(C, C) counts of rows with a given label (row) that are confidently of a class (column), uncalibrated.

    A row is confidently of a class when its probability reaches the mean one of the rows with that label; of several
    such classes the likeliest counts.

    >>> scores = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.85, 0.15]])
    >>> confident_joint(scores, np.array([0, 0, 1, 1, 1])).tolist()
    [[1, 0], [1, 2]]
    """
    is_sure, likeliest = _confident(scores, y)
    joint = np.zeros((scores.shape[1],) * 2, dtype=int)
    np.add.at(joint, (y[is_sure], likeliest[is_sure]), 1)
    return joint


def issues(scores: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions off the diagonal of the confident joint and the class suggested, the least likely label first."""
    is_sure, likeliest = _confident(scores, y)
    off = np.flatnonzero(is_sure & (likeliest != y))
    margin = scores[off, y[off]] - scores[off, likeliest[off]]
    off = off[np.argsort(margin, kind="stable")]
    return off, likeliest[off]


def _confident(scores: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    limits = np.array([scores[y == k, k].mean() for k in range(scores.shape[1])])
    reached = scores >= limits - 1e-9
    return np.asarray(reached.any(1)), np.where(reached, scores, -1).argmax(1)


def lapses(scores: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """The share of labels that no certainty explains, and its p-value: the ratio of likelihoods with and without it.

    The chance to be right is (1 - lapse) times a logistic function of the answer's log odds. A lapse of 0 lies on the
    border of what is possible, so that the ratio follows half a chi-squared law (Self and Liang 1987).
    """
    sure = np.clip(scores.max(1), 1e-6, 1 - 1e-6)
    odds = np.log(sure / (1 - sure))
    right = (scores.argmax(1) == y).astype(np.float64)

    def loss(v: np.ndarray, lapse: float | None = None) -> float:
        share = 1 / (1 + np.exp(-v[2])) if lapse is None else lapse
        chance = np.clip((1 - share) / (1 + np.exp(-np.clip(v[0] + np.exp(v[1]) * odds, -30, 30))), 1e-9, 1 - 1e-9)
        return float(-(right * np.log(chance) + (1 - right) * np.log(1 - chance)).sum())

    options = {"xatol": 1e-3, "fatol": 1e-4, "maxiter": 600}
    without = minimize(lambda v: loss(v, 0.0), np.zeros(2), method="Nelder-Mead", options=options)
    starts = (np.array([*without.x, start]) for start in (-4.0, -2.0))
    fitted = min((minimize(loss, s, method="Nelder-Mead", options=options) for s in starts), key=lambda f: f.fun)
    ratio = max(0.0, 2 * (without.fun - fitted.fun))
    return float(1 / (1 + np.exp(-fitted.x[2]))), float(0.5 * chi2.sf(ratio, 1)) if ratio > 0 else 1.0
