"""Pictures in folders, one folder a class: a run on drawings made on the spot, and a prediction for a new drawing."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

from PIL import Image, ImageDraw

import headstart

SHAPES = ("circle", "cross", "square")


def draw(shape: str, seed: int) -> Image.Image:
    """One shape of a random size, place and colour on a random ground."""
    pick = random.Random(f"{shape}{seed}")
    picture = Image.new("RGB", (72, 72), tuple(pick.randrange(160, 256) for _ in range(3)))
    pen = ImageDraw.Draw(picture)
    size, x, y = pick.randrange(24, 40), pick.randrange(4, 30), pick.randrange(4, 30)
    ink, box = tuple(pick.randrange(120) for _ in range(3)), (x, y, x + size, y + size)
    if shape == "circle":
        pen.ellipse(box, outline=ink, width=5)
    elif shape == "square":
        pen.rectangle(box, outline=ink, width=5)
    else:
        pen.line(box, fill=ink, width=6)
        pen.line((x, y + size, x + size, y), fill=ink, width=6)
    return picture


def main(folder: Path) -> headstart.Result:
    """Write pictures/<shape>/<number>.png, run, and ask for a drawing that was not among them."""
    for shape in SHAPES:
        (folder / "pictures" / shape).mkdir(parents=True)
        for number in range(30):
            draw(shape, number).save(folder / "pictures" / shape / f"{number}.png")
    result = headstart.run(
        folder / "pictures",
        budget="40s",
        techniques=("knn", "ridge"),
        out=str(folder / "run"),
        cache=str(folder / "cache"),
    )
    print(result.verdict["words"])
    model = headstart.load(folder / "run")
    probabilities = model.predict_proba([draw("cross", 1000)])[0]
    print({name: round(float(p), 2) for name, p in zip(model.card.classes, probabilities, strict=True)})
    return result


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        main(Path(place))
