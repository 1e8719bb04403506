"""`headstart repair RUN --finding shortcut:scanner`: a head that leans less on it, or a reasoned refusal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def repair(
    run: Annotated[str, typer.Argument(help="folder of a finished run")],
    finding: Annotated[str, typer.Option(help="what to mend, as the report calls it: shortcut:scanner, slices:1")],
    method: Annotated[str | None, typer.Option(help="one way, such as dfr; without it all that apply compete")] = None,
    out: Annotated[str | None, typer.Option(help="folder for the result; RUN-repaired by default")] = None,
    cache: Annotated[str | None, typer.Option(help="folder of the activation store")] = None,
    json: Annotated[bool, typer.Option("--json", help="print result.json and nothing else")] = False,
) -> None:
    """Train the head of a run again against one of its findings; the better one is kept in a new folder."""
    from headstart import repairs
    from headstart.cli._terminal import Quiet, Terminal
    from headstart.report.text import repair as told

    listener = Quiet() if json else Terminal()
    result = repairs.repair(run, finding=finding, method=method, out=out, listener=listener, cache=cache)
    folder = Path(str(result.plan["out"]))
    if json:
        typer.echo((folder / "result.json").read_text(encoding="utf-8"))
        return
    typer.echo(told(result))
    typer.echo(f"report: {folder / 'report.html'}")
