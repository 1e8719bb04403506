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


def owned(n: int, share: float, rng: np.random.Generator, *, copies: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Positions of rows and whose they are: so large a share comes a second time; or, without copies, two strangers
    go by one name.
    """
    some = rng.permutation(n)[: 2 * (round(share * n) // 2)]
    if copies:
        return np.r_[np.arange(n), some], np.r_[np.arange(n), some]
    owner = np.arange(n)
    owner[some[::2]] = some[1::2]
    return np.arange(n), owner


def thinned(group: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Positions of rows that keep their label: all of group 0, a share of group 1, in random order."""
    few = rng.permutation(np.flatnonzero(group == 1))
    return rng.permutation(np.r_[np.flatnonzero(group == 0), few[: max(1, round(share * len(few)))]])
