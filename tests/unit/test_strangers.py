"""What people do who have not read the pages: files that are torn, rows of a form that nobody meant, columns gone."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from headstart import TransferClassifier, audits, backbones, cli, repairs
from headstart.audit._example import evidence
from headstart.audit.transfer import Transfer
from headstart.backbones._bring import doctor
from headstart.backbones._weights import PACKAGED
from headstart.data import roles
from headstart.data.dataset import Dataset
from headstart.data.read import read_known, read_rows
from headstart.errors import DataError, ModelError, NotApplicable, PlanError, WeightsError
from headstart.model import Model
from headstart.plan import Plan
from headstart.report.page import render
from headstart.result import Result


@pytest.mark.parametrize("torn", ['{"a":', "[1]", '{"version": 1, "unheard_of": 2}'])
def test_a_result_that_is_damaged_is_named(tmp_path: Path, torn: str) -> None:
    (tmp_path / "result.json").write_text(torn)
    with pytest.raises(ModelError, match=r"result\.json is damaged"):
        render(tmp_path)


def test_evidence_that_is_damaged_is_named(tmp_path: Path) -> None:
    Result().save(tmp_path)
    (tmp_path / "evidence.json").write_text("{")
    with pytest.raises(ModelError, match=r"evidence\.json is damaged"):
        render(tmp_path)


@pytest.mark.parametrize("torn", ["[1]", json.dumps({"sha256": {}, "version": 1, "unheard_of": 2})])
def test_a_model_card_that_is_damaged_is_named(tmp_path: Path, torn: str) -> None:
    (tmp_path / "model.json").write_text(torn)
    with pytest.raises(ModelError, match=r"model\.json is damaged"):
        Model.load(tmp_path)


def test_a_plan_that_is_damaged_is_named(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text("x = [")
    with pytest.raises(PlanError, match=r"plan\.toml is damaged"):
        Plan.from_toml(tmp_path / "plan.toml")


@pytest.mark.parametrize(
    ("rows", "modality", "why"),
    [
        ({"text": ["fine", "odd"]}, "text", "one dict"),  # its keys were read as texts
        (np.zeros((8, 8, 3), dtype=np.uint8), "image", "one picture in colour"),  # was read as eight grey ones
        (pd.Series([63, "Male"]), "table", "numbers and of other things"),
        (pd.DataFrame({"text": []}), "text", "no rows"),
    ],
)
def test_rows_of_a_form_that_nobody_meant_are_refused(rows: Any, modality: str, why: str) -> None:
    with pytest.raises(DataError, match=why):
        read_rows(rows, modality=modality, inputs=("text",) if modality == "text" else ())


def test_an_array_of_words_and_numbers_has_the_columns_of_the_model() -> None:
    rows = read_rows(np.array([[41, "f"], [50, "m"]], dtype=object), modality="table", inputs=("age", "sex"))
    assert rows.rows[0] == {"age": 41.0, "sex": "f"}


def test_a_question_ends_with_its_own_mark_and_asks_for_something_alike() -> None:
    with pytest.raises(DataError, match=r"did you mean 'label'\?$"):
        roles.known("labels", ["age", "label"], "target")
    with pytest.raises(DataError, match="name one of these"):
        roles.known("label", ["age", "sex"], "target")


def test_rows_may_lack_what_the_run_was_compared_by_but_not_what_is_asked_for() -> None:
    like = Dataset("text", [], np.array([]), np.array([]), "label", ("no", "yes"))
    rows = [{"text": "fine", "label": "yes", "site": "a"}]
    data = read_known(rows, like=like, beside=["site"], also=["site", "sex"])
    assert list(data.columns) == ["site"]
    assert any("by 'sex': these rows have no such column" in note for note in data.notes)
    with pytest.raises(DataError, match="for the attribute"):
        read_known(rows, like=like, beside=["sex"])


def test_without_training_rows_there_is_nothing_to_compare_pre_training_on() -> None:
    made = evidence(look=lambda way, rows: np.zeros((len(rows), 4)))
    with pytest.raises(NotApplicable, match="no training rows"):
        Transfer()(replace(made, split=np.full(len(made.split), "test")))


def test_an_audit_says_which_rows_it_did_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = {"rows": 1, "notes": [], "skipped": [["line 2", "the model knows no class 'maybe'"]], "counts": {}}
    test = {"metric": "accuracy", "value": 1.0, "low": 0.5, "high": 1.0, "rows": 1}
    told = audits.Audit("", data | {"modality": "text", "target_kind": "label", "classes": []}, test, [], [])
    monkeypatch.setattr(audits, "audit_run", lambda *_, **__: told)
    with pytest.raises(SystemExit):
        cli.main(["audit", str(tmp_path)])
    assert "not used, and not counted: 1 row, the first: line 2" in capsys.readouterr().out


@pytest.mark.parametrize("words", ["predict run a.csv", "explain run", "adapt run --target a.csv"])
def test_a_run_that_was_stopped_is_told_how_to_go_on(
    words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text("text\na\n")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "plan.toml").write_text('data = "a.csv"\n')
    with pytest.raises(SystemExit, match="2"):
        cli.main(words.split())
    assert "with --resume" in capsys.readouterr().err


def test_a_repair_does_not_name_an_option_that_it_lacks(tmp_path: Path) -> None:
    run, taken = tmp_path / "run", tmp_path / "run-repaired"
    for folder in (run, taken):
        Result().save(folder)
        (folder / "plan.toml").write_text(Plan(data="a.csv").to_toml())
    with pytest.raises(PlanError, match="another --out, or remove it"):
        repairs.repair(run, finding="shortcut:sex")


def folder_without(tmp_path: Path, *names: str) -> str:
    """The packaged text model as a folder, without some of its files."""
    for path in PACKAGED["minilm"].path.parent.iterdir():
        if path.is_file() and path.name not in names:
            (tmp_path / path.name).symlink_to(path)
    return f"local-dir:{tmp_path}"


def test_a_network_without_its_vocabulary_is_refused(tmp_path: Path) -> None:
    name = folder_without(tmp_path, "tokenizer.json", "vocab.txt")  # every word was read as unknown
    with pytest.raises(WeightsError, match="knows no word"):
        backbones.get(name)


def test_weights_that_are_cut_off_are_faulty(tmp_path: Path) -> None:
    name = folder_without(tmp_path, "model.safetensors")
    (tmp_path / "model.safetensors").write_bytes(PACKAGED["minilm"].path.read_bytes()[:5000])
    report = doctor(name)
    assert not report["sound"]
    assert "cannot be read" in report["why"]


def test_a_technique_that_cannot_read_the_rows_says_so() -> None:
    X, y = np.repeat(np.eye(2), 6, axis=0), np.repeat(["a", "b"], 6)
    with pytest.raises(NotApplicable, match="full does not read vector"):
        TransferClassifier(technique="full").fit(X, y)
    with pytest.raises(ValueError, match="should be a 1d array"):
        TransferClassifier().fit(["fine", "odd"] * 6, np.eye(2, dtype=int)[[0, 1] * 6])


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("a.csv", ["text,n", "a b c,1", "torn", "", "d e f,2", "text,n", "g h i,3", "x,y,z"]),
        ("a.jsonl", ['{"text": "a b c"}', "torn", '{"text": "d e f"}', "[]", '{"text": "g h i"}', "{"]),
    ],
)
@pytest.mark.parametrize("piped", [False, True])
def test_lines_that_are_torn_keep_their_place(tmp_path: Path, name: str, lines: list[str], piped: bool) -> None:
    (tmp_path / name).write_text("\n".join(lines), encoding="utf-8")
    source = io.BytesIO((tmp_path / name).read_bytes()) if piped else tmp_path / name
    rows = read_rows(source, modality="text", inputs=("text",))
    assert rows.rows == ["a b c", "d e f", "g h i"]
    assert rows.gaps == (1, 3, 5)
    assert len(rows.skipped) == 3


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
@pytest.mark.parametrize("text", ["\n\ntext;n\nßa;1,5\n", '\n {"text": "ßa"}\n', '[\n{"text": "ßa"}]'])
def test_what_is_piped_in_is_told_apart_by_its_first_line(text: str, encoding: str) -> None:
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    rows = read_rows(io.BytesIO((mark + text).encode(encoding)), modality="text", inputs=("text",))
    assert rows.rows == ["ßa"]


@pytest.mark.parametrize("nothing", [b"", b"\n \r\n"])
def test_a_pipe_out_of_which_nothing_comes_is_an_error(nothing: bytes) -> None:
    with pytest.raises(DataError, match=r"nothing came in on standard input.*RUN - < new\.csv"):
        read_rows(io.BytesIO(nothing), modality="text", inputs=("text",))


def test_pictures_that_are_broken_stand_behind_the_torn_lines_before_them(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"no picture")
    (tmp_path / "a.csv").write_text("path,n\na.png,1\ntorn\nb.png,2\na.png,3\n", encoding="utf-8")
    rows = read_rows(tmp_path / "a.csv", modality="image", inputs=("path",))
    assert rows.gaps == (1, 2)
    assert [name for name, _ in rows.skipped] == ["line 3", "line 4"]
