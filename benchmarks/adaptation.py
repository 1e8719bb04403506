"""Adaptation on real domain pairs: what doing nothing, every method, the guard and the best in hindsight reach.

    python -m benchmarks.adaptation --seeds 3 --keep benchmarks/adaptation.jsonl --write docs/benchmarks.md

A shift is an ordered pair of domains of one task. Labels of the target are used for the score alone. There are at most
600 source rows and 600 other target rows, drawn anew for each seed; a quarter of the source rows is held out.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from benchmarks._measure import into
from headstart import _discover, backbones
from headstart._methods import CONSENSUS, FLOOR, candidates, guess
from headstart.activations.store import ActivationStore
from headstart.audit._shift import shift
from headstart.data import samples
from headstart.data.read import read_rows
from headstart.selection.guard import GRAINS, guard, heard

ROWS, HELD = 600, 0.25
ZS = (1.5, 2.0, 2.5, 3.0)  # standard errors by which a rule could have asked for better
MARK, FRESH = "<!-- adaptation -->", "<!-- fresh -->"
PAIRS = (("comp", "rec"), ("comp", "sci"), ("comp", "talk"), ("rec", "sci"), ("rec", "talk"), ("sci", "talk"))
Domain = tuple[np.ndarray, np.ndarray, np.ndarray]  # features, codes, keys: rows of one key never stand on both sides
TOPICS = {
    "comp": ["comp.graphics", "comp.windows.x", "comp.sys.mac.hardware", "comp.sys.ibm.pc.hardware"],
    "rec": ["rec.autos", "rec.sport.hockey", "rec.motorcycles", "rec.sport.baseball"],
    "sci": ["sci.crypt", "sci.med", "sci.electronics", "sci.space"],
    "talk": ["talk.politics.guns", "talk.religion.misc", "talk.politics.mideast", "talk.politics.misc"],
}


def features(backbone: str, rows: Any, modality: str) -> np.ndarray:
    data = read_rows(rows, modality=modality, inputs=())
    return np.asarray(ActivationStore().get(backbones.get(backbone), data, {"pooled"})["pooled"], dtype=np.float64)


def groups() -> Iterator[tuple[str, dict[str, Domain]]]:
    """Tasks with their domains."""
    for backbone in ("minilm", "wordllama"):
        found = {}
        for name in ("reviews", "tweets", "movies"):
            frame = pd.read_csv(samples.pull(name)).sample(1400, random_state=0)
            found[name] = keyed(features(backbone, frame.iloc[:, 0].astype(str).tolist(), "text"), frame.iloc[:, 1])
        yield f"sentiment ({backbone})", found
    for backbone in ("efficientnet_lite0", "mobilenetv2"):
        found = {}
        for name in ("emoji", "emoji-apple", "emoji-facebook"):
            files = sorted(samples.pull(name).glob("*/*.png"))
            values = features(backbone, [str(f) for f in files], "image")
            codes, keys = ([f.parent.name for f in files], [f.stem for f in files])
            found[name.partition("-")[2] or "google"] = keyed(values, codes, keys)
        yield f"emoji ({backbone})", found
    heart = pd.read_csv(samples.pull("heart"))
    yield "heart disease", tabular(heart, "label", "site")
    compas = pd.read_csv(samples.pull("compas"))
    common = compas[compas["race"].isin(["African-American", "Caucasian", "Hispanic"])]
    yield "rearrest", tabular(common, "label", "race")
    yield "digits", _digits()
    posts = pd.read_csv(samples.pull("newsgroups"))
    for a, b in PAIRS:
        found = {}
        for half, parts in (("first", slice(0, 2)), ("second", slice(2, 4))):
            kept = posts[posts["label"].isin(TOPICS[a][parts] + TOPICS[b][parts])].sample(900, random_state=0)
            top = kept["label"].str.partition(".")[0]
            found[half] = keyed(features("minilm", kept["text"].astype(str).tolist(), "text"), top)
        yield f"{a} or {b}", found


def keyed(values: np.ndarray, labels: Any, keys: Any = None) -> Domain:
    codes = np.unique(np.asarray(labels).astype(str), return_inverse=True)[1]
    return values, codes, np.arange(len(codes)).astype(str) if keys is None else np.asarray(keys)


def tabular(frame: pd.DataFrame, label: str, domain: str) -> dict[str, Domain]:
    """Numbers standardised over all rows, words as columns of 0 and 1, gaps as the mean."""
    inputs = pd.get_dummies(frame.drop(columns=[label, domain]), dtype=float)
    inputs = inputs.loc[:, inputs.notna().any()].fillna(inputs.mean())
    inputs = (inputs - inputs.mean()) / (inputs.std() + 1e-9)
    found = {}
    for name in frame[domain].unique():
        own = (frame[domain] == name).to_numpy()
        keys = np.char.add(f"{name} ", np.flatnonzero(own).astype(str))
        found[str(name)] = (inputs[own].to_numpy(), np.unique(frame[label], return_inverse=True)[1][own], keys)
    return found


def _digits() -> dict[str, Domain]:
    from PIL import Image
    from sklearn.datasets import load_digits

    files = np.random.default_rng(0).permutation(sorted(samples.pull("digits").glob("**/*.png")))[:1500]
    small = [np.asarray(Image.open(f).convert("L").resize((8, 8), Image.Resampling.BOX)).ravel() / 16 for f in files]
    optical = load_digits()
    return {
        "MNIST": keyed(np.array(small, dtype=np.float64), [f.parent.name for f in files]),
        "Optdigits": keyed(optical.data.astype(np.float64), optical.target),
    }


def shifts(
    tasks: Iterable[tuple[str, dict[str, Domain]]] | None = None,
) -> Iterator[tuple[str, str, str, Domain, Domain]]:
    """Every ordered pair of domains of every task."""
    for task, domains in tasks or groups():
        for source in domains:
            for target in domains:
                if source != target:
                    yield task, source, target, domains[source], domains[target]


def draw(source: Domain, target: Domain, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Source rows to train on, held-out source rows, target rows: indices that share no key."""
    rng = np.random.default_rng(seed)
    keys = rng.permutation(np.unique(np.concatenate([source[2], target[2]])))
    mine = (
        np.isin(source[2], keys[: len(keys) // 2]) if set(source[2]) & set(target[2]) else np.ones(len(source[2]), bool)
    )
    here = rng.permutation(np.flatnonzero(mine))[:ROWS]
    there = rng.permutation(np.flatnonzero(~np.isin(target[2], source[2][here])))[:ROWS]
    held, train = np.split(here, [int(HELD * len(here))])
    return train, held, there


def cell(source: Domain, target: Domain, seed: int) -> dict[str, Any]:
    """One shift with one draw: what every method reaches on the target, and what was decided without its labels."""
    train, held, there = draw(source, target, seed)
    X, y, Z = source[0], source[1], target[0][there]
    start = time.process_time()
    menu = candidates(X[train], y[train], X[held], y[held], Z, seed=seed)
    fitted = time.process_time() - start
    floor = menu.pop(FLOOR)
    seen = shift(X[train], Z, floor.outlook.told, y[train], seed=seed)
    decision = guard(floor.outlook, {n: c.outlook for n, c in menu.items()})
    seconds = time.process_time() - start

    def right(c: Any) -> float:
        return float((c.outlook.told.argmax(1) == target[1][there]).mean())

    shipped = menu[decision.method] if decision.method and seen.is_shift else floor
    told = guess(shipped, floor, menu | {FLOOR: floor}, seed)
    return {
        "floor": right(floor), "methods": {n: right(c) for n, c in menu.items()}, "is_shift": seen.is_shift,
        "method": shipped.name, "shipped": right(shipped), "rows": len(there),
        "estimate": [told[k] for k in ("estimate", "low", "high")],
        "heard": heard(floor.outlook),
        "votes": [
            [v.method, v.validator, *(float(f"{x:.5g}") for x in (v.floor, v.value, v.noise)), v.says]
            for v in decision.votes
        ],
        "seconds": seconds, "fitted": fitted,
    }  # fmt: skip


def table(rows: list[dict[str, Any]], command: str) -> str:
    """A line a task and the goals below."""
    lines = [
        f"Command: `{command}`", "",
        "| task | shifts | nothing | guard | best in hindsight | adapted | harmed | guess within 5 | off | inside |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for task in [*dict.fromkeys(r["task"] for r in rows), "all"]:
        own = [r for r in rows if task in ("all", r["task"])]
        pairs = {(r["source"], r["target"], r["task"]) for r in own}
        mean = {k: np.mean([v(r) for r in own]) for k, v in WORTH.items()}
        lines.append(
            f"| {task} | {len(pairs)} x {len(own) // len(pairs)} | {mean['floor']:.3f} | {mean['shipped']:.3f} |"
            f" {mean['oracle']:.3f} | {100 * mean['adapted']:.0f} % | {100 * mean['harmed']:.0f} % |"
            f" {100 * mean['near']:.0f} % | {100 * mean['off']:.0f} | {100 * mean['inside']:.0f} % |"
        )
    gains = {m: np.array([r["methods"][m] - r["floor"] for r in rows if m in r["methods"]]) for m in _methods(rows)}
    lines += ["", "| method, always used | mean gain | harmed by more than half a point |", "|---|---|---|"]
    for m, g in sorted(gains.items(), key=lambda p: -p[1].mean()):
        lines.append(f"| {m} | {100 * g.mean():+.1f} | {100 * (g < -0.005).mean():.0f} % |")
    return "\n".join(lines)


def opinions(rows: list[dict[str, Any]]) -> str:
    """How each validator's liking goes with the true gain, and what other numbers of votes would have brought."""
    votes = [(v[1], (v[3] - v[2]) / max(v[4], 1e-9), r["methods"][v[0]] - r["floor"]) for r in rows for v in r["votes"]]
    lines = ["| validator | rank correlation with the true gain |", "|---|---|"]
    for name in dict.fromkeys(v[0] for v in votes):
        liking, gain = zip(*[v[1:] for v in votes if v[0] == name], strict=True)
        lines.append(f"| {name} | {spearmanr(liking, gain)[0]:+.2f} |")
    lines += ["", "| what would have shipped | gain | adapted | harmed | kept of hindsight |", "|---|---|---|---|---|"]
    hindsight = sum(WORTH["oracle"](r) - r["floor"] for r in rows)
    rules = [("what the guard ships", lambda r: r["shipped"] - r["floor"])]
    rules += [(f"any method with {n} votes more for it, none against", partial(_voted, least=n)) for n in (3, 4, 5)]
    for kind, only in (("a mapping", True), ("any method", False)):
        rules += [(f"{kind} that follows the clusters by {z} errors", partial(_follows, z=z, only=only)) for z in ZS]
    for words, rule in rules:
        won = np.array([rule(r) for r in rows])
        lines.append(
            f"| {words} | {100 * won.mean():+.1f} | {100 * (won != 0).mean():.0f} % |"
            f" {100 * (won < -0.005).mean():.0f} % | {100 * won.sum() / hindsight:.0f} % |"
        )
    return "\n".join(lines)


def _voted(row: dict[str, Any], least: int) -> float:
    """The true gain of what a rule ships: so many more votes for it than against, and none against."""
    says: dict[str, list[int]] = {}
    for vote in row["votes"]:
        if vote[1] not in GRAINS:
            says.setdefault(vote[0], []).append(vote[5])
    able = {m: sum(s) for m, s in says.items() if sum(s) >= least and min(s) >= 0}
    return _gain(row, able)


def _follows(row: dict[str, Any], z: float, *, only: bool) -> float:
    """The true gain of what follows the target's clusters better at both grains by so many standard errors."""
    able: dict[str, float] = {}
    for m in row["methods"]:
        own = [v for v in row["votes"] if v[0] == m and v[1] in GRAINS]
        maps = m != CONSENSUS and _discover.load("adaptation", m).maps
        if (maps or not only) and all(v[3] - v[2] > z * v[4] for v in own):
            able[m] = own[-1][3]
    return _gain(row, able)


def _gain(row: dict[str, Any], able: dict[str, float]) -> float:
    return float(row["methods"][max(able, key=lambda m: able[m])] - row["floor"]) if able else 0.0


def _methods(rows: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(m for r in rows for m in r["methods"]))


WORTH = {
    "floor": lambda r: r["floor"],
    "shipped": lambda r: r["shipped"],
    "oracle": lambda r: max(r["floor"], *r["methods"].values()),
    "adapted": lambda r: r["method"] != FLOOR,
    "harmed": lambda r: r["shipped"] < r["floor"] - 0.005,
    "off": lambda r: abs(r["estimate"][0] - r["shipped"]),
    "near": lambda r: abs(r["estimate"][0] - r["shipped"]) <= 0.05,
    "inside": lambda r: r["estimate"][1] <= r["shipped"] <= r["estimate"][2],
}


def main() -> None:
    from benchmarks._fresh import groups as fresh

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=[], help="tasks that begin so")
    parser.add_argument("--fresh", action="store_true", help="the shifts on which nothing was chosen")
    parser.add_argument("--keep", type=Path, help="file of finished cells: what is in it is not run again")
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    kept = options.keep.read_text(encoding="utf-8").splitlines() if options.keep and options.keep.exists() else []
    rows = [json.loads(line) for line in kept]
    known = {(r["task"], r["source"], r["target"], r["seed"]) for r in rows}
    for task, source, target, a, b in shifts(fresh() if options.fresh else None):
        for seed in range(options.seeds):
            if (task, source, target, seed) in known or (options.only and not task.startswith(tuple(options.only))):
                continue
            row = {"task": task, "source": source, "target": target, "seed": seed, **cell(a, b, seed)}
            rows.append(row)
            print(
                task,
                source,
                target,
                seed,
                row["floor"],
                row["method"],
                row["shipped"],
                f"{row['seconds']:.0f} s",
                flush=True,
            )
            if options.keep:
                with options.keep.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")
    flags = f"--seeds {options.seeds}{' --fresh' if options.fresh else ''}"
    text = f"{table(rows, f'python -m benchmarks.adaptation {flags}')}\n\n{opinions(rows)}"
    print(text)
    if options.write:
        into(options.write, FRESH if options.fresh else MARK, text)


if __name__ == "__main__":
    main()
