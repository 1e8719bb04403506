"""skada's methods, chosen by skada's own scorers, beside ours and our guard, on the same rows of the same shifts.

    python -m benchmarks.skada_beside --seeds 3 --keep benchmarks/skada.jsonl --write docs/benchmarks.md

The shifts and draws are those of `benchmarks.adaptation`, whose kept cells are ours. skada lives in an environment of
its own (importing it changes scikit-learn's settings for the whole process) and sees no label of the target.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._measure import ROOT, into, peers
from benchmarks._skada import FLOOR
from benchmarks.adaptation import Domain, cell, draw, shifts

HARM = 0.005
MARK = "<!-- skada -->"
Row = dict[str, Any]


def theirs(python: Path, source: Domain, target: Domain, seed: int) -> Row:
    """Accuracy of each of skada's methods on the target, and what each of its scorers says of them."""
    train, held, there = draw(source, target, seed)
    ours = np.concatenate([train, held])
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.npz"
        np.savez(file, source=source[0][ours], y=source[1][ours], target=target[0][there])
        line = [str(python), "-W", "ignore", "-m", "benchmarks._skada", str(file)]
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(line, env=env, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"skada's side failed:\n{done.stderr[-2000:]}")
    said = json.loads(done.stdout.strip().splitlines()[-1])
    right = {m: float((np.array(told) == target[1][there]).mean()) for m, told in said.pop("told").items()}
    return {"right": right, **said}


def favourite(row: Row, scorer: str) -> str:
    """The method that a scorer puts first; the one that it cannot score is never chosen."""
    scores = {m: s[scorer] for m, s in row["scores"].items() if np.isfinite(s[scorer])}
    return max(scores, key=lambda m: scores[m], default=FLOOR)


def line(words: str, floors: np.ndarray, shipped: np.ndarray, best: np.ndarray) -> str:
    """One way to choose: what it reached, gained and harmed, and what it kept of the best in hindsight."""
    gain = shipped - floors
    kept = gain.sum() / max((best - floors).sum(), 1e-9)
    return (
        f"| {words} | {floors.mean():.3f} | {shipped.mean():.3f} | {100 * gain.mean():+.1f} |"
        f" {100 * (gain < -HARM).mean():.0f} % | {100 * gain.min():+.1f} | {100 * kept:.0f} % |"
    )


def table(rows: list[Row], ours: list[Row], command: str) -> str:
    """Ours, then a line for each scorer, then each of skada's methods always used."""

    def column(value: Callable[[Row], float], of: list[Row]) -> np.ndarray:
        return np.array([value(r) for r in of])

    floors, best = column(lambda r: r["floor"], ours), column(lambda r: max(r["floor"], *r["methods"].values()), ours)
    base, top = column(lambda r: r["right"][FLOOR], rows), column(lambda r: max(r["right"].values()), rows)
    pairs = len({(r["task"], r["source"], r["target"]) for r in rows})
    lines = [
        f"Command: `{command}`; {pairs} shifts, {len(rows)} runs", "",
        "| chosen by | doing nothing | shipped | mean gain | harmed | worst | kept of hindsight |",
        "|---|---|---|---|---|---|---|",
        line("headstart's guard", floors, column(lambda r: r["shipped"], ours), best),
        line("headstart's methods in hindsight", floors, best, best),
    ]  # fmt: skip
    for scorer in rows[0]["scores"][FLOOR]:
        chosen = column(lambda r, s=scorer: r["right"][favourite(r, s)], rows)
        lines.append(line(f"skada, {scorer}", base, chosen, top))
    lines += [line("skada's methods in hindsight", base, top, top), ""]
    lines += ["| skada's method, always used | runs | mean gain | harmed |", "|---|---|---|---|"]
    for method in dict.fromkeys(m for r in rows for m in r["right"] if m != FLOOR):
        gain = np.array([r["right"][method] - r["right"][FLOOR] for r in rows if method in r["right"]])
        lines.append(f"| {method} | {len(gain)} | {100 * gain.mean():+.1f} | {100 * (gain < -HARM).mean():.0f} % |")
    return "\n".join(lines)


def _kept(file: Path | None) -> dict[tuple[Any, ...], Row]:
    text = file.read_text(encoding="utf-8") if file and file.exists() else ""
    return {_key(r): r for r in map(json.loads, text.splitlines())}


def _key(row: Row) -> tuple[Any, ...]:
    return row["task"], row["source"], row["target"], row["seed"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="file of skada's finished cells: what is in it is not run again")
    parser.add_argument(
        "--ours", type=Path, default=ROOT / "benchmarks" / "adaptation.jsonl", help="our finished cells"
    )
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    python, known, own = peers(ROOT / ".bench-skada", ("skada",)), _kept(options.keep), _kept(options.ours)
    rows, ours = [], []
    for seed in range(options.seeds):
        for task, source, target, a, b in shifts():
            where = {"task": task, "source": source, "target": target, "seed": seed}
            row = known.get(_key(where)) or {**where, **theirs(python, a, b, seed)}
            rows.append(row)
            ours.append(own.get(_key(where)) or {**where, **cell(a, b, seed)})
            if options.keep and _key(where) not in known:
                with options.keep.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")
                print(*_key(where), row["right"][FLOOR], row["failed"], flush=True)
    text = table(rows, ours, f"python -m benchmarks.skada_beside --seeds {options.seeds}")
    print(text)
    if options.write:
        into(options.write, MARK, text)


if __name__ == "__main__":
    main()
