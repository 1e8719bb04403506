"""README, CONTRIBUTING and docs say what is true: their trees, commands, options, code and tables are checked."""

from __future__ import annotations

import doctest
import importlib
import re
import runpy
import shlex
import sys
import types
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer
from tests.made.brief import brief_control

import headstart.techniques
from headstart import _discover
from headstart.activations.activations import Activations
from headstart.errors import PlanError

ROOT = Path(__file__).resolve().parents[2]
PAPERS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
README, CONTRIBUTING = (p.read_text(encoding="utf-8") for p in PAPERS[:2])


def _blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def _commands(program: str) -> list[tuple[str, list[str]]]:
    """(paper, words) of every line of a bash block that starts with `program`, up to where the shell reads a file."""
    found = []
    for paper in PAPERS:
        for block in _blocks(paper.read_text(encoding="utf-8"), "bash"):
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(line, comments=True)
                if words and words[0] == program:
                    found.append((paper.name, words[1 : words.index("<") if "<" in words else None]))
    return found


def _tree_module() -> types.SimpleNamespace:
    return types.SimpleNamespace(**runpy.run_path(str(ROOT / "docs" / "tree.py")))


def test_the_tree_of_the_readme_is_that_of_the_package():
    module = _tree_module()
    shown = README.partition(module.BEGIN)[2].partition(module.END)[0]
    assert shown == module.tree(), "run: make tree"
    names = re.findall(r"^ *(\w+\.py)", shown, flags=re.MULTILINE)
    files = [p.name for p in (ROOT / "src" / "headstart").rglob("*.py") if p.name not in ("__init__.py", "__main__.py")]
    assert sorted(names) == sorted(files)
    assert len(names) > 20


@pytest.mark.parametrize(("paper", "words"), _commands("headstart"))
def test_a_command_in_a_paper_exists_with_its_options(paper, words):
    app = typer.Typer(add_completion=False)
    app.command()(_discover.load("cli", words[0]))
    command = typer.main.get_command(app)
    # Parsing alone: a wrong name, option, choice or count of arguments raises a usage error.
    command.make_context(words[0], list(words[1:]))


def test_papers_name_commands():
    assert {words[0] for _, words in _commands("headstart")} >= {"run", "predict", "report"}
    assert {words[0] for _, words in _commands("make")} >= {"setup", "demo", "test", "check", "bench"}


def test_every_make_target_in_a_paper_exists():
    known = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    named = {words[0] for _, words in _commands("make")}
    assert named <= known
    assert known <= set(re.findall(r"make ([a-z]+)  ", (ROOT / "Makefile").read_text(encoding="utf-8"))) | {"help"}


@pytest.mark.parametrize("paper", PAPERS, ids=lambda p: p.name)
def test_links_between_papers_lead_somewhere(paper):
    text = re.sub(r"```.*?```", "", paper.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    missing = [
        t for t in targets if not t.startswith(("http:", "https:", "mailto:")) and not (paper.parent / t).exists()
    ]
    assert not missing


def test_a_table_of_benchmarks_stands_beside_its_command():
    text = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    faults = []
    for section in re.split(r"^#+ ", text, flags=re.MULTILINE):
        if re.search(r"^\|[ :-]+\|", section, flags=re.MULTILINE) and not re.search(
            r"^Command: `", section, re.MULTILINE
        ):
            faults.append(section.partition("\n")[0])
    assert not faults


def test_the_python_of_the_readme_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    words = {"good": ["great", "happy", "lovely"], "bad": ["awful", "broken", "useless"]}
    mood = rng.permutation(["good", "bad"] * 40)
    text = [f"The {rng.choice(words[m])} thing number {i} is {rng.choice(words[m])}." for i, m in enumerate(mood)]
    pd.DataFrame({"text": text, "mood": mood}).to_csv("reviews.csv", index=False)
    blocks = _blocks(README, "python")
    assert len(blocks) == 2
    names: dict[str, object] = {}
    for block in blocks:
        # The same code in less time: on 80 rows the dear techniques have nothing to add, nor has a long training.
        code = block.replace('budget="10m"', 'budget="40s", techniques=("knn", "ridge")')
        with brief_control():
            exec(compile(code, "README.md", "exec"), names)
    assert names["result"].verdict["words"]
    assert set(names["model"].predict(text[:10])) <= {"good", "bad"}
    assert names["classifier"].predict(["works well", "broke at once"]).tolist() == ["good", "bad"]


@pytest.fixture
def guide(tmp_path, monkeypatch):
    """The technique that CONTRIBUTING writes, as a file of the package for the length of a test."""
    source, test = _blocks(CONTRIBUTING, "python")
    assert source.startswith("# src/headstart/techniques/nearest_median.py")
    (tmp_path / "nearest_median.py").write_text(source, encoding="utf-8")
    monkeypatch.setattr(headstart.techniques, "__path__", [*headstart.techniques.__path__, str(tmp_path)])
    monkeypatch.setattr(headstart.techniques.__spec__, "submodule_search_locations", headstart.techniques.__path__)
    _discover.load.cache_clear()
    importlib.invalidate_caches()
    yield types.SimpleNamespace(source=source, test=test, folder=tmp_path)
    sys.modules.pop("headstart.techniques.nearest_median", None)
    _discover.load.cache_clear()


def test_the_technique_of_the_guide_joins_by_its_file_name(guide):
    assert "nearest_median" in _discover.names("techniques")
    assert _discover.summary("techniques", "nearest_median").startswith("Answer with the class")
    technique = _discover.load("techniques", "nearest_median")
    results = doctest.DocTestRunner()
    module = sys.modules["headstart.techniques.nearest_median"]
    for case in doctest.DocTestFinder().find(technique, globs=dict(vars(module))):
        results.run(case)
    assert results.summarize(verbose=False) == (0, results.tries)
    assert results.tries == 2

    rng = np.random.default_rng(1)
    y = np.repeat([0, 2], 30)  # class 1 has no training row
    X = Activations(rng.normal(size=(60, 3)) + y[:, None], np.arange(60).astype(str), "pooled", "vector")
    fitted = technique().fit(X, y)
    again = technique().restore(fitted.state())
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
    np.testing.assert_allclose(fitted.predict_proba(X).sum(1), 1.0)


def test_the_test_of_the_guide_passes(guide):
    names: dict[str, object] = {}
    exec(compile(guide.test, "CONTRIBUTING.md", "exec"), names)
    tests = [value for name, value in names.items() if name.startswith("test_")]
    assert len(tests) == 1
    tests[0]()


def test_the_technique_of_the_guide_joins_from_another_package(tmp_path, monkeypatch):
    (entry,) = _blocks(CONTRIBUTING, "toml")
    package = tmp_path / "my_package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "nearest_median.py").write_text(_blocks(CONTRIBUTING, "python")[0], encoding="utf-8")
    group, line = re.fullmatch(r'\[project\.entry-points\."([^"]+)"\]\n(.*)\n', entry).groups()
    info = tmp_path / "my_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[{group}]\n{line.replace(chr(34), '')}\n", encoding="utf-8")

    with pytest.raises(PlanError, match="nearest_median"):
        _discover.load("techniques", "nearest_median")
    monkeypatch.syspath_prepend(tmp_path)
    _discover.load.cache_clear()
    try:
        assert "nearest_median" in _discover.names("techniques")
        technique = _discover.load("techniques", "nearest_median")
        assert technique.__module__ == "my_package.nearest_median"
        assert "techniques" in group
        assert _discover.summary("techniques", "nearest_median") == "(from another package)"
    finally:
        _discover.load.cache_clear()
        sys.modules.pop("my_package.nearest_median", None)
        sys.modules.pop("my_package", None)
