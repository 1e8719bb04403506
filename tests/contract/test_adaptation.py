"""One battery over every adapter that is discovered, on shifts that were made and so are known."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
import pytest
from sklearn.base import clone

from headstart import _discover
from headstart.adaptation._base import Adapter, classifier
from headstart.errors import NotApplicable

NAMES = _discover.names("adaptation")
WAYS = [(name, {}) for name in NAMES if name != "source_only"] + [
    ("label_shift", {"how": "bbse"}),
    ("tca", {"kernel": "rbf"}),
    ("transport", {"class_regular": 0.1, "regular": 0.05}),
]
SEEDS = range(3)


class Domains(NamedTuple):
    source: np.ndarray
    y: np.ndarray
    target: np.ndarray
    test: np.ndarray
    truth: np.ndarray


def clusters(n: int, rng: np.random.Generator, gap: float, share: list[float] | None = None) -> tuple:
    """Three round clouds in ten columns, their centres at `gap` on the first three axes."""
    y = rng.choice(3, n, p=share)
    return rng.standard_normal((n, 10)) + np.eye(3, 10)[y] * gap, y


def conditional(rng: np.random.Generator) -> Domains:
    """The columns are scaled, and moved along the line that tells the classes apart."""
    move, scale = np.zeros(10), np.linspace(0.7, 1.4, 10)
    move[[0, 1, 5]] = 1.8, -0.8, 1.0
    (source, y), (target, _), (test, truth) = (clusters(n, rng, 4.5) for n in (600, 600, 2000))
    return Domains(source, y, target * scale + move, test * scale + move, truth)


def prior(rng: np.random.Generator) -> Domains:
    """The class that was common is rare."""
    shares = [0.8, 0.1, 0.1], [0.1, 0.1, 0.8], [0.1, 0.1, 0.8]
    (source, y), (target, _), (test, truth) = (
        clusters(n, rng, 1.8, share) for n, share in zip((600, 600, 2000), shares, strict=True)
    )
    return Domains(source, y, target, test, truth)


def covariate(rng: np.random.Generator) -> Domains:
    """A bent border of which the source shows one arm mostly, the target the other: no line fits both."""

    def draw(n: int, at: float) -> tuple[np.ndarray, np.ndarray]:
        X = rng.standard_normal((n, 4)) * [1, 1.5, 1, 1] + [at, 0, 0, 0]
        return X, (X[:, 1] > 1.5 * np.abs(X[:, 0]) - 1.5).astype(int)

    (source, y), (target, _), (test, truth) = draw(1000, -1.0), draw(600, 1.0), draw(2000, 1.0)
    return Domains(source, y, target, test, truth)


def subspace(rng: np.random.Generator) -> Domains:
    """The source has a column that gives the class away, and noise of its own; the target has other noise."""

    def draw(n: int, own: bool) -> tuple[np.ndarray, np.ndarray]:
        y, X = rng.integers(0, 2, n), rng.standard_normal((n, 40)) * 0.3
        X[:, :5] += rng.standard_normal((n, 5))
        X[:, 0] += 2.5 * (y - 0.5)
        X[:, 10] += (4 * (y - 0.5) + 3) * own
        noise = slice(11, 14) if own else slice(20, 24)
        X[:, noise] += 2 * rng.standard_normal(X[:, noise].shape)
        return X, y

    (source, y), (target, _), (test, truth) = draw(600, True), draw(600, False), draw(2000, False)
    return Domains(source, y, target, test, truth)


def no_shift(rng: np.random.Generator) -> Domains:
    (source, y), (target, _), (test, truth) = (clusters(n, rng, 3.0) for n in (1000, 1000, 4000))
    return Domains(source, y, target, test, truth)


# of each shift: how it is made, the most that the source alone may reach, the least that adapting must add
MADE: dict[str, tuple[Callable[[np.random.Generator], Domains], float, float]] = {
    "conditional": (conditional, 0.94, 0.05),
    "prior": (prior, 0.45, 0.35),
    "covariate": (covariate, 0.65, 0.12),
    "subspace": (subspace, 0.60, 0.12),
}


@cache
def made(make: Callable[[np.random.Generator], Domains], seed: int) -> Domains:
    return make(np.random.default_rng(seed))


def accuracy(adapter: Adapter, on: Domains) -> float:
    adapted = adapter.adapt(on.source, on.y, on.target)
    head = classifier(adapted.X, adapted.y, adapted.weight)
    return float((head.predict(adapter.transform(on.test)) == on.truth).mean())


@cache
def floor(make: Callable[[np.random.Generator], Domains]) -> float:
    rows = [made(make, seed) for seed in SEEDS]
    return float(np.mean([(classifier(on.source, on.y).predict(on.test) == on.truth).mean() for on in rows]))


def adapter_of(name: str, settings: dict | None = None) -> Adapter:
    return _discover.load("adaptation", name)(**settings or {})


def test_the_adapters_are_found():
    assert len(NAMES) >= 15
    assert all(issubclass(_discover.load("adaptation", name), Adapter) for name in NAMES)
    assert all(adapter_of(name).shifts for name in NAMES if name != "source_only")
    assert adapter_of("source_only").shifts == frozenset()


@pytest.mark.parametrize(("name", "settings"), WAYS)
def test_it_wins_where_the_source_alone_fails(name: str, settings: dict):
    for shift in adapter_of(name).shifts:
        make, most, gain = MADE[shift]
        assert floor(make) < most
        reached = np.mean([accuracy(adapter_of(name, settings), made(make, seed)) for seed in SEEDS])
        assert reached > floor(make) + gain, (shift, floor(make), reached)


@pytest.mark.parametrize(("name", "settings"), WAYS)
def test_it_does_no_harm_where_there_is_no_shift(name: str, settings: dict):
    reached = np.mean([accuracy(adapter_of(name, settings), made(no_shift, seed)) for seed in SEEDS])
    assert floor(no_shift) > 0.95
    assert reached > floor(no_shift) - 0.005


def test_the_floor_is_the_source_as_it_is():
    on = made(conditional, 0)
    adapted = adapter_of("source_only").adapt(on.source, on.y, on.target)
    assert np.array_equal(adapted.X, on.source)
    assert np.array_equal(adapted.y, on.y)
    assert np.array_equal(adapter_of("source_only").transform(on.test), on.test)


@pytest.mark.parametrize("name", NAMES)
def test_no_label_of_the_target_can_enter(name: str):
    kind = _discover.load("adaptation", name)
    assert list(inspect.signature(kind.adapt).parameters) == ["self", "source", "y", "target"]
    assert list(inspect.signature(kind._adapt).parameters) == ["self", "source", "y", "target"]
    assert list(inspect.signature(kind.transform).parameters) == ["self", "target"]


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_the_target_rows_does_not_matter(name: str):
    on = made(conditional, 1)
    order = np.random.default_rng(5).permutation(len(on.target))
    told = []
    for target in (on.target, on.target[order]):
        adapter = adapter_of(name)
        adapted = adapter.adapt(on.source, on.y, target)
        told.append(classifier(adapted.X, adapted.y, adapted.weight).predict_proba(adapter.transform(target)))
    np.testing.assert_allclose(told[0][order], told[1], atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_twice_gives_the_same_and_inputs_stay_as_they_are(name: str):
    on = made(covariate if "covariate" in adapter_of(name).shifts else conditional, 2)
    before = [a.copy() for a in on]
    first, second = (adapter_of(name).adapt(on.source, on.y, on.target) for _ in range(2))
    assert np.array_equal(first.X, second.X)
    assert np.array_equal(first.y, second.y)
    assert np.array_equal(first.weight, second.weight)
    assert all(np.array_equal(a, b) for a, b in zip(before, on, strict=True))


ODD = {  # columns, source rows, target rows, classes
    "more columns than rows": (60, 30, 12, 3),
    "one column": (1, 40, 40, 2),
    "ten rows": (5, 10, 10, 2),
    "codes with gaps": (6, 120, 120, 4),
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", NAMES)
def test_odd_rows_give_finite_rows_and_weights_of_mean_one(name: str, odd: str):
    d, n, m, classes = ODD[odd]
    rng = np.random.default_rng(3)
    y, centre = np.arange(n) % classes, rng.standard_normal((classes, d)) * 3
    source = rng.standard_normal((n, d)) + centre[y]
    target = rng.standard_normal((m, d)) + centre[np.arange(m) % classes] + 0.2
    if d > 3:
        source[:, 2] = target[:, 2] = 7.0
        source[:, 3] = -1.0
        target[:, 3] = 1.0
    if odd == "codes with gaps":
        y[y == 3], y[0] = 5, 7
    adapter = adapter_of(name)
    adapted = adapter.adapt(source, y, target)
    assert len(adapted.X) == len(adapted.y) == len(adapted.weight)
    assert np.isfinite(adapted.X).all()
    assert (adapted.weight >= 0).all()
    assert adapted.weight.mean() == pytest.approx(1.0)
    assert len(np.unique(adapted.y)) > 1
    assert set(adapted.y.tolist()) <= set(y.tolist())
    read = adapter.transform(target)
    assert read.shape == (m, adapted.X.shape[1])
    assert np.isfinite(read).all()


@pytest.mark.parametrize("name", NAMES)
def test_rows_that_cannot_be_used_are_refused(name: str):
    on = made(conditional, 0)
    source, y, target = on.source[:50], on.y[:50], on.target[:50]
    hole = target.copy()
    hole[3, 2] = np.nan
    for bad, reason in (
        ((source, y, target[:0]), "has 0 rows"),
        ((source, y, target[:9]), "has 9 rows"),
        ((source, np.zeros_like(y), target), "one class only"),
        ((source, y, hole), "NaN"),
        ((hole, y, target), "NaN"),
        ((source, y, target[:, 1:]), "columns"),
    ):
        with pytest.raises(NotApplicable, match=reason):
            adapter_of(name).adapt(*bad)


@pytest.mark.parametrize("name", ["self_training", "information_max", "propagation", "joint_transport"])
def test_one_pseudo_label_for_all_is_refused(name: str):
    """One row of the second class, and a target that is nowhere near it."""
    rng = np.random.default_rng(0)
    source, target = rng.standard_normal((40, 3)) * 0.1, rng.standard_normal((40, 3)) * 0.1
    source[0] = 9.0
    settings = {"stay": 100.0} if name == "information_max" else {}
    if name == "joint_transport":  # the mass of the one row lands somewhere, but wins no row
        target[:] = target[0]
    with pytest.raises(NotApplicable, match=r"the same one|no target row"):
        adapter_of(name, settings).adapt(source, (np.arange(40) == 0).astype(int), target)


@pytest.mark.parametrize("name", NAMES)
def test_settings_are_scikit_learn_parameters(name: str):
    adapter = adapter_of(name)
    copy = clone(adapter)
    assert copy.get_params() == adapter.get_params()
    assert set(adapter.get_params()) == set(inspect.signature(type(adapter)).parameters)
    on = made(conditional, 0)
    adapter.adapt(on.source, on.y, on.target)
    assert not [key for key in vars(clone(adapter)) if key.endswith("_")]
    assert adapter.get_params() == copy.get_params()
