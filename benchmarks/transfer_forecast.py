"""How often is the forecast, made on a sample before anything is trained, the verdict that is then come to?

    python -m benchmarks.transfer_forecast --keep benchmarks/transfer_forecast.jsonl --write docs/benchmarks.md

A cell is a set, a number of labelled rows, a draw of them (split as in `benchmarks.suite`) and a network. The forecast
and the other signals see training rows alone. The truth is the verdict on up to 400 untouched test rows of a race among
all cheap heads; beside it, where `benchmarks/suite.jsonl` holds it, the verdict of the whole run. In "shuffled" sets
the labels were exchanged at random, so that nothing can help.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import norm, spearmanr

from benchmarks._measure import into
from headstart import backbones
from headstart._entries import CLASSICAL
from headstart.activations.activations import Activations
from headstart.activations.store import ActivationStore
from headstart.audit._forecast import HEADS, OUTCOMES, early, forecast
from headstart.audit._verdict import Arm, verdict
from headstart.data.dataset import Dataset
from headstart.data.read import read
from headstart.selection.contender import Contender, contenders
from headstart.selection.knn_loo import knn_loo
from headstart.selection.leep import leep
from headstart.selection.logme import logme
from headstart.selection.metrics import metric_for
from headstart.selection.nce import nce
from headstart.selection.race import Clock, Field, race
from headstart.selection.ridge_loo import ridge_loo
from headstart.techniques._forgetting import cka
from headstart.techniques._linear import softmax

CELLS = {
    "reviews": (50, 100, 400, 1600), "tweets": (50, 100, 400, 1600), "movies": (100, 400), "newsgroups": (200, 400),
    "spam": (50, 200), "emoji": (90, 180, 900), "emoji-apple": (180, 900), "emoji-facebook": (180, 900),
    "fashion": (100, 800), "digits": (100, 800), "heart": (100, 200), "cancer": (100, 300), "compas": (100, 400),
    "diabetes": (200,), "shuffled reviews": (100, 400), "shuffled emoji": (180, 900),
}  # fmt: skip
NETWORKS = {"image": ("efficientnet_lite0", "mobilenetv2"), "text": ("minilm", "wordllama")}
ALL_HEADS = (*HEADS, "linear_probe", "majority")
TEST, SAMPLE, TWIN = 400, 600, 200
FORECASTS = ("forecast", "forecast, 200 rows", "ridge alone", "untrained twin")
SIGNALS = ("k-NN", "ridge", "LogME", "CKA with the twin")
OLD_CLASSES = ("LEEP", "NCE", "label-map entropy", "surest", "energy")
MARK = "<!-- forecast -->"
SUITE = Path(__file__).with_name("suite.jsonl")
Row = dict[str, Any]


def drawn(name: str, n: int, seed: int) -> Dataset:
    """The rows of one cell, split as `benchmarks.suite` splits them."""
    whole = read(f"sample:{name.removeprefix('shuffled ')}")
    order = np.random.default_rng(seed).permutation(len(whole))
    aside = min(TEST, len(whole) // 2)
    rest = order[aside:][:n]
    split = np.repeat(["test", "valid", "train"], [aside, len(rest) // 4, len(rest) - len(rest) // 4])
    data = whole.take(np.concatenate([order[:aside], rest]))
    assert data.target is not None
    target = np.random.default_rng(seed).permutation(data.target) if name.startswith("shuffled") else data.target
    return replace(data, target=target, split=split, groups=None)


def cell(name: str, n: int, seed: int, network: str, store: ActivationStore) -> Row:
    """Forecasts, signals and truth of one cell."""
    data = drawn(name, n, seed)
    kind, y = str(data.target_kind), data.target
    assert y is not None
    plain, twin = backbones.classical(data.modality), f"scratch:{network}"

    def look(rows: np.ndarray, *names: str) -> dict[str, Activations]:
        some = data.take(rows)
        return {b: store.get(backbones.get(b, data), some, {"pooled"})["pooled"] for b in names}

    def entries(heads: Sequence[str]) -> list[Contender]:
        return contenders(heads, network, plain, kind=kind, floor=CLASSICAL[data.modality])

    train, valid, test = (data.rows_of(s) for s in ("train", "valid", "test"))
    mixed, told = np.random.default_rng(seed).permutation(train), {}
    sizes = (len(train) + len(valid), len(test))
    for word, most, heads in (
        ("forecast", SAMPLE, HEADS),
        (FORECASTS[1], TWIN, HEADS),
        (FORECASTS[2], SAMPLE, ["ridge"]),
    ):
        rows = mixed[:most]
        trials = early(look(rows, network, plain), y[rows], entries((*heads, "majority")), kind, seed=seed)
        told[word] = _short(forecast(trials, y[rows], kind, sizes, seed=seed))
    rows = mixed[:TWIN]
    both = look(rows, network, twin)
    own = [Contender(network, "ridge", "pretrained"), Contender(twin, "ridge", "scratch")]
    told["untrained twin"] = _short(
        forecast(early(both, y[rows], own, kind, seed=seed), y[rows], kind, sizes, seed=seed)
    )
    X = np.asarray(both[network], dtype=np.float64)
    scores = (knn_loo(X, y[rows]), ridge_loo(X, y[rows]), logme(X, y[rows]), cka(X, np.asarray(both[twin])))
    told |= dict(zip(SIGNALS, scores, strict=True)) | _old_classes(both[network], y[rows], kind)
    seen = look(np.arange(len(data)), network, plain)
    metric = metric_for(y[train], kind)
    ground = Field(lambda c, _: seen[c.backbone], y, train, valid, test, metric, seed=seed)
    done = [t for t in race(entries(ALL_HEADS), ground, Clock(np.inf)) if t.valid]
    arms = [Arm(t.contender.role, t.contender.technique, (t.valid or {})["value"], t.scores["test"]) for t in done]
    told["truth"] = _short(verdict(arms, y[test], metric, seed=seed))
    return {"set": name, "n": n, "seed": seed, "network": network, "modality": data.modality, **told}


def _short(said: Row) -> Row:
    return {k: said[k] for k in ("helped", "gain", "low", "high", "chances") if k in said}


def _old_classes(seen: Activations, y: np.ndarray, kind: str) -> Row:
    """What the pre-training's own classifier says: of the classes, and of how familiar the rows are to it."""
    head = seen.source_head()
    if head is None or kind != "label":
        return {}
    with torch.inference_mode():
        logits = head(torch.from_numpy(np.array(seen))).double().numpy()
    said = softmax(logits)
    mean = np.stack([said[y == c].mean(0) for c in np.unique(y)])
    spread = -(mean * np.log(np.maximum(mean, 1e-12))).sum(1).mean() / np.log(said.shape[1])
    energy = np.logaddexp.reduce(logits, axis=1).mean()  # Liu et al., Energy-based out-of-distribution detection, 2020
    scores = (leep(said, y), nce(said, y), float(spread), float(said.max(1).mean()), float(energy))
    return dict(zip(OLD_CLASSES, scores, strict=True))


def learnt(rows: Sequence[Row], signals: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """(gains, chances) that a linear model of some signals tells of each set, learnt from the other sets."""
    X = np.array([[r[s]["gain"] if s in FORECASTS else r[s] for s in signals] for r in rows])
    X = np.c_[np.ones(len(X)), (X - X.mean(0)) / np.maximum(X.std(0), 1e-9)]
    y, family = np.array([r["truth"]["gain"] for r in rows]), np.array([_family(r) for r in rows])
    bar = np.array([1.96 * (r["truth"]["high"] - r["truth"]["low"]) / 3.92 for r in rows])
    gain, chances = np.zeros(len(y)), np.zeros((len(y), 3))
    for name in np.unique(family):
        test = family == name
        coef = np.linalg.lstsq(X[~test], y[~test], rcond=None)[0]
        gain[test], off = X[test] @ coef, float(np.std(y[~test] - X[~test] @ coef))
        chances[test, 0], chances[test, 2] = norm.sf(bar[test], gain[test], off), norm.cdf(-bar[test], gain[test], off)
    chances[:, 1] = 1 - chances[:, 0] - chances[:, 2]
    return gain, chances


def _family(row: Row) -> str:
    """Sets that share rows are one."""
    return str(row["set"]).removesuffix("-apple").removesuffix("-facebook")


def judged(name: str, rows: Sequence[Row], gain: np.ndarray, chances: np.ndarray) -> str:
    """A line: how often the likeliest outcome came, in what logarithm of its chance, and do the gains agree in rank."""
    truth = np.array([OUTCOMES.index(r["truth"]["helped"]) for r in rows])
    hit = chances.argmax(1) == truth
    family = np.unique([_family(r) for r in rows], return_inverse=True)[1]
    draws = np.random.default_rng(0).multinomial(
        family.max() + 1, np.full(family.max() + 1, 1 / (family.max() + 1)), 2000
    )
    low, high = np.percentile(draws[:, family] @ hit / draws[:, family].sum(1), (2.5, 97.5))
    loss = -np.log(np.maximum(chances[np.arange(len(truth)), truth], 1e-3)).mean()
    rho = spearmanr(gain, [r["truth"]["gain"] for r in rows])[0] if np.ptp(gain) > 0 else np.nan
    agreement = "" if np.isnan(rho) else f"{rho:+.2f}"
    return f"| {name} | {len(rows)} | {hit.mean():.0%} [{low:.0%}, {high:.0%}] | {loss:.2f} | {agreement} |"


def tables(rows: Sequence[Row], command: str) -> str:
    """Markdown: every signal against the truth, then what became of the forecast on each set."""
    head = "| told by | cells | right [over sets] | log loss | rank correlation |\n|---|---|---|---|---|"
    lines = [f"Command: `{command}`", "", head]
    lines.append(judged("always the commonest verdict", rows, *_commonest(rows)))
    for name in FORECASTS:
        lines.append(judged(name, rows, *_own(rows, name)))
    classes = [r for r in rows if r["set"] != "diabetes"]
    for name in SIGNALS:
        lines.append(judged(f"{name}, learnt from other sets", classes, *learnt(classes, [name])))
    for names in (["forecast"], ["forecast", "untrained twin", *SIGNALS]):
        words = "all of these" if len(names) > 1 else "forecast"
        lines.append(judged(f"{words}, learnt from other sets", classes, *learnt(classes, names)))
    old = [r for r in rows if "LEEP" in r]
    lines.append(judged("always the commonest, where LEEP can be had", old, *_commonest(old)))
    lines.append(judged("forecast, where LEEP can be had", old, *_own(old, "forecast")))
    for name in OLD_CLASSES:
        lines.append(judged(f"{name}, learnt from other sets", old, *learnt(old, [name])))
    lines.append(judged("forecast and LEEP, learnt from other sets", old, *learnt(old, ["forecast", "LEEP"])))
    full = {
        (r["set"], r["n"], r["seed"]): r for r in map(json.loads, SUITE.read_text().splitlines()) if "error" not in r
    }
    packaged = [r for r in rows if r["network"] in ("minilm", "efficientnet_lite0")]
    whole = [
        {**r, "truth": f} for r in packaged if (f := full.get((r["set"], r["n"], r["seed"]))) and f["gain"] is not None
    ]
    lines.append(judged("whole runs of the suite: always the commonest", whole, *_commonest(whole)))
    lines.append(judged("whole runs of the suite: forecast", whole, *_own(whole, "forecast")))
    lines += [
        "",
        "| set | cells | helped, no evidence, hurt | forecast so | right | true gain | forecast gain |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in dict.fromkeys(r["set"] for r in rows):
        own = [r for r in rows if r["set"] == name]
        said = [[sum(r[k]["helped"] is o for r in own) for o in OUTCOMES] for k in ("truth", "forecast")]
        hits = sum(r["truth"]["helped"] is r["forecast"]["helped"] for r in own)
        gains = [float(np.mean([r[k]["gain"] for r in own])) for k in ("truth", "forecast")]
        counts = (", ".join(map(str, s)) for s in said)
        lines.append(f"| {name} | {len(own)} | {' | '.join(counts)} | {hits} | {gains[0]:+.1f} | {gains[1]:+.1f} |")
    return "\n".join(lines)


def _own(rows: Sequence[Row], name: str) -> tuple[np.ndarray, np.ndarray]:
    return np.array([r[name]["gain"] for r in rows]), np.array([list(r[name]["chances"].values()) for r in rows])


def _commonest(rows: Sequence[Row]) -> tuple[np.ndarray, np.ndarray]:
    """No gain, and the shares that the verdicts have among the rows themselves."""
    truth = [OUTCOMES.index(r["truth"]["helped"]) for r in rows]
    return np.zeros(len(rows)), np.tile(np.bincount(truth, minlength=3) / len(rows), (len(rows), 1))


def cells(seeds: int, known: dict[tuple[Any, ...], Row], keep: Callable[[Row], None]) -> list[Row]:
    """All cells; those that are known are not run again."""
    rows, store = [], ActivationStore()
    for name, sizes in CELLS.items():
        pictures = name.removeprefix("shuffled ").startswith(("emoji", "fashion", "digits"))
        for network in NETWORKS["image" if pictures else "text"]:
            for n, seed in ((n, seed) for n in sizes for seed in range(seeds)):
                if (row := known.get((name, n, seed, network))) is None:
                    row = cell(name, n, seed, network, store)
                    keep(row)
                rows.append(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="file of finished cells: what is in it is not run again")
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    kept = options.keep.read_text(encoding="utf-8").splitlines() if options.keep and options.keep.exists() else []
    known = {(r["set"], r["n"], r["seed"], r["network"]): r for r in map(json.loads, kept)}

    def keep(row: Row) -> None:
        print(json.dumps(row), flush=True)
        if options.keep:
            with options.keep.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")

    command = (
        f"python -m benchmarks.transfer_forecast --seeds {options.seeds} --keep benchmarks/transfer_forecast.jsonl"
    )
    text = tables(cells(options.seeds, known, keep), command)
    print(text)
    if options.write:
        into(options.write, MARK, text)


if __name__ == "__main__":
    main()
