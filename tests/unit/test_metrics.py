"""Metrics against scikit-learn, intervals against their promise, calibration against what is true."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as reference

from headstart.selection import calibration
from headstart.selection.metrics import interval, metric_for, paired


@pytest.mark.parametrize("name", ["accuracy", "balanced_accuracy", "macro_f1", "r2"])
def test_values_are_those_of_scikit_learn(name: str) -> None:
    rng = np.random.default_rng(0)
    if name == "r2":
        y, scores = rng.normal(size=50), rng.normal(size=(50, 1))
        assert metric_for(y, "number")(y, scores) == pytest.approx(reference.r2_score(y, scores[:, 0]))
    elif name == "macro_f1":
        y, scores = rng.integers(0, 2, (50, 4)), rng.random((50, 4))
        said = (scores >= 0.5).astype(int)
        assert metric_for(y, "labels")(y, scores) == pytest.approx(reference.f1_score(y, said, average="macro"))
    else:
        y = np.tile([0, 1, 2], 20) if name == "accuracy" else np.repeat([0, 1, 2], [30, 20, 10])
        scores = rng.random((60, 3))
        metric = metric_for(y, "label")
        assert metric.name == name
        assert metric(y, scores) == pytest.approx(getattr(reference, f"{name}_score")(y, scores.argmax(1)))


def test_an_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    y = np.zeros(100, dtype=int)
    metric = metric_for(np.tile([0, 1], 50), "label")
    inside = 0
    for _ in range(200):
        scores = np.eye(2)[(rng.random(100) > 0.8).astype(int)]
        found = interval(metric, y, scores)
        inside += found["low"] <= 0.8 <= found["high"]
    assert 0.88 <= inside / 200 <= 0.99


@pytest.mark.parametrize("groups", [2, 4, 8])
def test_few_groups_do_not_look_certain(groups: int) -> None:
    rng, y, who = np.random.default_rng(1), np.zeros(10 * groups, dtype=int), np.repeat(np.arange(groups), 10)
    metric, inside, gains = metric_for(np.tile([0, 1], 50), "label"), 0, 0
    for _ in range(100):
        right = rng.random(len(y)) < np.repeat(rng.beta(7.2, 1.8, groups), 10)  # 80 %, more alike within a group
        scores = np.eye(2)[(~right).astype(int)]
        found = interval(metric, y, scores, groups=who)
        inside += found["low"] <= 0.8 <= found["high"]
        _, low, high = paired(metric, y, scores, np.eye(2)[(rng.permutation(~right)).astype(int)], groups=who)
        gains += low <= 0 <= high
    assert inside >= 85
    assert gains >= 85
    one = interval(metric, y, scores, groups=np.zeros(len(y)))
    assert (one["low"], one["high"]) == (0.0, 1.0)


def test_flawless_rows_still_leave_doubt() -> None:
    y = np.tile([0, 1], 10)
    found = interval(metric_for(y, "label"), y, np.eye(2)[y])
    assert (found["value"], found["high"]) == (1.0, 1.0)
    assert found["low"] == pytest.approx(0.8389, abs=1e-4)  # Wilson's interval of 20 of 20


def test_a_pair_is_compared_on_the_same_rows_and_groups_widen_it() -> None:
    rng = np.random.default_rng(2)
    y = np.tile([0, 1], 100)
    metric = metric_for(y, "label")
    a = np.eye(2)[np.where(rng.random(200) < 0.7, y, 1 - y)]
    assert paired(metric, y, a, a) == (0.0, 0.0, 0.0)
    groups = np.repeat(np.arange(20), 10)
    b = np.where(groups[:, None] < 5, np.eye(2)[y], a)  # better, but only in five groups
    gain, low, high = paired(metric, y, a, b)
    again, wide_low, wide_high = paired(metric, y, a, b, groups=groups)
    assert gain == again > 0
    assert wide_high - wide_low > high - low


def test_temperature_undoes_what_made_the_scores_too_sure() -> None:
    rng = np.random.default_rng(3)
    true = rng.dirichlet(np.ones(4), 4000)
    y = np.array([rng.choice(4, p=p) for p in true])
    sharp = calibration.apply(true, 1 / 3)
    t = calibration.temperature(sharp, y)
    assert t == pytest.approx(3.0, rel=0.1)
    assert calibration.ece(calibration.apply(sharp, t), y) < 0.5 * calibration.ece(sharp, y)


def test_no_number_of_right_rows_makes_a_model_certain() -> None:
    y = np.tile([0, 1], 25)
    scores = np.where(np.eye(2)[y] > 0, 0.9, 0.1)
    sure = calibration.apply(scores, calibration.temperature(scores, y)).max()
    assert 0.95 < sure < 1 - 0.25 / 52


def test_labels_of_a_row_stay_independent() -> None:
    scores = np.array([[0.9, 0.8, 0.1], [0.2, 0.7, 0.6]])
    told = calibration.apply(scores, 2.0)
    assert told.shape == scores.shape
    assert ((told > 0.5) == (scores > 0.5)).all()
    assert (np.abs(told - 0.5) < np.abs(scores - 0.5)).all()
