"""The summary of a source: what is in it, what is not, and the tests and guesses that stand on it."""

from __future__ import annotations

import numpy as np
import pytest

from headstart.adaptation._source import LEAST, Source
from headstart.audit._moved import _against, moved
from headstart.errors import NotApplicable
from headstart.selection.estimate import estimate


def rows(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Correlated columns, one of them with a heavy tail, two classes."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    X = rng.standard_normal((n, 5)) @ np.triu(np.ones((5, 5))) + 1.5 * y[:, None]
    X[:, 4] += rng.standard_t(4, n) * 3
    return X, y


def told(X: np.ndarray) -> np.ndarray:
    one = 1 / (1 + np.exp(-X[:, 0]))
    return np.c_[1 - one, one]


def summary(n: int, seed: int) -> Source:
    (X, y), (held, held_y) = rows(n, seed), rows(200, seed + 1000)
    source = Source.of(X, y, told(held), held_y, {})
    assert source is not None
    return source


def test_mean_deviation_and_covariance_are_those_of_the_rows() -> None:
    X, y = rows(400, 0)
    source = Source.of(X, y, told(X), y, {})
    assert source is not None
    np.testing.assert_allclose(source.mean, X.mean(0))
    np.testing.assert_allclose(source.deviation, X.std(0), rtol=1e-6)
    np.testing.assert_allclose(source.means[1], X[y == 1].mean(0))
    within = source.factor.T @ source.factor + np.diag(source.rest)
    np.testing.assert_allclose(within + source.between.T @ source.between, np.cov(X.T, bias=True), atol=1e-8)
    made, codes = source.draw(200_000, seed=1)
    np.testing.assert_allclose(np.cov(made.T), np.cov(X.T), rtol=0.05, atol=0.1)
    assert codes.mean() == pytest.approx(y.mean(), abs=0.01)


def test_no_row_of_a_small_class_can_be_read_off() -> None:
    X, y = rows(60, 1)
    X[:4], y[:4] = 1e6, 2
    source = Source.of(X, y, np.pad(told(X), ((0, 0), (0, 1))), y, {})
    without = Source.of(X[4:], y[4:], np.pad(told(X), ((0, 0), (0, 1))), y, {})
    assert source is not None
    assert without is not None
    assert np.isnan(source.means[2]).all()
    for key, value in vars(source).items():  # it is as if those rows had never been there
        np.testing.assert_array_equal(value, getattr(without, key), err_msg=key) if isinstance(
            value, np.ndarray
        ) else None
    assert source.shares[2] == 0
    assert len(source.factor) <= 56 // LEAST
    assert Source.of(X[:4], y[:4], np.eye(3), np.arange(3), {}) is None


def test_the_guess_of_the_accuracy_is_that_of_the_rows_themselves() -> None:
    (X, y), (held, held_y), (Z, _) = rows(200, 2), rows(900, 3), rows(700, 4)
    Z = Z * 0.7 - 0.5
    source = Source.of(X, y, told(held), held_y, {})
    assert source is not None
    value, low, high = estimate(told(held), held_y, told(Z))
    np.testing.assert_allclose(source.estimate(told(Z)), (value, low, high), atol=0.01)
    assert source.estimate(told(Z))[0] == pytest.approx(value)


def test_false_alarms_are_as_rare_as_stated_and_shifts_are_found() -> None:
    alarms = [moved(summary(150, s), rows(200, s + 500)[0], told(rows(200, s + 500)[0])).is_shift for s in range(150)]
    assert np.mean(alarms) <= 0.04  # of 150 draws at 0.01: five or fewer
    Z, source = rows(300, 99)[0], summary(300, 98)
    assert moved(source, Z + 0.8, told(Z)).is_shift
    assert moved(source, (Z - Z.mean(0)) * 1.6 + Z.mean(0), told(Z)).spread_p < 1e-3
    wild = Z.copy()
    wild[7] = 1e3
    assert moved(source, wild, told(Z)).far[0] == 7
    with pytest.raises(NotApplicable, match="300 rows of 3 columns"):
        moved(source, Z[:, :3], told(Z))


def test_the_bootstrap_is_that_of_normal_vectors() -> None:
    rng = np.random.default_rng(0)
    root = rng.standard_normal((4, 4))
    seen = rng.standard_normal(4) @ root * 1.3
    drawn = ((rng.standard_normal((20_000, 4)) @ root) ** 2).mean(1)
    value, p = _against(seen, root.T @ root, rng)
    assert value == pytest.approx((seen**2).mean())
    assert p == pytest.approx((drawn >= value).mean(), abs=0.05)
