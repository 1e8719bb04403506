"""Every check fires on what was planted, in three strengths, and keeps its level on data in which nothing is wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.made import faults
from tests.made.plants import owned, thinned

from headstart import _discover
from headstart.audit._base import audit
from headstart.audit._example import evidence
from headstart.audit.imbalance import Imbalance
from headstart.audit.leakage import Leakage
from headstart.audit.sample_size import SampleSize

MINE = (
    "calibration", "conformal", "drift", "group_gaps", "imbalance", "label_errors", "leakage", "missing_classes", "ood",
    "outliers", "sample_size",
)  # fmt: skip
PLANTED = {  # code: (what plants it, the weakest strength at which it must be found)
    "calibration:ece": (faults.too_sure, "plain"),
    "conformal:coverage": (faults.moved_scores, "plain"),
    "drift:shift": (faults.moved_test, "weak"),
    "group_gaps:sex": (faults.worse_for_one_group, "plain"),
    "label_errors:lapses": (faults.wrong_labels, "weak"),
    "leakage:column": (faults.told_column, "weak"),
    "leakage:metadata": (faults.longer_texts_of_one_class, "weak"),
    "leakage:owners": (faults.alike_owners, "weak"),
    "missing_classes:never_said": (faults.silent_class, "blatant"),
    "ood:far": (faults.moved_test, "plain"),
    "outliers:rows": (faults.strange_rows, "plain"),
}


def codes(made: Any, checks: tuple[str, ...] = MINE) -> set[str]:
    return {f.code for f in audit(made, checks)[0] if ":none:" not in f.code}  # a table that was asked for


@pytest.mark.parametrize("code", PLANTED)
def test_a_planted_fault_is_found_from_some_strength_on(code: str) -> None:
    plant, weakest = PLANTED[code]
    check = (code.partition(":")[0],)
    for strength in faults.STRENGTHS[faults.STRENGTHS.index(weakest) :]:
        found = [code in codes(plant(faults.clean(seed, 900), strength), check) for seed in (1, 2)]
        assert all(found), (code, strength, found)


def test_a_stronger_fault_is_more_severe() -> None:
    found, _ = audit(faults.worse_for_one_group(faults.clean(1, 900), "blatant"), ["group_gaps"])
    assert found[0].code == "group_gaps:sex"
    assert found[0].severity == "serious"
    assert found[0].evidence["summary"]["worst group"] == "f"
    weak, strong = (
        audit(faults.wrong_labels(faults.clean(1, 900), s), ["label_errors"])[0][0].evidence["share"]
        for s in ("weak", "blatant")
    )
    assert weak < 0.15
    assert 0.15 < strong < 0.4  # 25 % were planted


def test_wrong_labels_are_named_before_right_ones() -> None:
    clean = faults.clean(3, 900, apart=4.0)
    made = faults.wrong_labels(clean, "plain")
    found, _ = audit(made, ["label_errors"])
    named = [s["position"] for s in found[0].evidence["suspects"]]
    assert len(named) == 50
    assert np.mean(made.target[named] != clean.target[named]) > 0.9  # 10 % among all rows


@pytest.mark.parametrize("check", MINE)
def test_a_check_keeps_its_level_on_clean_data(check: str) -> None:
    """At 1 %, 4 alarms in 50 data sets have a chance of about 1 in 600."""
    alarms: Counter[str] = Counter()
    for seed in range(25):
        for rows, classes in ((200, 2), (240, 4)):
            made = faults.clean(seed, rows, dims=10, classes=classes)
            made = replace(made, own_split=check == "drift", attributes=("sex", "site"))
            alarms.update(codes(made, (check,)) - {"conformal:classes"})  # a hard class is a fact, not a false alarm
    assert sum(alarms.values()) <= 3, alarms


def test_all_checks_are_silent_on_clean_data() -> None:
    found, unchecked = audit(evidence())
    assert set(MINE) <= set(_discover.names("audit"))
    assert found == []
    assert {"drift", "group_gaps", "conformal"} <= {name for name, _ in unchecked}


def test_a_check_that_comes_too_late_says_so() -> None:
    found, unchecked = audit(faults.wrong_labels(faults.clean(), "blatant"), ["label_errors"], seconds=-1.0)
    assert found == []
    assert "budget" in unchecked[0][1]


def test_leakage_counts_rows_across_the_split() -> None:
    assert Leakage()(evidence(moved={"moved": 0, "seen": 0})) == []
    assert [f.severity for f in Leakage()(evidence(moved={"moved": 1}))] == ["info"]
    assert [f.severity for f in Leakage()(evidence(moved={"moved": 30}))] == ["warning"]
    assert [(f.code, f.severity) for f in Leakage()(evidence(moved={"seen": 40, "alike": 45}))] == [
        ("leakage:seen_before", "serious")
    ]


@pytest.mark.parametrize(("share", "codes"), [(0.009, []), (0.011, ["leakage:metadata"])])
def test_metadata_that_tell_next_to_nothing_are_not_spoken_of(
    monkeypatch: pytest.MonkeyPatch, share: float, codes: list[str]
) -> None:
    monkeypatch.setattr("headstart.audit.leakage.told", lambda *_, **__: (share, 0.001))
    made = evidence(metadata={"characters": np.arange(600.0)})
    assert [f.code for f in Leakage()(made)] == codes


def test_owners_that_the_split_kept_together_are_no_leak() -> None:
    made = faults.alike_owners(faults.clean(1, 900), "blatant")
    assert "leakage:owners" not in codes(replace(made, groups=made.columns["patient"]), ("leakage",))


def test_numbers_and_several_labels_go_through_every_check() -> None:
    clean = faults.clean(0, 300)
    told = clean.values[clean.split == "test", :1] + 0.1 * clean.values[clean.split == "test", 1:2]
    number = replace(clean, kind="number", classes=(), target=clean.values[:, 0], scores=told, qhat=None)
    both = np.stack([clean.target, 1 - clean.target], 1)
    labels = replace(clean, kind="labels", target=both, scores=clean.scores[:, ::-1], qhat=None)
    for made in (number, labels):
        found, unchecked = audit(made, MINE)
        assert codes(made) == set(), found
        assert {"label_errors", "conformal"} <= {name for name, _ in unchecked}


def test_sample_size_and_imbalance_speak_of_counts() -> None:
    assert SampleSize()(evidence(score={"low": 0.80, "high": 0.85, "rows": 2000.0})) == []
    wide = evidence(score={"low": 0.60, "high": 0.85, "rows": 40.0})
    assert [f.code for f in SampleSize()(wide)] == ["sample_size:wide_interval"]
    rare = evidence(target=(np.arange(600) % 30 == 0).astype(int))
    assert [f.evidence["counts"] for f in Imbalance()(rare)] == [{"no": 580, "yes": 20}]


@pytest.mark.parametrize("seed", range(3))
def test_a_group_that_was_hardly_learnt_from_is_told_of_and_equal_shares_are_not(seed: int) -> None:
    made, rng = evidence(600), np.random.default_rng(seed)
    asked = {"attributes": ("sex",), "own_split": True}
    sex = rng.permutation(np.repeat(["f", "m"], 300))
    assert Imbalance()(replace(made, columns={"sex": sex}, **asked)) == []
    few = np.where((made.split == "test") | (rng.random(600) < 0.3), sex, "m")
    (found,) = Imbalance()(replace(made, columns={"sex": few}, **asked))
    assert (found.code, found.severity) == ("imbalance:sex", "warning")
    assert "sex: f is " in found.title
    one_draw = replace(made, columns={"sex": few}, attributes=("sex",))
    assert Imbalance()(one_draw) == []
    without = np.where(made.split == "test", sex, None)
    assert Imbalance()(replace(made, columns={"sex": without}, **asked)) == []  # rows learnt from had no such column
    assert Imbalance()(replace(made, kind="number", columns={"sex": few}, **asked)) == [found]


@pytest.mark.parametrize("share", [0.05, 0.1, 0.2])
def test_patients_who_come_twice_are_found_and_strangers_of_one_name_are_not(share: float) -> None:
    for copies in (True, False):
        made, rng = evidence(), np.random.default_rng(0)
        rows, owner = owned(600, share, rng, copies=copies)
        order = rng.permutation(len(rows))
        target = made.target[rows[order]]
        split = np.repeat(["train", "test"], [len(rows) - 120, 120])
        seen = replace(
            made, target=target, split=split, values=made.values[rows[order]],
            columns={"patient": owner[order].astype(str)}, owners=("patient",),
        )  # fmt: skip
        assert [f.code for f in Leakage()(seen)] == (["leakage:owners"] if copies else [])


def test_a_thinned_group_keeps_its_share_and_the_other_all() -> None:
    group = np.repeat([0, 1], 100)
    kept = thinned(group, 0.1, np.random.default_rng(0))
    assert np.bincount(group[kept]).tolist() == [100, 10]
    assert len(np.unique(kept)) == 110
