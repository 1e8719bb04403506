"""What pre-trained families are worth: a probe on each, on its untrained twin and on nothing, and what they cost.

    python benchmarks/families.py text --sets reviews tweets --backbones minilm glove wordllama smollm2
    python benchmarks/families.py images --sets emoji fashion --backbones efficientnet_lite0 mobilenetv2 densenet121
    python benchmarks/families.py speed         # rows a second of word vectors against MiniLM, in one process
    python benchmarks/families.py words         # ELMo's words remembered against computed
    python benchmarks/families.py elmo --budget 30m  # a language model of its own on other rows' texts, then as `text`

Backbones other than the packaged two are pulled first: `headstart models pull NAME`. Each cell is the mean over draws
of the accuracy on rows that it does not train on, with half the width of its 95 % interval; the difference is paired.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import t

from headstart import _discover, backbones
from headstart.activations.activations import Activations
from headstart.activations.store import ActivationStore
from headstart.data.dataset import Dataset
from headstart.data.read import read
from headstart.plan import seconds


def probe(seen: Activations, target: np.ndarray, n: int, seed: int, aside: int) -> tuple[np.ndarray, float]:
    """Whether a linear probe on n random rows is right on each row (NaN: not put aside); the majority's accuracy."""
    order = np.random.default_rng(seed).permutation(len(seen))
    test, train = order[:aside], order[aside : aside + n]
    learner = _discover.load("techniques", "linear_probe")().fit(seen[train], target[train])
    right = np.full(len(seen), np.nan)
    right[test] = learner.predict_proba(seen[test]).argmax(1) == target[test]
    return right, float((target[test] == np.bincount(target[train]).argmax()).mean())


def interval(found: np.ndarray) -> tuple[float, float]:
    """Mean of (draws, rows), NaN where a draw did not test a row, and half the width of its 95 % interval.

    Draws share rows, so that their spread alone says too little: other rows to train on and other rows to test on are
    both reckoned with, which errs to the wide side (Owen, The pigeonhole bootstrap, 2007). It speaks of this set.
    """
    draws, rows = np.nanmean(found, axis=1), np.nanmean(found[:, ~np.isnan(found).all(0)], axis=0)
    error = np.sqrt(sum(v.var(ddof=1) / len(v) for v in (draws, rows)))
    return float(draws.mean()), float(t.ppf(0.975, len(draws) - 1) * error)


def drawn(data: Dataset, aside: int, sizes: Sequence[int]) -> np.ndarray:
    """Positions of the rows that probes train and are tested on; no other row is looked at."""
    return np.sort(np.random.default_rng(0).permutation(len(data))[: (aside + max(sizes)) * 4 // 3])


def compare(names: Sequence[str], sets: Sequence[str], sizes: Sequence[int], seeds: int, aside: int) -> None:
    """A line a set, size and backbone: majority, untrained twin, pre-trained, and the second less the first, paired."""
    store = ActivationStore()
    print(f"{'set':12}{'n':>6}  {'backbone':28}{'majority':>10}{'untrained':>16}{'pre-trained':>16}{'difference':>17}")
    for label in sets:
        data = read(f"sample:{label}")
        data = data.take(drawn(data, aside, sizes))
        assert data.target is not None
        for name in names:
            seen = [store.get(backbones.get(b), data, {"pooled"})["pooled"] for b in (f"scratch:{name}", name)]
            for n in sizes:
                runs = [[probe(s, data.target, n, seed, aside) for seed in range(seeds)] for s in seen]
                scratch, own = (np.array([right for right, _ in draws]) for draws in runs)
                cells = "".join("{:9.3f} ± {:.3f}".format(*interval(x)) for x in (scratch, own))
                gain = "{:+10.3f} ± {:.3f}".format(*interval(own - scratch))
                print(f"{label:12}{n:6}  {name:28}{np.mean([m for _, m in runs[0]]):10.3f}{cells}{gain}", flush=True)


def rate(name: str, data: Dataset) -> float:
    """Rows a second, the weights being loaded already and nothing stored; the best of three."""
    backbone = backbones.get(name)
    best = 0.0
    for _ in range(3):
        start = time.perf_counter()
        ActivationStore.live().get(backbone, data, {"pooled"})
        best = max(best, len(data) / (time.perf_counter() - start))
    return best


def speed(names: Sequence[str]) -> None:
    """Rows a second of every backbone, and as a multiple of MiniLM's."""
    data = read("sample:reviews")
    data = data.take(np.arange(1000))
    reference = rate("minilm", data)
    for name in names:
        own = reference if name == "minilm" else rate(name, data)
        print(f"{name:16}{own:12,.0f} rows a second{own / reference:10.1f} x MiniLM")


def words() -> None:
    """Characters of 2,000 real texts to vectors of words: every word anew, and each distinct one once."""
    from headstart.backbones._pretrain_elmo import SMALL

    elmo: Any = _discover.load("backbones", "elmo")(SMALL, "small")
    table = elmo.stages()[0].module
    texts = [str(t) for t in read("sample:reviews").rows[:2000]]
    batches = [elmo.prepare(texts[i : i + 32]) for i in range(0, len(texts), 32)]
    taken = []
    with torch.no_grad():
        for run in (lambda b: table.compute(b.values.reshape(-1, 50)), lambda b: table(b.values, b.mask)):
            run(batches[0])
            start = time.perf_counter()
            for batch in batches:
                run(batch)
            taken.append(time.perf_counter() - start)
    print(f"every word {taken[0]:.2f} s, each distinct word once {taken[1]:.2f} s: {taken[0] / taken[1]:.1f} x")


def pretrain(sets: Sequence[str], sizes: Sequence[int], aside: int, budget: float, folder: Path) -> None:
    """An ELMo trained on newsgroup posts and on those rows of the sets that no probe sees, without their labels."""
    from headstart.backbones._pretrain_elmo import pretrain_elmo

    lines: list[str] = []
    for label in ("newsgroups", *sets):
        data = read(f"sample:{label}")
        seen = set(drawn(data, aside, sizes).tolist()) if label in sets else set()
        texts = [str(data.rows[i]) for i in range(len(data)) if i not in seen]
        lines += [part for text in texts for part in re.split(r"(?<=[.!?])\s+|\n", text)]
    done = pretrain_elmo(lines, folder, seconds=budget, tell=lambda line: print(line, flush=True))
    print(f"{done['steps']} steps on {len(lines)} lines, perplexity {done['perplexity']:.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["text", "images", "speed", "words", "elmo"])
    parser.add_argument("--sets", nargs="+")
    parser.add_argument("--backbones", nargs="+")
    parser.add_argument("--sizes", nargs="+", type=int, default=[50, 200, 800])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--test", type=int, default=400, help="rows put aside, drawn anew for each seed")
    parser.add_argument("--budget", type=seconds, default="30m", help="of the language model's training")
    a = parser.parse_args()
    if a.what == "text":
        compare(a.backbones or ["minilm"], a.sets or ["reviews", "tweets"], a.sizes, a.seeds, a.test)
    elif a.what == "images":
        compare(a.backbones or ["efficientnet_lite0"], a.sets or ["emoji", "fashion"], a.sizes, a.seeds, a.test)
    elif a.what == "speed":
        speed(a.backbones or ["minilm", "glove", "wordllama"])
    elif a.what == "elmo":
        sets = a.sets or ["reviews", "tweets", "movies"]
        with tempfile.TemporaryDirectory() as place:
            pretrain(sets, a.sizes, a.test, a.budget, Path(place) / "elmo")
            compare([f"local-dir:{place}/elmo"], sets, a.sizes, a.seeds, a.test)
    else:
        words()


if __name__ == "__main__":
    main()
