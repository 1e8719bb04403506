"""Kinds of rows on which the model errs far more than elsewhere, though nobody named them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from sklearn.cluster import KMeans

from headstart.audit._base import Check, Evidence, Finding
from headstart.audit._held_out import left_out
from headstart.audit._lean import compact
from headstart.audit._levels import levels
from headstart.errors import NotApplicable
from headstart.techniques._linear import ridge_path

ALPHA = 0.95
LEAST = 32  # rows of a slice where it is looked for, as SliceLine has it
TRIED = 4  # candidates that are confirmed on test rows
OVERLAP = 0.5  # of two slices that share more of their rows than this, one is told
EXAMPLES = 8
WIDTH = 60  # principal directions


@dataclass(frozen=True, eq=False)
class Slice:
    """Rows of one kind: what they are in words, which rows, and how typical of the slice each row is.

    `fair` where a row of train and valid was placed without a look at its own error: those rows may testify as well.
    """

    words: str
    rows: np.ndarray  # (n,) bool
    depth: np.ndarray  # (n,)
    fair: bool = False


class Slices(Check):
    """Slices that err more than the model's own confidence says, found on training rows and confirmed on test rows.

    Use it where no attribute is known; it needs some 100 test rows. Candidates are levels of the columns, pairs of
    them, clusters of the activations, and rows on the far side of a plane behind which errors are unexpected. None of
    them knows the class: rows near the border of two classes are hard everywhere, and the model says so. They are
    ranked by SliceLine's score, errors against expected ones, of a left-out ridge head on train and valid rows; the
    best `TRIED` face the served model on test rows, which took no part in the search (Poisson-binomial tests at `level`
    in all); behind the plane, left-out rows testify as well. It cannot see a shortcut: a model that leans on one is as
    often right as it expects. (Sagadeeva and Boehm, SliceLine, SIGMOD 2021; the clusters in the spirit of Eyuboglu et
    al., Domino, ICLR 2022.)

    >>> from headstart.audit._example import evidence
    >>> Slices()(evidence())
    []
    """

    def __init__(self, level: float = 0.05, told: int = 3) -> None:
        self.level = level
        self.told = told

    def __call__(self, evidence: Evidence) -> list[Finding]:
        if evidence.kind != "label":
            raise NotApplicable("slices are looked for where a row has one class")
        if not evidence.values.shape[1]:
            raise NotApplicable(
                "no network that gives vectors took part", expected="vectors, to tell which rows are alike"
            )
        test, known = evidence.of("test"), np.flatnonzero(evidence.split != "test")
        wrong = evidence.scores.argmax(1) != evidence.target[test]
        if wrong.sum() < 10 or len(known) < 4 * LEAST:
            raise NotApplicable(
                f"{int(wrong.sum())} errors on test rows, {len(known)} rows that were learnt from",
                expected=f"at least 10 and {4 * LEAST}, to tell where errors lie",
            )
        told, _ = left_out(evidence)
        errors, expected = surprise(told, evidence.target[known])
        ranked = sorted(
            ((score(errors, expected, s.rows[known]), s) for s in _candidates(evidence, known, errors - expected)),
            key=lambda pair: -pair[0],
        )
        served, foreseen = surprise(evidence.scores, evidence.target[test])
        all_wrong, all_expected = np.concatenate([served, errors]), np.concatenate([foreseen, expected])
        found: list[tuple[float, Slice]] = []
        tried = [candidate for worth, candidate in ranked if worth > 0][:TRIED]
        for candidate in tried:
            inside = candidate.rows[test]
            p = confirmed(served, foreseen, inside)
            if candidate.fair and served[inside].sum() > foreseen[inside].sum():
                p = confirmed(all_wrong, all_expected, np.concatenate([inside, candidate.rows[known]]))
            if p <= self.level / len(tried) and not any(_same(candidate, other) for _, other in found):
                found.append((p, candidate))
        return [self._finding(evidence, k, p, s, (served, foreseen)) for k, (p, s) in enumerate(found[: self.told], 1)]

    def _finding(
        self, evidence: Evidence, number: int, p: float, found: Slice, errors: tuple[np.ndarray, np.ndarray]
    ) -> Finding:
        test, (wrong, foreseen) = evidence.of("test"), errors
        inside = found.rows[test]
        order = test[inside][np.argsort(-found.depth[test[inside]], kind="stable")][:EXAMPLES]
        rate, due, rest = (float(v.mean()) for v in (wrong[inside], foreseen[inside], wrong[~inside]))
        return Finding(
            code=f"slices:{number}",
            title=f"{found.words}: {100 * rate:.0f} % of {int(inside.sum())} test rows are wrong, where the model is as"
            f" sure as if {100 * due:.0f} % were",
            severity="serious" if rate >= 0.5 and len(evidence.classes) == 2 else "warning",
            do=f"Look at the rows listed; label more like them, or try headstart repair --finding slices:{number}.",
            evidence={
                "slice": found.words, "rows": int(inside.sum()), "errors": round(rate, 4), "expected": round(due, 4),
                "elsewhere": round(rest, 4), "p": p, "examples": [_name(evidence, int(i)) for i in order],
            },
        )  # fmt: skip


def surprise(scores: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n,) errors, and the errors that the scores themselves expect, brought to the same sum."""
    wrong = (scores.argmax(1) != y).astype(float)
    expected = np.clip(1 - scores.max(1), 1e-3, 1.0)
    for _ in range(5):  # probabilities stay below one
        expected = np.clip(expected * wrong.sum() / expected.sum(), 1e-3, 0.95)
    return wrong, expected


def score(errors: np.ndarray, expected: np.ndarray, inside: np.ndarray) -> float:
    """SliceLine's score: alpha (error in it / what is expected - 1) - (1 - alpha) (rows / rows in it - 1).

    With the mean error expected everywhere, it is the paper's.

    >>> score(np.repeat([1.0, 0.0], [40, 160]), np.full(200, 0.2), np.repeat([True, False], [40, 160]))
    3.6
    """
    size = int(inside.sum())
    if size < max(LEAST, len(errors) / 100):
        return -np.inf
    lift = float(errors[inside].sum() / expected[inside].sum()) - 1
    return round(ALPHA * lift - (1 - ALPHA) * (len(errors) / size - 1), 9)


def confirmed(wrong: np.ndarray, expected: np.ndarray, inside: np.ndarray) -> float:
    """Probability of so many errors in a slice, were each row wrong as often as expected (Poisson-binomial)."""
    counts = np.ones(1)
    for p in expected[inside]:
        counts = np.convolve(counts, [1 - p, p])
    return float(counts[int(wrong[inside].sum()) :].sum())


def _candidates(evidence: Evidence, known: np.ndarray, excess: np.ndarray) -> Iterator[Slice]:
    parts = list(_parts(evidence, known))
    for words, rows, depth in parts:
        yield Slice(words, rows, depth)
    named = [part for part in parts if not part[0].startswith("Rows like")]
    for (a, rows, depth), (b, others, _) in combinations(named, 2):
        if a.partition(" is ")[0] != b.partition(" is ")[0]:
            yield Slice(f"{a} and {b}", rows & others, depth)
    yield from _hard_sides(evidence, known, excess)


def _parts(evidence: Evidence, known: np.ndarray) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Levels of columns, and clusters of activations."""
    n = len(evidence.split)
    for name, column in evidence.columns.items():
        codes, names = levels(column)
        if len(names) > 1:
            yield from ((f"{name} is {word}", codes == k, np.zeros(n)) for k, word in enumerate(names))
    X = compact(evidence.values, WIDTH)
    clusters = int(np.clip(len(known) // 80, 2, 12))
    found = KMeans(clusters, n_init=2, random_state=evidence.seed).fit(X[known])
    away = found.transform(X)
    for k in range(clusters):
        rows = away.argmin(1) == k
        nearest = known[np.argsort(away[known, k], kind="stable")[:2]]
        yield f"Rows like {' and '.join(_name(evidence, int(i)) for i in nearest)}", rows, -away[:, k]


def _hard_sides(evidence: Evidence, known: np.ndarray, excess: np.ndarray) -> Iterator[Slice]:
    """Rows that lie where a ridge regression expects errors beyond the expected: the tenth, fifth and third of them."""
    X = compact(evidence.values, WIDTH)
    fit = ridge_path(X[known], excess[:, None], np.ones(len(known)))
    said = X @ fit.coef[:, 0]
    said[known] = fit.held_out[:, 0] - fit.intercept[0]  # of rows that were fitted, as if they had not been
    deepest = known[np.argsort(-said[known], kind="stable")[:2]]
    like = " and ".join(_name(evidence, int(i)) for i in deepest)
    for share in (0.1, 0.2, 0.33):
        yield Slice(f"Rows like {like}", said >= np.quantile(said[known], 1 - share), said, fair=True)


def _same(a: Slice, b: Slice) -> bool:
    both = (a.rows & b.rows).sum()
    return bool(both > OVERLAP * min(a.rows.sum(), b.rows.sum()))


def _name(evidence: Evidence, row: int) -> str:
    if evidence.names is not None:
        return str(evidence.names[row])
    value: Any = evidence.rows[row] if len(evidence.rows) else row
    return str(value)[:40]
