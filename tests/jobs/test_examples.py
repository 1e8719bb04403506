"""The examples run as they stand, and what they print is true."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def _main(name):
    return runpy.run_path(str(EXAMPLES / name))["main"]


def test_every_example_is_run_here():
    assert [p.name for p in sorted(EXAMPLES.glob("*.py"))] == [
        "01_text.py",
        "02_images.py",
        "03_table.py",
        "04_sklearn.py",
    ]


@pytest.mark.slow
def test_text(tmp_path, capsys):
    result = _main("01_text.py")(tmp_path)
    assert result.test["value"] > 0.9
    assert result.test["rows"] >= 20
    out = capsys.readouterr().out
    assert result.verdict["words"] in out
    assert "bad   It broke after two days." in out
    assert "good  Great, I would buy it again." in out


@pytest.mark.slow
def test_images(tmp_path, capsys):
    result = _main("02_images.py")(tmp_path)
    assert result.test["low"] > 0.4  # chance is 0.33
    assert result.data["classes"] == ["circle", "cross", "square"]
    assert "'cross': " in capsys.readouterr().out


@pytest.mark.slow
def test_table(tmp_path, capsys):
    result = _main("03_table.py")(tmp_path)
    assert result.data["target_kind"] == "number"
    assert result.test["value"] > 0.5  # R2; the mean alone gives 0
    assert "p000" in capsys.readouterr().out


@pytest.mark.slow
def test_scikit_learn(capsys):
    assert _main("04_sklearn.py")() > 0.85
    assert "transferclassifier__technique" in capsys.readouterr().out
