"""The file system is the register: `techniques/knn.py` holds one public class, `Knn`, and that is all it takes."""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from headstart.errors import PlanError


def names(floor: str) -> list[str]:
    """Names that can be loaded from a floor ("techniques", "backbones", ...), without importing any of them.

    >>> "knn" in names("techniques")
    True
    """
    spec = find_spec(f"headstart.{floor}")
    if spec is None or not spec.submodule_search_locations:
        raise PlanError(f"no floor {floor!r}", expected="a package of headstart")
    files = (p for folder in spec.submodule_search_locations for p in Path(folder).glob("*.py"))
    own = {p.stem for p in files if not p.stem.startswith("_")}
    return sorted(own | {point.name for point in _joined(floor)})


@cache
def load(floor: str, name: str) -> Any:
    """The one public class (or function) that the file `floor/name.py`, or an entry point of that name, holds."""
    for point in _joined(floor):
        if point.name == name:
            return point.load()
    if name not in names(floor):
        near = get_close_matches(name, names(floor), 1)
        raise PlanError(
            f"no {floor.removesuffix('s')} {name!r}", expected=f"one of {', '.join(names(floor))}",
            do=f"did you mean {near[0]}?" if near else "",
        )  # fmt: skip
    module = importlib.import_module(f"headstart.{floor}.{name}")
    wanted = name.replace("_", "")
    for attribute, value in vars(module).items():
        is_own = (inspect.isclass(value) or inspect.isfunction(value)) and value.__module__ == module.__name__
        if is_own and attribute.replace("_", "").lower() == wanted:
            return value
    raise PlanError(f"headstart/{floor}/{name}.py holds no public {wanted!r}", expected="one class named as the file")


def summary(floor: str, name: str) -> str:
    """First line of the docstring of what `floor/name.py` holds, read without importing it."""
    spec = find_spec(f"headstart.{floor}")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / f"{name}.py"
        if path.exists():
            tree = ast.parse(path.read_text(encoding="utf-8"))
            for node in tree.body:
                if not isinstance(node, ast.ClassDef | ast.FunctionDef):
                    continue
                if node.name.replace("_", "").lower() == name.replace("_", ""):
                    return (ast.get_docstring(node) or "").partition("\n")[0]
    return "(from another package)"


def _joined(floor: str) -> list[EntryPoint]:
    """What other packages bring to a floor."""
    return _points(floor, tuple(sys.path))


@cache
def _points(floor: str, path: tuple[str, ...]) -> list[EntryPoint]:
    """Of all packages on a path: reading their metadata takes a moment, and a run asks a hundred times."""
    return list(entry_points(group=f"headstart.{floor}"))
