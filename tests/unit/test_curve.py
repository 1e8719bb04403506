"""Quality against number of labels: how often it is asked, and what it says."""

from __future__ import annotations

import numpy as np
import pytest

from headstart.selection.curve import POINTS, REPEATS, learning_curve
from headstart.selection.metrics import metric_for


@pytest.mark.parametrize(("left", "draws"), [(np.inf, REPEATS), (0.0, 1)])
def test_the_curve_is_drawn_as_often_as_there_is_time_for(left: float, draws: int) -> None:
    rows, y = np.arange(200), np.arange(240) % 2
    asked: dict[str, list[int]] = {"pretrained": [], "classical": []}

    def learner(role: str):
        def learn(some: np.ndarray) -> np.ndarray:
            asked[role].append(len(some))
            right = np.random.default_rng(int(some.sum())).random(40) < 0.6 + len(some) / 1000
            return np.eye(2)[np.where(right, y[200:], 1 - y[200:])]

        return learn

    metric = metric_for(y[:200], "label")
    curve = learning_curve({role: learner(role) for role in asked}, rows, y, y[200:], metric, left=lambda: left)
    sizes = sorted(set(asked["pretrained"]))
    assert len(sizes) == POINTS
    for calls in asked.values():
        assert [calls.count(n) for n in sizes] == [*[draws] * (POINTS - 1), 1]  # all rows are drawn once
    assert [(p["role"], p["labels"]) for p in curve["points"]] == [(role, n) for role in asked for n in sizes]
    assert any(p["low"] < p["high"] for p in curve["points"]) == (draws > 1)
