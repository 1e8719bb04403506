"""`headstart cache`: what the activation store holds, and how to empty it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer


def cache(
    action: Annotated[str, typer.Argument(help="show or clear")] = "show",
    backbone: Annotated[str | None, typer.Option(help="only what this backbone left")] = None,
    folder: Annotated[Path | None, typer.Option("--cache", help="folder of the store")] = None,
) -> None:
    """Show what the activation store holds, or clear it; clearing costs nothing but time."""
    from headstart.activations.store import ActivationStore
    from headstart.errors import PlanError

    store = ActivationStore(folder)
    known = sorted({e["backbone"] for e in store.entries()})
    if backbone is not None and backbone not in known:
        raise PlanError(
            f"nothing of a backbone {backbone!r} in {store.folder}", expected=", ".join(known) or "nothing: it is empty"
        )
    if action == "clear":
        typer.echo(f"freed {store.clear(backbone) / 1e6:,.1f} MB")
        return
    if action != "show":
        raise PlanError(f"no action {action!r}", expected="show or clear", do="headstart cache show")
    entries = [e for e in store.entries() if backbone in (None, e["backbone"])]
    typer.echo(f"{store.folder}: {sum(e['bytes'] for e in entries) / 1e6:,.1f} MB")
    for e in sorted(entries, key=lambda e: -e["bytes"]):
        used = time.strftime("%Y-%m-%d %H:%M", time.localtime(e["used"]))
        size = f"{e['rows']:>8,} rows {e['bytes'] / 1e6:>10,.1f} MB"
        typer.echo(f"  {e['backbone']:24} {e['cut']:12} {e['route']:6} {size}  {used}")
