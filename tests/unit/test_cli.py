"""The roof: which command is found, what a fault looks like, what is listed."""

from __future__ import annotations

import json
import re
from importlib.metadata import PackageNotFoundError, metadata

import pytest
import typer

from headstart import __version__, _discover, cli
from headstart.cli import list as listing
from headstart.cli._terminal import Terminal
from headstart.errors import DataError


def _run(capsys, *words):
    """Exit code, stdout, stderr of a command line."""
    code = 0
    try:
        cli.main(words)
    except SystemExit as end:
        code = end.code
    out, err = capsys.readouterr()
    return code or 0, out, err


@pytest.fixture
def command(monkeypatch):
    """Let the command `run` be any function, without looking for its file."""
    return lambda function: monkeypatch.setattr(_discover, "load", lambda floor, name: function)


def test_help_names_every_command_and_its_first_line(capsys):
    code, out, _ = _run(capsys, "--help")
    assert code == 0
    known = _discover.names("cli")
    assert {"list", "predict", "run"} <= set(known)
    for name in known:
        words = _discover.load("cli", name).__doc__.partition("\n")[0]
        assert words
        assert any(line.split() == [name, *words.split()] for line in out.splitlines())


@pytest.mark.parametrize("name", _discover.names("cli"))
def test_every_option_of_every_command_has_a_help_text(name):
    app = typer.Typer(add_completion=False)
    app.command()(_discover.load("cli", name))
    options = [p for p in typer.main.get_command(app).params if p.name != "help"]
    assert options
    assert [p.name for p in options if not p.help] == []


def test_version(capsys):
    assert _run(capsys, "--version")[:2] == (0, f"headstart {__version__}\n")


def test_an_unknown_command_suggests_the_closest(capsys):
    code, out, err = _run(capsys, "predcit", "x")
    assert (code, out, err) == (2, "", "no command 'predcit'. Did you mean: headstart predict\n")
    assert "There are: " in _run(capsys, "zzzz")[2]


def test_an_unknown_option_exits_2(capsys):
    code, _, err = _run(capsys, "list", "techniques", "--colour")
    assert code == 2
    assert "--colour" in err


def test_a_fault_is_one_line_and_exits_2(capsys, command):
    def broken() -> None:
        raise DataError("no column 'stars'", expected="one of text, score", do="pass --target score")

    command(broken)
    code, out, err = _run(capsys, "run")
    assert (code, out) == (2, "")
    assert err == "no column 'stars'. Expected: one of text, score. What to do: pass --target score.\n"


@pytest.mark.parametrize("by", ["option", "variable"])
def test_debug_shows_the_traceback(capsys, command, monkeypatch, by):
    def broken() -> None:
        raise DataError("no rows")

    command(broken)
    if by == "variable":
        monkeypatch.setenv("HEADSTART_DEBUG", "1")
    with pytest.raises(DataError, match="no rows"):
        cli.main(["run", "--debug"] if by == "option" else ["run"])


def test_ctrl_c_exits_130_and_says_how_to_go_on(capsys, command):
    def stopped() -> None:
        raise KeyboardInterrupt

    command(stopped)
    code, _, err = _run(capsys, "run")
    assert code == 130
    assert err.endswith("stopped; go on with --resume\n")


def test_list_reads_what_a_technique_accepts_and_learns(capsys):
    rows = {row["name"]: row for row in json.loads(_run(capsys, "list", "techniques", "--json")[1])}
    assert set(rows) == set(_discover.names("techniques"))
    for name, row in rows.items():
        technique = _discover.load("techniques", name)
        assert set(row["reads"]) == technique.accepts, name
        assert set(row["learns"]) == technique.learns, name
        assert row["what"], name


def test_list_backbones_names_the_packaged_ones(capsys):
    rows = {row["name"]: row for row in json.loads(_run(capsys, "list", "backbones", "--json")[1])}
    assert rows["bert"]["packaged"] == ["minilm (91 MB, Apache-2.0, installed)"]
    assert rows["efficientnet"]["packaged"] == ["efficientnet_lite0 (19 MB, Apache-2.0, installed)"]
    for name, row in rows.items():
        family = _discover.load("backbones", name)
        if name != "scratch":  # it reads what the network reads that it copies
            assert set(row["reads"]) == family.modalities, name


@pytest.mark.parametrize("what", [w.value for w in listing.What])
def test_every_list_has_a_line_an_entry_and_one_of_facts_where_there_are_any(capsys, what):
    rows = json.loads(_run(capsys, "list", what, "--json")[1])
    assert rows
    code, out, _ = _run(capsys, "list", what)
    assert code == 0
    entries = re.split(r"\n(?=\S)", out.rstrip("\n"))
    assert [entry.partition("\n")[0] for entry in entries] == [f"{row['name']}  {row['what']}" for row in rows]
    for row, entry in zip(rows, entries, strict=True):
        assert ("installed: yes" in entry) == bool(row.get("installed"))
        assert ("\n    " in entry) == any(row[key] not in (None, []) for key in row if key not in ("name", "what"))


def test_an_extra_that_is_not_installed_is_said(capsys, monkeypatch):
    def missing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(listing, "version", missing)
    rows = {row["name"]: row for row in json.loads(_run(capsys, "list", "adaptation", "--json")[1])}
    assert (rows["transport"]["extra"], rows["transport"]["installed"]) == ("transport", False)
    assert "extra: transport; installed: no" in _run(capsys, "list", "adaptation")[1]
    assert "extra" not in rows["coral"]


def test_every_extra_that_a_list_names_can_be_installed(capsys):
    named = {
        row["extra"] for what in ("adaptation", "backbones", "techniques")
        for row in json.loads(_run(capsys, "list", what, "--json")[1]) if "extra" in row
    }  # fmt: skip
    assert {"transport", "gguf", "hdf5"} <= named <= set(metadata("headstart").get_all("Provides-Extra"))


def test_a_place_that_cannot_be_written_is_one_line(capsys, command, tmp_path):
    (tmp_path / "file").write_text("x")

    def broken() -> None:
        (tmp_path / "file" / "run").mkdir()

    command(broken)
    code, out, err = _run(capsys, "run")
    assert (code, out) == (2, "")
    assert err.startswith(f"{tmp_path / 'file' / 'run'}: Not a directory. What to do: check the path")


def test_answers_are_written_as_csv_or_jsonl_alone(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("headstart.model.load", lambda run: pytest.fail("nothing should be loaded"))
    code, _, err = _run(capsys, "predict", "runs/x", "new.csv", "--out", str(tmp_path / "answers.xlsx"))
    assert code == 2
    assert err.startswith("answers cannot be written as answers.xlsx. Expected: --out FILE.csv")


def test_a_budget_that_loading_alone_takes_promises_nothing(capsys):
    for budget, words in ((1.0, "may take longer"), (60.0, "at most that long")):
        Terminal(budget).close()
        assert words in capsys.readouterr().err
