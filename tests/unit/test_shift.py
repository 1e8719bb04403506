"""The shift check: silent on no-shift draws, right about what changed on made shifts."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from headstart.audit._permutation import _mmd, classifier_test, kernel_test
from headstart.audit._shift import _em, shift
from headstart.errors import NotApplicable


def _rows(rng: np.random.Generator, n: int, d: int = 10) -> np.ndarray:
    return rng.normal(size=(n, d))


def _kinds(found) -> list[str]:
    return [kind for kind, _ in found.kinds]


def test_no_false_alarm_in_19_of_20():
    shapes = [(60, 60, 8), (120, 40, 30), (40, 150, 5), (30, 30, 100)]
    alarms = 0
    for i in range(20):
        rng = np.random.default_rng(i)
        n, m, d = shapes[i % 4]
        X = rng.standard_t(4, size=(n + m, d)) @ rng.normal(size=(d, d))
        found = shift(X[:n], X[n:], seed=i)
        alarms += found.is_shift
        assert found.is_shift or (not found.kinds and not found.far and found.words.startswith("No shift was found"))
    assert alarms <= 1


def test_no_alarm_with_labels_either():
    alarms = 0
    for seed in range(10):
        source, y, target, told = _classes(seed, [0.5, 0.5], [0.5, 0.5])
        alarms += shift(source, target, told, y, seed=seed).is_shift
    assert alarms <= 1


def test_p_values_are_uniform_without_a_shift():
    rng = np.random.default_rng(1)
    both = []
    for _ in range(120):
        X = rng.normal(size=(70, 6))
        both.append((classifier_test(X, 40, rng)[1], kernel_test(X, 40, rng)[1]))
    for p in np.array(both).T:
        # three standard errors of a share among 120
        for level in (0.1, 0.25, 0.5, 0.75):
            assert abs((p <= level).mean() - level) < 3 * np.sqrt(level * (1 - level) / 120)


def test_auc_is_fair():
    """Held-out scores: no shift means one half on average, however many columns; a wide shift means one."""
    rng = np.random.default_rng(0)
    aucs = [classifier_test(_rows(rng, 60, 80), 30, rng)[0] for _ in range(30)]
    assert abs(np.mean(aucs) - 0.5) < 0.05
    X = _rows(rng, 100)
    X[40:] += 3
    assert classifier_test(X, 40, rng)[0] == 1


def test_mmd_by_hand():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(7, 2)), rng.normal(size=(5, 2))

    def k(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.exp(-((a - b) ** 2).sum()))

    value = np.mean([k(x[i], x[j]) for i in range(7) for j in range(7) if i != j])
    value += np.mean([k(y[i], y[j]) for i in range(5) for j in range(5) if i != j])
    value -= 2 * np.mean([k(a, b) for a in x for b in y])
    rows = np.concatenate([x, y])
    K = np.array([[k(a, b) * (i != j) for j, b in enumerate(rows)] for i, a in enumerate(rows)])
    assert _mmd(K, np.repeat([1.0, 0.0], [7, 5])[:, None])[0] == pytest.approx(value)


def test_mmd_is_unbiased():
    """Zero on average without a shift: a row's similarity to itself does not count.

    Within the source it is a median, which lies below the mean of a distribution with a long right tail.
    """
    rng = np.random.default_rng(0)
    draws = np.array([kernel_test(_rows(rng, 50), 30, rng) for _ in range(40)])
    assert abs(draws[:, 0].mean()) < 3 * draws[:, 0].std() / np.sqrt(40)
    assert (np.abs(draws[:, 2]) < draws[:, 3]).all()


def test_mean_shift():
    rng = np.random.default_rng(0)
    found = shift(_rows(rng, 150), _rows(rng, 150) + 1)
    assert found.is_shift
    assert found.auc > 0.9
    assert found.times > 3
    assert _kinds(found) == ["covariate"]
    assert "10 of 10 columns in the mean, 0 of 10 leading" in dict(found.kinds)["covariate"]
    assert found.words.startswith("The target differs")
    assert "conditional" in found.words


def test_covariance_shift():
    rng = np.random.default_rng(0)
    scale = np.where(np.arange(10) < 5, 2.5, 1)
    found = shift(_rows(rng, 200), _rows(rng, 200) * scale)
    assert found.is_shift
    assert _kinds(found) == ["covariate"]
    said = dict(found.kinds)["covariate"]
    assert "0 of 10 columns in the mean" in said
    assert ", 0 of 10 leading" not in said


def _classes(seed: int, shares: list[float], there: list[float], move: float = 0, n: int = 300):
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(len(shares), 10)) * 1.2
    y, hidden = (rng.choice(len(shares), n, p=p) for p in (shares, there))
    source, target = _rows(rng, n) + centres[y], _rows(rng, n) + centres[hidden] + move
    return source, y, target, LogisticRegression(max_iter=1000).fit(source, y).predict_proba(target)


@pytest.mark.parametrize("seed", range(3))
def test_prior_shift(seed):
    source, y, target, told = _classes(seed, [0.4, 0.3, 0.3], [0.1, 0.1, 0.8])
    found = shift(source, target, told, y)
    assert found.is_shift
    assert _kinds(found) == ["prior"]
    assert "class 2" in dict(found.kinds)["prior"]
    assert _kinds(shift(source, target))[0] == "covariate"  # without told nothing speaks for the classes


@pytest.mark.parametrize("seed", range(3))
def test_a_moved_target_is_not_called_a_prior_shift(seed):
    source, y, target, told = _classes(seed, [0.4, 0.3, 0.3], [0.4, 0.3, 0.3], move=1.5)
    assert _kinds(shift(source, target, told, y))[:1] == ["covariate"]


def test_em_finds_the_shares():
    _, y, target, told = _classes(0, [0.5, 0.5], [0.9, 0.1], n=2000)
    seen = np.bincount(y) / len(y)
    assert _em(told / seen, np.ones((1, len(target))), seen)[0] == pytest.approx([0.9, 0.1], abs=0.02)


def test_subspace_shift():
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.normal(size=(10, 10)))[0]
    source, target = (
        3 * _rows(rng, 200, 2) @ basis[:2] + 0.5 * _rows(rng, 200),
        3 * _rows(rng, 200, 2) @ basis[4:6] + 0.5 * _rows(rng, 200),
    )
    found = shift(source, target)
    assert found.is_shift
    assert "subspace" in _kinds(found)
    assert "leading 2 directions" in dict(found.kinds)["subspace"]
    moved = 3 * _rows(rng, 200, 2) @ basis[:2] + 0.5 * _rows(rng, 200) + 2
    assert _kinds(shift(source, moved)) == ["covariate"]


def test_far_rows_are_the_foreign_ones():
    rng = np.random.default_rng(0)
    source, target = _rows(rng, 200), _rows(rng, 200)
    foreign = rng.permutation(200)[:25]
    target[foreign] += 3
    found = shift(source, target)
    assert found.is_shift
    assert len(found.far) == 20
    assert set(found.far) <= set(foreign.tolist())


def test_json_and_the_same_twice():
    rng = np.random.default_rng(0)
    source, target = _rows(rng, 60), _rows(rng, 60) + 1
    first = json.dumps(shift(source, target, seed=3).to_json())
    assert first == json.dumps(shift(source, target, seed=3).to_json())
    assert json.loads(first)["kinds"][0]["kind"] == "covariate"


def test_units_do_not_matter():
    rng = np.random.default_rng(0)
    source, target = _rows(rng, 60), _rows(rng, 60)
    target[:, 0] += 2
    units = 10.0 ** np.arange(-3, 7)
    a, b = shift(source, target), shift(source * units, target * units)
    assert (a.auc_p, a.mmd_p, a.kinds) == (b.auc_p, b.mmd_p, b.kinds)


@pytest.mark.parametrize(
    "change",
    [
        {"source": np.zeros((9, 3))},
        {"target": np.zeros((9, 3))},
        {"target": np.full((20, 3), np.nan)},
        {"target": np.zeros((20, 4))},
        {"target": np.zeros(20)},
        {"source": np.ones((20, 3)), "target": np.ones((20, 3))},
        {"told": np.ones((19, 2)) / 2, "y": np.zeros(20, dtype=int)},
        {"told": np.ones((20, 2)) / 2, "y": np.full(20, 2)},
    ],
)
def test_what_cannot_be_compared(change):
    rng = np.random.default_rng(0)
    with pytest.raises(NotApplicable) as caught:
        shift(**{"source": _rows(rng, 20, 3), "target": _rows(rng, 20, 3), **change})
    assert caught.value.seen
    assert ("9 rows" in caught.value.seen) == any(v.shape == (9, 3) for v in change.values())
    assert caught.value.expected
    assert caught.value.do


def test_ten_rows_a_side_and_constant_columns():
    rng = np.random.default_rng(0)
    source, target = _rows(rng, 10, 4), _rows(rng, 10, 4) + 9
    source[:, 1] = target[:, 1] = 7
    assert shift(source, target).is_shift
    assert not shift(_rows(rng, 10, 1), _rows(rng, 10, 1)).is_shift
    wide = _rows(rng, 40, 3000)
    assert not shift(wide[:20], wide[20:]).is_shift
    assert shift(wide[:20], wide[20:] + 0.5).is_shift


def test_two_thousand_rows_a_side_are_quick():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(4000, 384)).astype(np.float32)
    begin = time.process_time()
    assert not shift(X[:2000], X[2000:]).is_shift
    assert time.process_time() - begin < 8
