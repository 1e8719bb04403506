"""What the checks compute, against published definitions, other libraries' values and independent computations."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import fisher_exact
from tests.made import faults
from tests.made.data import picture

from headstart.audit._base import Evidence
from headstart.audit._familiar import Familiar
from headstart.audit._groups import Measure, compare, groupings, measures, table
from headstart.audit._multiple import design_effect, fisher, holm
from headstart.audit._tells import told
from headstart.audit.calibration import errors
from headstart.audit.group_gaps import GroupGaps, summary
from headstart.audit.label_errors import issues, lapses
from headstart.data.dataset import Dataset
from headstart.data.metadata import metadata
from headstart.errors import NotApplicable
from headstart.selection.calibration import conformal, ece


@pytest.fixture(scope="module")
def people() -> Evidence:
    """400 rows, three groups, of which c is answered with yes too often."""
    rng = np.random.default_rng(3)
    y, group = rng.integers(0, 2, 400), rng.choice(["a", "b", "c"], 400, p=[0.5, 0.3, 0.2])
    told = np.where(rng.random(400) < 0.75, y, 1 - y)
    told = np.where((group == "c") & (rng.random(400) < 0.4), 1, told)
    return Evidence(
        modality="table", kind="label", classes=("no", "yes"), target=y, split=np.full(400, "test"),
        values=np.zeros((400, 1)), scores=np.eye(2)[told] * 0.5 + 0.25, columns={"g": group}, attributes=("g",),
    )  # fmt: skip


def test_rates_of_groups_are_those_of_fairlearn(people: Evidence) -> None:
    """The values of fairlearn 0.15.0 (MetricFrame, demographic_parity_difference, equalized_odds_difference)."""
    what, names = measures(people), groupings(people)["g"]
    shown = table(what, names, ["a", "b", "c"], None, 0)
    rates = {row[0]: [float(cell.split()[0]) for cell in row[2:6]] for row in shown["rows"]}
    assert shown["columns"][2:6] == ["accuracy", "selection rate", "false-positive rate", "false-negative rate"]
    expected = {
        "a": [0.753695, 0.507389, 0.272727, 0.215054],
        "b": [0.786885, 0.483607, 0.186441, 0.238095],
        "c": [0.733333, 0.653333, 0.400000, 0.177778],
    }
    for group, values in expected.items():
        np.testing.assert_allclose(rates[group], values, atol=6e-4)
    told = summary(what, names, ["a", "b", "c"])
    assert told["demographic parity difference"] == pytest.approx(0.16972678, abs=1e-4)
    assert told["equalised odds difference"] == pytest.approx(0.21355932, abs=1e-4)
    assert told["accuracy difference"] == pytest.approx(0.053552, abs=1e-4)
    assert told["worst group"] == "c"


def test_intervals_cover_and_flawless_groups_have_width(people: Evidence) -> None:
    hit = np.ones(60)
    shown = table([Measure("accuracy", hit, hit > 0)], np.full(60, "x"), ["x"], None, 0)
    low = float(shown["rows"][0][2].split("[")[1].split(",")[0])
    assert low == pytest.approx(0.940, abs=1e-3)  # Wilson: n / (n + 1.96^2)


def test_fisher_is_scipys() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        n, m = rng.integers(10, 60, 2)
        a, b = rng.integers(0, n + 1), rng.integers(0, m + 1)
        assert fisher(a, n, b, m) == pytest.approx(fisher_exact([[a, n - a], [b, m - b]]).pvalue, rel=1e-6)


def test_holm_by_hand() -> None:
    assert holm(np.array([0.01, 0.02, 0.03, 0.005])).tolist() == pytest.approx([0.03, 0.04, 0.04, 0.02])
    assert holm(np.array([0.5, 0.9])).tolist() == [1.0, 1.0]


def test_clusters_make_a_gap_less_sure() -> None:
    """Forty answers of four people say no more than four answers do."""
    hit = np.repeat([1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0], 20)
    people, inside = np.repeat(np.arange(8), 20), np.arange(160) < 80
    assert design_effect(hit[80:], people[80:]) == pytest.approx(80 / 3, rel=0.01)
    measure = Measure("accuracy", hit, np.ones(160, dtype=bool))
    alone, together = compare(measure, inside, None), compare(measure, inside, people)
    assert alone is not None
    assert alone < 1e-10
    assert together is not None
    assert together == pytest.approx(fisher_exact([[4, 0], [1, 3]]).pvalue, abs=0.1)  # four people against four


def test_small_groups_are_named_and_not_compared(people: Evidence) -> None:
    few = people.columns["g"].copy()
    few[:5] = "d"
    finding = GroupGaps()(replace(people, columns={"g": few}))[0]
    assert finding.evidence["too_small"] == ["d (5)"]
    assert [row[0] for row in finding.evidence["table"]["rows"]] == ["a", "b", "c", "d"]
    assert finding.evidence["table"]["rows"][3][2] == "too few"
    with pytest.raises(NotApplicable, match="--attribute"):
        GroupGaps()(replace(people, attributes=()))


def test_the_confident_joint_is_that_of_cleanlab() -> None:
    """The values of cleanlab 2.9.0: compute_confident_joint(calibrate=False), find_label_issues(confident_learning)."""
    rng = np.random.default_rng(5)
    y = rng.integers(0, 3, 300)
    scores = rng.dirichlet(np.ones(3), 300) * 0.5
    scores[np.arange(300), np.where(rng.random(300) < 0.85, y, (y + 1) % 3)] += 0.5
    named, suggested = issues(scores, y)
    assert Counter(zip(y[named], suggested, strict=True)) == {(0, 1): 6, (1, 2): 12, (2, 0): 9}
    assert named[:12].tolist() == [184, 44, 137, 220, 128, 16, 174, 1, 31, 102, 92, 8]


def test_the_lapse_rate_is_found_again() -> None:
    rng = np.random.default_rng(0)
    odds = rng.normal(0, 4, 4000)
    chance = 1 / (1 + np.exp(-odds))
    y = (rng.random(4000) < chance).astype(int)
    scores = np.stack([1 - chance, chance], 1)
    assert lapses(scores, y)[1] > 0.01
    share, p = lapses(scores, np.where(rng.random(4000) < 0.08, 1 - y, y))
    assert share == pytest.approx(0.08, abs=0.02)
    assert p < 1e-6


def test_many_classes_that_overlap_have_no_lapses() -> None:
    """Ten classes that overlap, and a model that is twice as sure as it may be: no label is wrong."""
    rng = np.random.default_rng(0)
    logits = 2 * rng.normal(size=(3000, 10))
    chance = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    y = np.array([rng.choice(10, p=p) for p in chance])
    sure = np.exp(2 * logits) / np.exp(2 * logits).sum(1, keepdims=True)
    assert lapses(sure, y)[1] > 0.05
    wrong = np.where(rng.random(3000) < 0.1, rng.integers(0, 10, 3000), y)
    assert lapses(sure, wrong)[1] < 0.01


def test_vectorised_calibration_errors_are_the_error_of_the_report() -> None:
    made = faults.clean(2, 500)
    y = made.target[made.of("test")]
    order = np.argsort(made.scores.max(1), kind="stable")
    right = (made.scores.argmax(1) == y)[order]
    assert errors(made.scores.max(1)[order], right[None])[0] == pytest.approx(ece(made.scores, y), abs=1e-9)


def test_sets_cover_what_they_promise_on_average() -> None:
    """Mean coverage over draws of both halves lies between 90 % and 90 % + 1 / (m + 1), as the theorem says."""
    covered = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        y = rng.integers(0, 3, 400)
        scores = rng.dirichlet(np.ones(3), 400)
        scores[np.arange(400), y] += rng.exponential(0.5, 400)
        scores /= scores.sum(1, keepdims=True)
        qhat = conformal(scores[:99], y[:99])
        assert qhat is not None
        covered.append((scores[99:][np.arange(301), y[99:]] >= 1 - qhat).mean())
    assert 0.89 < np.mean(covered) < 0.92
    assert conformal(scores[:8], y[:8]) is None  # eight rows cannot promise 90 %


def test_the_share_of_unfamiliar_rows_is_exact_for_any_distribution() -> None:
    """p-values of exchangeable rows are uniform or larger, also with heavy tails and few rows."""
    p, shares = [], []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        X = rng.standard_t(2, (180, 12))
        familiar = Familiar().fit(X[:80], X[80:119])
        beyond = familiar.far(X[119:])
        p.append(familiar.chance(int(beyond.sum()), len(beyond)))
        shares.append(beyond.mean())
    assert np.mean(shares) == pytest.approx(0.05, abs=0.015)  # 1 - 38 / 40
    assert np.mean(np.array(p) <= 0.1) <= 0.16
    with pytest.raises(NotApplicable, match="19"):
        Familiar().fit(X[:80], X[80:90])


def test_permutation_p_values_are_uniform_where_nothing_is_told() -> None:
    p = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        p.append(told(rng.normal(size=(80, 4)), np.eye(3)[rng.integers(0, 3, 80)], rng, draws=99)[1])
    assert 0.35 < np.mean(p) < 0.65
    assert np.mean(np.array(p) <= 0.1) < 0.25


def test_metadata_of_pictures_come_from_their_files(tmp_path: Path) -> None:
    """Ten wide pictures called scan#, ten small ones called photo#; folders that are the classes tell nothing new."""
    rows = []
    for k, (stem, size, folder) in enumerate([("scan", (90, 30), "x"), ("photo", (20, 30), "y")] * 10):
        (tmp_path / folder).mkdir(exist_ok=True)
        picture(k, size).save(tmp_path / folder / f"{stem}{k}.png")
        rows.append(str(tmp_path / folder / f"{stem}{k}.png"))
    ids = np.array([f"{k:02d}" for k in range(20)])
    data = Dataset("image", rows, ids, np.arange(20) % 2, "label", ("x", "y"))
    facts = metadata(data)
    assert "folder" not in facts
    assert facts["width"].tolist() == [90, 20] * 10
    assert facts["name"].tolist() == ["scan#", "photo#"] * 10
    assert facts["number"].tolist() == list(range(20))
    assert set(facts["exif"]) == {"no Exif"}
    assert set(metadata(replace(data, classes=("a", "b")))["folder"]) == {"x", "y"}
    Path(rows[0]).unlink()
    assert metadata(data)["width"][0] is None
