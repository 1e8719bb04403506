"""One battery over every way without source rows that is discovered, on shifts that were made and so are known."""

from __future__ import annotations

import inspect
from functools import cache

import numpy as np
import pytest

from headstart import _discover
from headstart._methods import HEAD, vectors
from headstart.adaptation._source import Source
from headstart.adaptation.source_free._base import SourceFree
from headstart.selection.contender import make
from headstart.source_free import FLOORS, Ready, ready

NAMES = _discover.names(FLOORS)
SEEDS = range(3)
# of each shift: the target's class shares, how far it moved, and the least that a way made for it must add
MADE = {"conditional": ([1 / 3] * 3, 2.2, 0.04), "prior": ([0.1, 0.1, 0.8], 0.0, 0.06), "none": ([1 / 3] * 3, 0.0, 0.0)}


@cache
def made(kind: str, seed: int) -> tuple[Ready, Source, np.ndarray, np.ndarray, np.ndarray]:
    """A model of three clouds, its summary, target rows, and further ones with their codes."""
    rng = np.random.default_rng(seed)
    shares, move, _ = MADE[kind]
    gap = 1.8 if kind == "prior" else 4.5

    def draw(n: int, p: list[float]) -> tuple[np.ndarray, np.ndarray]:
        y = rng.choice(3, n, p=p)
        return rng.standard_normal((n, 8)) + np.eye(3, 8)[y] * gap, y

    own = [0.7, 0.15, 0.15] if kind == "prior" else [1 / 3] * 3
    (X, y), (held, held_y), (Z, _), (test, truth) = (
        draw(600, own),
        draw(400, own),
        draw(500, shares),
        draw(2000, shares),
    )
    by = np.zeros(8)
    by[[0, 1, 5]] = move, -0.6 * move, move
    base = Ready(None, make(HEAD).fit(vectors(X), y), 1.0, 3, is_new=False)
    source = Source.of(X, y, base(held), held_y, {})
    assert source is not None
    return base, source, Z + by, test + by, truth


def right(name: str | None, kind: str) -> float:
    shares = []
    for seed in SEEDS:
        base, source, Z, test, truth = made(kind, seed)
        done = base if name is None else ready(name, base, Z, source)
        shares.append((done(test).argmax(1) == truth).mean())
    return float(np.mean(shares))


def test_the_ways_are_found() -> None:
    assert len(NAMES) >= 5
    assert all(issubclass(_discover.load(FLOORS, name), SourceFree) for name in NAMES)
    assert {_discover.load(FLOORS, name).shifts for name in NAMES} <= {frozenset({k}) for k in MADE}


@pytest.mark.parametrize("name", NAMES)
def test_it_wins_where_the_model_alone_fails(name: str) -> None:
    (kind,) = _discover.load(FLOORS, name).shifts
    assert right(None, kind) < 0.93
    assert right(name, kind) > right(None, kind) + MADE[kind][2]


@pytest.mark.parametrize("name", NAMES)
def test_it_does_no_harm_where_there_is_no_shift(name: str) -> None:
    assert right(None, "none") > 0.98
    assert right(name, "none") > right(None, "none") - 0.005


@pytest.mark.parametrize("name", NAMES)
def test_no_label_of_the_target_and_no_row_of_the_source_can_enter(name: str) -> None:
    kind = _discover.load(FLOORS, name)
    for method in (kind.adapt, kind._adapt):
        assert list(inspect.signature(method).parameters) == ["self", "target", "told", "source"]


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_the_rows_does_not_matter_and_inputs_stay_as_they_are(name: str) -> None:
    base, source, Z, test, _ = made("conditional", 1)
    before, order = Z.copy(), np.random.default_rng(5).permutation(len(Z))
    first, second = ready(name, base, Z, source)(test), ready(name, base, Z[order], source)(test)
    np.testing.assert_allclose(first, second, atol=1e-5)
    assert np.array_equal(before, Z)
    assert np.isfinite(first).all()
    np.testing.assert_allclose(first.sum(1), 1.0, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_a_class_that_the_model_never_says_is_no_trouble(name: str) -> None:
    base, source, Z, test, _ = made("conditional", 2)
    far = Z[base(Z).argmax(1) != 2]
    told = ready(name, base, far, source)(test)
    assert told.shape == (len(test), 3)
    assert np.isfinite(told).all()
