"""`headstart report RUN`: draw the report of a finished run anew."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    run: Annotated[Path, typer.Argument(help="the folder of a finished run")],
    open: Annotated[bool, typer.Option("--open", help="show it in the browser")] = False,
) -> None:
    """Draw report.html of a finished run anew, and print where it is."""
    from headstart.report.page import render

    path = render(run).resolve()
    typer.echo(path)
    if open:
        import webbrowser

        webbrowser.open(path.as_uri())
