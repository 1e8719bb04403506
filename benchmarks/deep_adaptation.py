"""Techniques that learn beside target rows, on real shifts: what each reaches, and the best shallow one in hindsight.

    python -m benchmarks.deep_adaptation --seeds 1 --write docs/benchmarks.md

Labels of the target are used for the score alone, so that "best" is what no one could have chosen. Rows and halves are
drawn as in benchmarks.adaptation: at most 600 of either domain, a quarter of the source held out.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks._measure import into
from benchmarks.adaptation import HELD, ROWS
from headstart import _discover, backbones
from headstart._methods import FLOOR, candidates
from headstart.activations.store import ActivationStore
from headstart.data import samples
from headstart.data.read import read_rows
from headstart.errors import NotApplicable
from headstart.selection.contender import make

MARK = "<!-- deep adaptation -->"
PAIRS = [
    ("movies", "tweets", "minilm"), ("tweets", "movies", "minilm"), ("reviews", "movies", "minilm"),
    ("emoji", "emoji-apple", "efficientnet_lite0"), ("emoji-facebook", "emoji", "efficientnet_lite0"),
]  # fmt: skip


def names() -> list[str]:
    """Techniques that need a target."""
    return [n for n in _discover.names("techniques") if _discover.load("techniques", n).needs_target]


def domain(name: str) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Rows, labels, and keys: rows of one key never stand on both sides."""
    if name.startswith("emoji"):
        files = sorted(samples.pull(name).glob("*/*.png"))
        return [str(f) for f in files], np.array([f.parent.name for f in files]), np.array([f.stem for f in files])
    frame = pd.read_csv(samples.pull(name)).sample(1400, random_state=0)
    keys = np.char.add(f"{name} ", np.arange(len(frame)).astype(str))
    return frame.iloc[:, 0].astype(str).tolist(), frame.iloc[:, 1].astype(str).to_numpy(), keys


def cell(source: str, target: str, backbone: str, seed: int, specs: list[str]) -> dict[str, float]:
    """Accuracy on the target of doing nothing, of each technique, and of every shallow method."""
    (ours, y, keys), (theirs, t, others) = domain(source), domain(target)
    rng = np.random.default_rng(seed)
    known = rng.permutation(np.unique(np.concatenate([keys, others])))
    mine = np.isin(keys, known[: len(known) // 2]) if set(keys) & set(others) else np.ones(len(keys), bool)
    here = rng.permutation(np.flatnonzero(mine))[:ROWS]
    there = rng.permutation(np.flatnonzero(~np.isin(others, keys[here])))[:ROWS]
    train, held = here[int(HELD * len(here)) :], here[: int(HELD * len(here))]
    code = {name: k for k, name in enumerate(np.unique(y))}
    codes, truth = (np.array([code.get(v, -1) for v in part]) for part in (y, t[there]))
    reader, modality = backbones.get(backbone), "image" if source.startswith("emoji") else "text"

    def see(rows: list[str], index: np.ndarray, cut: str) -> Any:
        data = read_rows([rows[i] for i in index], modality=modality, inputs=())
        return ActivationStore().get(reader, data, {cut})[cut]

    X, H, Z = (np.asarray(see(r, i, "pooled"), dtype=float) for r, i in ((ours, train), (ours, held), (theirs, there)))
    menu = candidates(X, codes[train], H, codes[held], Z, seed=seed)
    found = {n: float((c.outlook.told.argmax(1) == truth).mean()) for n, c in menu.items()}
    for spec in specs:
        technique = make(spec).set_params(seed=seed)
        cut = technique.where(reader.cuts)
        if reader.kind(cut) not in technique.accepts:
            continue
        beside, start = see(theirs, there, cut), time.process_time()
        try:
            told = technique.fit(see(ours, train, cut), codes[train], target=beside).predict(beside)
        except NotApplicable as error:
            print(f"{spec}: {error}")
            continue
        found[spec] = float((told == truth).mean())
        print(source, target, seed, spec, f"{found[spec]:.3f} {time.process_time() - start:.0f} CPU s", flush=True)
    return found


def table(cells: dict[str, list[dict[str, float]]], specs: list[str], command: str) -> str:
    """A line a shift: nothing, each technique, the best shallow method in hindsight; means over seeds."""
    lines = [
        f"Command: `{command}`", "",
        "| source to target | nothing | " + " | ".join(specs) + " | best shallow, in hindsight |",
        "|" + "---|" * (len(specs) + 3),
    ]  # fmt: skip
    for shift, own in cells.items():
        mean = {n: float(np.mean([c[n] for c in own])) for n in own[0]}
        best = max((n for n in mean if n not in {FLOOR, *specs}), key=lambda n: mean[n])
        values = [f"{mean[n]:.3f}" if n in mean else "" for n in (FLOOR, *specs)]
        lines.append(f"| {shift} | {' | '.join(values)} | {mean[best]:.3f} ({best}) |")
    return "\n".join(lines)


def shifts(only: list[str]) -> Iterator[tuple[str, str, str]]:
    return (pair for pair in PAIRS if not only or f"{pair[0]}-{pair[1]}" in only)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=[], help="shifts such as movies-tweets")
    parser.add_argument("--technique", nargs="*", default=[], help="with settings after a colon; all by default")
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    specs = options.technique or names()
    cells = {
        f"{source} to {target}": [cell(source, target, backbone, s, specs) for s in range(options.seeds)]
        for source, target, backbone in shifts(options.only)
    }
    text = table(cells, specs, f"python -m benchmarks.deep_adaptation --seeds {options.seeds}")
    print(text)
    if options.write:
        into(options.write, MARK, text)


if __name__ == "__main__":
    main()
