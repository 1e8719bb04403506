"""Faults planted in real data at three strengths, and the same data clean."""

from __future__ import annotations

import numpy as np
from PIL import Image

STRENGTHS = {"weak": 0.8, "middle": 0.9, "strong": 0.97}  # share of the rows in which the mark goes with the class
TOKEN = "zq17"


def marked(y: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """(n,) 0 or 1: a mark that says whether the class is 1 in `share` of the rows; 0.5 says nothing."""
    says = rng.random(len(y)) < share
    return np.where(says, y, 1 - y)


def with_token(text: str, token: str = TOKEN) -> str:
    """A text with a word that means nothing."""
    return f"{text} {token}"


def with_patch(image: Image.Image, colour: tuple[int, int, int] = (230, 30, 30), share: float = 0.2) -> Image.Image:
    """A picture with a coloured square in its upper left corner, of so much of its side."""
    out = image.convert("RGB").copy()
    out.paste(colour, (0, 0, round(out.width * share), round(out.height * share)))
    return out


def flipped(y: np.ndarray, share: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Codes with another class in `share` of the rows, and which rows those are."""
    rows = rng.permutation(len(y))[: round(share * len(y))]
    out = y.copy()
    out[rows] = (out[rows] + 1 + rng.integers(0, max(int(y.max()), 1), len(rows))) % (int(y.max()) + 1)
    return out, rows
