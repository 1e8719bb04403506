"""The race's rules, on contenders whose quality and cost are known beforehand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headstart import _discover
from headstart.activations.activations import Activations
from headstart.errors import NotApplicable, PlanError
from headstart.selection import race as races
from headstart.selection.contender import Contender, contenders, make, rows_a_class, unasked
from headstart.selection.metrics import metric_for
from headstart.selection.race import Clock, Field, best, race
from headstart.techniques._base import Technique


def oracle(skill: float, cost_: int, *, fails: Exception | None = None) -> type[Technique]:
    """A technique that is right on a share `skill` of the rows, and dear or cheap as told."""

    class Oracle(Technique):
        cost = cost_

        def __init__(self, seconds: float | None = None, seed: int = 0) -> None:
            self.seconds, self.seed = seconds, seed

        def fit(self, X: Activations, y: np.ndarray, *, sample_weight: Any = None, target: Any = None) -> Oracle:
            if fails:
                raise fails
            self._check(y)
            return self

        def predict_proba(self, X: Activations) -> np.ndarray:
            truth, luck = np.asarray(X).T[:2]
            said = np.where(luck < skill, truth, 1 - truth).astype(int)
            return np.eye(2)[said] * 0.8 + 0.1

    return Oracle


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> dict[str, type[Technique]]:
    """Techniques by name, instead of those on disk."""
    table: dict[str, type[Technique]] = {}
    monkeypatch.setattr(_discover, "load", lambda floor, name: table[name])
    return table


def ground(rows: int = 600) -> Field:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, rows)
    seen = Activations(np.c_[y, rng.random(rows)], np.arange(rows).astype(str), "pooled", "vector")
    parts = np.split(np.arange(rows), [int(0.6 * rows), int(0.8 * rows)])
    return Field(lambda c, t: seen, y, *parts, metric_for(y, "label"))


def entries(*names: str) -> list[Contender]:
    return [Contender("made", n, "pretrained") for n in names]


def test_the_majority_is_judged_on_the_rows_that_the_others_are_judged_on(
    known: dict[str, type[Technique]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On few valid rows it may look good by luck."""
    from headstart.techniques.majority import Majority

    known |= {"majority": Majority, "head": oracle(0.9, 1)}
    field = ground(100)
    field.y[field.train] = np.arange(len(field.train)) < 32  # just the larger class
    field.y[field.valid] = 1
    rows = np.c_[field.y, np.random.default_rng(0).random(100)]
    seen = Activations(rows, np.arange(100).astype(str), "pooled", "vector")
    field = replace(field, see=lambda c, t: seen)
    entries = [Contender("b", "majority", "majority"), Contender("b", "head", "pretrained")]
    trials = race(entries, field, Clock(60))
    assert (trials[0].valid or {})["value"] < 0.7
    assert best(trials, field).contender.technique == "head"


def test_the_dear_one_ships_only_when_it_wins(known: dict[str, type[Technique]]) -> None:
    known |= {"cheap": oracle(0.70, 1), "dear": oracle(0.90, 3), "equal": oracle(0.70, 4)}
    g = ground()
    trials = race(entries("cheap", "equal"), g, Clock(100))
    assert best(trials, g).contender.technique == "cheap"
    trials = race(entries("cheap", "dear"), g, Clock(100))
    assert best(trials, g).contender.technique == "dear"


def test_the_network_from_scratch_must_win_by_more(known: dict[str, type[Technique]]) -> None:
    """One more right answer of twenty ships a pre-trained network, and not one from scratch."""
    g = ground(100)
    luck = np.sort(np.asarray(g.see(Contender("b", "x", "pretrained"), None))[g.valid, 1])
    known |= {"cheap": oracle(luck[14] + 1e-9, 1), "dear": oracle(luck[15] + 1e-9, 3)}
    for role, ships in (("pretrained", "dear"), ("scratch", "cheap")):
        trials = race([*entries("cheap"), Contender("made", "dear", role)], g, Clock(100))
        assert best(trials, g).contender.technique == ships


@pytest.mark.parametrize(("right", "ships"), [(0.83, "plain"), (0.95, "head")])
def test_where_it_is_doubted_pre_training_must_win_by_more_than_luck(
    known: dict[str, type[Technique]], right: float, ships: str
) -> None:
    known |= {"plain": oracle(0.7, 1), "head": oracle(right, 1)}
    order = [Contender("columns", "plain", "classical"), *entries("head")]
    plain = ground(100)
    mine = plain.see(order[1], None)
    theirs = replace(mine, values=np.c_[np.asarray(mine)[:, 0], 1 - np.asarray(mine)[:, 1]])  # errs on other rows
    for is_doubted, chosen in ((False, "head"), (True, ships)):
        g = replace(plain, doubted=is_doubted, see=lambda c, t: theirs if c.role == "classical" else mine)
        assert best(race(order, g, Clock(100)), g).contender.technique == chosen


def test_dearer_ones_are_not_tried_once_they_gain_nothing(known: dict[str, type[Technique]]) -> None:
    known |= {"cheap": oracle(0.95, 1), "worse": oracle(0.60, 3), "dearest": oracle(0.99, 4)}
    trials = race(entries("cheap", "worse", "dearest"), ground(), Clock(100))
    assert [t.status for t in trials] == ["done", "done", "skipped"]
    assert "gained" in trials[2].why


def test_the_floor_runs_even_after_the_race_has_stopped(known: dict[str, type[Technique]]) -> None:
    known |= {"cheap": oracle(0.95, 1), "worse": oracle(0.60, 3), "scratch": oracle(0.6, 4)}
    order = [*entries("cheap", "worse"), Contender("made", "scratch", "scratch")]
    assert race(order, ground(), Clock(100))[-1].status == "done"


def test_what_was_named_runs_even_after_the_race_has_stopped(known: dict[str, type[Technique]]) -> None:
    known |= {"cheap": oracle(0.95, 1), "worse": oracle(0.60, 3), "asked": oracle(0.6, 4), "other": oracle(0.6, 4)}
    trials = race(entries("cheap", "worse", "asked", "other"), ground(), Clock(100), named=("worse", "asked"))
    assert [t.status for t in trials] == ["done", "done", "done", "skipped"]


def test_no_time_left_is_said_not_swallowed(known: dict[str, type[Technique]]) -> None:
    known |= {"cheap": oracle(0.7, 1), "dear": oracle(0.9, 3)}
    trials = race(entries("cheap", "dear"), ground(), Clock(10.0, spent=8.0))
    assert [t.status for t in trials] == ["done", "skipped"]
    assert "budget" in trials[1].why


def test_a_contender_that_breaks_does_not_end_the_race(known: dict[str, type[Technique]]) -> None:
    known |= {
        "breaks": oracle(0.9, 1, fails=TypeError("kaput")),
        "declines": oracle(0.9, 1, fails=NotApplicable("not for this")),
        "works": oracle(0.7, 1),
    }
    g = ground()
    trials = race(entries("breaks", "declines", "works"), g, Clock(100))
    assert [(t.status, t.why) for t in trials[:2]] == [("failed", "TypeError: kaput"), ("skipped", "not for this")]
    assert best(trials, g).contender.technique == "works"
    with pytest.raises(NotApplicable, match="kaput"):
        best(trials[:2], g)


def test_few_rows_are_judged_out_of_fold(known: dict[str, type[Technique]]) -> None:
    known |= {"cheap": oracle(0.7, 1)}
    g = ground(60)
    (trial,) = race(entries("cheap"), g, Clock(100))
    assert trial.valid is not None
    assert trial.valid["rows"] == 48
    assert trial.scores["known"].shape == (48, 2)
    many = ground(races.FEW * 2)
    (trial,) = race(entries("cheap"), many, Clock(100))
    assert trial.valid is not None
    assert trial.valid["rows"] == len(many.valid)


def test_a_finished_trial_is_not_run_again(known: dict[str, type[Technique]]) -> None:
    known |= {"cheap": oracle(0.7, 1)}
    g = ground()
    first = race(entries("cheap"), g, Clock(100))
    known["cheap"] = oracle(0.7, 1, fails=RuntimeError("ran again"))
    again = race(entries("cheap"), g, Clock(100), done={t.contender: t for t in first})
    assert again[0] is first[0]


def test_contenders_come_cheapest_first_with_their_roles() -> None:
    names = ["full", "majority", "ridge", "scratch"]
    found = contenders(names, "minilm", "ngrams", kind="label", floor=("tfidf",))
    assert [c.role for c in found][:2] == ["majority", "classical"]
    assert found[-1].technique == "full"
    assert next(c for c in found if c.technique == "scratch").role == "scratch"
    assert {c.backbone for c in found if c.role == "classical"} == {"ngrams"}


def test_what_is_forgotten_is_measured_on_valid_rows_where_asked(known: dict[str, type[Technique]]) -> None:
    class Forgets(oracle(0.9, 3)):
        def forgetting(self, X: Activations) -> dict[str, float]:
            return {"rows": float(len(X))}

    known |= {"forgets": Forgets, "head": oracle(0.7, 1)}
    g = ground()
    asked = replace(g, keep_source=True)
    assert [t.source for t in race(entries("head", "forgets"), g, Clock(100))] == [None, None]
    told = race(entries("head", "forgets"), asked, Clock(100))
    assert [t.to_json()["source"] for t in told] == [None, {"rows": float(len(g.valid))}]


def test_a_training_is_told_where_it_may_be_kept(known: dict[str, type[Technique]], tmp_path: Path) -> None:
    known |= {"dear": oracle(0.9, 3), "cheap": oracle(0.7, 1)}
    g = replace(ground(), folder=lambda c: tmp_path / c.technique)
    cheap, dear = race(entries("cheap", "dear"), g, Clock(100))
    assert cheap.fitted.folder is None
    assert dear.fitted.folder == tmp_path / "dear"


def test_who_races_unasked_depends_on_the_rows_a_class(known: dict[str, type[Technique]]) -> None:
    for name in _discover.names("techniques"):
        known[name] = oracle(0.5, 1)
        known[name].unasked = None
    known["knn"].unasked, known["full"].unasked = (0, 50), (50, 1000)
    known["full"].named_only = frozenset({"image"})
    assert unasked(8, "image") == unasked(8, "text") == ["knn"]
    assert unasked(50, "text") == ["full"]
    assert unasked(50, "image") == unasked(2000, "text") == []
    assert rows_a_class(np.array([0, 0, 0, 1])) == 2
    assert rows_a_class(np.zeros((7, 3), dtype=int)) == 7


def test_settings_stand_after_a_colon() -> None:
    made = Contender("minilm", "full:epochs=2,mix=cutmix,views=3", "pretrained").build(seed=5, rank=9)
    assert (made.epochs, made.seed, made.training, made.views) == (2, 5, {"mix": "cutmix", "views": 3}, 3)
    with pytest.raises(PlanError, match=r"no setting 'epoch'\. Expected: layers, epochs"):
        make("full:epoch=2")
    with pytest.raises(PlanError, match="knn"):
        make("knn:loss=focal")
    with pytest.raises(PlanError, match=r"no technique 'lore'.* did you mean lora\?"):
        make("lore:rank=2")
