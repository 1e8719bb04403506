"""report.html: a pure function of a saved result."""

from __future__ import annotations

import html
from pathlib import Path

from headstart.result import Result


def render(run_folder: Path) -> Path:
    """Write report.html."""
    result = Result.load(run_folder)
    path = run_folder / "report.html"
    path.write_text(
        f"<!doctype html><title>headstart</title><h1>{html.escape(str(result.verdict.get('words')))}</h1>",
        encoding="utf-8",
    )
    return path
