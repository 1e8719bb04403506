"""Which rows are worth explaining, and which classes are confused because of what."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from headstart.data.dataset import Dataset
from headstart.errors import NotApplicable
from headstart.explain._pictures import drawn_alone, where
from headstart.explain.explainer import Explainer, Explanation

PAIRS, EACH, LEAST = 4, 6, 2  # pairs of classes that are shown, mistakes of each that are explained, and made at least
PULLS = 8  # words or columns of a pair that are named
EDGES = " .,;:!?\"'()[]{}<>*_-"


def aims(scores: np.ndarray, y: np.ndarray | None, kind: str) -> list[tuple[int, int | None]]:
    """(toward, against) of each row: the answer against the label, or against the next likely class where it is right.

    Of several labels a row, the one that is most wrong, or likeliest where nothing is known.
    """
    if kind == "number":
        return [(0, None)] * len(scores)
    if kind == "labels":
        return [(int(i), None) for i in (scores if y is None else np.abs(scores - y)).argmax(1)]
    order = np.argsort(-scores, axis=1, kind="stable")
    said, following = order[:, 0], order[:, 1]
    against = following if y is None else np.where(said == y, following, y)
    return [(int(a), int(b)) for a, b in zip(said, against, strict=True)]


def pairs(scores: np.ndarray, y: np.ndarray) -> list[tuple[int, int, list[int]]]:
    """(true class, class that was said, the mistaken rows, the surest first) of the pairs most often confused.

    >>> pairs(np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]]), np.array([1, 1, 1]))
    [(1, 0, [0, 1])]
    """
    said = scores.argmax(1)
    order = np.argsort(-scores.max(1), kind="stable")
    found: dict[tuple[int, int], list[int]] = {}
    for i in order[said[order] != y[order]]:
        found.setdefault((int(y[i]), int(said[i])), []).append(int(i))
    most = sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    return [(true, told, rows) for (true, told), rows in most if len(rows) >= LEAST][:PAIRS]


def explain(
    explainer: Explainer, data: Dataset, rows: Sequence[int], aim: Sequence[tuple[int, int | None]], *,
    left: Callable[[], float] | None = None,
) -> tuple[dict[int, Explanation], str]:  # fmt: skip
    """Explanations of the rows at some positions, in that order while seconds are `left`; and what is missing, and why.

    `aim` says of each of them what is to be explained. None begins that the slowest so far would not let end; the first
    one by what the explainer expects.
    """
    found: dict[int, Explanation] = {}
    slowest = 0.0 if left is None else explainer.seconds
    for row, (toward, against) in zip(rows, aim, strict=True):
        if left is not None and left() <= slowest:
            more = slowest * (len(rows) - len(found))
            why = f"the others would take about {more:.0f} s" if found else "the budget was used up"
            return found, f"{len(found)} of {len(rows)} rows are explained here, {why}: headstart explain explains all"
        start = time.monotonic()
        try:
            found[row] = explainer(data, row, toward, against)
        except NotApplicable as error:
            return found, str(error)
        slowest = max(slowest, time.monotonic() - start)
    return found, ""


def pulls(told: Sequence[Explanation]) -> list[list[Any]]:
    """[word or column, mean weight over the rows, rows that have it] of what pulls rows the way they went, most first.

    >>> one = Explanation("weights", "a", "b", 1.0, words=[["Bad,", 2.0], ["a", -1.0]])
    >>> pulls([one, one])
    [['bad', 2.0, 2]]
    """
    total: dict[str, float] = {}
    having: dict[str, int] = {}
    for one in told:
        own: dict[str, float] = {}
        for name, weight in [
            *((w.strip(EDGES).lower(), v) for w, v in one.words),
            *((c, v) for c, _, v in one.columns),
        ]:
            own[name] = own.get(name, 0.0) + weight
        for name, weight in own.items():
            total[name] = total.get(name, 0.0) + weight
            having[name] = having.get(name, 0) + 1
    order = sorted((n for n in total if n and total[n] > 0), key=lambda n: -total[n])
    return [[n, total[n] / len(told), having[n]] for n in order[:PULLS]]


def because(
    confused: Sequence[tuple[int, int, list[int]]], told: dict[int, Explanation], classes: Sequence[str]
) -> list[dict[str, Any]]:
    """Each pair of classes with what pulls its rows to the wrong one; `told` by position in the lists of `confused`."""
    found = []
    for true, said, rows in confused:
        own = [told[i] for i in rows[:EACH] if i in told]
        if own:
            heat = [np.array(e.heat) / (np.abs(e.heat).max() or 1.0) for e in own if e.heat is not None]
            mean = np.mean(heat, axis=0) if heat else None
            found.append({
                "true": classes[true], "said": classes[said], "rows": len(rows), "explained": len(own),
                "pulls": pulls(own), "picture": None if mean is None else drawn_alone(mean),
                "where": "" if mean is None else where(mean),
                "pictures": [e.picture for e in own if e.picture],
            })  # fmt: skip
    return found
