"""The speed table: each line is a ratio of CPU seconds (or of peak memory) between headstart and a peer, in one run.

    python -m benchmarks.speed --times 3 --write docs/benchmarks.md

Both sides run on the same rows, each in a fresh process on the same number of threads, in turns; a condition on quality
stands beside each ratio. Peers are installed once, into `.bench/`, an environment of their own.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._data import categories, labelled_pictures, texts
from benchmarks._measure import Row, in_turns, into, peers, table, work

MARK = "<!-- speed -->"
Said = dict[str, Any]


class Bench:
    """Options of a run, and a method a group of lines."""

    def __init__(self, threads: int, times: int, scale: float, folder: Path) -> None:
        self.threads, self.times, self.scale, self.folder = threads, times, scale, folder
        self.peer = peers()

    def ours(self, side: str, **options: Any) -> Callable[[], Said]:
        return partial(work, side, threads=self.threads, **options)

    def theirs(self, side: str, **options: Any) -> Callable[[], Said]:
        return partial(work, side, threads=self.threads, python=self.peer, **options)

    def rows(self, n: int) -> int:
        return max(int(n * self.scale), 60)

    def text(self) -> Iterator[Row]:
        """Activations of texts."""
        n = self.rows(1200)
        a, b, c = (str(self.folder / f"{x}.npy") for x in ("peer", "bf16", "int8"))
        peer, half, quarter = in_turns(
            [
                self.theirs("texts_sentence_transformers", rows=n, out=a),
                self.ours("texts_headstart", rows=n, out=b, precision="bf16"),
                self.ours("texts_headstart", rows=n, out=c, precision="int8"),
            ],
            self.times,
        )
        label, exact = texts(n)[1], np.load(a)
        for said, file, goal in ((half, b, 3.3), (quarter, c, 5.0)):
            route, values = said[0]["route"], np.load(file)
            accuracy = " against ".join(f"{_probe(x, label):.3f}" for x in (values, exact))
            quality = f"route {route}, least cosine {_cosine(values, exact):.5f}, probe {accuracy}"
            yield _row(
                f"text activations, {n} texts, route {route}", "sentence-transformers encode", goal, said, peer, quality
            )

    def images(self) -> Iterator[Row]:
        """Activations of JPEG files."""
        n = self.rows(400)
        a, b, c = (str(self.folder / f"{x}.npy") for x in ("peer", "fp32", "bf16"))
        peer, exact, half = in_turns(
            [
                self.theirs("images_timm", rows=n, out=a),
                self.ours("images_headstart", rows=n, out=b, precision="fp32"),
                self.ours("images_headstart", rows=n, out=c, precision="bf16"),
            ],
            self.times,
        )
        label, truth = categories(n), np.load(a)
        for asked, said, file, goal in (("fp32", exact, b, 4.0), ("bf16", half, c, 6.0)):
            values = np.load(file)
            accuracy = " against ".join(f"{_probe(x, label):.3f}" for x in (values, truth))
            quality = f"route {said[0]['route']}, least cosine {_cosine(values, truth):.5f}, probe {accuracy}"
            what = f"image activations, {n} JPEG files of 64 to 3000 px, {asked} asked for"
            yield _row(what, "timm eval loop, DataLoader", goal, said, peer, quality)

    def frozen(self) -> Iterator[Row]:
        """The last layer, trained from the cached boundary."""
        n = self.rows(1000)
        peer, own = in_turns(
            [
                self.theirs("hf_trainer", rows=n, frozen=True),
                self.ours("technique", rows=n, name="top_layers", params={"layers": 1, "epochs": 3}, precision="bf16"),
            ],
            self.times,
        )
        yield _row(
            f"last layer, {n} texts, 3 epochs, store filled in bf16",
            "HF Trainer, lower layers frozen",
            6,
            own,
            peer,
            _both(own, peer),
        )

    def full(self) -> Iterator[Row]:
        """Full fine-tuning, and what the race would ship instead of it."""
        n = self.rows(1000)
        pick = self.ours("race", rows=n, modality="text")()
        peer, own, best = in_turns(
            [
                self.theirs("hf_trainer", rows=n, frozen=False),
                self.ours("technique", rows=n, name="full", params={"epochs": 3}),
                self.ours("technique", rows=n, name=pick["name"], params=pick["params"]),
            ],
            self.times,
        )
        against = "HF Trainer, full fine-tune, 3 epochs"
        yield _row(f"full fine-tune, {n} texts, 3 epochs", against, 3.5, own, peer, _both(own, peer))
        yield _row(f"best of the race ({pick['name']}), {n} texts", against, 5, best, peer, _both(best, peer))

    def fastai(self) -> Iterator[Row]:
        """What the race would ship for pictures."""
        n = self.rows(1000)
        pick = self.ours("race", rows=n, modality="image")()
        peer, best = in_turns(
            [
                self.theirs("fastai", rows=n),
                self.ours("technique", rows=n, name=pick["name"], params=pick["params"], modality="image"),
            ],
            self.times,
        )
        found = len(labelled_pictures(n)[2])
        yield _row(
            f"best of the race ({pick['name']}), {found} emoji pictures",
            "fastai fine_tune(3)",
            10,
            best,
            peer,
            _both(best, peer),
        )

    def memory(self) -> Iterator[Row]:
        """Peak memory of a whole run."""
        n = self.rows(50_000)
        peer, own = in_turns(
            [
                self.theirs("memory_sentence_transformers", rows=n),
                self.ours("memory_headstart", rows=n),
            ],
            1,
        )
        row = _row(
            f"peak memory of run, {n} texts", "encode + LogisticRegression", 1, own, peer, "one repetition", "mb"
        )
        row.unit = "MB"
        yield row


GROUPS = ("text", "images", "frozen", "full", "fastai", "memory")


def _row(
    what: str, against: str, goal: float, own: list[Said], peer: list[Said], quality: str, key: str = "cpu"
) -> Row:
    return Row(what, against, goal, [s[key] for s in own], [s[key] for s in peer], quality)


def _both(own: list[Said], peer: list[Said]) -> str:
    a, b = (np.median([s["accuracy"] for s in side]) for side in (own, peer))
    return f"accuracy {a:.3f} against {b:.3f}"


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(((a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)).min())


def _probe(values: np.ndarray, label: np.ndarray) -> float:
    """Accuracy of logistic regression on the labelled rows, five folds."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    known = label >= 0
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    return float(cross_val_score(model, values[known], label[known], cv=folds).mean())


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of rows; below 1 for a quick look")
    parser.add_argument("--only", nargs="*", choices=GROUPS, default=list(GROUPS))
    parser.add_argument("--write", type=Path)
    options = parser.parse_args(arguments)
    given = [f"--times {options.times} --threads {options.threads}"]
    given += [f"--scale {options.scale:g}"] if options.scale != 1 else []
    given += [f"--only {' '.join(options.only)}"] if options.only != list(GROUPS) else []
    command = f"python -m benchmarks.speed {' '.join(given)}"
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(options.threads, options.times, options.scale, Path(folder))
        for name in options.only:
            for row in getattr(bench, name)():
                rows.append(row)
                print(row.line(), file=sys.stderr, flush=True)
    text = table(rows, command, options.threads)
    print(text)
    if options.write:
        into(options.write, MARK, text)


if __name__ == "__main__":
    main()
