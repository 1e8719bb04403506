"""Targets as strangers have them: without labels, with few or others, with gaps and copies, as data frames."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.made.domains import clusters

import headstart
from headstart import domains
from headstart._answers import Labels, by_labels, score
from headstart._journal import Journal, holds
from headstart._methods import FLOOR, candidates
from headstart.adaptation._source import Source
from headstart.cli import main
from headstart.data.frames import written
from headstart.errors import DataError, PlanError
from headstart.plan import AdaptationPlan, Plan
from headstart.selection.guard import Decision, Vote
from headstart.source_free import _guess

COLUMNS = list("abcdef")


def frame(X: np.ndarray, y: np.ndarray | None = None) -> pd.DataFrame:
    made = pd.DataFrame(X, columns=COLUMNS)
    return made if y is None else made.assign(finding=np.array(["benign", "malignant"])[y])


@pytest.fixture
def by_centring(monkeypatch: pytest.MonkeyPatch) -> None:
    """One method competes, and the guard is made to prefer it."""

    def few(*rows: np.ndarray, **words: Any) -> dict:
        return candidates(*rows, **{"names": (FLOOR, "centring"), **words})

    monkeypatch.setattr(domains, "candidates", few)
    monkeypatch.setattr(domains, "guard", lambda floor, looks: Decision("centring", "as the test wants it", ()))


def test_what_ships_is_as_sure_as_it_is_guessed_to_be_right(by_centring: None, tmp_path: Path) -> None:
    """Source rows, read as if they came from the target, say nothing of its certainty and are no score of it."""
    X, y, Z, _ = clusters(160, 160, move=2.5, stretch=1.6)
    target = pd.concat([frame(Z), frame(X[:3])]).assign(c=np.nan)
    copied = pd.concat([target, frame(X[:5])], ignore_index=True)
    out = tmp_path / "run"
    result = headstart.adapt(frame(X, y), copied, label="finding", out=str(out))
    told, model = result.adaptation, headstart.load(out)
    sure = model.predict_proba(copied).max(1).mean()
    assert sure == pytest.approx(told["estimate"], abs=0.01)
    assert result.test == told["source_only"]
    assert result.test["value"] > 0.9
    assert model.card.adapted_by == "centring"
    assert result.verdict["words"] == "Adapted by centring: as the test wants it."
    notes = "\n".join(told["target"]["notes"])
    assert "5 rows of the target: exact copies of source rows" in notes
    page, card = (out / "report.html").read_text(), (out / "model" / "README.md").read_text()
    assert "5 rows of the target: exact copies" in page
    assert "source rows, before it was adapted" in card
    with pytest.raises(PlanError, match=r"name another --out\.$"):  # nothing here could be gone on with
        headstart.adapt(frame(X, y), frame(Z), label="finding", out=str(out))


def test_labels_are_looked_for_before_anything_is_spent(by_centring: None, tmp_path: Path) -> None:
    X, y, Z, t = clusters(80, 40, move=1.0, stretch=1.0)
    source, out = frame(X, y), str(tmp_path / "run")
    for options in ({"score_target": True}, {"target_labels": 5}):  # the folder of the first is free for the second
        with pytest.raises(DataError, match="find no labels in the target"):
            headstart.adapt(source, frame(Z), out=out, label="finding", **options)
    assert not (Path(out) / "model").exists()
    named = frame(Z, t).rename(columns={"finding": "diagnosis"})
    told = headstart.adapt(source, named, out=out, label="finding", score_target=True).adaptation
    assert told["scored"]["column"] == "diagnosis"
    assert told["scored"]["shipped"]["rows"] == 40


def labels(*cells: object) -> Labels:
    column = np.empty(len(cells), dtype=object)
    column[:] = cells
    return Labels("finding", column, ("0", "1"), is_class=False)


def test_rows_of_one_class_without_a_label_or_of_another_are_scored_as_far_as_they_can_be() -> None:
    told = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    found = score(labels(1.0, "1", None), told, told)
    assert (found["accuracy"], found["shipped"]["rows"], found["without"]) == (0.5, 2, 1)
    assert score(labels("ill", None, ""), told, told) == {"why": "no label in 'finding' is one of 0, 1"}


def test_rows_without_a_label_use_up_none_of_those_that_may_be_asked_for() -> None:
    before = np.repeat([[0.9, 0.1]], 40, axis=0)
    known = labels(*[1 if i % 4 == 0 else None for i in range(40)])
    decision = Decision(None, "", (Vote("coral", "bnm", 0.0, 1.0, 0.1, 1),))
    plan = AdaptationPlan(data="a", adapt_to="b", target_labels=8)
    decided, asked = by_labels(decision, {"coral": before[:, ::-1]}, before, known, plan)
    assert (decided.method, asked["wins"], asked["asked"]) == ("coral", 7, 7)
    assert "30 of those rows have no label" in asked["words"]


def test_a_run_that_was_refused_before_its_rows_were_read_leaves_its_folder_free(tmp_path: Path) -> None:
    plan = Plan(data="a.csv", target="fnding", out=str(tmp_path))
    Journal(plan, resume=False).spend(3.0)
    write = partial(written, file=tmp_path / "data.jsonl")
    write(pd.DataFrame({"a": [1]}), keep=holds(tmp_path))
    again = Journal(replace(plan, target="finding"), resume=False)
    assert again.spent == 0
    assert "2" in write(pd.DataFrame({"a": [2]}), keep=holds(tmp_path)).read_text()
    again.once("data", lambda: "known")
    assert "3" not in write(pd.DataFrame({"a": [3]}), keep=holds(tmp_path)).read_text()
    with pytest.raises(PlanError, match="go on with --resume"):
        Journal(plan, resume=False)
    again.leave()
    Journal(AdaptationPlan(data="a.csv", adapt_to="b.csv", out=str(tmp_path)), resume=False)  # stopped: begun anew


def test_a_model_whose_answers_change_by_half_is_not_guessed_to_be_always_right() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 200)
    X, told = rng.normal(size=(200, 3)) + 3 * y[:, None], np.eye(2)[y] * 0.98 + 0.01
    source = Source.of(X, y, told, y, {})
    assert source is not None
    before, after = np.tile([0.01, 0.99], (100, 1)), np.tile([0.01, 0.99], (100, 1))
    after[:50] = after[:50, ::-1]
    found = _guess(source, before, after, is_shift=True)
    assert found["estimate"] == pytest.approx(0.75)
    assert found["high"] - found["low"] > 0.3
    assert _guess(source, before, before, is_shift=False)["estimate"] > 0.95


def test_options_that_a_finished_run_has_settled_are_refused(tmp_path: Path) -> None:
    for name, value in {"techniques": ("mcc",), "modality": "text", "domain": "site"}.items():
        with pytest.raises(PlanError, match=f"{name} with a run"):
            headstart.adapt(tmp_path, "b.csv", source_free=True, **{name: value})


def test_labelled_rows_in_the_place_of_a_run_are_told_where_they_belong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["adapt", str(tmp_path), "--target", "b.csv"])
    assert f"if it holds labelled rows: headstart adapt --source {tmp_path} --target b.csv" in capsys.readouterr().err
