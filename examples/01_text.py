"""Texts in, a verdict and a model out: the Python interface on reviews made on the spot (a few seconds)."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import headstart

GOOD = ["works perfectly", "I am happy with it", "great value", "better than I hoped", "would buy it again"]
BAD = ["broke after a day", "a waste of money", "I sent it back", "worse than the old one", "never again"]
THINGS = ["kettle", "lamp", "tent", "radio", "chair", "clock", "jacket", "pan"]


def reviews(rows: int, seed: int = 0) -> tuple[list[str], list[str]]:
    """Texts and labels; every text is different."""
    draw = random.Random(seed)
    labels = [draw.choice(["good", "bad"]) for _ in range(rows)]
    phrases = {"good": GOOD, "bad": BAD}
    return [f"{draw.choice(THINGS)} no. {i}: {draw.choice(phrases[label])}." for i, label in enumerate(labels)], labels


def main(folder: Path) -> headstart.Result:
    """Run, print the verdict, load the model back and ask it."""
    texts, labels = reviews(120)
    file = folder / "reviews.csv"
    file.write_text("text,mood\n" + "".join(f"{t},{m}\n" for t, m in zip(texts, labels, strict=True)), encoding="utf-8")
    result = headstart.run(
        file,
        target="mood",
        budget="30s",
        techniques=("knn", "ridge"),
        out=str(folder / "run"),
        cache=str(folder / "cache"),
    )
    print(result.verdict["words"])
    print("best:", result.best["technique"], "on", result.best["backbone"], "test:", result.test)
    model = headstart.load(folder / "run")
    for text in ["It broke after two days.", "Great, I would buy it again."]:
        print(f"{model.predict([text])[0]:<5} {text}")
    return result


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        main(Path(place))
