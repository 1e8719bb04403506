"""All techniques over real public sets with few labels a class: mean ranks with a critical difference.

    python benchmarks/fewshot.py run --per-class 8 16 64 --seeds 5
    python benchmarks/fewshot.py run --sets tweets --techniques full lora:rank=4 --seconds 30
    python benchmarks/fewshot.py show --write docs/fewshot.md --plot docs/fewshot.svg

`run` appends a JSON line a cell to `--out` and skips the cells that are there: stop it, and start it again. A cell is a
set, so many labels a class, a seed and a technique: balanced accuracy on up to 300 rows that no cell trains on. Every
technique has its defaults, and `--seconds` at most where given; features are computed once, in the activation store.
`show` ranks techniques in each (set, labels a class), seeds averaged, over those that all of them have; two whose mean
ranks are nearer than the critical difference cannot be told apart (Friedman and Nemenyi tests; Demsar, JMLR 2006).
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import friedmanchisquare, rankdata, studentized_range
from sklearn.metrics import balanced_accuracy_score
from threadpoolctl import threadpool_limits

from headstart import _discover, backbones
from headstart._threads import threads
from headstart.activations.store import ActivationStore
from headstart.data.read import read
from headstart.errors import HeadstartError
from headstart.selection.contender import make

TEXTS, PICTURES = ("tweets", "movies", "reviews", "newsgroups", "spam"), ("emoji", "fashion")
SETS = (*TEXTS, *PICTURES)
BACKBONE = {"text": "minilm", "image": "efficientnet_lite0"}
CLASSICAL = {"text": "tfidf", "image": "linear_probe"}  # on the classical features of backbones.classical
TEST = 300
Rows = list[dict[str, Any]]


def draw(y: np.ndarray, per_class: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Training rows, so many a class, and the test rows, which are the same for all seeds."""
    order = np.random.default_rng(0).permutation(len(y))
    held = min(TEST, len(y) // 3)
    test, rest = order[:held], np.random.default_rng(seed).permutation(order[held:])
    return np.concatenate([rest[y[rest] == c][:per_class] for c in np.unique(y)]), test


def run(options: argparse.Namespace) -> None:
    """Cells in the order: labels a class, sets, seeds."""
    done = {_key(row) for row in _read(options.out)}
    store = ActivationStore(options.cache)
    for per_class in options.per_class:
        for name in options.sets:
            data = read(f"sample:{name}")
            y = data.target
            for seed in range(options.first_seed, options.first_seed + options.seeds):
                train, test = draw(y, per_class, seed)
                for technique in (*options.techniques, "classical"):
                    cell = {"set": name, "per_class": per_class, "seed": seed, "technique": technique}
                    if _key(cell) in done or (technique == "classical" and options.no_classical):
                        continue
                    cell |= one(technique, data, (train, test), store, options.seconds, seed)
                    with options.out.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(cell) + "\n")
                    print(json.dumps(cell), flush=True)


def one(
    technique: str, data: Any, rows: tuple[np.ndarray, np.ndarray], store: ActivationStore, limit: float, seed: int
) -> dict[str, Any]:
    """What one technique reaches on one draw, or why it cannot."""
    classical = technique == "classical"
    train, test = (data.take(part) for part in rows)
    backbone = backbones.get(backbones.classical(data.modality) if classical else BACKBONE[data.modality], train)
    made = make(CLASSICAL[data.modality] if classical else technique)
    known = made.get_params()
    made.set_params(**{k: v for k, v in (("seed", seed), ("seconds", limit or None)) if k in known})
    try:
        cut = made.where(backbone.cuts)
        if backbone.kind(cut) not in made.accepts:
            return {"why": f"reads {sorted(made.accepts)}, not {backbone.kind(cut)}"}
        known_rows, test_rows = (store.get(backbone, part, {cut})[cut] for part in (train, test))
        start = time.monotonic()
        made.fit(known_rows, train.target)
        fitted = time.monotonic() - start
        said = made.predict(test_rows)
    except HeadstartError as error:
        return {"why": str(error)}
    spent = getattr(made, "done_", {})
    return {
        "value": round(float(balanced_accuracy_score(test.target, said)), 4), "fit_seconds": round(fitted, 2),
        "steps": spent.get("steps"), "limit": (limit or None) if "seconds" in known else None,
    }  # fmt: skip


def ranks(rows: Rows, techniques: list[str]) -> tuple[list[tuple[str, int]], np.ndarray, np.ndarray]:
    """Cells that every technique has, their values (cells, techniques) averaged over seeds, and their ranks."""
    values: dict[tuple[str, int, int], dict[str, float]] = defaultdict(dict)
    for row in rows:
        if "value" in row:
            values[row["set"], row["per_class"], row["seed"]][row["technique"]] = row["value"]
    means: dict[tuple[str, int], list[list[float]]] = defaultdict(list)
    for (name, per_class, _), told in values.items():
        if all(t in told for t in techniques):
            means[name, per_class].append([told[t] for t in techniques])
    cells = sorted(means, key=lambda c: (c[1], SETS.index(c[0])))
    table = np.array([np.mean(means[c], axis=0) for c in cells]).reshape(len(cells), len(techniques))
    return cells, table, np.array([rankdata(-row) for row in table]).reshape(table.shape)


def critical_difference(techniques: int, cells: int, level: float = 0.05) -> float:
    """Nemenyi: mean ranks nearer than this cannot be told apart."""
    q = float(studentized_range.ppf(1 - level, techniques, np.inf)) / np.sqrt(2)
    return float(q * np.sqrt(techniques * (techniques + 1) / (6 * cells)))


def show(options: argparse.Namespace) -> None:
    """Tables for cheap techniques over all their cells, and for all techniques over what all have; and the plot."""
    rows = _read(options.out)
    told = sorted({row["technique"] for row in rows if "value" in row})
    text = [f"Command: `python benchmarks/fewshot.py show` over {len(rows)} cells.", ""]
    cheap = [t for t in told if t == "classical" or make(t).cost < 3]
    groups = (
        ("Heads on frozen features", cheap, SETS), ("All techniques, texts", told, TEXTS),
        ("All techniques, pictures", told, PICTURES),
    )  # fmt: skip
    for title, able, sets in groups:
        some = [r for r in rows if r["set"] in sets]
        names = [t for t in able if _everywhere(some, t, able, options.least)]
        text += _table(title, some, names)
        if sets == TEXTS and options.plot and len(names) > 2:
            cells, _, placed = ranks(some, names)
            plot(names, placed.mean(0), critical_difference(len(names), len(cells)), len(cells), options.plot)
    print("\n".join(text))
    if options.write:
        picture = f"![mean ranks with the critical difference]({options.plot.name})" if options.plot else ""
        options.write.write_text("# Few labels a class\n\n" + "\n".join([*text, picture]) + "\n", encoding="utf-8")


def _everywhere(rows: Rows, technique: str, among: list[str], least: int) -> bool:
    """Whether a technique has a value in so many cells, or (0) in at least as many as half of the others."""
    count = {t: len({(r["set"], r["per_class"]) for r in rows if r["technique"] == t and "value" in r}) for t in among}
    return count[technique] > 0 and count[technique] >= (least or np.median([c for c in count.values() if c] or [0]))


def _table(title: str, rows: Rows, names: list[str]) -> list[str]:
    cells, table, placed = ranks(rows, names)
    if len(cells) < 2 or len(names) < 3:
        return []
    p = friedmanchisquare(*table.T).pvalue
    lines = [
        f"## {title}", "",
        f"{len(cells)} cells, {len(names)} techniques; Friedman p = {p:.2g}; critical difference of mean ranks"
        f" {critical_difference(len(names), len(cells)):.2f}. Balanced accuracy, seeds averaged.", "",
    ]  # fmt: skip
    sizes = sorted({c[1] for c in cells})
    lines.append("| technique | mean rank | " + " | ".join(f"{n} a class" for n in sizes) + " | seconds |")
    lines.append("|---" * (len(sizes) + 3) + "|")
    for i in np.argsort(placed.mean(0), kind="stable"):
        by_size = [np.mean([table[k, i] for k, c in enumerate(cells) if c[1] == n]) for n in sizes]
        took = np.median([r["fit_seconds"] for r in rows if r["technique"] == names[i] and "value" in r])
        means = " | ".join(f"{v:.3f}" for v in by_size)
        lines.append(f"| {names[i]} | {placed[:, i].mean():.2f} | {means} | {took:.1f} |")
    return [*lines, ""]


def plot(names: list[str], mean: np.ndarray, difference: float, cells: int, path: Path) -> None:
    """Mean ranks on a line, and bars over those that cannot be told apart."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "headstart"
    from matplotlib import pyplot as plt

    order = np.argsort(mean)
    figure, axes = plt.subplots(figsize=(8, 1.2 + 0.24 * len(names)))
    for height, i in enumerate(order):
        axes.plot([mean[i], mean[i] + difference], [-height, -height], color="#bbb", linewidth=4, solid_capstyle="butt")
        axes.plot(mean[i], -height, "o", color="#00796b")
        axes.text(0.4, -height, names[i], ha="right", va="center", fontsize=9)
    axes.axvline(mean[order[0]] + difference, color="#c62828", linewidth=1, linestyle=":")
    axes.set(xlim=(0.5, max(len(names), mean.max() + difference) + 0.5), yticks=[], xlabel="mean rank (1 is best)")
    axes.set_title(f"{cells} cells; left of the dotted line: not told apart from the best", fontsize=10)
    for side in ("left", "right", "top"):
        axes.spines[side].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def _key(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["set"], row["per_class"], row["seed"], row["technique"]


def _read(path: Path) -> Rows:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "show"))
    parser.add_argument("--sets", nargs="+", default=list(SETS))
    parser.add_argument("--per-class", nargs="+", type=int, default=[8, 16, 64])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--techniques", nargs="+", default=[n for n in _discover.names("techniques") if n != "tfidf"])
    parser.add_argument("--no-classical", action="store_true")
    parser.add_argument("--seconds", type=float, default=0.0, help="at most, for each training; 0: as long as it takes")
    parser.add_argument("--least", type=int, default=0, help="show: cells that a technique must have; 0: the median")
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".jsonl"))
    parser.add_argument("--write", type=Path)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with threadpool_limits(threads()):
        run(options) if options.what == "run" else show(options)


if __name__ == "__main__":
    main()
