"""`headstart run DATA`: from a folder or file to a verdict, a model and a report."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

Many = Annotated[list[str] | None, typer.Option()]


def run(  # noqa: PLR0913, PLR0917  (an option each)
    data: Annotated[
        str | None, typer.Argument(help="a folder of images, a CSV/TSV/JSONL/Parquet file, or sample:NAME")
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="column to predict, as stars or stars:number; found by looking")
    ] = None,
    input: Annotated[list[str] | None, typer.Option(help="column to learn from; may be repeated")] = None,
    group: Annotated[str | None, typer.Option(help="column whose rows must stay together, such as the patient")] = None,
    split: Annotated[str | None, typer.Option(help="column that says train, valid or test")] = None,
    domain: Annotated[str | None, typer.Option(help="column that says of which site or source a row is")] = None,
    attribute: Annotated[list[str] | None, typer.Option(help="column to audit, such as sex; may be repeated")] = None,
    modality: Annotated[str | None, typer.Option(help="image, text or table; found by looking")] = None,
    budget: Annotated[
        str | None, typer.Option(help="wall clock that may be spent: 90s, 10m, 1h; 10m by default")
    ] = None,
    out: Annotated[str | None, typer.Option(help="folder for the result; runs/<name of the data> by default")] = None,
    backbone: Annotated[list[str] | None, typer.Option(help="pre-trained model to consider; may be repeated")] = None,
    technique: Annotated[
        list[str] | None,
        typer.Option(help="technique to consider, as knn or lora:rank=4,loss=focal"),
    ] = None,
    precision: Annotated[str, typer.Option(help="auto, fp32, bf16 or int8: how features are computed")] = "auto",
    cache: Annotated[str | None, typer.Option(help="folder of the activation store")] = None,
    seed: Annotated[int, typer.Option(help="seed of everything that is drawn")] = 0,
    sample: Annotated[str | None, typer.Option(help="run on a public set instead: reviews, emoji, ...")] = None,
    keep_source: Annotated[bool, typer.Option("--keep-source", help="measure what each fine-tuning forgets")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="go on with the run in --out that was stopped")] = False,
    json: Annotated[bool, typer.Option("--json", help="print result.json and nothing else")] = False,
) -> None:
    """Find the model and technique that suit your data; get a verdict, a model and a report."""
    from dataclasses import replace

    from headstart.errors import PlanError
    from headstart.plan import Plan, seconds

    allowed = seconds(budget) if budget else None
    if sample:
        data = f"sample:{sample}"
    if resume and data is None:
        if not out or not (Path(out) / "plan.toml").exists():
            raise PlanError(
                "nothing to resume", expected="--out with the folder of a run", do="headstart run --resume --out runs/x"
            )
        plan = Plan.from_toml(Path(out) / "plan.toml")
        plan = replace(plan, budget=allowed or plan.budget)
    elif data is None:
        raise PlanError("no data given", expected="a folder, a file or --sample NAME", do="headstart run photos/")
    else:
        folder = out or unused(Path("runs") / (Path(data.rpartition(":")[2]).stem or "data"), resume=resume)
        plan = Plan(
            data=data, target=target, inputs=tuple(input or ()), group=group, split=split, domain=domain,
            attributes=tuple(attribute or ()), modality=modality, out=str(folder), budget=allowed or Plan.budget,
            backbones=tuple(backbone or ()), techniques=tuple(technique or ()), precision=precision, seed=seed,
            keep_source=keep_source,
        )  # fmt: skip
    _go(plan, resume=resume, cache=cache, as_json=json)


def _go(plan: Any, *, resume: bool, cache: str | None, as_json: bool) -> None:
    from headstart.cli._terminal import Quiet, Terminal

    listener, start = Quiet() if as_json else Terminal(plan.budget), time.monotonic()
    from headstart.job import run as run_plan  # seconds that one waits for, so they are of the budget
    from headstart.report.text import summary

    result = run_plan(plan, resume=resume, cache=cache, listener=listener, spent=time.monotonic() - start)
    if as_json:
        typer.echo((Path(plan.out) / "result.json").read_text(encoding="utf-8"))
        return
    typer.echo(summary(result))
    typer.echo(f"report: {Path(plan.out) / 'report.html'}")


def unused(folder: Path, *, resume: bool) -> Path:
    """The folder itself, or the first of folder-2, folder-3, ... that holds no run yet; the last one when resuming."""
    taken = [folder] if (folder / "plan.toml").exists() else []
    while taken:
        following = folder.with_name(f"{folder.name}-{len(taken) + 1}")
        if not (following / "plan.toml").exists():
            return taken[-1] if resume else following
        taken.append(following)
    return folder
