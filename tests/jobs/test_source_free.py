"""A finished model in another domain, as a user meets it: adapted, followed while predicting, a few labels."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.jobs.test_adapt import write
from tests.made.domains import clusters

import headstart
from headstart import source_free
from headstart.cli import main
from headstart.errors import ModelError, NotApplicable, PlanError
from headstart.explain._network import Whole
from headstart.explain._score import Score
from headstart.explanations import explain_run
from headstart.model import Model


def content(folder: Path) -> dict[str, str]:
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.rglob("*") if p.is_file()
    }


class Made:
    """A model of the source, a moved target, and the target with the labels of some rows turned round."""

    def __init__(self, folder: Path) -> None:
        X, y, Z, t = clusters(160, 160, move=2.5, stretch=1.6)
        self.target = write(folder / "b.csv", Z, t)
        self.turned = write(folder / "c.csv", Z, 1 - t)
        self.alike = write(folder / "d.csv", *clusters(160, 10, move=0.0, stretch=1.0, seed=3)[:2])
        self.mild = write(folder / "e.csv", *clusters(10, 600, move=1.0, stretch=1.0)[2:])
        self.model = folder / "first"
        source = write(folder / "a.csv", X, y)
        headstart.adapt(source, self.alike, label="finding", out=str(self.model))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("source-free"))


def adapt(made: Made, target: Path, out: Path, **options: object) -> dict:
    told = headstart.adapt(
        made.model, target, source_free=True, label="finding", out=str(out), **options
    ).adaptation  # fmt: skip
    return json.loads(json.dumps(told))


@pytest.fixture(scope="module")
def finished(made: Made, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, Path]:
    before, out = content(made.model), tmp_path_factory.mktemp("adapted") / "run"
    told = adapt(made, made.target, out, score_target=True)
    assert content(made.model) == before
    return told, out


def test_it_decides_without_a_source_row_and_says_so(made: Made, finished: tuple[dict, Path]) -> None:
    told, out = finished
    assert told["source_free"]
    assert told["shift"]["is_shift"]
    assert {v["validator"] for v in told["votes"]} == {"circular", "class_ami", "mixval"}
    scored = told["scored"]
    assert scored["shipped"]["value"] >= scored["source_only"]["value"] - 0.005
    assert told["decision"] == ("adapted" if told["method"] else "declined")
    page = (out / "report.html").read_text()
    for words in ("Is the target another domain?", "Who voted for what", told["decision"]):
        assert words in page
    rows = pd.read_csv(made.target).drop(columns="finding")
    answers = headstart.load(out).predict(rows)
    differ = int((answers != headstart.load(made.model).predict(rows)).sum())
    assert differ == told["changed"]["rows"]
    assert headstart.Result.load(out).command.startswith(f"headstart adapt {made.model} --target")


def test_labels_of_the_target_change_nothing(made: Made, finished: tuple[dict, Path], tmp_path: Path) -> None:
    other = adapt(made, made.turned, tmp_path / "run")
    assert {k: v for k, v in finished[0].items() if k != "scored"} == other


def test_without_a_shift_nothing_is_adapted(made: Made, tmp_path: Path) -> None:
    told = adapt(made, made.alike, tmp_path / "run", target_labels=20)
    assert told["decision"] == "declined"
    assert told["changed"]["rows"] == 0
    assert told["labels"]["asked"] == 0


def test_a_few_labels_decide_and_no_other_is_looked_at(made: Made, tmp_path: Path) -> None:
    told = adapt(made, made.target, tmp_path / "one", target_labels=20, score_target=True)
    labels = told["labels"]
    assert told["decision"] == "adapted"
    assert labels["better"]
    assert labels["asked"] <= 20 < labels["apart"]
    assert told["method"] == labels["method"]
    assert told["scored"]["gain"] > 5
    frame = pd.read_csv(made.target)  # all but the rows that were asked for may say anything
    was = headstart.load(made.model).predict(frame.drop(columns="finding"))
    now = headstart.load(tmp_path / "one").predict(frame.drop(columns="finding"))
    apart = np.random.default_rng(0).permutation(np.flatnonzero(was != now))
    rest = np.setdiff1d(np.arange(len(frame)), apart[: labels["asked"]])
    frame.loc[rest, "finding"] = np.where(frame.loc[rest, "finding"] == "benign", "malignant", "benign")
    frame.to_csv(tmp_path / "rest.csv", index=False)
    again = adapt(made, tmp_path / "rest.csv", tmp_path / "three", target_labels=20)
    told.pop("scored")
    assert again == told


def test_following_the_input_is_bounded_and_leaves_no_trace(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    before, model = content(made.model), headstart.load(made.model)
    frame = pd.read_csv(made.mild)
    rows, truth = frame.drop(columns="finding"), frame["finding"].to_numpy()
    plain, followed = model.predict(rows), model.predict(rows, adapt=True)
    assert np.array_equal(followed, model.predict(rows, adapt=True))
    assert np.array_equal(plain, model.predict(rows))
    assert 0 < (plain != followed).mean() <= 0.2
    assert (followed == truth).mean() > (plain == truth).mean() + 0.05
    assert content(made.model) == before
    with pytest.raises(SystemExit, match="0"):
        main(["predict", str(made.model), str(made.mild), "--adapt"])
    out, err = capsys.readouterr()
    assert "answers differ from the model's own" in err.splitlines()[-1]
    assert len(out.splitlines()) == len(frame) + 1


def test_what_a_folder_lacks_is_said(made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = headstart.load(made.model)
    model.source = None
    model.save(tmp_path / "old")
    raw = json.loads((tmp_path / "old" / "model.json").read_text())
    (tmp_path / "old" / "model.json").write_text(json.dumps(raw | {"version": 2}))
    old = Model.load(tmp_path / "old")
    assert set(old.predict(pd.read_csv(made.target).drop(columns="finding"))) <= {"benign", "malignant"}
    with pytest.raises(NotApplicable, match=r"version 2.*keeps no summary"):
        old.online()
    with pytest.raises(NotApplicable, match="keeps no summary"):
        headstart.adapt(tmp_path / "old", made.target, source_free=True, out=str(tmp_path / "run"))
    with pytest.raises(PlanError, match="-3 labels"):
        headstart.adapt(made.model, made.target, source_free=True, target_labels=-3)
    with pytest.raises(SystemExit, match="2"):
        main(["adapt", str(made.model), "--source", "a.csv", "--target", "b.csv"])
    assert "one of a run and --source" in capsys.readouterr().err


def test_a_declined_adaptation_changes_no_answer_where_cells_are_missing(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(rng.normal(size=(200, 4)), columns=list("abcd"))
    gap = rng.random(200) < 0.3
    rows["finding"] = np.where((rows["a"].abs() > 0.8) ^ gap, "ill", "well")
    rows["a"] = rows["a"].mask(gap & (rng.random(200) < 0.6))  # a gap says something, which its mean does not
    rows.to_csv(tmp_path / "a.csv", index=False)
    options = {"backbones": ("columns",), "techniques": ("boosting",), "budget": "24s"}
    assert headstart.run(tmp_path / "a.csv", out=tmp_path / "run", **options).best["technique"] == "boosting"
    told = headstart.adapt(tmp_path / "run", tmp_path / "a.csv", source_free=True, out=str(tmp_path / "moved"))
    assert told.adaptation["decision"] == "declined"
    assert told.adaptation["changed"]["rows"] == 0


@pytest.mark.usefixtures("brief")
def test_a_fine_tuned_network_is_adapted_at_its_own_vectors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def tuned(trials: list, ground: object) -> object:  # ships, whatever won
        return next(t for t in trials if t.contender.name == "top_layers")

    monkeypatch.setattr("headstart.job.best", tuned)
    words = {"ill": "pain fever cough worse", "well": "calm healthy fine better"}
    rows = [(f"{words[c].split()[i % 4]} on day {i}, {i * 7 % 90} mg", c) for i in range(60) for c in words]
    pd.DataFrame(rows, columns=["note", "finding"]).to_csv(tmp_path / "a.csv", index=False)
    moved = [f"PATIENT REPORTS {text.upper()} !!" for text, _ in rows]
    pd.DataFrame({"note": moved}).to_csv(tmp_path / "b.csv", index=False)
    options = {"target": "finding", "techniques": ("top_layers:epochs=2",), "budget": "60s"}
    run = headstart.run(tmp_path / "a.csv", out=tmp_path / "run", **options)
    assert run.best["technique"] == "top_layers:epochs=2"
    model = headstart.load(tmp_path / "run")
    told = headstart.adapt(tmp_path / "run", tmp_path / "b.csv", source_free=True, out=str(tmp_path / "moved"))
    assert told.adaptation["shift"]["is_shift"]
    assert told.best["technique"] == "top_layers"
    assert len(headstart.load(tmp_path / "moved").predict_proba(moved)) == len(moved)
    assert len(model.predict(moved, adapt=True)) == len(moved)
    with pytest.raises(ModelError, match=r"without the rows that it learnt from.*headstart explain"):
        explain_run(tmp_path / "moved")
    data = model.read(moved)
    vectors = model.technique.vectors(model.activations(data)).astype(np.float64)
    floor = source_free.Ready(None, model.technique, model.card.temperature, 2, is_new=False)
    for name in ("centring", "information_max"):
        ready = source_free.ready(name, floor, vectors, model.kept())
        card = replace(model.card, temperature=ready.temperature)
        if ready.way is not None:
            card = replace(card, adapter=f"source_free.{name}", adapter_params=ready.way.get_params())
        technique = model.technique.headed(ready.head) if ready.is_new else model.technique
        Model(card, model.backbone, technique, adapter=ready.way).save(tmp_path / name)
        served = Model.load(tmp_path / name)
        assert np.abs(ready(vectors) - floor(vectors)).max() > 0.01
        np.testing.assert_allclose(served.scores(data), ready(vectors), atol=1e-5)
        score, one = Score(served, 0, 1), data.take(np.arange(1))
        values = served.backbone.prepare(one.rows).values
        assert Whole(served)(values, score).detach()[0].item() == pytest.approx(float(score.rows(one)[0]), abs=1e-3)
