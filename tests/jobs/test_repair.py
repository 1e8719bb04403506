"""`headstart repair` as a user meets it: a planted shortcut is found and mended, the run stays, a refusal says why."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import headstart
from headstart.audit.repair._example import rows
from headstart.cli import main
from headstart.errors import NotApplicable, PlanError
from headstart.repairs import repair
from headstart.report import text
from headstart.result import Result

COLUMNS = [f"x{k}" for k in range(12)]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on a table in which the site goes with the finding in nine rows of ten, and a column that says nothing."""
    folder = tmp_path_factory.mktemp("planted")
    X, y, site = rows(700, 0)
    frame = pd.DataFrame(X, columns=COLUMNS)
    frame["finding"] = np.array(["benign", "malignant"])[y]
    frame["site"] = np.array(["north", "south"])[site]
    frame["day"] = np.array(["even", "odd"])[np.random.default_rng(1).integers(0, 2, 700)]
    frame.to_csv(folder / "site.csv", index=False)
    headstart.run(
        folder / "site.csv", target="finding", inputs=tuple(COLUMNS), attributes=("site", "day"), modality="vector",
        out=str(folder / "run"), budget=30, techniques=("linear_probe",),
    )  # fmt: skip
    return folder / "run"


def test_a_planted_shortcut_is_found_and_mended(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (finished / "result.json").read_bytes()
    assert "shortcut:site" in [f["code"] for f in Result.load(finished).findings]
    assert "shortcut:day" not in [f["code"] for f in Result.load(finished).findings]
    with pytest.raises(SystemExit) as end:
        main(["repair", str(finished), "--finding", "shortcut:site", "--json", "--out", str(tmp_path / "new")])
    assert not end.value.code
    told = json.loads(capsys.readouterr().out)["repair"]
    assert told["decision"] == "repaired"
    assert told["table"][0]["method"] == "plain"
    assert told["after"]["worst"]["value"] > told["before"]["worst"]["value"]
    assert (finished / "result.json").read_bytes() == before
    assert "benign, site north" in [g["group"] for g in told["after"]["groups"]]
    assert told["after"]["gap"] is None  # of each class one site has a handful of test rows
    assert "equalised odds): cannot be compared" in text.repair(Result.load(tmp_path / "new"))
    page = (tmp_path / "new" / "report.html").read_text()
    for words in ("What the repair did", "benign, site north", str(told["method"])):
        assert words in page
    model, old = headstart.load(tmp_path / "new"), headstart.load(finished)
    X, y, site = rows(2000, 5)  # rows that neither has seen
    against = site != y
    names = np.array(["benign", "malignant"])[y]
    said, was = (m.predict(X.astype(np.float32)) for m in (model, old))
    assert model.kept().rows == old.kept().rows  # so that it can be adapted as the old one can
    assert model.kept().held["right"] < old.kept().held["right"]  # and is as right as its own head is
    assert (said == names)[against].mean() > (was == names)[against].mean() + 0.1


def test_a_repair_that_does_not_help_is_refused(finished: Path, tmp_path: Path) -> None:
    result = repair(finished, finding="shortcut:day", method="reweight", out=tmp_path / "same")
    assert result.repair["decision"] == "refused"
    assert result.repair["before"] == result.repair["after"]
    X, _, _ = rows(50, 6)
    old, new = (headstart.load(f).predict_proba(X.astype(np.float32)) for f in (finished, tmp_path / "same"))
    np.testing.assert_allclose(old, new)


def test_what_cannot_be_repaired_is_said(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PlanError, match="no finding 'slices:9'"):
        repair(finished, finding="slices:9")
    with pytest.raises(PlanError, match="no repair 'magic'"):
        repair(finished, finding="shortcut:site", method="magic")
    audited = finished / "audit.json"
    audited.write_text(json.dumps({"findings": [{"code": "words:zq17", "evidence": {"word": "zq17"}}]}))
    with pytest.raises(PlanError, match="'words:zq17' names none"):  # found by an audit after the run
        repair(finished, finding="words:zq17", method="thresholds")
    audited.unlink()
    with pytest.raises(ValueError, match="no column"):
        repair(finished, finding="shortcut:nowhere", out=tmp_path / "x")
    assert not (tmp_path / "x").exists()
    from headstart.techniques.linear_probe import LinearProbe

    monkeypatch.setattr(LinearProbe, "cost", 4)
    with pytest.raises(NotApplicable, match="no head on frozen features"):
        repair(finished, finding="shortcut:site", out=tmp_path / "y")
