"""The verdict: what it says, when it says nothing, and what it may not look at."""

from __future__ import annotations

import numpy as np
import pytest

from headstart.audit._verdict import Arm, verdict
from headstart.selection.metrics import metric_for

RNG = np.random.default_rng(0)
Y = RNG.integers(0, 2, 400)
METRIC = metric_for(Y, "label")


def arm(role: str, skill: float, seed: int = 0) -> Arm:
    right = np.random.default_rng(seed).random(len(Y)) < skill
    return Arm(role, role, skill, np.eye(2)[np.where(right, Y, 1 - Y)] * 0.8 + 0.1)


def test_the_verdict_says_helped_hurt_and_do_not_know() -> None:
    helped = verdict([arm("pretrained", 0.9), arm("scratch", 0.6, 1), arm("majority", 0.5, 2)], Y, METRIC)
    assert helped["helped"] is True
    assert "Pre-training helped: +" in str(helped["words"])
    assert [a["role"] for a in helped["against"]] == ["scratch", "majority"]
    hurt = verdict([arm("pretrained", 0.6), arm("classical", 0.9, 1), arm("scratch", 0.55, 2)], Y, METRIC)
    assert hurt["helped"] is False
    assert "use the classical baseline" in str(hurt["words"])
    even = verdict([arm("pretrained", 0.80), arm("scratch", 0.80, 1)], Y, METRIC)
    assert even["helped"] is None
    assert "includes zero" in str(even["words"])


@pytest.mark.parametrize("arms", [[arm("pretrained", 0.9)], [arm("scratch", 0.9)]])
def test_without_two_sides_there_is_no_verdict(arms: list[Arm]) -> None:
    said = verdict(arms, Y, METRIC)
    assert said["helped"] is None
    assert str(said["words"]).startswith("No verdict")


def test_who_faces_whom_is_settled_on_validation_not_on_test() -> None:
    lucky = arm("scratch", 0.99, 3)
    lucky = Arm("scratch", "scratch", 0.50, lucky.scores)  # poor on validation, superb on test
    said = verdict([arm("pretrained", 0.9), lucky, arm("classical", 0.7, 1)], Y, METRIC)
    assert said["helped"] is True
