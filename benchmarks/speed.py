"""The speed table: each line is a ratio of CPU seconds (or of peak memory) between headstart and a peer, in one run.

    python -m benchmarks.speed --times 3 --write docs/benchmarks.md

Both sides run on the same rows, each in a fresh process on the same number of threads, in turns; a condition on quality
stands beside each ratio. Peers are installed once, into `.bench/`, an environment of their own.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks._data import categories, texts
from benchmarks._measure import Bench, Row, in_turns, row, write_table


class Speed(Bench):
    """A method a group of lines."""

    groups = ("text", "images", "memory")

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
            yield row(
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
            yield row(what, "timm eval loop, DataLoader", goal, said, peer, quality)

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
        line = row(
            f"peak memory of run, {n} texts", "encode + LogisticRegression", 1, own, peer, "one repetition", "mb"
        )
        line.unit = "MB"
        yield line


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
    write_table(Speed, "speed", __doc__, arguments)


if __name__ == "__main__":
    main()
