"""`headstart run` over real public sets: scratch, classical baseline, probe and what headstart ships, side by side.

    python -m benchmarks.suite --seeds 3 --budget 60s --write docs/benchmarks.md

Nothing here is tuned to a set: every cell is `headstart run` with its defaults on n labelled rows drawn at random
(60 % train, 20 % valid, the rest as the run splits them) and 400 untouched test rows that no cell trains on.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from benchmarks._measure import into
from headstart.data.read import read

CELLS = [
    ("reviews", (100, 400, 1600)),
    ("tweets", (100, 400)),
    ("movies", (100, 400)),
    ("newsgroups", (200, 1000)),
    ("spam", (50, 200, 1000)),
    ("emoji", (180, 900)),
    ("fashion", (100, 800)),
    ("heart", (100, 200)),
    ("cancer", (100,)),
    ("diabetes", (200,)),
]
TABLES = ("heart", "cancer", "diabetes")
TEST = 400
ROLES = ("majority", "scratch", "classical", "probe", "shipped")
MARK = "<!-- suite -->"


def cell(name: str, n: int, seed: int, budget: str, folder: Path) -> dict[str, object]:
    """One `headstart run` in a process of its own, with an empty cache; its result.json boiled down."""
    data = read(f"sample:{name}")
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(data))
    test, rest = order[: min(TEST, len(data) // 2)], order[min(TEST, len(data) // 2) :][:n]
    valid = rest[: len(rest) // 4]
    picked = np.concatenate([test, rest])
    split = np.where(np.isin(picked, test), "test", np.where(np.isin(picked, valid), "valid", "train"))
    if data.modality == "table":
        frame = pd.DataFrame([data.rows[i] for i in picked])
    else:
        frame = pd.DataFrame({"input": [str(data.rows[i]) for i in picked]})
    assert data.target is not None
    values = data.target[picked]
    frame["target"] = [data.classes[v] for v in values] if data.target_kind == "label" else values
    frame["split"] = split
    table = folder / f"{name}-{n}-{seed}.csv"
    frame.to_csv(table, index=False)
    out = folder / f"run-{name}-{n}-{seed}"
    line = [
        sys.executable, "-m", "headstart", "run", str(table), "--target", "target", "--split", "split",
        "--budget", budget, "--seed", str(seed), "--out", str(out), "--cache", str(folder / f"cache-{name}-{n}-{seed}"),
    ]  # fmt: skip
    start = time.monotonic()
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"set": name, "n": n, "seed": seed, "error": done.stderr.strip().splitlines()[-1]}
    result = json.loads((out / "result.json").read_text(encoding="utf-8"))
    scores = {}
    for trial in result["trials"]:
        key = "probe" if trial["technique"] == "linear_probe" and trial["role"] == "pretrained" else trial["role"]
        able = key in ROLES and trial["status"] == "done"
        if able and (key not in scores or trial["valid"]["value"] > scores[key][1]):
            scores[key] = (trial["test"]["value"], trial["valid"]["value"])
    return {
        "set": name, "n": n, "seed": seed, "metric": result["test"]["metric"],
        **{k: v[0] for k, v in scores.items()}, "shipped": result["test"]["value"],
        "low": result["test"]["low"], "high": result["test"]["high"], "helped": result["verdict"]["helped"],
        "gain": result["verdict"]["gain"], "technique": result["best"]["technique"],
        "trials": {t["technique"]: t["test"]["value"] for t in _pretrained(result["trials"])},
        "duels": _duels(result["trials"]), "seconds": time.monotonic() - start,
    }  # fmt: skip


def _pretrained(trials: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [t for t in trials if t["status"] == "done" and t["role"] == "pretrained"]


def _duels(trials: list[dict[str, Any]]) -> list[dict[str, object]]:
    """What each dear technique won over the best cheaper one, on the valid rows and, as it turned out, on the test."""
    test = {t["technique"]: t["test"]["value"] for t in trials if t["status"] == "done"}
    return [
        {"technique": t["technique"], **t["duel"], "test": test[t["technique"]] - test[t["duel"]["over"]]}
        for t in trials
        if t["duel"]
    ]


def table(rows: list[dict[str, object]], command: str) -> str:
    """Markdown: a line a cell, medians over seeds with the range in brackets."""
    lines = [
        f"Command: `{command}`", "",
        "| set | n | metric | majority | scratch | classical | probe | headstart | verdicts | ships | seconds |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    keys = list(dict.fromkeys((r["set"], r["n"]) for r in rows))
    for name, n in keys:
        runs = [r for r in rows if (r["set"], r["n"]) == (name, n)]
        good = [r for r in runs if "error" not in r]
        if not good:
            lines.append(f"| {name} | {n} | failed: {runs[0]['error']} |" + " |" * 8)
            continue
        cells = [_spread([float(r[k]) for r in good if k in r]) for k in ROLES]
        said = [{True: "helped", False: "hurt", None: "no evidence"}[r["helped"]] for r in good]
        verdicts = ", ".join(f"{said.count(w)} {w}" for w in dict.fromkeys(said))
        ships = ", ".join(dict.fromkeys(str(r["technique"]) for r in good))
        took = statistics.median(float(r["seconds"]) for r in good)
        lines.append(
            f"| {name} | {n} | {good[0]['metric']} | {' | '.join(cells)} | {verdicts} | {ships} | {took:.0f} |"
        )
    return "\n".join(lines)


def ranks(rows: list[dict[str, Any]]) -> str:
    """What headstart ships against always using one technique: mean ranks over the runs, and points between them.

    A technique that did not finish inside the budget is last in that run; its points are of the runs that it finished.
    A cell is a set and a number of rows: the mean over its seeds.
    """
    good = [r for r in rows if "error" not in r]
    scores = [{**r["trials"], "classical": r["classical"], "headstart": r["shipped"]} for r in good]
    names = [n for n in dict.fromkeys(n for s in scores for n in s) if sum(n in s for s in scores) >= len(scores) / 4]
    table = np.array([[s.get(n, -np.inf) for n in names] for s in scores])
    place = np.array([rankdata(-row) for row in table]).mean(0)
    lines = [
        "| always | mean rank | finished | headstart is ahead by, points | runs below -1 | cells below -1 |",
        "|---|---|---|---|---|---|",
    ]
    cells = [(r["set"], r["n"]) for r in good]
    for k in np.argsort(place):
        done = np.isfinite(table[:, k])
        ahead = 100 * (table[done, names.index("headstart")] - table[done, k])
        means = [
            np.mean([a for a, c in zip(ahead, compress(cells, done), strict=True) if c == cell])
            for cell in dict.fromkeys(compress(cells, done))
        ]
        behind = f"{100 * (ahead < -1).mean():.0f} % | {sum(m < -1 for m in means)} of {len(means)}"
        told = f"{ahead.mean():+.1f} | {behind}" if names[k] != "headstart" else "| | "
        lines.append(f"| {names[k]} | {place[k]:.2f} | {done.sum()} of {len(done)} | {told} |")
    probed = [r for r in good if r["set"] not in TABLES and "linear_probe" in r["trials"]]
    ahead = 100 * np.mean([r["shipped"] - r["trials"]["linear_probe"] for r in probed])
    return "\n".join(
        [*lines, "", f"Of texts and pictures alone headstart is ahead of the linear probe by {ahead:+.1f} points."]
    )


def duels(rows: list[dict[str, Any]]) -> str:
    """What rules for shipping a trained technique over the best cheaper one would have brought on the test rows."""
    found = [d for r in rows for d in r.get("duels", [])]
    lines = ["| ships a trained technique | of so many | points a duel | worst |", "|---|---|---|---|"]
    for name, least in (("always", -np.inf), ("won by 0.84 standard errors", 0.84), ("by 1.5", 1.5), ("never", np.inf)):
        taken = [d["gain"] > least * (d["high"] - d["low"]) / 3.92 for d in found]
        won = [100 * d["test"] if t else 0.0 for d, t in zip(found, taken, strict=True)]
        lines.append(f"| {name} | {sum(taken)} of {len(found)} | {np.mean(won):+.2f} | {min(won):+.1f} |")
    return "\n".join(lines)


def _spread(values: list[float]) -> str:
    if not values:
        return "-"
    return f"{statistics.median(values):.3f} [{min(values):.3f}, {max(values):.3f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--budget", default="60s")
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--keep", type=Path, help="file of finished cells: what is in it is not run again")
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    kept = options.keep.read_text(encoding="utf-8").splitlines() if options.keep and options.keep.exists() else []
    known = {(r["set"], r["n"], r["seed"]): r for r in map(json.loads, kept)}
    cells = [(s, n, k) for k in range(options.seeds) for s, sizes in CELLS for n in sizes]
    cells = [c for c in cells if not options.only or c[0] in options.only]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, n, seed in cells:
            if (found := known.get((name, n, seed))) is None:
                found = cell(name, n, seed, options.budget, Path(folder))
                line = json.dumps(found)
                print(line, flush=True)
                if options.keep:
                    with options.keep.open("a", encoding="utf-8") as file:
                        file.write(line + "\n")
            rows.append(found)
    text = table(rows, f"python -m benchmarks.suite --seeds {options.seeds} --budget {options.budget}")
    text = "\n\n".join([text, ranks(rows), duels([r for r in rows if r.get("metric") != "r2"])])
    print(text)
    if options.write:
        into(options.write, MARK, text)


if __name__ == "__main__":
    main()
