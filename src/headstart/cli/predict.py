"""`headstart predict RUN DATA`: labels and calibrated probabilities for new rows, in their order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from headstart.adaptation._online import Online
    from headstart.data.dataset import Dataset
    from headstart.model import Model


def predict(
    run: Annotated[Path, typer.Argument(help="the folder of a run, or of its model")],
    data: Annotated[
        str, typer.Argument(help="a folder of images, a CSV/TSV/JSONL/Parquet file, or - for rows piped in")
    ],
    out: Annotated[Path | None, typer.Option(help="file to write, .csv or .jsonl; standard output by default")] = None,
    sets: Annotated[
        bool, typer.Option("--sets", help="a column more: all classes that are possible, right in 90 % of such rows")
    ] = False,
    adapt: Annotated[
        bool, typer.Option("--adapt", help="follow the rows while answering, within bounds; the model stays as it is")
    ] = False,
) -> None:
    """Predict new rows with a trained model: a CSV or JSONL with probabilities, in the order of the input."""
    import sys

    from headstart import backbones
    from headstart._words import counted
    from headstart.errors import PlanError
    from headstart.model import load

    if out is not None and out.suffix.lower() not in (".csv", ".jsonl"):
        raise PlanError(f"answers cannot be written as {out.name}", expected="--out FILE.csv or FILE.jsonl")
    model = load(run)
    online = model.online() if adapt else None
    rows = model.read(_piped() if data == "-" else data)
    if sets and model.card.qhat is None:
        raise PlanError("this model carries no qhat", expected="a model of classes trained with ten validation rows")
    for words in rows.notes:
        typer.echo(words, err=True)
    told = _in_order(model, rows, online)
    if out is None:
        _write(model, told, sys.stdout, as_json=False, sets=sets)
    else:
        out.parent.mkdir(parents=True, exist_ok=True)
        temporary = out.with_name(f".{out.name}.writing")
        with temporary.open("w", encoding="utf-8", newline="") as file:
            _write(model, told, file, as_json=out.suffix.lower() == ".jsonl", sets=sets)
        temporary.replace(out)
    for words in dict.fromkeys(w for m in (model, *model.beside) for w in backbones.unlike(m.backbone, rows.rows)):
        typer.echo(words, err=True)
    if model.familiar is not None and (words := model.familiar.words()):
        typer.echo(words, err=True)
    if model.by_group is not None:
        known = model.by_group.levels(rows.columns[model.by_group.column]) >= 0
        typer.echo(
            f"thresholds go by {model.by_group.column!r}: {int(known.sum())} rows have one of their group's,"
            f" {int((~known).sum())} of no known group are answered as the model would without",
            err=True,
        )
    if rows.skipped:
        first = ": ".join(rows.skipped[0])
        typer.echo(f"not read, and without a prediction: {counted(len(rows.skipped))}, the first: {first}", err=True)
    if online is not None:
        alone = f"; {model.card.technique} on {model.card.backbone} answered alone" if model.beside else ""
        typer.echo(online.words + alone, err=True)


def _piped() -> IO[bytes]:
    """Standard input; empty where the process has none."""
    import io
    import sys

    return sys.stdin.buffer if sys.stdin else io.BytesIO()


def _write(model: Model, told: Iterator[list[Any]], file: IO[str], *, as_json: bool, sets: bool) -> None:
    import csv
    import json

    columns = ["row", "prediction", *(f"p:{name}" for name in model.card.classes), *(["possible"] if sets else [])]
    writer = csv.writer(file)
    if not as_json:
        writer.writerow(columns)
    for values in told:
        if sets:
            values.append(_possible(model, values[2:]))
        if as_json:
            file.write(json.dumps(dict(zip(columns, values, strict=True)), ensure_ascii=False) + "\n")
        else:
            writer.writerow(values)


def _possible(model: Model, chances: list[Any]) -> str | None:
    """The prediction set of a row, written as several labels are; none for a row that could not be read."""
    if None in chances:
        return None
    enough = 1 - float(model.card.qhat or 0.0)
    return "|".join(name for name, p in zip(model.card.classes, chances, strict=True) if p >= enough)


def _in_order(model: Model, rows: Dataset, online: Online | None) -> Iterator[list[Any]]:
    """Name, prediction and probabilities of each row as the source has them; of a broken one the name alone."""
    nothing = [None] * (1 + len(model.card.classes))
    unplaced = rows.skipped[: len(rows.skipped) - len(rows.gaps)]  # lines that are no rows of the table at all
    broken = dict(zip(rows.gaps, rows.skipped[len(unplaced) :], strict=True))
    place = 0
    for block, scores in model.stream(rows, online):
        assert block.names is not None  # a reader names every row
        for name, decision, row in zip(block.names, model.decide(scores), scores, strict=True):
            while place in broken:
                yield [broken[place][0], *nothing]
                place += 1
            said = "|".join(decision) if isinstance(decision, tuple) else decision
            value = float(said) if isinstance(said, float) else said  # a numpy number is no JSON
            yield [str(name), value, *(round(float(p), 6) for p in row[: len(model.card.classes)])]
            place += 1
    rest = [broken[at] for at in sorted(broken) if at >= place]
    yield from ([name, *nothing] for name, _ in (*rest, *unplaced))
