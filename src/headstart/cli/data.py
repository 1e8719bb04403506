"""`headstart data list|pull`: public data sets by name."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class Action(StrEnum):
    """What can be done with public data sets."""

    list = "list"
    pull = "pull"


def data(
    action: Annotated[Action, typer.Argument(help="list the public sets, or pull one into the user's cache")],
    name: Annotated[str | None, typer.Argument(help="the set to pull; 'all' for every one")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="with list: print JSON, one object an entry")] = False,
) -> None:
    """List public data sets, or fetch one by name (checked by SHA-256, kept in your cache)."""
    from headstart.data import samples
    from headstart.errors import PlanError

    if action is Action.list:
        from headstart.cli.list import What
        from headstart.cli.list import list as show

        show(What.samples, as_json=as_json)
        return
    if name is None:
        raise PlanError(
            "no set named", expected=f"one of {', '.join(samples.names())}", do="headstart data pull reviews"
        )
    for each in samples.names() if name == "all" else [name]:
        about = samples.describe(each)
        if not about["here"] and about["download_mb"]:
            typer.echo(
                f"{each}: fetching {about['download_mb']} MB, {about['source']}, licence {about['licence']}", err=True
            )
        typer.echo(samples.pull(each))
