"""`headstart predict RUN DATA`: labels and calibrated probabilities for new rows, in their order."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def predict(
    run: Annotated[Path, typer.Argument(help="the folder of a run, or of its model")],
    data: Annotated[str, typer.Argument(help="a folder of images, or a CSV/TSV/JSONL/Parquet file")],
    out: Annotated[Path | None, typer.Option(help="file to write, .csv or .jsonl; standard output by default")] = None,
) -> None:
    """Predict new rows with a trained model: a CSV or JSONL with probabilities, in the order of the input."""
    import csv
    import json
    import sys

    from headstart.model import load

    model = load(run)
    as_json = out is not None and out.suffix == ".jsonl"
    temporary = out.with_name(f".{out.name}.writing") if out else None
    file = temporary.open("w", encoding="utf-8", newline="") if temporary else sys.stdout
    writer = csv.writer(file)
    columns = ["row", "prediction", *(f"p:{name}" for name in model.card.classes)]
    if not as_json:
        writer.writerow(columns)
    for block, scores in model.stream(data):
        for name, decision, row in zip(block.names, model.decide(scores), scores, strict=True):  # type: ignore[arg-type]
            said = "|".join(decision) if isinstance(decision, tuple) else decision
            values = [str(name), said, *(f"{p:.6f}" for p in row[: len(model.card.classes)])]
            if as_json:
                file.write(json.dumps(dict(zip(columns, values, strict=True)), ensure_ascii=False) + "\n")
            else:
                writer.writerow(values)
        file.flush()
    if temporary and out:
        file.close()
        temporary.replace(out)
