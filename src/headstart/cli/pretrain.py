"""`headstart pretrain elmo`: a language model of your own field, from raw text."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Family(StrEnum):
    """What can be pre-trained here."""

    elmo = "elmo"


def pretrain(
    family: Annotated[Family, typer.Argument(help="the family to train")],
    corpus: Annotated[Path, typer.Argument(help="raw text, a sentence or paragraph a line")],
    out: Annotated[Path, typer.Option(help="the folder to write; use it as --backbone local-dir:FOLDER")],
    budget: Annotated[str, typer.Option(help="how long to train, such as 10m")] = "10m",
    seed: Annotated[int, typer.Option(help="of weights and batches")] = 0,
) -> None:
    """Train a small language model on raw text, to be used as any other pre-trained model."""
    from headstart.backbones._pretrain_elmo import pretrain_elmo
    from headstart.errors import DataError
    from headstart.plan import seconds

    if not corpus.is_file():
        raise DataError(f"no file {corpus}", expected="a text file, a sentence or paragraph a line")
    lines = corpus.read_text(encoding="utf-8", errors="replace").splitlines()
    done = pretrain_elmo(lines, out, seconds=seconds(budget), seed=seed, tell=typer.echo)
    typer.echo(
        f"{done['steps']:,} steps, {done['words']:,} words; perplexity {done['perplexity']:.0f} on lines held out;"
        f" use it with --backbone local-dir:{out}"
    )
