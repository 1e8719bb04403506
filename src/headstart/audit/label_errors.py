"""Which labels are probably wrong?"""

from __future__ import annotations

from collections import Counter

import numpy as np
from scipy.special import softmax
from scipy.stats import chi2
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RepeatedStratifiedKFold, StratifiedKFold, cross_val_predict

from headstart._words import counted
from headstart.audit._base import LEVEL, TOLD, Check, Evidence, Finding
from headstart.audit._vectors import MOST, principal, some, vectors
from headstart.errors import NotApplicable
from headstart.selection.calibration import apply

FOLDS, TIMES = 5, 4  # and how many foldings the second model's answers are the mean of
DIRECTIONS = 50
NAMED = 50
TEMPERATURES = np.geomspace(1 / 4, 3, 25)
TINY = 1e-12  # the least probability: its logarithm must be a number
PAIRS = 12  # of classes that are taken for one another, the most frequent


class LabelErrors(Check):
    """Labels that a cross-validated model contradicts with confidence, where more do than overlapping classes explain.

    Use it before more rows are labelled: the most suspect ones are listed with the label that was given and the one
    that is suggested. Confident learning names them (Northcutt et al., Confident Learning, JAIR 2021): out-of-fold
    probabilities of logistic regression on the leading directions, a threshold a class, and the rows that are counted
    off the diagonal of the confident joint. Classes that overlap have such rows too. So a test comes first: where
    labels are right, the share of right answers goes to 1 as rows lie deeper in a class; where a share of the labels
    is wrong, it stays below by that share, however deep they lie. A second model, which learns without the named rows,
    says how deep, as the mean of several foldings; the lapse rate (Wichmann and Hill, The Psychometric Function, 2001)
    is fitted to its answers, and the finding needs a likelihood ratio against a lapse of 0 at `level`. From `share`
    lapses on it is a warning. Not for rows with several labels, nor for numbers. Where classes overlap everywhere,
    wrong labels cannot be told from them and little is found; labels that are wrong in the same way everywhere look
    right. Nor can it tell wrong labels from a target that chance decides in part, however clear the row: who is
    arrested again.

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
            raise NotApplicable(f"the rows have {TOLD[evidence.kind]}", expected="one class a row")
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
        named, suggested = issues(scores, y)
        lapse, p = lapses(_deep(X, y, named, evidence.seed), y)
        if p > self.level or not len(named):
            return []
        pairs = Counter(zip(y[named].tolist(), suggested.tolist(), strict=True)).most_common(PAIRS)
        classes = [evidence.classes[k] for k in codes]
        share = f"About {max(lapse, 0.001):.1%} of the labels"
        return [
            Finding(
                code="label_errors:lapses",
                title=f"{share} contradict even the clearest rows; to look at: {counted(len(named))}",
                severity="warning" if lapse >= self.share else "info",
                do="Look at the listed rows, mend wrong labels and run again. Where chance has a part in the target"
                " (who falls ill, who buys), the labels may be right and this what no model can know.",
                evidence={
                    "share": round(lapse, 4), "p": p, "rows": len(named),
                    "table": {
                        "columns": ["given", "suggested", "rows"],
                        "rows": [[classes[a], classes[b], count] for (a, b), count in pairs],
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


def issues(scores: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions off the diagonal of the confident joint and the class suggested, the least likely label first.

    A row is confidently of a class when its probability reaches the mean one of the rows with that label; of several
    such classes the likeliest counts.

    >>> scores = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.85, 0.15]])
    >>> issues(scores, np.array([0, 0, 1, 1, 1]))
    (array([4]), array([0]))
    """
    is_sure, likeliest = _confident(scores, y)
    off = np.flatnonzero(is_sure & (likeliest != y))
    margin = scores[off, y[off]] - scores[off, likeliest[off]]
    off = off[np.argsort(margin, kind="stable")]
    return off, likeliest[off]


def _confident(scores: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    limits = np.array([scores[y == k, k].mean() for k in range(scores.shape[1])])
    reached = scores >= limits - 1e-9
    return np.asarray(reached.any(1)), np.where(reached, scores, -1).argmax(1)


def _deep(X: np.ndarray, y: np.ndarray, named: np.ndarray, seed: int) -> np.ndarray:
    """Out-of-fold probabilities of a Gaussian model that learns from all rows but the named ones."""
    trusted = np.ones(len(y), dtype=bool)
    trusted[named] = False
    trusted |= np.bincount(y[trusted], minlength=int(y.max()) + 1)[y] < 2 * FOLDS  # a class must be left to learn from
    folds = RepeatedStratifiedKFold(n_splits=FOLDS, n_repeats=TIMES, random_state=seed)
    logits = np.zeros((len(y), int(y.max()) + 1))
    for known, held in folds.split(X, y):
        some = known[trusted[known]]
        model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(X[some], y[some])
        scores = np.full((len(held), logits.shape[1]), TINY)
        scores[:, model.classes_] = model.predict_proba(X[held])
        logits[held] += np.log(np.maximum(scores, TINY)) / TIMES
    return np.asarray(softmax(logits, axis=1))


def lapses(scores: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """The share of labels that no certainty explains, and its p-value: the ratio of likelihoods with and without it.

    A lapse gives the row any other label. The largest probability is taken at some temperature, of 3 at most: models
    are too sure, and with many classes not in the odds of the first alone. A lapse of 0 lies on the border of what is
    possible, so that the ratio follows half a chi-squared law (Self and Liang 1987).

    >>> y = np.arange(400) % 2
    >>> sure = np.eye(2)[y] * 0.999998 + 0.000001  # of every row
    >>> lapses(sure, y)
    (0.0, 1.0)
    >>> share, p = lapses(sure, np.where(np.arange(400) % 10 == 0, 1 - y, y))  # and wrong in one of ten
    >>> round(share, 1), p < 1e-6
    (0.1, True)
    """
    right = (scores.argmax(1) == y)[:, None]
    shares = np.array([0.0, *np.geomspace(1e-4, 0.5, 60)])
    loss = np.empty((len(TEMPERATURES), len(shares)))
    for i, temperature in enumerate(TEMPERATURES):
        sure = apply(scores, temperature).max(1)[:, None]
        chance = (1 - shares) * sure + shares * (1 - sure) / (scores.shape[1] - 1)
        loss[i] = -np.log(np.clip(np.where(right, chance, 1 - chance), 1e-12, 1)).sum(0)
    ratio = 2 * float(loss[:, 0].min() - loss.min())
    lapse = float(shares[np.unravel_index(int(loss.argmin()), loss.shape)[1]])
    return lapse, float(0.5 * chi2.sf(ratio, 1)) if lapse else 1.0
