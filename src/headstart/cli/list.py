"""`headstart list`: what there is and which extra it takes; read from the files, nothing heavy is imported."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from headstart import _discover

Row = dict[str, Any]


class What(StrEnum):
    """What can be listed."""

    techniques = "techniques"
    backbones = "backbones"
    data = "data"
    adaptation = "adaptation"
    validators = "validators"
    scores = "scores"
    checks = "checks"
    samples = "samples"


def list(
    what: Annotated[What, typer.Argument(help="What to list; data and samples are the same.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one object an entry.")] = False,
) -> None:
    """Show the techniques, backbones, data sets, ways of adaptation, validators, scores or checks that there are."""
    rows = ROWS[what]()
    if as_json:
        print(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    for row in rows:
        typer.secho(row["name"], bold=True, nl=False)
        print(f"  {row['what']}".rstrip())
        facts = (
            f"{key.replace('_', ' ')}: {_words(value)}" for key, value in row.items() if key not in ("name", "what")
        )
        if line := "; ".join(fact for fact in facts if not fact.endswith(": ")):
            print("   ", line)


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else ", ".join(value) if isinstance(value, tuple) else str(value)


def _techniques() -> Sequence[Row]:
    return [
        {
            "name": name,
            "reads": _strings(facts.get("accepts")) or ("vector",),
            "learns": _strings(facts.get("learns")) or ("label",),
            **_extra(facts),
            "what": _discover.summary("techniques", name),
        }
        for name, facts in _files("techniques")
    ]


def _backbones() -> Sequence[Row]:
    from headstart.backbones._recipes import RECIPES
    from headstart.backbones._weights import PACKAGED, installed, local

    return [
        {
            "name": name,
            "packaged": tuple(
                f"{p.name} ({p.megabytes} MB, {p.licence}, {'installed' if installed(p) else 'not installed'})"
                for p in PACKAGED.values()
                if p.family == name
            ),
            "to_pull": tuple(
                f"{key} ({r.megabytes} MB, {r.licence}, {'here' if local(key) else 'not here'})"
                for key, r in RECIPES.items()
                if r.family == name
            ),
            "reads": _strings(facts.get("modalities")),
            **_extra(facts),
            "what": _discover.summary("backbones", name),
        }
        for name, facts in _files("backbones")
    ]


def _samples() -> Sequence[Row]:
    from headstart.data import samples

    return [{"name": name, **samples.describe(name)} for name in samples.names()]


def _adapters() -> Sequence[Row]:
    return [
        {
            "name": name, "against": _strings(facts.get("shifts")), **_extra(facts),
            "without_source_rows": floor != "adaptation", "what": _discover.summary(floor, name),
        }
        for floor in ("adaptation", "adaptation.source_free") for name, facts in _files(floor)
    ]  # fmt: skip


def _checks() -> Sequence[Row]:
    return [
        {"name": name, **_extra(facts), "what": _discover.summary("audit", name)} for name, facts in _files("audit")
    ]


def _functions(floor: str, gives: str) -> Callable[[], Sequence[Row]]:
    """Rows of the files whose function has a return annotation with `gives` in it."""

    def rows() -> Sequence[Row]:
        return [
            {"name": name, **_extra(facts), "what": _discover.summary(floor, name)}
            for name, facts in _files(floor)
            if "return" in facts and gives in ast.unparse(facts["return"])
        ]

    return rows


def _files(floor: str) -> Iterator[tuple[str, dict[str, ast.expr]]]:
    """Name and facts (class variables, or what the function returns) of every file of a floor."""
    spec = find_spec(f"headstart.{floor}")
    folders = (spec.submodule_search_locations or []) if spec else []
    for name in _discover.names(floor):
        path = next((p for folder in folders if (p := Path(folder) / f"{name}.py").exists()), None)
        if path is None:  # from another package: its own --help tells more
            yield name, {}
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        yield name, _facts(tree, name.replace("_", ""), path.parent)


def _facts(tree: ast.Module, name: str, folder: Path) -> dict[str, ast.expr]:
    """What a function returns, or the class variables of a class and of those it inherits from in its own folder."""
    facts: dict[str, ast.expr] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name.replace("_", "") == name and node.returns:
            facts["return"] = node.returns
        elif isinstance(node, ast.ClassDef) and node.name.lower() == name:
            for base in (b.id for b in node.bases if isinstance(b, ast.Name)):
                for source in (n for n in tree.body if isinstance(n, ast.ImportFrom) and n.module):
                    path = folder / f"{str(source.module).rpartition('.')[2]}.py"
                    if base in {a.name for a in source.names} and path.exists():
                        facts |= _facts(ast.parse(path.read_text(encoding="utf-8")), base.lower(), folder)
            for line in node.body:
                if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name) and line.value:
                    facts[line.target.id] = line.value
                elif isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name):
                    facts[line.targets[0].id] = line.value
    return facts


def _extra(facts: dict[str, ast.expr]) -> Row:
    """The optional packages that a file asks for by the name of their extra, and whether they are here."""
    extra = next(iter(_strings(facts.get("extra"))), None)
    return {"extra": extra, "installed": _installed(extra)} if extra else {}


def _installed(extra: str) -> bool:
    try:
        for line in requires("headstart") or ():
            if f'extra == "{extra}"' in line.replace("'", '"'):
                version(re.split(r"[^\w.-]", line)[0])
    except PackageNotFoundError:
        return False
    return True


def _strings(value: ast.expr | None) -> tuple[str, ...]:
    """The string constants of an expression such as `frozenset({"label", "number"})`, in order."""
    constants = (n.value for n in ast.walk(value) if isinstance(n, ast.Constant)) if value is not None else ()
    return tuple(c for c in constants if isinstance(c, str))


ROWS: dict[What, Callable[[], Sequence[Row]]] = {
    What.techniques: _techniques,
    What.backbones: _backbones,
    What.data: _samples,
    What.samples: _samples,
    What.adaptation: _adapters,
    What.validators: _functions("selection.validators", "float"),
    What.scores: _functions("selection", "float"),
    What.checks: _checks,
}
