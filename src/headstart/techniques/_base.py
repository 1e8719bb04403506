"""The contract of a technique: one file, one class, one way to learn a task from activations."""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from inspect import formatannotation, signature
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator

from headstart._words import counted
from headstart.activations.activations import Activations
from headstart.errors import NotApplicable

if TYPE_CHECKING:
    from torch import nn


LEAST = 10  # rows of a domain: fewer tell nothing about it


def target_kind(y: np.ndarray) -> str:
    """What a target array asks for: "label" (n,) integers, "labels" (n, L) of 0/1, "number" (n,) floats.

    >>> target_kind(np.array([0, 1])), target_kind(np.array([0.5, 1.0])), target_kind(np.eye(2, dtype=int))
    ('label', 'number', 'labels')
    """
    if y.ndim == 2:
        return "labels"
    return "number" if np.issubdtype(y.dtype, np.floating) else "label"


def by_domain(tell: Callable[[np.ndarray], np.ndarray], domains: np.ndarray) -> np.ndarray:
    """What `tell` says of positions, those of one domain at a time; a domain of few rows is told among all rows.

    >>> by_domain(lambda rows: np.full((len(rows), 1), len(rows)), np.repeat(["a", "b"], [12, 3])).ravel()[[0, -1]]
    array([12, 15])
    """
    parts = {name: np.flatnonzero(domains == name) for name in np.unique(domains)}
    few = [rows for rows in parts.values() if len(rows) < LEAST]
    found = [(rows, tell(rows)) for rows in parts.values() if len(rows) >= LEAST]
    if few:
        rest = np.concatenate(few)
        found.append((rest, tell(np.arange(len(domains)))[rest]))
    told = np.zeros((len(domains), *found[0][1].shape[1:]), dtype=found[0][1].dtype)
    for rows, part in found:
        told[rows] = part
    return told


def setting(name: str, value: Any, hint: str, usual: Any) -> Any:
    """A setting as its type hint asks for it, one number as a tuple of one; NotApplicable where it is something else.

    Counts are at least 1 and numbers at least 0, or what is usual where that is less. Other hints take what comes.

    >>> setting("rank", 4.0, "int", 8), setting("strengths", 0.3, "tuple[float, ...]", (1.0, 10.0))
    (4, (0.3,))
    """
    if value is None and "None" in hint:
        return None
    if hint.startswith("tuple"):
        inner, several = hint[len("tuple[") :].partition(",")[0], isinstance(value, list | tuple | np.ndarray)
        return tuple(setting(name, v, inner, usual[0]) for v in (value if several else [value]))
    kind, words = re.split(r"[ \[]", hint)[0], re.findall(r"'(\w+)'", hint)  # the words of a Literal
    is_number = not isinstance(value, bool) and isinstance(value, Real) and math.isfinite(value)
    least = 1 if usual is None else min(1, usual) if kind == "int" else 0
    able, expected = {
        "int": (is_number and value == int(value) and value >= least, f"a whole number from {least} on"),
        "float": (is_number and value >= 0, "a number from 0 on"),
        "bool": (isinstance(value, bool), "true or false"),
        "Literal": (value in words, f"one of {', '.join(words)}"),
    }.get(kind, (True, ""))
    if not able:
        raise NotApplicable(f"{name}={value}", expected=expected)
    return int(value) if kind == "int" else value


def settings(technique: Technique) -> dict[str, tuple[str, Any]]:
    """Type hint and usual value of each setting that a technique has, by name."""
    known = {k: p for k, p in signature(type(technique)).parameters.items() if p.default is not p.empty}
    return {k: (formatannotation(p.annotation).strip("'\""), p.default) for k, p in known.items()}


@dataclass
class State:
    """A fitted technique without pickle: named arrays (safetensors) and plain values (JSON)."""

    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)


def state_of(fitted: Any) -> State:
    """Attributes ending in an underscore: arrays, modules by parameter, plain values."""
    state = State()
    for key, value in vars(fitted).items():
        if not key.endswith("_") or key.startswith("_"):
            continue
        if isinstance(value, np.ndarray):
            state.arrays[key] = value
        elif hasattr(value, "state_dict"):
            state.arrays |= {f"{key}.{k}": v.detach().cpu().numpy() for k, v in value.state_dict().items()}
        else:
            state.values[key] = value
    return state


class Technique(BaseEstimator, ABC):
    """Learns a task from the activations at one cut.

    Settings are the keywords of `__init__`, nowhere else. `fit` sees training rows only; whatever is fitted (a scaler,
    an early-stopping hold-out) is fitted inside. Class weights are balanced by default where classes are unbalanced.
    """

    cut: ClassVar[str] = "pooled"
    accepts: ClassVar[frozenset[str]] = frozenset({"vector"})
    learns: ClassVar[frozenset[str]] = frozenset({"label"})
    unasked: ClassVar[tuple[float, float] | None] = (0, math.inf)  # training rows a class with which it races unnamed
    named_only: ClassVar[frozenset[str]] = frozenset()  # modalities in which it races only when it is named
    uses_domains: ClassVar[bool] = False  # `fit` takes `domains` (n,), whose each row is; races only with them
    together: ClassVar[bool] = False  # what is said of a row depends on the others given with it: those of its domain
    smooth: ClassVar[bool] = True  # small changes of what is read are small ones of what is said: it has a slope
    keeps_rows: ClassVar[bool] = False  # what is fitted holds the very rows that it learnt from
    cost: ClassVar[int] = 1  # 0 nothing, 1 closed form, 2 a head, 3 some layers, 4 the whole network: the race's order
    tunes: ClassVar[bool] = False  # trains a network, whose vectors its last layer reads
    needs_target: ClassVar[bool] = False  # learns only beside unlabelled rows of another domain

    folder: Path | None = None  # where an unfinished `fit` may be kept, if anywhere

    @property
    def views(self) -> int:
        """How many other views of each training picture `fit` can make use of."""
        return 0

    def suited(self, kind: str) -> None:
        """NotApplicable for settings that cannot be, or that have no meaning for this kind of target."""
        for name, (hint, usual) in settings(self).items():
            setting(name, getattr(self, name), hint, usual)

    def where(self, cuts: Sequence[str]) -> str:
        """The cut this technique reads on a backbone with these cuts (from "input" to "pooled")."""
        return self.cut

    @abstractmethod
    def fit(
        self, X: Activations, y: np.ndarray, *, sample_weight: np.ndarray | None = None, target: Any = None
    ) -> Self:
        """Learn from training rows; `y` as `target_kind` describes, classes coded 0..C-1."""

    @abstractmethod
    def predict_proba(self, X: Activations) -> np.ndarray:
        """(n, C) probabilities, rows summing to one for "label", independent for "labels"; (n, 1) for a number."""

    def vectors(self, X: Activations) -> np.ndarray:
        """(n, d) what its last layer reads, which `predict_proba` takes as well."""
        return np.asarray(X)

    def headed(self, head: Technique) -> Technique:
        """Itself with a linear head that learnt on its `vectors` as the last layer."""
        return head

    def predict(self, X: Activations) -> np.ndarray:
        """Class codes (n,), a 0/1 matrix (n, L), or numbers (n,)."""
        scores = self.predict_proba(X)
        if self.target_kind_ == "number":
            return scores[:, 0]
        return scores.argmax(1) if self.target_kind_ == "label" else (scores >= 0.5).astype(np.int64)

    def settled(self) -> dict[str, Any]:
        """Settings that `fit` chose by looking: with them, cross-validation need not look again in every fold."""
        return {}

    def left_out(self) -> np.ndarray | None:
        """What `predict_proba` would have said of each training row, had it been left out; None where unknown."""
        return None

    def forgetting(self, X: Activations) -> dict[str, float] | None:
        """How far the network moved from the pre-trained one on these rows; None where nothing below a head moved."""
        return None

    def _check(self, y: np.ndarray) -> str:
        """Remember and return the kind of target, after a look at the settings; every `fit` begins here."""
        self.target_kind_: str = target_kind(y)
        if self.target_kind_ not in self.learns:
            raise NotApplicable(f"{type(self).__name__} learns {sorted(self.learns)}, not a {self.target_kind_}")
        self.suited(self.target_kind_)
        if self.target_kind_ == "label":
            self.n_outputs_ = int(y.max()) + 1
        else:
            self.n_outputs_ = y.shape[1] if y.ndim == 2 else 1
        return self.target_kind_

    def _finite(self, X: Activations, *, missing: bool = False) -> np.ndarray:
        """The values as an array; infinite ones are refused, and NaN unless a technique reads it as missing."""
        values = np.asarray(X)
        bad = np.isinf(values) if missing else ~np.isfinite(values)
        if bad.any():
            raise NotApplicable(
                f"NaN or infinite features in {counted(int(bad.any(1).sum()))}", expected="finite numbers"
            )
        return values

    def state(self) -> State:
        """The fitted technique as arrays and JSON values: attributes ending in an underscore, modules by parameter."""
        return state_of(self)

    def restore(self, state: State, suffix: Callable[[], nn.Module] | None = None) -> Self:
        """Undo `state`. `suffix` builds the network above the cut; techniques that train it override this."""
        for key, value in (state.values | state.arrays).items():
            setattr(self, key, value)
        return self
