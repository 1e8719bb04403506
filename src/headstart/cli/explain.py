"""`headstart explain RUN [DATA]`: why rows were answered as they were, as a page and as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def explain(
    run: Annotated[Path, typer.Argument(help="the folder of a finished run")],
    data: Annotated[
        str | None, typer.Argument(help="rows to explain, as `headstart predict` reads them; the run's own mistakes")
    ] = None,
    rows: Annotated[int, typer.Option(min=1, help="explain at most so many")] = 12,
    out: Annotated[Path | None, typer.Option(help="folder for explain.json and explain.html; the run's")] = None,
    cache: Annotated[str | None, typer.Option(help="folder of the activation store")] = None,
    json: Annotated[bool, typer.Option("--json", help="print explain.json and nothing else")] = False,
) -> None:
    """Show why: where in a picture, which words or columns, and the most alike training rows; of mistakes by itself."""
    from headstart.explanations import explain_run
    from headstart.report.text import explained

    found = explain_run(run, data, rows=rows, cache=cache)
    home = found.save(out or run)
    if json:
        typer.echo((home / "explain.json").read_text(encoding="utf-8"))
        return
    typer.echo(explained(found.rows, found.confused, found.notes))
    typer.echo(f"report: {home / 'explain.html'}")
