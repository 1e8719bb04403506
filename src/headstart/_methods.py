"""Every way of adaptation on the same rows: a head behind each, and what the guard may know of it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from headstart import _discover
from headstart.activations.activations import Activations, Source
from headstart.adaptation._base import Adapter
from headstart.errors import NotApplicable
from headstart.selection.calibration import apply, as_sure, temperature
from headstart.selection.contender import make
from headstart.selection.estimate import OFF, OFF_AMONG, among, estimate
from headstart.selection.guard import followers, one_thread
from headstart.selection.validators._base import Outlook
from headstart.techniques._base import Technique

FLOOR, CONSENSUS = "source_only", "consensus"
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
        return padded(self.head.predict_proba(vectors(self.adapter.transform(rows))), self.classes)


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
    technique: str = HEAD
    cut: str = "pooled"
    moved: np.ndarray | None = None  # target rows as the head sees them, where no adapter brings them there
    temperature: float = 1.0  # at which the outlook shows what the head tells

    @property
    def moves(self) -> bool:
        """Whether something stands before its head that is made for the target's rows."""
        return self.name != FLOOR and self.moved is None


@one_thread
def candidates(
    source: np.ndarray, y: np.ndarray, held: np.ndarray, held_y: np.ndarray, target: np.ndarray, *,
    names: Sequence[str] = (), seed: int = 0, told: Callable[[str], None] = lambda words: None,
) -> dict[str, Candidate]:  # fmt: skip
    """Methods, all where none is named, on source rows (n, d) with codes y, held-out ones and target rows (m, d).

    The floor, doing nothing, is always among them; where none is named, so is what they agree on. A method that cannot
    be used here is left out, and `told` why.
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
    return found if names else found | consensus(found)


def consensus(found: Mapping[str, Candidate]) -> dict[str, Candidate]:
    """A head that learnt on the target's rows what doing nothing and the methods that follow its clusters agree on.

    Methods err on different rows, so that the mean of their probabilities errs less often than most of them (Dinu et
    al., Addressing Parameter Choice Issues in Unsupervised Domain Adaptation by Aggregation, ICLR 2023, weigh models
    by importance; here the clusters choose). Nothing where no method follows them or all rows fall to one class.
    """
    floor = found[FLOOR]
    able = followers(floor.outlook, {n: c.outlook for n, c in found.items() if n != FLOOR})
    codes = np.mean([found[n].outlook.told for n in (FLOOR, *able)], axis=0).argmax(1)
    if not able or len(np.unique(codes)) < 2:
        return {}
    seen = floor.outlook
    fitted = replace(floor.fitted, head=make(HEAD).fit(vectors(seen.target), codes), learnt=seen.target)
    outlook = replace(seen, told_held=fitted(seen.held), told=fitted(seen.target), agreed=True)
    return {CONSENSUS: Candidate(CONSENSUS, fitted, outlook)}


def guess(chosen: Candidate, floor: Candidate, menu: Mapping[str, Candidate], seed: int = 0) -> dict[str, float]:
    """How often what ships is right on the target, as far as that can be told; one model alone without a shift."""
    others = [c.outlook.told for n, c in menu.items() if n not in (chosen.name, CONSENSUS)]
    seen, plain = chosen.outlook, floor.outlook
    if others:
        found, off = among(seen, plain, others), OFF_AMONG
    else:
        found, off = estimate(seen.told_held, seen.y, seen.told, seed=seed), OFF
    return {**dict(zip(("estimate", "low", "high"), found, strict=True)), "estimate_off": off}


def sharpness(chosen: Candidate, right: float) -> float:
    """The temperature of what the head of a candidate tells of target rows.

    Where the method moves the target, held-out source rows are nothing that its head should read: it is as sure as it
    is guessed to be `right` there.
    """
    seen = chosen.outlook
    return as_sure(seen.told, right) if chosen.moves else chosen.temperature * temperature(seen.told_held, seen.y)


@dataclass(frozen=True)
class Beside:
    """A technique that learns beside the target's rows, by name with settings."""

    spec: str
    classes: int
    source: Source  # the network that read the rows
    seed: int = 0

    def candidate(
        self, ours: Activations, held: Activations, theirs: Activations, floor: Candidate, cut: str
    ) -> Candidate:
        """Train it on source rows beside target rows, activations of its cut; `floor` saw the same rows, pooled."""
        technique = self._made().fit(ours, floor.outlook.labels, target=theirs)
        told_held, told = (padded(technique.predict_proba(rows), self.classes) for rows in (held, theirs))
        t = temperature(told_held, floor.outlook.y)  # a network is surer than it is right: that must win no votes
        outlook = replace(floor.outlook, told_held=apply(told_held, t), told=apply(told, t), refit=self.again)
        name = self.spec.partition(":")[0]
        fitted = Fitted(floor.fitted.adapter, technique, self.classes, technique.vectors(ours))
        return Candidate(self.spec, fitted, outlook, name, cut, technique.vectors(theirs), t)

    def again(self, X: np.ndarray, y: np.ndarray, other: np.ndarray, ask: np.ndarray) -> np.ndarray:
        """Fit on other rows and answer `ask`, as validators need it: on pooled vectors, whatever the cut.

        Training stages anew for one vote would double the cost, and of mixtures there are vectors alone. A method that
        needs stages (AdaBN) is asked as a plain head that learns what the method told.
        """
        technique = self._made().set_params(layers=0)
        try:
            technique.fit(vectors(X, self.source), y, target=vectors(other, self.source))
        except NotApplicable:
            return Method(FLOOR, self.classes, self.seed).again(X, y, other, ask)
        return padded(technique.predict_proba(vectors(ask, self.source)), self.classes)

    def _made(self) -> Any:
        return make(self.spec).set_params(seed=self.seed)


def padded(told: np.ndarray, classes: int) -> np.ndarray:
    """Probabilities (n, classes): a class that no row was given is never told.

    >>> padded(np.array([[1.0]]), 2).tolist()
    [[1.0, 0.0]]
    """
    return np.pad(told, ((0, 0), (0, classes - told.shape[1])))


def finite(ours: Any, theirs: Any, train: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of both domains without gaps: a missing number becomes the mean of the source's `train` rows."""
    X, Z = (np.asarray(a, dtype=np.float64) for a in (ours, theirs))
    if not (np.isnan(X).any() or np.isnan(Z).any()):
        return X, Z
    known = ~np.isnan(X[train])
    mean = np.where(known, X[train], 0.0).sum(0) / np.maximum(known.sum(0), 1)
    return np.where(np.isnan(X), mean, X), np.where(np.isnan(Z), mean, Z)


def vectors(X: np.ndarray, source: Source | None = None) -> Activations:
    """Plain rows as a head reads them."""
    return Activations(X, np.arange(len(X)).astype(str), "pooled", "vector", source)
