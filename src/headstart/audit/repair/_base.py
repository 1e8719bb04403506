"""The contract of a repair: from labelled activations and a suspicion to a better head."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from headstart.audit.repair._head import Head, fit
from headstart.audit.repair._rule import Rule
from headstart.techniques._linear import class_weights

STRENGTHS = (1.0, 0.1, 0.01, 0.001)
INNER = 3  # folds that tell of every row what a head that did not see it says


def folds(n: int, k: int, seed: int, y: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(fit, held) positions of k folds, each with its share of every code."""
    order = np.random.default_rng(seed).permutation(n)
    order = order[np.argsort(y[order], kind="stable")]
    part = np.empty(n, dtype=int)
    part[order] = np.arange(n) % k
    for i in range(k):
        yield np.flatnonzero(part != i), np.flatnonzero(part == i)


@dataclass(frozen=True, eq=False)
class Task:
    """What a repair learns from: rows on the head's directions, their classes and the levels that are suspected.

    Where no attribute is known, levels are guessed: within each class, rows that a plain head finds hard and rows that
    it finds easy lie on the two sides of a plane.
    """

    X: np.ndarray  # (n, d)
    y: np.ndarray  # (n,) codes
    known: np.ndarray | None  # (n,) codes of an attribute
    classes: int
    strength: float = 0.1
    seed: int = 0
    said: np.ndarray | None = None  # (n, C) what the model that is repaired says of these rows, not having seen them

    @cached_property
    def plain(self) -> Head:
        """The head without any repair."""
        return self.head(np.arange(len(self.y)), class_weights(self.y))

    @cached_property
    def told(self) -> np.ndarray:
        """(n, C) what plain heads that did not see a row say of it."""
        out = np.empty((len(self.y), self.classes))
        for rows, held in folds(len(self.y), INNER, self.seed, self.y):
            out[held] = self.head(rows, class_weights(self.y[rows]))(self.X[held])
        return out

    @cached_property
    def ease(self) -> np.ndarray:
        """(n,) the probability that `told` gives the true class."""
        return np.asarray(self.told[np.arange(len(self.y)), self.y])

    @cached_property
    def levels(self) -> np.ndarray:
        """(n,) levels of the attribute, known or guessed."""
        return self.known if self.known is not None else guess(self.X, self.y, self.ease)

    @cached_property
    def groups(self) -> np.ndarray:
        """(n,) codes of class and level together."""
        return np.unique(self.y * (int(self.levels.max()) + 1) + self.levels, return_inverse=True)[1]

    def head(
        self, rows: np.ndarray, weight: np.ndarray, *, leash: float = 0.0, steps: int = 100, start: Head | None = None
    ) -> Head:
        """A head on some rows; with a `leash` it stays near the plain one, so strongly."""
        start = self.plain if leash else start
        strength = leash or self.strength
        return fit(
            self.X[rows], self.y[rows], weight, strength, classes=self.classes, start=start, leash=bool(leash),
            steps=steps,
        )  # fmt: skip


class Repair(ABC):
    """One way to a head that treats groups more alike, or to a rule upon what the model says as it is.

    Settings are the keywords of `__init__`. What `asks` for the attribute of every row to come competes only where the
    finding is a gap between groups, or by name.
    """

    asks: ClassVar[bool] = False

    @abstractmethod
    def __call__(self, task: Task) -> Head | Rule:
        """The repaired head, or the rule; raises NotApplicable where the task lacks what it needs."""


def guess(X: np.ndarray, y: np.ndarray, ease: np.ndarray) -> np.ndarray:
    """(n,) 0 or 1: the side of the plane, within each class, on which rows are hard for a plain head.

    A ridge regression of the ease of the rows of one class on their activations, its strength by leave-one-out; the
    two sides are the two means of what it says. (In the spirit of Domino and GEORGE: Eyuboglu et al., ICLR 2022; Sohoni
    et al., NeurIPS 2020.)
    """
    from headstart.techniques._linear import ridge_path

    side = np.zeros(len(y), dtype=int)
    for c in np.unique(y):
        rows = np.flatnonzero(y == c)
        if len(rows) < 20:
            continue
        found = ridge_path(X[rows], ease[rows, None], np.ones(len(rows)))
        side[rows] = _two_means(X[rows] @ found.coef[:, 0])
    return side


def _two_means(values: np.ndarray) -> np.ndarray:
    """1 for the lower of two clusters on a line, exactly: the cut with the least spread within."""
    order = np.argsort(values)
    v = values[order]
    n = len(v)
    left, total = np.cumsum(v)[:-1], v.sum()
    size = np.arange(1, n)
    between = left**2 / size + (total - left) ** 2 / (n - size)
    cut = v[int(between.argmax())]
    return (values <= cut).astype(int)
