"""Name that data set: does a network tell where rows come from or whom they are about, and did it untrained?

    python -m benchmarks.name_that_set --write docs/benchmarks.md

Torralba and Efros (Unbiased Look at Dataset Bias, CVPR 2011) let a classifier say from which of several data sets a
picture is. Here it is asked of the sources of one task, and of people's attributes, in rows in which the attribute does
not go with the class; no emoji is there in two styles. Columns that hold the attribute are not shown to the network.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks._measure import into
from headstart import backbones
from headstart.activations.store import ActivationStore
from headstart.audit._base import Evidence
from headstart.audit._forecast import early
from headstart.audit.inherited_bias import InheritedBias, balanced
from headstart.data.dataset import Dataset
from headstart.data.read import read, read_rows
from headstart.job import CLASSICAL
from headstart.selection.contender import Contender
from headstart.selection.metrics import interval, metric_for, paired

MARK = "<!-- named -->"
ROWS = 600
EMOJI = {"google": "emoji", "apple": "emoji-apple", "facebook": "emoji-facebook"}


def sources(names: dict[str, str]) -> tuple[Dataset, np.ndarray]:
    """Rows of several sets with the same classes, and of which each is; of one file name in many, one is kept."""
    parts = {k: read(f"sample:{name}") for k, name in names.items()}
    kept: list[tuple[str, int]] = [(k, i) for k, data in parts.items() for i in range(len(data))]
    kept = [kept[i] for i in np.random.default_rng(0).permutation(len(kept))]
    first = next(iter(parts.values()))
    if first.modality == "image":
        kept = list({Path(str(parts[k].rows[i])).name: (k, i) for k, i in kept}.values())
    data = read_rows([parts[k].rows[i] for k, i in kept], modality=first.modality, inputs=())
    target = np.array([first.classes.index(parts[k].classes[parts[k].target[i]]) for k, i in kept])
    return replace(data, target=target, target_kind="label", classes=first.classes), np.array([k for k, _ in kept])


def attribute(name: str, column: str, levels: tuple[str, ...], *hidden: str) -> tuple[Dataset, np.ndarray]:
    """Rows of a table without some columns, and one of these, where it has one of some levels."""
    data = read(f"sample:{name}", beside=(column, *hidden))
    values = np.array([str(v) for v in data.columns[column]])
    keep = np.flatnonzero(np.isin(values, levels))
    return data.take(keep), values[keep]


def tasks() -> Iterator[tuple[str, str, Dataset, np.ndarray, tuple[str, ...]]]:
    """(what, attribute, rows, its value in each, networks)."""
    pictures, texts = ("efficientnet_lite0", "mobilenetv2"), ("minilm", "wordllama")
    yield "emoji", "vendor", *sources(EMOJI), pictures
    yield "sentiment", "source", *sources({k: k for k in ("tweets", "reviews", "movies")}), texts
    yield "heart, as text", "site", *attribute("heart", "site", ("Cleveland", "Hungary")), ("minilm",)
    for column, levels in (("race", ("African-American", "Caucasian")), ("sex", ("Male", "Female"))):
        yield "compas, as text", column, *attribute("compas", column, levels, "race", "sex"), ("minilm",)


def lines() -> Iterator[str]:
    """The table."""
    yield "Command: `python -m benchmarks.name_that_set`\n"
    yield "| rows of | attribute | network | rows | chance | plain | untrained | pre-trained | over untrained | check |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    store = ActivationStore()
    for what, name, whole, values, networks in tasks():
        assert whole.target is not None
        rows = balanced(whole.target, np.unique(values, return_inverse=True)[1], ROWS, np.random.default_rng(0))
        for network in networks:
            yield f"| {what} | {name} | {network} | {named(whole.take(rows), name, values[rows], network, store)} |"


def named(data: Dataset, name: str, values: np.ndarray, network: str, store: ActivationStore) -> str:
    """How often each network names the value, every row left out of the fit that answers for it; and the check."""
    plain, twin, own = (
        backbones.classical(data.modality),
        f"scratch:{network}",
        np.unique(values, return_inverse=True)[1],
    )
    seen = {b: store.get(backbones.get(b, data), data, {"pooled"})["pooled"] for b in (network, twin, plain)}
    entries = [Contender(plain, t, "classical") for t in CLASSICAL[data.modality]]
    entries += [Contender(twin, "ridge", "scratch"), Contender(network, "ridge", "pretrained")]
    trials = early(seen, own, entries, "label", groups=data.groups)
    roles = ("classical", "scratch", "pretrained")
    best = [max((t for t in trials if t.contender.role == r), key=lambda t: (t.valid or {})["value"]) for r in roles]
    metric = metric_for(own, "label")
    told = [interval(metric, own, t.scores["known"]) for t in best]
    cells = " | ".join(f"{s['value']:.2f} [{s['low']:.2f}, {s['high']:.2f}]" for s in told)
    gain, low, high = (100 * v for v in paired(metric, own, best[1].scores["known"], best[2].scores["known"]))
    made = Evidence(
        modality=data.modality, kind="label", classes=data.classes, target=np.asarray(data.target),
        split=np.full(len(data), "train"), values=np.asarray(seen[network]), scores=np.empty((0, 0)),
        columns={name: values}, attributes=(name,), look=lambda _, r: np.asarray(seen[twin])[r],
    )  # fmt: skip
    said = "speaks" if InheritedBias(rows=ROWS)(made) else "is silent"
    chance = 1 / len(np.unique(own))
    return f"{len(data)} | {chance:.2f} | {cells} | {gain:+.0f} [{low:+.0f}, {high:+.0f}] | {said}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    found = []
    for line in lines():
        print(line, flush=True)
        found.append(line)
    if options.write:
        into(options.write, MARK, "\n".join(found))


if __name__ == "__main__":
    main()
