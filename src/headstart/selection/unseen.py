"""Leave-one-domain-out: what a site, author or style that took no part in training will bring."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from headstart._words import counted
from headstart.activations.activations import Activations
from headstart.errors import DataError
from headstart.selection.metrics import Metric
from headstart.techniques._base import LEAST, by_domain

MOST = 30  # domains up to which each is held out alone
BLOCKS = 10  # so many folds of whole domains where there are more
SHOWN = 5  # domains that a refusal names
JUDGED = 5000  # rows are enough for a score, and a bootstrap of more of them fills the memory
PARTS = 5  # folds of groups inside a held-out domain, where its groups also live in other domains


@dataclass(frozen=True, eq=False)
class Domains:
    """Of which domain each row is, and which of the domains can be held out in turn.

    Rows of the others stay in every training; `why` says for each what it lacks.
    """

    names: np.ndarray  # (n,) str
    held: tuple[str, ...]
    why: dict[str, str] = field(default_factory=dict)
    kin: np.ndarray | None = None  # (n,) rows of one kin (a patient, copies) are never both learnt from and predicted

    @classmethod
    def of(
        cls, names: np.ndarray, y: np.ndarray, known: np.ndarray | None = None, kin: np.ndarray | None = None
    ) -> Domains:
        """Look at every domain, and at the targets of known rows alone; DataError where fewer than two can be held out.

        >>> Domains.of(np.repeat(["a", "b", "c"], [20, 20, 3]), np.arange(43) % 2).why
        {'c': '3 rows, fewer than 10'}
        """
        may = np.arange(len(y)) if known is None else known
        found = {str(n): _lacks(int((names == n).sum()), y[may[names[may] == n]]) for n in np.unique(names)}
        held = tuple(name for name, why in found.items() if not why)
        if len(held) < 2:
            lacking = [f"{name!r}: {why}" for name, why in found.items() if why]
            more = f"; and {len(lacking) - SHOWN} more" if len(lacking) > SHOWN else ""
            reasons = "; ".join(lacking[:SHOWN]) + more
            raise DataError(
                f"there is one domain, {held[0]!r}" if len(found) == 1 and held
                else f"{len(held)} of {len(found)} domains can be held out ({reasons})",
                expected=f"at least two domains with {LEAST} rows and two different targets each",
                do="name another column with --domain, or leave it out",
            )  # fmt: skip
        return cls(names, held, {name: why for name, why in found.items() if why}, kin)

    @property
    def judged(self) -> np.ndarray:
        """(n,) bool: rows of the domains that are held out."""
        return np.isin(self.names, self.held)

    def blocks(self, most: int = MOST) -> list[list[str]]:
        """What is held out together: each domain alone, or in folds where there are more than `most`."""
        if len(self.held) <= most:
            return [[name] for name in self.held]
        count = min(BLOCKS, most)
        return [list(self.held[k::count]) for k in range(count)]

    def splits(self, known: np.ndarray, most: int = MOST) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(rows to learn from, rows to predict): known rows of all other domains, all rows of those held out.

        Where kin of a held-out row is elsewhere, it is left out of the training: at once where that costs few rows,
        else part after part.
        """
        for block in self.blocks(most):
            inside = np.isin(self.names, block)
            fit, held = known[~inside[known]], np.flatnonzero(inside)
            if self.kin is None:
                yield fit, held
                continue
            related = np.isin(self.kin[fit], self.kin[held])
            parts = 1 if related.mean() <= 1 / PARTS else PARTS
            members = np.random.default_rng(0).permutation(np.unique(self.kin[held]))
            for k in range(parts):
                mine = members[k::parts]
                yield fit[~np.isin(self.kin[fit], mine)], held[np.isin(self.kin[held], mine)]


def some(rows: np.ndarray) -> np.ndarray:
    """At most JUDGED of the rows, the same ones every time."""
    return rows if len(rows) <= JUDGED else np.sort(np.random.default_rng(0).permutation(rows)[:JUDGED])


def evenly(metric: Metric, names: np.ndarray) -> Metric:
    """A metric in which each domain counts the same, however many rows it has.

    >>> from headstart.selection.metrics import metric_for
    >>> y, right = np.array([0, 1, 0, 1, 0, 1]), np.array([1, 1, 1, 1, 0, 0])
    >>> told = np.eye(2)[np.where(right, y, 1 - y)]
    >>> evenly(metric_for(y, "label"), np.array(["a", "a", "a", "a", "b", "b"]))(y, told)
    0.5
    """
    _, domain, rows = np.unique(names, return_inverse=True, return_counts=True)
    share = (len(names) / (len(rows) * rows))[domain]
    return Metric(f"{metric.name}_of_unseen_domains", lambda y, scores, w: metric.weighted(y, scores, w * share))


def learn(technique: Any, X: Activations, y: np.ndarray, rows: np.ndarray, domains: np.ndarray | None) -> Any:
    """Fit on some of the rows; the domains reach a technique that knows what to do with them."""
    known = {"domains": domains[rows]} if technique.uses_domains and domains is not None else {}
    return technique.fit(X[rows], y[rows], **known)


def ask(technique: Any, X: Activations, rows: np.ndarray, domains: np.ndarray | None) -> np.ndarray:
    """Predictions for some of the rows; of a technique that reads a domain's statistics, from all its rows."""
    if domains is None or not technique.together:
        return np.asarray(technique.predict_proba(X[rows]))
    return by_domain(lambda own: technique.predict_proba(X[own]), domains)[rows]


def away(build: Callable[[], Any], X: Activations, y: np.ndarray, known: np.ndarray, where: Domains, *,
         outputs: int, most: int = MOST) -> np.ndarray:  # fmt: skip
    """(n, outputs) what is said of each row by a technique that never saw a row of its domain; NaN where unknown."""
    told = np.full((len(y), outputs), np.nan)
    for fit, held in where.splits(known, most):
        part = ask(learn(build(), X, y, fit, where.names), X, held, where.names)
        told[held] = 0.0
        told[held, : part.shape[1]] = part
    told[~where.judged] = np.nan
    return told


def _lacks(rows: int, y: np.ndarray) -> str:
    if rows < LEAST:
        return f"{counted(rows)}, fewer than {LEAST}"
    return "" if len(np.unique(y, axis=0)) > 1 else "one target only"
