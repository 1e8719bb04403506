"""The house rules that a linter cannot state: sizes, what importing loads, what is never written."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from dataclasses import fields
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

from headstart.plan import Plan

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "headstart"
HEAVY = {"torch", "torchvision", "sklearn", "numpy", "scipy", "pandas", "transformers", "timm", "openvino", "PIL"}


def _tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:  # an unpacked archive
        return [
            p for folder in ("src", "tests", "docs", "examples", "benchmarks") for p in (ROOT / folder).rglob("*.*")
        ]
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


TRACKED = _tracked()
SOURCES = sorted(p for p in TRACKED if p.suffix == ".py" and PACKAGE in p.parents)


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def _trees() -> list[tuple[str, ast.Module]]:
    return [(_name(p), ast.parse(p.read_text(encoding="utf-8"))) for p in SOURCES]


def _loaded(code: str) -> set[str]:
    """Top-level names of the modules that are loaded after `code` ran in a new interpreter."""
    script = f"import sys\n{code}\nprint('LOADED', *sorted({{m.partition('.')[0] for m in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.rpartition("LOADED")[2].split())


def test_the_rules_look_at_the_whole_package():
    assert len(SOURCES) > 40
    assert PACKAGE / "plan.py" in SOURCES


def test_no_file_is_longer_than_500_lines_and_one_past_400_says_why():
    faults = []
    for path in (p for p in TRACKED if p.suffix == ".py"):
        lines = path.read_text(encoding="utf-8").splitlines()
        reason = any(line.startswith("# Long because ") for line in lines[:40])
        if len(lines) > 500 or (len(lines) > 400 and not reason):
            faults.append(f"{_name(path)}: {len(lines)} lines (past 400 it needs a line '# Long because ...')")
    assert not faults


def test_functions_take_at_most_8_arguments():
    faults = []
    for name, tree in _trees():
        if name.startswith("src/headstart/cli/"):  # there an argument is an option of a command
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                a = node.args
                known = [x.arg for x in (*a.posonlyargs, *a.args, *a.kwonlyargs) if x.arg not in ("self", "cls")]
                # the keywords of a technique's or an estimator's __init__ are its settings
                if len(known) > 8 and node.name != "__init__":
                    faults.append(f"{name}:{node.lineno} {node.name} takes {len(known)}")
    assert not faults


def test_classes_have_at_most_15_public_methods_and_plan_15_fields():
    faults = []
    for name, tree in _trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                public = [f for f in node.body if isinstance(f, ast.FunctionDef) and not f.name.startswith("_")]
                if len(public) > 15:
                    faults.append(f"{name}: {node.name} has {len(public)}")
    assert not faults
    assert len(fields(Plan)) <= 15


def test_everything_public_says_what_it_is():
    faults = []
    for name, tree in _trees():
        if not ast.get_docstring(tree) and Path(name).name != "__init__.py":
            faults.append(f"{name}: the file")
        if Path(name).name.startswith("_") and Path(name).name != "__init__.py":
            continue
        for node in tree.body:
            public = isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_")
            if public and not ast.get_docstring(node):
                faults.append(f"{name}: {node.name}")
    assert not faults


def test_imports_go_down():
    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == 0


@pytest.mark.parametrize(
    "code",
    [
        "import headstart; dir(headstart)",
        "from headstart.cli import main; main(['--help'])",
        "from headstart.cli import main; main([])",
        "from headstart.cli import main; main(['--version'])",
        "import headstart.plan, headstart.result, headstart.errors",
    ],
)
def test_light_things_stay_light(code):
    assert not _loaded(code) & HEAVY


@pytest.mark.parametrize("command", sorted(p.stem for p in (PACKAGE / "cli").glob("[a-z]*.py")))
def test_help_of_a_command_loads_nothing_heavy(command):
    code = (
        f"from headstart.cli import main\ntry: main(['{command}', '--help'])\nexcept SystemExit as e: assert not e.code"
    )
    assert not _loaded(code) & HEAVY


def test_importing_a_floor_changes_nothing():
    """No module prints, writes into the working folder, sets an environment variable or changes torch's threads."""
    modules = [
        ".".join(p.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
        for p in SOURCES
        if p.name != "__main__.py"
    ]
    script = (
        "import importlib, os, random, sys, torch, numpy, rich.progress\n"  # rich draws a random number when imported
        "before = dict(os.environ), torch.get_num_threads(), torch.initial_seed(), random.getstate()\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        "after = dict(os.environ), torch.get_num_threads(), torch.initial_seed(), random.getstate()\n"
        "assert before[1:] == after[1:], 'threads or seeds'\n"
        "changed = {k for k in {*before[0], *after[0]} if before[0].get(k) != after[0].get(k)}\n"
        "import json; print(json.dumps(sorted(changed)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    # OpenMP writes these two by itself when torch or scikit-learn start it
    assert set(json.loads(done.stdout)) <= {"KMP_DUPLICATE_LIB_OK", "KMP_INIT_AT_FORK"}


def test_nothing_is_unpickled():
    faults = []
    for name, tree in _trees():
        for call in (n for n in ast.walk(tree) if isinstance(n, ast.Call)):
            what = ast.unparse(call.func)
            words = {k.arg: ast.unparse(k.value) for k in call.keywords}
            unsafe = (
                (what.split(".")[0] in ("pickle", "cloudpickle", "dill", "joblib") and what.endswith(("load", "loads")))
                or (what == "torch.load" and words.get("weights_only") != "True")
                or words.get("allow_pickle") == "True"
                or what in ("eval", "exec")
            )  # fmt: skip
            if unsafe:
                faults.append(f"{name}:{call.lineno} {ast.unparse(call)[:80]}")
    assert not faults


def test_no_path_of_one_machine_is_written_down():
    first = "|".join(["wo" + "rk", "ro" + "ot", "ho" + "me", "op" + "t"])  # in halves: this file is looked at as well
    pattern = re.compile(rf"(?<![\w.<>*-])/(?:{first})/[a-z]")
    faults = []
    for path in TRACKED:
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        faults += [f"{_name(path)}:{i}" for i, line in enumerate(text.splitlines(), 1) if pattern.search(line)]
    assert not faults


def test_a_narrowed_warning_says_whose_it_is():
    """Warnings are errors; every exception in pyproject.toml carries a comment on the same or the previous line."""
    lines = (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    faults = [x for a, x in pairwise(lines) if re.match(r'\s*"ignore', x) and "#" not in a + x]
    assert not faults
