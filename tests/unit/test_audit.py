"""Findings and the verdict: each fires on what was planted and is silent on what is clean."""

from __future__ import annotations

import numpy as np
import pytest

from headstart import _discover
from headstart.audit._base import audit
from headstart.audit._example import evidence
from headstart.audit._verdict import Arm, verdict
from headstart.audit.leakage import Leakage
from headstart.audit.sample_size import SampleSize
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


def test_leakage_speaks_only_when_rows_were_moved() -> None:
    assert Leakage()(evidence(moved={"moved": 0})) == []
    assert [f.severity for f in Leakage()(evidence(moved={"moved": 1}))] == ["info"]
    assert [f.severity for f in Leakage()(evidence(moved={"moved": 30}))] == ["warning"]


def test_sample_size_speaks_of_wide_intervals_and_rare_classes() -> None:
    narrow = {"low": 0.80, "high": 0.85, "rows": 2000.0}
    assert SampleSize()(evidence(score=narrow)) == []
    wide = {"low": 0.60, "high": 0.85, "rows": 40.0}
    assert [f.code for f in SampleSize()(evidence(score=wide))] == ["sample_size:wide_interval"]
    rare = evidence(score=narrow, target=(np.arange(600) % 30 == 0).astype(int))
    assert [f.code for f in SampleSize()(rare)] == ["sample_size:imbalance"]


def test_all_checks_are_silent_on_clean_data() -> None:
    found, _ = audit(evidence())
    assert len(_discover.names("audit")) >= 2
    assert found == []
