"""Every way of adaptation on the same rows: a head behind each, and what the guard may know of it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from headstart import _discover
from headstart.activations.activations import Activations
from headstart.adaptation._base import Adapter
from headstart.errors import NotApplicable
from headstart.selection.contender import make
from headstart.selection.validators._base import Outlook
from headstart.techniques._base import Technique

FLOOR = "source_only"
HEAD = "ridge"  # closed form: every method is one more fit of it


@dataclass(frozen=True, eq=False)
class Fitted:
    """A head on what a method made of the source; answers for rows of the target, in so many classes."""

    adapter: Adapter
    head: Technique
    classes: int
    learnt: np.ndarray  # (n, d) the rows that the head learnt from

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """(n, C) probabilities; a class that no row was given is never told."""
        told = self.head.predict_proba(vectors(self.adapter.transform(rows)))
        return np.pad(told, ((0, 0), (0, self.classes - told.shape[1])))


@dataclass(frozen=True)
class Method:
    """A way of adaptation by name, ready to be fitted anew on any rows."""

    name: str
    classes: int
    seed: int = 0

    def fit(self, X: np.ndarray, y: np.ndarray, other: np.ndarray) -> Fitted:
        """Adapt labelled rows X to unlabelled rows `other` and learn a head; NotApplicable where that cannot be."""
        kind = _discover.load("adaptation", self.name)
        adapter = kind(seed=self.seed) if "seed" in kind().get_params() else kind()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # solvers that stop early are judged by what they give
            adapted = adapter.adapt(X, y, other)
        head = make(HEAD).fit(vectors(adapted.X), adapted.y, sample_weight=adapted.weight)
        return Fitted(adapter, head, self.classes, adapted.X)

    def again(self, X: np.ndarray, y: np.ndarray, other: np.ndarray, ask: np.ndarray) -> np.ndarray:
        """Fit on other rows and answer `ask`, as validators need it; all classes alike where it cannot be fitted."""
        try:
            return self.fit(X, y, other)(ask)
        except NotApplicable:
            return np.full((len(ask), self.classes), 1 / self.classes)


@dataclass(frozen=True, eq=False)
class Candidate:
    """A method on these rows, fitted, with what validators may look at."""

    name: str
    fitted: Fitted
    outlook: Outlook


def candidates(
    source: np.ndarray, y: np.ndarray, held: np.ndarray, held_y: np.ndarray, target: np.ndarray, *,
    names: Sequence[str] = (), seed: int = 0, told: Callable[[str], None] = lambda words: None,
) -> dict[str, Candidate]:  # fmt: skip
    """Methods, all where none is named, on source rows (n, d) with codes y, held-out ones and target rows (m, d).

    The floor, doing nothing, is always among them. A method that cannot be used here is left out, and `told` why.
    """
    classes = int(max(y.max(), held_y.max())) + 1
    found = {}
    for name in dict.fromkeys([FLOOR, *(names or _discover.names("adaptation"))]):
        method = Method(name, classes, seed)
        try:
            fitted = method.fit(source, y, target)
            outlook = Outlook(
                held, held_y, fitted(held), source, y, target, fitted(target), method.again, seed, fitted.adapter.maps
            )
        except NotApplicable as error:
            if name == FLOOR or name in names:
                raise
            told(f"{name} is left out: {error}")
            continue
        found[name] = Candidate(name, fitted, outlook)
    return found


def vectors(X: np.ndarray) -> Activations:
    """Plain rows as a head reads them."""
    return Activations(X, np.arange(len(X)).astype(str), "pooled", "vector")
