"""The tree of the package with one line a file, from the files' own docstrings; run it to rewrite README.md."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "headstart"
BEGIN, END = "<!-- tree: written by `make tree` -->\n```text\n", "```\n<!-- end of tree -->"


def tree() -> str:
    """Package, folders and files as the README shows them."""
    lines = ["src/headstart/"]
    for path in _ordered(PACKAGE):
        depth = len(path.relative_to(PACKAGE).parts)
        name = "  " * depth + path.name + ("/" if path.is_dir() else "")
        lines.append(f"{name:<28} {_words(path)}".rstrip())
    return "\n".join(lines) + "\n"


def _ordered(folder: Path) -> list[Path]:
    files = [p for p in sorted(folder.glob("*.py")) if p.name not in ("__init__.py", "__main__.py")]
    folders = [p for p in sorted(folder.iterdir()) if (p / "__init__.py").exists()]
    return [*files, *(q for p in folders for q in (p, *_ordered(p)))]


def _words(path: Path) -> str:
    source = (path / "__init__.py" if path.is_dir() else path).read_text(encoding="utf-8")
    first = (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]
    if len(first) <= 92:
        return first
    ends = [[m.start() for m in re.finditer(marks, first[:92]) if m.start() >= 20] for marks in (r"[;:]", ",")]
    return first[: max(ends[0] or ends[1] or [92])] + "."


def main() -> None:
    """Put the tree of today between the two marks of the README."""
    readme = ROOT / "README.md"
    head, _, rest = readme.read_text(encoding="utf-8").partition(BEGIN)
    readme.write_text(f"{head}{BEGIN}{tree()}{END}{rest.partition(END)[2]}", encoding="utf-8")


if __name__ == "__main__":
    main()
