"""The mean of cheap models: when it ships, and that what was averaged is what is served."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from headstart import _discover, backbones
from headstart.activations.store import ActivationStore
from headstart.data.dataset import Dataset
from headstart.model import Card, Model
from headstart.selection.contender import Contender
from headstart.selection.ensemble import ensemble, mean
from headstart.selection.metrics import metric_for
from headstart.selection.race import Field, Trial

rng = np.random.default_rng(0)
Y = np.tile([0, 1], 100)


def trial(name: str, noise: float, seconds: float = 1.0, *, role: str = "pretrained") -> Trial:
    """A contender that sees the class through noise of its own."""
    p = 1 / (1 + np.exp(-(4 * Y - 2 + noise * rng.normal(size=len(Y)))))
    return Trial(Contender("made", name, role), scores={"known": np.c_[1 - p, p]}, fit_seconds=seconds)


def ground(**more: object) -> Field:
    rows = np.arange(len(Y))
    return Field(lambda c, t: None, Y, rows[:160], rows[160:], rows[:0], metric_for(Y, "label"), **more)


def test_models_that_err_on_different_rows_are_averaged() -> None:
    winner, *others = trials = [trial(n, 3.0) for n in ("ridge", "linear_probe", "prototypes")]
    found = ensemble(winner, trials, ground(), seconds=9)
    assert found.winner is winner
    assert found.others == tuple(others)
    assert found.held_out is not None
    right = [(s.argmax(1) == Y).mean() for s in (found.held_out, winner.scores["known"])]
    assert right[0] > right[1] + 0.03


def test_a_mean_that_is_worse_than_the_winner_is_not_taken() -> None:
    winner, poor = trial("ridge", 1.0), trial("prototypes", 3.0)
    same = [replace(poor, contender=replace(poor.contender, technique="prototypes")) for _ in range(4)]
    assert ensemble(winner, [winner, *same], ground(), seconds=9).others == ()


@pytest.mark.parametrize("role", ["majority", "scratch"])
def test_what_knows_nothing_has_no_say(role: str) -> None:
    winner, other = trial("ridge", 3.0), trial("prototypes", 3.0, role=role)
    assert ensemble(winner, [winner, other], ground(), seconds=9).others == ()
    assert ensemble(other, [winner, other], ground(), seconds=9).others == ()


def test_a_trained_winner_stays_alone_and_slow_ones_are_left_out() -> None:
    trained, quick, slow = trial("full", 3.0), trial("prototypes", 3.0, 0.1), trial("linear_probe", 3.0, 5.0)
    assert ensemble(trained, [trained, quick], ground(), seconds=9).others == ()
    winner = trial("ridge", 3.0)
    assert ensemble(winner, [winner, slow, quick], ground(), seconds=1).others == (quick,)
    assert ensemble(winner, [winner, slow], ground(), seconds=1).others == ()


def test_what_keeps_rows_may_win_and_is_not_averaged_with_others() -> None:
    keeps, other = trial("knn", 3.0), trial("ridge", 3.0)
    assert ensemble(other, [keeps, other], ground(), seconds=9).others == ()
    assert ensemble(keeps, [keeps, other], ground(), seconds=9).others == (other,)


def test_where_pre_training_lost_nothing_of_it_ships() -> None:
    plain, other = trial("tfidf", 3.0, role="classical"), trial("ridge", 3.0)
    assert ensemble(other, [plain, other], ground(), seconds=9).others == (plain,)
    assert ensemble(plain, [plain, other], ground(), seconds=9).others == ()


def test_numbers_are_averaged_as_they_are() -> None:
    truth = np.linspace(0, 1, 50)
    told = {n: Trial(Contender("made", n, "pretrained"), scores={"known": truth[:, None] + s}) for n, s in
            (("ridge", 0.1), ("prototypes", -0.1))}  # fmt: skip
    field = Field(lambda c, t: None, truth, np.arange(40), np.arange(40, 50), np.arange(0), metric_for(truth, "number"))
    found = ensemble(told["ridge"], list(told.values()), field, seconds=9)
    np.testing.assert_allclose(found.held_out, truth[:, None])


def test_a_saved_mean_answers_as_its_models_do_and_keeps_each_network_once(tmp_path: Path) -> None:
    texts = ["works well", "broke at once", "very happy with it", "waste of money", "I like it", "never again"] * 3
    y = np.tile([1, 0], 9)
    data = Dataset("text", texts, np.arange(18).astype(str), y, "label", ("bad", "good"))
    parts = []
    for name, technique in (("ngrams", "tfidf"), ("minilm", "ridge"), ("minilm", "knn")):
        backbone = backbones.get(name)
        fitted = _discover.load("techniques", technique)().fit(
            ActivationStore.live().get(backbone, data, {"pooled"})["pooled"], y
        )
        parts.append(Model(Card(name, technique, "pooled", {}, "label", data.classes, "text"), backbone, fitted))
    whole, *others = parts
    expected = mean([m.scores(data) for m in parts])
    whole.beside = tuple(others)
    whole.save(tmp_path / "model")
    kept = Model.load(tmp_path / "model")
    np.testing.assert_allclose(kept.scores(data), expected, atol=1e-5)
    assert len(list(tmp_path.rglob("backbone"))) == 2
    assert kept.beside[0].backbone is kept.beside[1].backbone
