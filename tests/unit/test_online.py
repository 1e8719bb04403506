"""Adapting while predicting: the gradient, the bound, and that nothing happens without a shift."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.special import softmax

from headstart._methods import vectors
from headstart.adaptation import _online
from headstart.adaptation._online import Online, entropies, steepest
from headstart.adaptation._source import Source
from headstart.selection.contender import make
from headstart.techniques._linear import slopes


def domain(rows: int, seed: int, *, move: float = 0.0, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, rows)
    return rng.standard_normal((rows, 6)) + 3.0 * np.eye(classes, 6)[y] + move * np.r_[1.0, -0.5, 0, 1, 0, 0], y


class Example:
    """A head on three clouds and the summary of them."""

    def __init__(self, technique: str = "ridge") -> None:
        (X, y), (held, held_y) = domain(500, 0), domain(300, 1)
        self.head = make(technique).fit(vectors(X), y)
        source = Source.of(X, y, self.tell(held), held_y, {})
        assert source is not None
        self.source = source

    def tell(self, X: np.ndarray) -> np.ndarray:
        return np.asarray(self.head.predict_proba(vectors(X)))

    def online(self, **settings: float) -> Online:
        return Online(self.source, self.tell, slopes(self.head), **settings)


@pytest.fixture(scope="module")
def example() -> Example:
    return Example()


def test_the_gradient_of_the_entropy_is_that_of_finite_differences() -> None:
    for logits in np.random.default_rng(0).standard_normal((5, 4)):
        seen = steepest(softmax(logits)[None])[0]
        numeric = approx_fprime(logits, lambda z: float(entropies(softmax(z)[None])[0]), 1e-7)
        np.testing.assert_allclose(seen, numeric, atol=1e-5)


def test_a_step_goes_down_the_weighted_entropy_and_its_anchor(example: Example) -> None:
    online = example.online(step=0.5)
    U = (domain(40, 3)[0] - online._mean) / online._unit
    start = np.r_[online._scale, online._shift] + 0.1
    online._scale, online._shift = start[:6].copy(), start[6:].copy()

    def tell(theta: np.ndarray) -> np.ndarray:
        return example.tell((U * theta[:6] + theta[6:]) * online._unit + online._mean)

    told = tell(start)
    least = _online.CERTAIN * np.log(3)
    use = entropies(told) < least
    weight = np.exp(least - entropies(told)[use]) / use.sum()
    assert 0 < use.sum() < len(use)

    def loss(theta: np.ndarray) -> float:
        anchor = (online._hold.ravel() * (theta - np.r_[np.ones(6), np.zeros(6)]) ** 2).sum()
        return float(weight @ entropies(tell(theta)[use]) + anchor)

    online._learn(U, told)
    moved = np.r_[online._scale, online._shift] - start
    np.testing.assert_allclose(moved, -0.5 * approx_fprime(start, loss, 1e-7), atol=1e-5)


@pytest.mark.parametrize("technique", ["ridge", "linear_probe"])
@pytest.mark.parametrize("classes", [2, 3])
def test_slopes_are_how_the_logits_change(technique: str, classes: int) -> None:
    X, y = domain(200, 4, classes=classes)
    head = make(technique).fit(vectors(X), y)
    found = slopes(head)
    assert found is not None
    logits = np.log(head.predict_proba(vectors(X[:20])))
    moved = np.log(head.predict_proba(vectors(X[:20] + 0.1 * np.eye(6)[2])))
    change = (moved - logits) - (moved - logits).mean(1, keepdims=True)
    np.testing.assert_allclose(change, np.tile(0.1 * (found[2] - found[2].mean()), (20, 1)), atol=1e-6)


def test_only_linear_heads_have_slopes() -> None:
    X, y = domain(60, 5)
    assert slopes(make("prototypes").fit(vectors(X), y)) is None


@pytest.mark.parametrize("technique", ["ridge", "prototypes"])
def test_it_helps_where_columns_moved_and_hardly_matters_where_nothing_did(technique: str) -> None:
    example = Example(technique)
    for move, least, most in ((1.6, 0.02, 1.0), (0.0, -0.005, 0.005)):
        gains = []
        for seed in range(3):
            Z, truth = domain(2000, 10 + seed, move=move)
            before, after = example.tell(Z).argmax(1), example.online()(Z).argmax(1)
            gains.append((after == truth).mean() - (before == truth).mean())
        assert least <= np.mean(gains) <= most, (move, gains)


def test_the_bound_holds_at_every_row_and_then_nothing_is_adapted(example: Example) -> None:
    Z, _ = domain(1500, 7, move=3.0)
    own = example.tell(Z)
    online = example.online(most=0.02)
    told = online(Z)
    differ = np.cumsum(told.argmax(1) != own.argmax(1))
    at = np.arange(_online.BLOCK, len(Z) + 1, _online.BLOCK)
    assert (differ[at - 1] <= 0.02 * at).all()
    assert online.stopped is not None
    assert np.array_equal(told[online.stopped :], own[online.stopped :])
    assert online.changed == differ[-1]
    assert "nothing was adapted" in online.words
    assert example.online(most=1.0)(Z).shape == told.shape


def test_every_use_begins_anew_and_blocks_of_the_caller_do_not_matter(example: Example) -> None:
    Z, _ = domain(640, 8, move=1.0)
    whole = example.online()(Z)
    assert np.array_equal(whole, example.online()(Z))
    again = example.online()
    assert np.array_equal(whole, np.concatenate([again(Z[:128]), again(Z[128:])]))


def test_a_missing_number_counts_as_the_mean_of_the_source(example: Example) -> None:
    Z, _ = domain(64, 9)
    gaps = Z.copy()
    gaps[0, 2] = np.nan
    filled = np.where(np.isnan(gaps), example.source.mean, gaps)
    np.testing.assert_allclose(example.online()(gaps), example.online()(filled))
