"""The benchmark's meter and its table; nothing is timed here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from benchmarks import _measure, families, planted, speed, training
from benchmarks._planted import Ground
from benchmarks._plantings import swapped
from benchmarks.skada_beside import favourite, line

BUSY = "sum(i * i for i in range(3_000_000))"


def test_the_meter_counts_this_process_and_its_children() -> None:
    before = _measure.cpu()
    subprocess.run([sys.executable, "-c", BUSY], check=True)
    assert _measure.cpu() - before > 0.02


def test_a_line_gives_the_median_ratio_its_range_and_whether_the_goal_holds() -> None:
    row = _measure.Row("a", "b", 5, [2.0, 2.0, 2.0], [8.0, 4.0, 20.0], "equal accuracy")
    assert row.ratios() == [4.0, 2.0, 10.0]
    assert "4.0 x [2.0, 10.0] | 5 x | no | equal accuracy" in row.line()
    text = _measure.table([row], "python -m benchmarks.speed", 2)
    assert text.startswith("Command: `python -m benchmarks.speed`")
    widths = {line.count("|") for line in text.splitlines() if line.startswith("|")}
    assert widths == {9}


def test_sides_alternate() -> None:
    seen: list[str] = []

    def side(name: str) -> dict[str, str]:
        seen.append(name)
        return {"cpu": name}

    columns = _measure.in_turns([lambda: side("a"), lambda: side("b")], 2)
    assert seen == ["a", "b", "a", "b"]
    assert [c["cpu"] for c in columns[0]] == ["a", "a"]


def test_a_side_that_fails_says_why() -> None:
    with pytest.raises(RuntimeError, match="no_such_side"):
        _measure.work("no_such_side", threads=1)


def test_every_group_of_lines_is_there() -> None:
    for bench in (speed.Speed, training.Training):
        assert bench.groups
        assert all(callable(getattr(bench, name)) for name in bench.groups)


def test_what_cannot_be_scored_is_never_chosen_and_gains_are_over_doing_nothing() -> None:
    scores = {"nothing": {"a": 0.5, "b": float("nan")}, "x": {"a": float("nan"), "b": float("nan")}, "y": {"a": 0.6}}
    row = {"scores": {m: {"b": float("nan"), **s} for m, s in scores.items()}}
    assert favourite(row, "a") == "y"
    assert favourite(row, "b") == "nothing"
    floors, best = np.array([0.5, 0.6]), np.array([0.7, 0.6])
    assert line("w", floors, np.array([0.6, 0.59]), best) == "| w | 0.550 | 0.595 | +4.5 | 50 % | -1.0 | 45 % |"


def test_a_mark_that_is_exchanged_costs_only_where_the_head_leans_on_it() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 300)
    plain = np.c_[rng.normal(size=(300, 3)), np.zeros(300)]
    plain[:, 0] += 2 * y
    marked = plain + np.eye(4)[3]
    ground = Ground("made", "image", y, plain, marked, ([], []))
    order, free = np.arange(200), np.arange(200, 300)
    costs = []
    for mark in (y, rng.integers(0, 2, 300)):  # it goes with the class, or says nothing
        row = swapped(ground, np.where(mark[:, None] == 1, marked, plain), order, free)
        costs.append(planted._costs({**row, "plain": 1.0, "oracle_dfr": {"worst": 1.0}}))
        assert (row["as_usual"] > row["swapped"] + 0.05) == costs[-1]
    assert costs == [True, False]


def test_an_interval_reckons_with_draws_and_with_rows_they_share() -> None:
    """A made difference of rows and of draws, truly nothing: the spread of draws alone misses it far more often."""
    rng, runs = np.random.default_rng(0), 400
    covered = np.zeros(2)
    for _ in range(runs):
        found = np.full((20, 200), np.nan)
        rows, draws = rng.normal(0, 1, 200), rng.normal(0, 0.05, 20)
        for i, effect in enumerate(draws):
            test = rng.permutation(200)[:50]
            found[i, test] = rows[test] + effect + rng.normal(0, 0.3, 50)
        mean, half = families.interval(found)
        alone = 2.09 * np.nanmean(found, axis=1).std(ddof=1) / np.sqrt(20)
        covered += (abs(mean) <= half, abs(mean) <= alone)
    assert 0.93 <= covered[0] / runs <= 0.995
    assert covered[1] / runs < 0.85
