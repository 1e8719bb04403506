"""`headstart adapt` as a user meets it: decisions, the model that ships, and no way in for target labels."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.made.domains import clusters

import headstart
from headstart.errors import DataError, NotApplicable, PlanError


def write(path: Path, X: np.ndarray, y: np.ndarray | None) -> Path:
    frame = pd.DataFrame(X, columns=[f"x{k}" for k in range(X.shape[1])])
    if y is not None:
        frame["finding"] = np.array(["benign", "malignant"])[y]
    frame.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def domains(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """A source, a target that was moved and stretched, and the same target with its labels turned round."""
    folder = tmp_path_factory.mktemp("domains")
    X, y, Z, t = clusters(160, 160, move=2.5, stretch=1.6)
    return write(folder / "a.csv", X, y), write(folder / "b.csv", Z, t), write(folder / "c.csv", Z, 1 - t)


@pytest.fixture(scope="module")
def finished(domains: tuple[Path, Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("adapted") / "run"
    headstart.adapt(domains[0], domains[1], label="finding", out=str(out), score_target=True)
    return out


def test_a_plain_shift_is_seen_and_the_report_shows_it(domains: tuple[Path, Path, Path], finished: Path) -> None:
    result = headstart.Result.load(finished)
    told = result.adaptation
    assert told["shift"]["is_shift"]
    assert told["decision"] in ("adapted", "declined")
    assert told["scored"]["shipped"]["value"] >= told["scored"]["source_only"]["value"] - 0.005
    assert {v["validator"] for v in told["votes"]} >= {"circular", "importance_weighted", "bnm"}
    assert 0 <= told["low"] <= told["estimate"] <= told["high"] <= 1
    page = (finished / "report.html").read_text()
    for words in ("Is the target another domain?", "Who voted for what", "What changed", told["decision"]):
        assert words in page
    model = headstart.load(finished)
    rows = pd.read_csv(domains[1]).drop(columns="finding")
    assert set(model.predict(rows)) <= {"benign", "malignant"}
    assert result.command.startswith("headstart adapt --source")
    assert result.best["role"] == "classical"  # columns of a table: nothing was pre-trained


def test_labels_of_the_target_change_nothing(domains: tuple[Path, Path, Path], finished: Path, tmp_path: Path) -> None:
    other = headstart.adapt(domains[0], domains[2], label="finding", out=str(tmp_path / "run")).adaptation
    one = headstart.Result.load(finished).adaptation
    assert {k: v for k, v in one.items() if k != "scored"} == json.loads(json.dumps(other))


def test_without_a_shift_nothing_is_adapted(tmp_path: Path) -> None:
    X, y, Z, _ = clusters(160, 160, move=0.0, stretch=1.0)
    result = headstart.adapt(
        write(tmp_path / "a.csv", X, y), write(tmp_path / "b.csv", Z, None), label="finding", out=str(tmp_path / "run")
    )
    assert result.adaptation["decision"] == "declined"
    assert "not needed" in result.adaptation["why"]
    assert result.adaptation["changed"]["rows"] == 0


def test_an_adapted_model_comes_back_from_its_folder(domains: tuple[Path, Path, Path], tmp_path: Path) -> None:
    """The method's transformation travels with the model."""
    from headstart import backbones
    from headstart._methods import HEAD, candidates
    from headstart.data.read import read, read_rows
    from headstart.model import Card, Model

    data = read(str(domains[0]), target="finding")
    other = read_rows(str(domains[1]), modality="table", inputs=data.inputs)
    backbone = backbones.get("columns", data)
    X, Z = (np.asarray(backbone.features(d.rows), dtype=float) for d in (data, other))
    y = data.target
    assert y is not None
    menu = candidates(X[:100], y[:100], X[100:], y[100:], Z, names=["subspace_alignment", "tca", "centring"])
    for name in ("subspace_alignment", "tca", "centring"):
        c = menu[name]
        own = c.fitted.adapter.get_params()
        card = Card(
            backbone="columns", technique=HEAD, cut="pooled", params=c.fitted.head.get_params(), target_kind="label",
            classes=data.classes, modality="table", inputs=data.inputs, adapter=name, adapter_params=own,
        )  # fmt: skip
        Model(card, backbone, c.fitted.head, adapter=c.fitted.adapter).save(tmp_path / name)
        told = Model.load(tmp_path / name).scores(other)
        np.testing.assert_allclose(told, c.outlook.told, atol=1e-6)
        gaps = replace(other, rows=[{**row, "x0": None} for row in other.rows])  # a number that is missing
        filled = np.c_[np.full(len(Z), X[:100, 0].mean()), Z[:, 1:]]
        np.testing.assert_allclose(Model.load(tmp_path / name).scores(gaps), c.fitted(filled), atol=1e-6)


def test_bad_input_is_refused_with_the_reason(domains: tuple[Path, Path, Path], tmp_path: Path) -> None:
    source, target, _ = domains
    few = tmp_path / "few.csv"
    few.write_text("".join(target.read_text().splitlines(keepends=True)[:5]))
    with pytest.raises(NotApplicable, match="the target has 4 rows"):
        headstart.adapt(source, few, label="finding", out=str(tmp_path / "r1"))
    with pytest.raises(DataError, match="one class a row"):
        headstart.adapt(source, target, label="x0", out=str(tmp_path / "r2"))
    other = write(tmp_path / "other.csv", np.zeros((30, 2)), None)
    with pytest.raises(DataError, match="x2"):
        headstart.adapt(source, other, label="finding", out=str(tmp_path / "r3"))


def test_as_typed(domains: tuple[Path, Path, Path], tmp_path: Path) -> None:
    source = domains[0]
    target = write(tmp_path / "alike.csv", clusters(160, 10, move=0.0, stretch=1.0, seed=3)[0], None)
    line = [sys.executable, "-m", "headstart", "adapt", "--source", str(source), "--target", str(target)]
    out = ["--label", "finding", "--out", str(tmp_path / "run"), "--json"]
    done = subprocess.run([*line, *out], capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)["adaptation"]
    assert (told["rows"], told["decision"]) == (160, "declined")  # no shift: soon decided


def test_the_estimator_takes_no_target_labels() -> None:
    X, y, Z, t = clusters(300, 300, move=2.5, stretch=1.6)
    model = headstart.DomainAdaptationClassifier(method="coral").fit(X, y, Z)
    plain = headstart.DomainAdaptationClassifier(method="source_only").fit(X, y, Z)
    assert model.score(Z, t) > plain.score(Z, t) + 0.05
    assert model.predict_proba(Z).shape == (300, 2)
    with pytest.raises(TypeError):
        model.fit(X, y, Z, t)


def test_what_methods_agree_on_is_served_as_judged(
    domains: tuple[Path, Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guard is made to prefer it; the model that is loaded back gives the classes that the guard saw."""
    from headstart import domains as job
    from headstart._methods import CONSENSUS, FLOOR
    from headstart.selection.guard import Decision

    seen: dict[str, Any] = {}

    def prefer(floor: Any, looks: dict[str, Any]) -> Decision:
        seen.update(looks, floor=floor)
        return Decision(CONSENSUS, "as the test wants it", ())

    monkeypatch.setattr(job, "guard", prefer)
    out = tmp_path / "run"
    result = headstart.adapt(domains[0], domains[1], label="finding", out=str(out), score_target=True)
    assert result.adaptation["method"] == CONSENSUS
    scored = result.adaptation["scored"]
    assert scored["shipped"]["value"] > scored["source_only"]["value"] + 0.05
    model = headstart.load(out)
    assert (model.card.adapter, model.card.adapted_by) == (FLOOR, CONSENSUS)
    rows = pd.read_csv(domains[1]).drop(columns="finding")
    share = np.bincount(seen[CONSENSUS].told.argmax(1)) / len(rows)
    assert np.mean(model.predict(rows) == "malignant") == pytest.approx(share[1])
    assert not np.array_equal(seen[CONSENSUS].told.argmax(1), seen["floor"].told.argmax(1))


def test_a_named_deep_method_competes_and_what_wins_is_served_as_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guard is made to prefer it; `headstart predict` then answers with the network that the guard saw."""
    from headstart import domains
    from headstart._methods import FLOOR, candidates
    from headstart.selection.calibration import apply
    from headstart.selection.guard import Decision

    rng = np.random.default_rng(0)
    words = {"bad": ["poor", "awful", "broken"], "good": ["great", "lovely", "happy"]}
    mood = rng.permutation(["bad", "good"] * 30)
    lines = [f"a {rng.choice(words[m])} film, number {i}" for i, m in enumerate(mood)]
    posts = [f"omg {rng.choice(words[m])} {rng.choice(words[m])} phone #{i} lol" for i, m in enumerate(mood)]
    pd.DataFrame({"text": lines, "mood": mood}).to_csv(tmp_path / "films.csv", index=False)
    pd.DataFrame({"text": posts}).to_csv(tmp_path / "posts.csv", index=False)
    outlooks = {}

    def prefer(floor: object, candidates: dict) -> Decision:
        outlooks.update(candidates)
        return Decision("mcc:epochs=2,least=40", "as the test wants it", ())

    def few(*rows: np.ndarray, **words: Any) -> dict:
        return candidates(*rows, **{"names": (FLOOR, "coral"), **words})

    monkeypatch.setattr(domains, "guard", prefer)
    monkeypatch.setattr(domains, "candidates", few)
    monkeypatch.setattr(domains, "sharpness", lambda chosen, right: chosen.temperature)
    out = tmp_path / "run"
    source, target = tmp_path / "films.csv", tmp_path / "posts.csv"
    result = headstart.adapt(
        source,
        target,
        label="mood",
        inputs=("text",),
        out=str(out),
        backbones=("minilm",),
        techniques=("mcc:epochs=2,least=40",),
    )
    assert set(outlooks) == {"coral", "mcc:epochs=2,least=40"}
    assert result.adaptation["method"] == "mcc:epochs=2,least=40"
    assert (result.best["technique"], result.best["cut"]) == ("mcc", "pooled")
    assert "--technique mcc:epochs=2,least=40" in result.command
    model = headstart.load(out)
    judged = outlooks["mcc:epochs=2,least=40"].told
    told = model.predict_proba(str(target))
    np.testing.assert_allclose(np.sort(told, axis=0), np.sort(judged, axis=0), atol=1e-5)
    raw = model.technique.predict_proba(model.activations(model.read(str(target))))
    np.testing.assert_allclose(told, apply(raw, model.card.temperature), atol=1e-6)
    back = outlooks["mcc:epochs=2,least=40"]
    assert back.refit(back.target, judged.argmax(1), back.source, back.source).shape == (len(back.source), 2)
    with pytest.raises(NotApplicable, match="adapted already"):
        model.predict(str(target), adapt=True)


def test_raw_columns_have_no_network_for_a_deep_method() -> None:
    from headstart import backbones
    from headstart._entries import readable

    readable("mcc:layers=1", backbones.get("minilm"))
    with pytest.raises(PlanError, match="cannot read 'columns', which gives frame"):
        readable("mcc", backbones.get("columns"))
    with pytest.raises(PlanError, match=r"adabn.*tokens"):
        readable("adabn", backbones.get("minilm"))
