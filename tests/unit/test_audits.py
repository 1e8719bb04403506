"""`headstart audit` on a small saved model: its own test rows, other rows, what it prints, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from headstart import audit_run, cli
from headstart.activations.activations import Activations
from headstart.audit._familiar import Familiar
from headstart.backbones.columns import Columns
from headstart.data.read import read
from headstart.errors import DataError, ModelError, PlanError
from headstart.model import Card, Model, load
from headstart.outcome import trust
from headstart.plan import Plan
from headstart.techniques.boosting import Boosting

INPUTS = ("age", "dose", "stay", "sex")


def patients(rows: int, seed: int = 0, *, older: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    age, dose = rng.normal(50 + older, 10, rows).round(4), rng.normal(5 + older / 10, 2, rows).round(2)
    ill = (age - 50 - older) / 10 + (dose - 5 - older / 10) / 2 + rng.normal(0, 0.7, rows) > 0
    sex = rng.choice(["f", "m"], rows)
    flip = sex == "f"  # for them nothing can be told
    return pd.DataFrame(
        {
            "age": age, "dose": dose, "stay": rng.integers(1, 9, rows), "sex": sex,
            "finding": np.where(ill ^ (flip & (rng.random(rows) < 0.5)), "ill", "<b>well"),
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `run` would leave, without a race: a plan and a model."""
    home = tmp_path_factory.mktemp("audits")
    patients(1500).to_csv(home / "patients.csv", index=False)
    plan = Plan(data=str(home / "patients.csv"), target="finding", out=str(home / "run"))
    data = read(plan.data, target="finding")
    assert data.inputs == INPUTS  # found by looking
    assert data.target is not None
    train, valid = data.rows_of("train"), data.rows_of("valid")
    backbone = Columns.of([data.rows[i] for i in train])
    values = backbone.features(data.rows)
    seen = Activations(values, data.ids, "pooled", "frame", backbone)
    fitted = Boosting().fit(seen[train], data.target[train])
    card = Card(
        backbone="columns", technique="boosting", cut="pooled", params={}, target_kind="label", classes=data.classes,
        modality="table", inputs=INPUTS, target="finding",
        **trust(fitted.predict_proba(seen[valid]), data.target[valid], "label"),
    )  # fmt: skip
    (home / "run").mkdir()
    (home / "run" / "plan.toml").write_text(plan.to_toml())
    Model(card, backbone, fitted, familiar=Familiar().fit(values[train], values[valid])).save(home / "run" / "model")
    return home / "run"


def codes(found: list[dict[str, str]]) -> dict[str, str]:
    return {f["code"]: f["severity"] for f in found}


def test_its_own_test_rows_are_those_of_the_run(run: Path, tmp_path: Path) -> None:
    found = audit_run(run, attributes=["sex"], cache=str(tmp_path))
    data = read(run.parent / "patients.csv", target="finding")
    test = data.where(split="test")
    right = float((load(run).scores(test).argmax(1) == test.target).mean())
    assert found.test["rows"] == len(test)
    assert found.test["metric"] == "accuracy"
    assert found.test["value"] == pytest.approx(right)
    assert codes(found.findings)["group_gaps:sex"] in ("warning", "serious")
    assert {name for name, _ in found.unchecked} >= {"drift"}


def test_rows_the_model_has_learnt_from_are_told(run: Path, tmp_path: Path) -> None:
    found = audit_run(run, run.parent / "patients.csv", cache=str(tmp_path), checks=["leakage"])
    assert found.test["rows"] == 1500
    assert codes(found.findings)["leakage:seen_before"] == "serious"
    fresh = audit_run(run, patients(400, seed=9), cache=str(tmp_path), checks=["leakage", "drift", "ood"])
    assert fresh.test["rows"] == 400
    assert fresh.findings == []
    assert fresh.unchecked == []


def test_rows_from_elsewhere_are_told_as_such(run: Path, tmp_path: Path) -> None:
    found = audit_run(run, patients(400, seed=9, older=30.0), cache=str(tmp_path), checks=["drift", "ood"])
    assert codes(found.findings) == {"drift:shift": "warning", "ood:far": "warning"}
    assert found.suspects["ood:far"][0]["text"].startswith("age: ")


def test_the_command_writes_a_page_and_fails_when_asked_to(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    patients(400, seed=9, older=30.0).to_csv(tmp_path / "new.csv", index=False)
    words = ["audit", str(run), "--data", str(tmp_path / "new.csv"), "--out", str(tmp_path / "out")]
    words += ["--cache", str(tmp_path / "cache"), "--attribute", "sex"]
    with pytest.raises(SystemExit) as end:
        cli.main([*words, "--fail-on", "warning", "--json"])
    assert end.value.code == 1
    told = json.loads(capsys.readouterr().out)
    assert told == json.loads((tmp_path / "out" / "audit.json").read_text())
    page = (tmp_path / "out" / "audit.html").read_text()
    assert "follow another distribution" in page
    assert "&lt;b&gt;well" in page
    assert "<b>well" not in page
    with pytest.raises(SystemExit) as end:
        cli.main([*words, "--check", "imbalance", "--fail-on", "serious"])
    assert not end.value.code
    assert "nothing was found" in capsys.readouterr().out


def test_what_cannot_be_audited_says_why(run: Path, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="no check 'fairness'"):
        audit_run(run, checks=["fairness"])
    with pytest.raises(ModelError, match="--data"):
        audit_run(run / "model")
    with pytest.raises(DataError, match="no class 'dead'"):
        audit_run(run, patients(50).assign(finding="dead"), cache=str(tmp_path))
    with pytest.raises(DataError, match="did you mean 'sex'"):
        audit_run(run, patients(50), attributes=["sexe"], cache=str(tmp_path))


def test_without_the_runs_own_rows_the_rest_is_still_checked(run: Path, tmp_path: Path) -> None:
    found = audit_run(run / "model", patients(300, seed=5), attributes=["sex"], cache=str(tmp_path))
    assert found.test["rows"] == 300
    assert "group_gaps:sex" in codes(found.findings)
    assert {"drift", "ood"} <= {name for name, _ in found.unchecked}


def test_predict_says_when_rows_are_strange_and_writes_sets(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    patients(200, seed=3).to_csv(tmp_path / "usual.csv", index=False)
    patients(200, seed=3, older=30.0).to_csv(tmp_path / "older.csv", index=False)
    for name, is_strange in (("usual", False), ("older", True)):
        with pytest.raises(SystemExit):
            cli.main(["predict", str(run), str(tmp_path / f"{name}.csv"), "--sets", "--out", str(tmp_path / "out.csv")])
        assert ("further from the rows this model learnt from" in capsys.readouterr().err) == is_strange
    told = pd.read_csv(tmp_path / "out.csv", keep_default_na=False)
    sure = told[["p:<b>well", "p:ill"]].max(axis=1) >= 1 - (load(run).card.qhat or 0)
    assert (told.possible[sure] != "").all()
    assert set(told.possible) <= {"", "ill", "<b>well", "<b>well|ill"}
