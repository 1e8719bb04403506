"""The table of trainings: each line is a ratio of CPU seconds between headstart and another way to train, in one run.

    python -m benchmarks.training --times 3 --write docs/benchmarks.md

As in the speed table: the same rows, each side in a fresh process, in turns, the store's filling counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks._data import labelled_pictures
from benchmarks._measure import Bench, Row, both, in_turns, row, write_table

FEW, SEEDS = 16, 5  # rows a class and draws of the lines on few labels
PAIRS = 40  # pairs a row in SetFit's paper: twenty rounds of two


class Training(Bench):
    """A method a group of lines."""

    groups = ("cached", "lora", "few", "frozen", "full", "fastai")

    def cached(self) -> Iterator[Row]:
        """Top layers from the stored boundary, and the same training through the whole network."""
        n = self.rows(500)
        sets = (("text", "bf16", "texts, MiniLM"), ("image", "auto", "emoji pictures, EfficientNet-Lite0"))
        for modality, precision, words in sets:  # the precision in which the other side goes through all layers
            for layers, name, goal in ((1, "last layer", 5), (2, "last two layers", 3)):
                asked = {"rows": n, "modality": modality, "params": {"layers": layers, "epochs": 5}}
                own, other = in_turns(
                    [
                        self.ours("technique", name="top_layers", precision=precision, **asked),
                        self.ours("recomputed", **asked),
                    ],
                    self.times,
                )
                what = f"{name}, {n} {words}, 5 epochs, from the store"
                yield row(what, "the same, lower layers in every step", goal, own, other, both(own, other), "fit")

    def lora(self) -> Iterator[Row]:
        """Low-rank updates in all linear layers."""
        n = self.rows(500)
        own, peer = in_turns(
            [
                self.ours("technique", rows=n, name="lora", params={"epochs": 3}),
                self.theirs("hf_trainer", rows=n, learns="lora"),
            ],
            self.times,
        )
        yield row(f"LoRA of rank 8, {n} texts, 3 epochs", "peft in HF Trainer", 2, own, peer, both(own, peer))

    def few(self) -> Iterator[Row]:
        """Contrastive tuning, a repetition a draw: with as many pairs as SetFit, and with as many as usual."""
        for name in ("reviews", "tweets", "movies"):
            asked = {"name": name, "each": FEW}
            sides = ("contrastive", PAIRS), ("contrastive", None), ("setfit", PAIRS)
            said: list[list[dict[str, Any]]] = [[], [], []]
            for seed in range(SEEDS):
                for kept, (side, pairs) in zip(said, sides, strict=True):
                    where = self.theirs if side == "setfit" else self.ours
                    kept.append(where(side, seed=seed, pairs=pairs, **asked)())
            for own, words in ((said[0], f"{PAIRS} pairs a row"), (said[1], "its usual pairs")):
                what = f"contrastive tuning, {name}, {FEW} a class, {words}"
                yield row(what, f"SetFit, {PAIRS} pairs a row", 3, own, said[2], both(own, said[2]), "fit")

    def frozen(self) -> Iterator[Row]:
        """The last layer, trained from the cached boundary."""
        n = self.rows(1000)
        peer, own = in_turns(
            [
                self.theirs("hf_trainer", rows=n, learns="last"),
                self.ours("technique", rows=n, name="top_layers", params={"layers": 1, "epochs": 3}, precision="bf16"),
            ],
            self.times,
        )
        yield row(
            f"last layer, {n} texts, 3 epochs, store filled in bf16",
            "HF Trainer, lower layers frozen",
            6,
            own,
            peer,
            both(own, peer),
        )

    def full(self) -> Iterator[Row]:
        """Full fine-tuning, and what the race would ship instead of it."""
        n = self.rows(1000)
        pick = self.ours("race", rows=n, modality="text")()
        peer, own, best = in_turns(
            [
                self.theirs("hf_trainer", rows=n, learns="all"),
                self.ours("technique", rows=n, name="full", params={"epochs": 3}),
                self.ours("technique", rows=n, name=pick["name"], params=pick["params"]),
            ],
            self.times,
        )
        against = "HF Trainer, full fine-tune, 3 epochs"
        yield row(f"full fine-tune, {n} texts, 3 epochs", against, 3.5, own, peer, both(own, peer))
        yield row(f"best of the race ({pick['name']}), {n} texts", against, 5, best, peer, both(best, peer))

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
        yield row(
            f"best of the race ({pick['name']}), {found} emoji pictures",
            "fastai fine_tune(3)",
            10,
            best,
            peer,
            both(best, peer),
        )


def main(arguments: list[str] | None = None) -> None:
    write_table(Training, "training", __doc__, arguments)


if __name__ == "__main__":
    main()
