"""The main job on made data: what a user gets, and what must never happen."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from tests.made.data import reviews

import headstart
from headstart._features import PILOT
from headstart._journal import Journal
from headstart._listen import Listener
from headstart.data.read import read
from headstart.errors import DataError, HeadstartError, ModelError, PlanError, StoreError, WeightsError
from headstart.job import Job
from headstart.plan import Plan
from headstart.selection.contender import Contender
from headstart.selection.race import Trial

pytestmark = pytest.mark.usefixtures("brief")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("job")
    reviews().to_csv(folder / "reviews.csv", index=False)
    return folder


OPTIONS = {"budget": "10m", "techniques": ("knn", "ridge")}


@pytest.fixture(scope="module")
def finished(place: Path) -> Path:
    out = place / "finished"
    headstart.run(place / "reviews.csv", target="mood", out=str(out), cache=str(place / "cache"), **OPTIONS)
    return out


def test_a_technique_that_cannot_learn_the_target_is_refused_by_name(tmp_path: Path) -> None:
    frame = reviews(80)
    frame["stars"] = np.linspace(0.1, 4.9, 80)
    with pytest.raises(PlanError, match=r"'prototypes' cannot learn rows with a number each.*ridge"):
        headstart.run(
            frame[["text", "stars"]], target="stars", techniques=("ridge", "prototypes"), budget=60,
            out=str(tmp_path / "run"), cache=str(tmp_path / "cache"),
        )  # fmt: skip
    assert not (tmp_path / "run").exists()


def test_what_was_skipped_is_tried_again_after_a_stop(tmp_path: Path) -> None:
    journal = Journal(Plan("x.csv", out=str(tmp_path)), resume=False)
    skipped, failed = (
        Trial(Contender("minilm", "ridge", role), status=status, why="no time")
        for role, status in (("pretrained", "skipped"), ("classical", "failed"))
    )
    for trial in (skipped, failed):
        journal.keep(trial, "key")
    assert journal.finished(skipped.contender, "key") is None
    assert journal.finished(failed.contender, "key") == failed
    journal.leave()


def test_what_an_only_candidate_is_looked_at_for_is_not_read_again(place: Path, tmp_path: Path) -> None:
    plan = Plan(str(place / "reviews.csv"), target="mood", out=str(tmp_path / "run"), budget=60)
    job = Job(plan, Listener(), cache=str(tmp_path / "cache"))
    try:
        data = job._read()
        reader, shortlist = job._choose(data)
        assert reader is not None
        cuts = job.features.cuts(reader, data)
        assert len(cuts) > 1
        assert len(data) - len(job.store.unread(reader, data, cuts)) == shortlist[0]["rows"] >= PILOT
    finally:
        job.stop()


def test_what_costs_nothing_to_read_is_read_when_the_budget_is_over(place: Path) -> None:
    plan = Plan(str(place / "reviews.csv"), target="mood", out=str(place / "over"), budget=1)
    job = Job(plan, Listener(), spent=5)
    try:
        assert job.clock.left() < -3.9
        assert len(job.features.afford(job._read(), None)[0]) == 160
    finally:
        job.stop()


def test_a_run_leaves_a_result_a_model_and_a_report(finished: Path) -> None:
    result = json.loads((finished / "result.json").read_text())
    assert result["version"] == 1
    assert {t["technique"] for t in result["trials"]} >= {
        "majority",
        "scratch",
        "linear_probe",
        "knn",
        "ridge",
        "tfidf",
    }
    assert result["verdict"]["helped"] in (True, False, None)
    assert result["verdict"]["words"]
    assert sum(result["forecast"]["chances"].values()) == pytest.approx(1)
    assert {c["class"] for c in result["verdict"]["classes"]} == {"good", "bad"}
    assert result["test"]["low"] <= result["test"]["value"] <= result["test"]["high"]
    assert result["test"]["rows"] == result["data"]["counts"]["test"] == 32
    assert set(result["best"]) >= {"backbone", "technique", "cut"}
    page = (finished / "report.html").read_text()
    assert result["verdict"]["words"].split(":")[0] in page
    assert not (finished / "state").exists()
    assert not list((finished / "model").rglob("*.pkl"))


def test_a_technique_that_does_not_fit_says_why_and_what_would(place: Path, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"stoch_norm.*cannot read.*ids.*one of.*lora"):
        headstart.run(
            place / "reviews.csv", target="mood", out=str(tmp_path / "x"), cache=str(place / "cache"), budget="60s",
            techniques=("stoch_norm",),
        )  # fmt: skip
    assert not (tmp_path / "x").exists()


def test_weights_that_are_not_here_are_told_of_before_any_row_is_read(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="models pull no_such_model"):
        headstart.run("no_such_file.csv", out=tmp_path / "x", backbones=("no_such_model",))
    assert not (tmp_path / "x").exists()


def test_a_refusal_takes_nothing_away_that_a_resume_could_use(tmp_path: Path) -> None:
    """A finished trial, and rows that were read before something else than an option was in the way."""
    for name, error, has_trial, stays in (
        ("a", PlanError, True, True), ("b", PlanError, False, False), ("c", StoreError, False, True),
    ):  # fmt: skip
        job = Job(Plan("x.csv", out=str(tmp_path / name)), Listener())
        job.journal.once("data", lambda: "known")
        if has_trial:
            job.journal.keep(Trial(Contender("minilm", "knn", "pretrained")), "key")
        with pytest.raises(error), job:
            raise error("refused")
        assert (tmp_path / name / "plan.toml").exists() == stays


def test_the_loaded_model_answers_as_the_run_did(finished: Path) -> None:
    model = headstart.load(finished)
    said = model.predict(["This kettle is wonderful, I love it", "This lamp is a terrible waste of money"])
    assert said.tolist() == ["good", "bad"]
    proba = model.predict_proba(["fine"] * 3)
    assert proba.shape == (3, 2)
    np.testing.assert_allclose(proba.sum(1), 1, atol=1e-6)
    np.testing.assert_allclose(proba[0], proba[2], atol=1e-6)


def test_an_altered_model_is_refused(finished: Path, tmp_path: Path) -> None:
    copy = tmp_path / "model"
    shutil.copytree(finished / "model", copy)
    file = copy / "technique.safetensors"
    raw = bytearray(file.read_bytes())
    raw[-1] ^= 1
    file.write_bytes(raw)
    with pytest.raises(ModelError, match="was altered"):
        headstart.load(copy)


def test_test_labels_change_nothing_that_ships(finished: Path, place: Path, tmp_path: Path) -> None:

    frame = reviews()
    data = read(place / "reviews.csv", target="mood")
    is_test = np.isin(np.arange(len(frame)), data.rows_of("test"))
    flipped = frame.assign(split=data.split)
    flipped.loc[is_test, "mood"] = np.where(frame.mood[is_test] == "good", "bad", "good")
    honest = frame.assign(split=data.split)
    sums = []
    for name, table in (("honest", honest), ("flipped", flipped)):
        table.to_csv(tmp_path / f"{name}.csv", index=False)
        headstart.run(
            tmp_path / f"{name}.csv", target="mood", split="split", inputs=("text",), out=str(tmp_path / name),
            cache=str(place / "cache"), budget="10m", techniques=("ridge",),
        )  # fmt: skip
        sums.append((tmp_path / name / "model" / "technique.safetensors").read_bytes())
    assert sums[0] == sums[1]


def test_an_existing_run_is_never_overwritten(finished: Path, place: Path) -> None:
    before = (finished / "result.json").read_bytes()
    with pytest.raises(PlanError, match="already holds a run"):
        headstart.run(place / "reviews.csv", target="mood", out=str(finished), **OPTIONS)
    assert (finished / "result.json").read_bytes() == before


def test_a_refused_run_leaves_its_folder_as_it_was(place: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("kept")
    for name in ("new", "mine"):
        with pytest.raises(DataError, match="no column 'nope'"):
            headstart.run(place / "reviews.csv", target="nope", out=str(tmp_path / name))
        with pytest.raises(DataError, match="no column 'nope'"):
            headstart.run(reviews(), target="nope", out=str(tmp_path / name))
        with pytest.raises(PlanError, match="headstart adapt"):
            headstart.run(reviews(), techniques="dann", out=str(tmp_path / name))
        with pytest.raises(DataError, match="no column 'nope'"):
            headstart.adapt(reviews(), reviews(), label="nope", out=str(tmp_path / name))
    assert [p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*")] == ["mine", "mine/notes.txt"]
    plan = Plan(str(place / "reviews.csv"), target="mood", out=str(tmp_path / "begun"))
    Job(plan, Listener()).stop()  # killed before anything was kept
    (tmp_path / "begun" / "plan.toml").write_text(plan.to_toml().replace("reviews.csv", "gone.csv"))
    with pytest.raises(HeadstartError):
        headstart.run(Plan.from_toml(tmp_path / "begun" / "plan.toml"), resume=True)
    assert (tmp_path / "begun" / "plan.toml").exists()  # its options are not lost


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["trials", "cache"])
def test_kill_9_then_resume_gives_the_same_result(place: Path, finished: Path, tmp_path: Path, moment: str) -> None:
    out, cache = tmp_path / "killed", tmp_path / "cache"
    line = [sys.executable, "-m", "headstart", "run", str(place / "reviews.csv"), "--target", "mood", "--budget", "10m",
            "--technique", "knn", "--technique", "ridge", "--out", str(out), "--cache", str(cache)]  # fmt: skip
    job = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    sign = out / "state" / "trials" if moment == "trials" else cache
    deadline = time.monotonic() + 100
    while not (sign.exists() and any(sign.iterdir())) and time.monotonic() < deadline:
        assert job.poll() is None
        time.sleep(0.02)
    os.kill(job.pid, signal.SIGKILL)
    job.wait()
    assert not (out / "result.json").exists()
    done = subprocess.run(
        [sys.executable, "-m", "tests.made.brief", "run", "--resume", "--out", str(out), "--budget", "10m"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    resumed, whole = (json.loads((f / "result.json").read_text()) for f in (out, finished))

    def closed(result: dict[str, Any]) -> dict[str, Any]:
        return {t["technique"]: t["test"] for t in result["trials"] if t["technique"] in ("knn", "ridge", "tfidf")}

    assert closed(resumed) == closed(whole)


def test_a_complete_run_is_given_back_and_not_done_again(finished: Path) -> None:
    before = (finished / "result.json").read_bytes()
    plan = Plan.from_toml(finished / "plan.toml")
    again = headstart.run(replace(plan, budget=500.0), resume=True)
    assert (finished / "result.json").read_bytes() == before
    assert again.best == json.loads(before)["best"]
    assert not (finished / "state").exists()
    with pytest.raises(PlanError, match="describes another run"):
        headstart.run(replace(plan, seed=7), resume=True)


@pytest.mark.parametrize(
    ("data", "options", "words"),
    [
        (["a text", "another"], {"target": "mood"}, "data of type list.*data frame"),
        (np.zeros((9, 2)), {}, "data of type ndarray"),
        (pd.DataFrame(np.zeros((9, 2)), columns=["a", "a"]), {}, "several columns called a"),
        (pd.DataFrame({"im": [Image.new("RGB", (4, 4))] * 9}), {}, "pictures in a data frame"),
        ("x.csv", {"target": ["good", "bad"]}, "target of type list.*the name of a column"),
        ("x.csv", {"group": np.arange(9)}, "group of type ndarray"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_of_a_run_is_said(tmp_path: Path, data: Any, options: dict[str, Any], words: str) -> None:
    with pytest.raises((DataError, PlanError), match=words):
        headstart.run(data, out=tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_plans_take_paths_lists_and_single_words() -> None:
    plan = Plan("x.csv", inputs="age", techniques=["knn"], out=Path("a/b"))
    assert (plan.inputs, plan.techniques, plan.out) == (("age",), ("knn",), "a/b")


def test_data_that_changed_before_a_resume_are_named(tmp_path: Path) -> None:
    class Heard(Listener):
        def __init__(self) -> None:
            self.lines: list[str] = []

        def say(self, text: str) -> None:
            self.lines.append(text)

    plan = Plan(str(tmp_path / "a.csv"), target="mood", out=str(tmp_path / "run"))
    for rows, changed in ((80, False), (80, False), (70, True)):
        reviews().head(rows).to_csv(plan.data, index=False)
        heard = Heard()
        Job(plan, heard, resume=True)._read()
        assert any("not what the run was begun with" in line for line in heard.lines) == changed


def test_two_processes_do_not_work_on_one_run(tmp_path: Path) -> None:
    plan = Plan(str(tmp_path / "a.csv"), target="mood", out=str(tmp_path / "run"))
    first = Job(plan, Listener())
    with pytest.raises(PlanError, match=r"another process is at work on the run in .*wait until it has ended"):
        Job(plan, Listener(), resume=True)
    first.stop()
    Job(plan, Listener(), resume=True).stop()


def test_what_a_tracker_wrote_outlives_its_training(tmp_path: Path) -> None:
    journal = Journal(Plan("x.csv", out=str(tmp_path)), resume=False)
    trial = Trial(Contender("minilm", "top_layers", "pretrained"))
    for part in ("", "1"):  # a soup trains several networks
        log = journal.unfinished(trial.contender, "key") / part / "track"
        log.mkdir(parents=True)
        (log / "events").write_text(f"losses {part}")
    journal.keep(trial, "key")
    journal.close()
    assert sorted(f.read_text() for f in (tmp_path / "track").rglob("events")) == ["losses ", "losses 1"]
