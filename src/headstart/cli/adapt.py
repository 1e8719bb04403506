"""`headstart adapt --source A --target B`: from a labelled domain to an unlabelled one, or a reasoned refusal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def adapt(  # noqa: PLR0913, PLR0917  (an option each)
    run: Annotated[
        str | None,
        typer.Argument(help="a finished run, or its model's folder, in place of --source: no source row is read"),
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="labelled rows: a folder of images or a CSV/TSV/JSONL/Parquet file")
    ] = None,
    target: Annotated[str, typer.Option(help="unlabelled rows of the other domain, in the same form")] = "",
    label: Annotated[str | None, typer.Option(help="column of the source to predict; found by looking")] = None,
    input: Annotated[list[str] | None, typer.Option(help="column to learn from; may be repeated")] = None,
    group: Annotated[str | None, typer.Option(help="column whose rows must stay together, such as the patient")] = None,
    domain: Annotated[str | None, typer.Option(help="column of the source's sites; it is not learnt from")] = None,
    modality: Annotated[str | None, typer.Option(help="image, text or table; found by looking")] = None,
    out: Annotated[str | None, typer.Option(help="folder for the result; runs/<source>-to-<target> by default")] = None,
    backbone: Annotated[list[str] | None, typer.Option(help="pre-trained model to consider; may be repeated")] = None,
    technique: Annotated[
        list[str] | None, typer.Option(help="deep method to try beside the others, such as mcc or dann; repeatable")
    ] = None,
    precision: Annotated[str, typer.Option(help="auto, fp32, bf16 or int8: how features are computed")] = "auto",
    cache: Annotated[str | None, typer.Option(help="folder of the activation store")] = None,
    seed: Annotated[int, typer.Option(help="seed of everything that is drawn")] = 0,
    score_target: Annotated[
        bool, typer.Option("--score-target", help="after deciding, read the target's labels and say how right it was")
    ] = False,
    target_labels: Annotated[
        int, typer.Option(help="so many labels of the target may be asked for, to decide by a sequential test")
    ] = 0,
    json: Annotated[bool, typer.Option("--json", help="print result.json and nothing else")] = False,
) -> None:
    """Adapt what labelled rows teach to unlabelled rows of another domain, or decline to."""
    from headstart.cli._terminal import Quiet, Terminal
    from headstart.cli.run import unused
    from headstart.domains import adapt as adapt_plan
    from headstart.errors import PlanError
    from headstart.plan import AdaptationPlan
    from headstart.report.text import adaptation

    if bool(run) == bool(source) or not target:
        raise PlanError(
            "adapt needs one of a run and --source, and --target", expected="headstart adapt runs/scans --target new/",
            do="or, with source rows, headstart adapt --source a/ --target b/",
        )  # fmt: skip
    begun = ("model/model.json", "model.json", "plan.toml")  # of a run that was stopped the loader says so
    if run and not any((Path(run) / name).exists() for name in begun):
        raise PlanError(
            f"{run} holds no model", expected="the folder of a finished run",
            do=f"if it holds labelled rows: headstart adapt --source {run} --target {target}",
        )  # fmt: skip
    known = str(run or source)
    stems = "-to-".join(Path(d.rpartition(":")[2]).stem for d in (known, target))
    plan = AdaptationPlan(
        data=known, source_free=bool(run), target_labels=target_labels, adapt_to=target, target=label,
        inputs=tuple(input or ()), group=group, domain=domain, modality=modality,
        out=out or str(unused(Path("runs") / stems, resume=False)), backbones=tuple(backbone or ()),
        techniques=tuple(technique or ()), precision=precision, seed=seed,
    )  # fmt: skip
    listener = Quiet() if json else Terminal()
    result = adapt_plan(plan, score_target=score_target, listener=listener, cache=cache)
    if json:
        typer.echo((Path(plan.out) / "result.json").read_text(encoding="utf-8"))
        return
    typer.echo(adaptation(result))
    typer.echo(f"report: {Path(plan.out) / 'report.html'}")
