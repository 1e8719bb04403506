"""`headstart audit RUN`: what could be wrong with a model, its data, or other labelled rows it is to be used on."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Severity(StrEnum):
    """From which severity on the command fails."""

    never = "never"
    serious = "serious"
    warning = "warning"
    info = "info"


def audit(  # noqa: PLR0913, PLR0917  (an option each)
    run: Annotated[Path, typer.Argument(help="the folder of a finished run")],
    data: Annotated[
        str | None, typer.Option(help="other labelled rows, as `headstart run` reads them; the run's own by default")
    ] = None,
    attribute: Annotated[
        list[str] | None, typer.Option(help="column to compare groups by, such as sex; may be repeated")
    ] = None,
    check: Annotated[list[str] | None, typer.Option(help="only this check; may be repeated")] = None,
    target: Annotated[str | None, typer.Option(help="column of the labels in --data; the run's by default")] = None,
    out: Annotated[Path | None, typer.Option(help="folder for audit.json and audit.html; the run's by default")] = None,
    cache: Annotated[str | None, typer.Option(help="folder of the activation store")] = None,
    fail_on: Annotated[Severity, typer.Option(help="exit with 1 from which severity on")] = Severity.never,
    json: Annotated[bool, typer.Option("--json", help="print audit.json and nothing else")] = False,
) -> None:
    """Check a model and its data: leaks, wrong labels, unfair gaps, calibration, drift; on its own or on new rows."""
    from headstart._words import counted
    from headstart.audits import audit_run
    from headstart.report.text import audited

    found = audit_run(run, data, attributes=attribute or (), checks=check or (), target=target, cache=cache)
    home = found.save(out or run)
    if json:
        typer.echo((home / "audit.json").read_text(encoding="utf-8"))
    else:
        typer.echo(audited(found.test, found.findings, found.unchecked))
        if skipped := found.data["skipped"]:
            first = ": ".join(skipped[0])
            typer.echo(f"not used, and not counted: {counted(len(skipped))}, the first: {first}\n")
        typer.echo(f"report: {home / 'audit.html'}")
    order = [*Severity]
    if fail_on != Severity.never and any(
        order.index(Severity(f["severity"])) <= order.index(fail_on) for f in found.findings
    ):
        raise typer.Exit(1)
