"""The rows of the speed table: real texts and pictures from `headstart data pull`, the same for both sides."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from headstart.data import samples

# Shorter sides of the JPEGs and their shares: thumbnails, pictures of web pages, photographs.
SIDES = {64: 0.1, 160: 0.15, 320: 0.2, 500: 0.2, 640: 0.15, 1024: 0.12, 2048: 0.05, 3000: 0.03}
WINDOW = 12  # words of one of very many texts

Labelled = tuple[list[str], np.ndarray, np.ndarray, np.ndarray]  # rows, class codes, train, test


def texts(rows: int) -> tuple[list[str], np.ndarray]:
    """Half newsgroup posts (their group as label), half product reviews (-1), mixed."""
    posts = pd.read_csv(samples.pull("newsgroups")).sample(rows // 2, random_state=0)
    reviews = pd.read_csv(samples.pull("reviews")).sample(rows - rows // 2, random_state=0)
    codes = pd.factorize(posts["label"], sort=True)[0]
    both = [*posts["text"].astype(str), *reviews.iloc[:, 0].astype(str)]
    label = np.concatenate([codes, np.full(len(reviews), -1)])
    order = np.random.default_rng(0).permutation(len(both))
    return [both[i] for i in order], label[order]


def labelled_texts(rows: int) -> Labelled:
    """Newsgroup posts of 20 groups: `rows` to learn from, half as many others to test on."""
    test = rows // 2
    posts = pd.read_csv(samples.pull("newsgroups")).sample(rows + test, random_state=1)
    codes = pd.factorize(posts["label"], sort=True)[0]
    return posts["text"].astype(str).tolist(), codes, np.arange(rows), np.arange(rows, rows + test)


def labelled_pictures(rows: int) -> Labelled:
    """Emoji of nine categories, as PNG files of 64 pixels."""
    test = rows // 2
    folder = samples.pull("emoji")
    files = np.array(sorted(str(p) for p in folder.glob("*/*.png")))
    files = np.random.default_rng(1).permutation(files)[: rows + test]
    codes = np.unique([Path(f).parent.name for f in files], return_inverse=True)[1]
    return files.tolist(), codes, np.arange(rows), np.arange(rows, len(files))


def pictures(rows: int) -> list[str]:
    """Emoji enlarged to realistic sizes, on white, with a little noise, as JPEGs of quality 90; written once."""
    folder = samples.cache() / "bench-jpeg" / str(rows)
    if len(list(folder.glob("*.jpg"))) < rows:
        folder.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(0)
        for i, file in enumerate(_some_emoji(rows)):
            image = Image.open(file).convert("RGBA")
            page = Image.new("RGB", image.size, (255, 255, 255))
            page.paste(image, mask=image.getchannel("A"))
            side = int(rng.choice(list(SIDES), p=list(SIDES.values())))
            size = (int(side * rng.choice([1, 4 / 3, 3 / 2])), side)
            pixels = np.asarray(page.resize(size, Image.Resampling.BICUBIC)).astype(np.int16)
            noisy = np.clip(pixels + rng.normal(0, 4, pixels.shape), 0, 255).astype(np.uint8)
            part = folder / f".{i}.{os.getpid()}"
            Image.fromarray(noisy).save(part, "JPEG", quality=90)
            part.rename(folder / f"{i:05d}.jpg")
    return sorted(str(p) for p in folder.glob("*.jpg"))[:rows]


def categories(rows: int) -> np.ndarray:
    """Class codes of `pictures`."""
    return np.unique([p.parent.name for p in _some_emoji(rows)], return_inverse=True)[1]


def _some_emoji(rows: int) -> list[Path]:
    files = sorted(samples.pull("emoji").glob("*/*.png"))
    return [files[i] for i in np.random.default_rng(0).permutation(len(files))[:rows]]


def many_texts(rows: int) -> pd.DataFrame:
    """Windows of twelve words out of newsgroup posts, with the post's group."""
    posts = pd.read_csv(samples.pull("newsgroups"))
    found: list[tuple[str, str]] = []
    for text, label in zip(posts["text"].astype(str), posts["label"], strict=True):
        words = text.split()[: 6 * WINDOW]
        found += [(" ".join(words[i : i + WINDOW]), label) for i in range(0, len(words) - WINDOW + 1, WINDOW)]
    frame = pd.DataFrame(found, columns=["text", "label"]).drop_duplicates("text")
    return frame.sample(min(rows, len(frame)), random_state=0)
