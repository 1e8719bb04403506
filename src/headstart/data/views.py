"""Other views of pictures: a little different, always the same for one number; or with a part hidden."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance

from headstart.data.dataset import Dataset
from headstart.data.images import decode
from headstart.data.objects import SIDE, corner, covered, parted

LEAST = 0.6  # share of a picture's area that a view shows at least
MIDDLE = 0.2  # of each side stays where the middle is hidden
LIGHT = 0.25  # brightness, contrast and colour change by up to this share


@dataclass(frozen=True)
class View:
    """A picture as view number so and so shows it: a crop, perhaps mirrored, in another light."""

    row: Any
    seed: int

    def decode(self, at_least: int | None = None) -> Image.Image:
        """Decode the picture and change it; the same seed changes it the same way."""
        rng = np.random.default_rng(self.seed)
        image = decode(self.row, at_least)
        scale, stretch = rng.uniform(LEAST, 1), np.exp(rng.uniform(-0.2, 0.2))
        width, height = (
            max(1, min(side, round(side * scale**0.5 * factor)))
            for side, factor in zip(image.size, (stretch, 1 / stretch), strict=True)
        )
        left, top = (
            int(rng.integers(0, full - part + 1)) for full, part in zip(image.size, (width, height), strict=True)
        )
        image = image.resize(image.size, Image.Resampling.BILINEAR, box=(left, top, left + width, top + height))
        if rng.random() < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
            image = enhance(image).enhance(float(rng.uniform(1 - LIGHT, 1 + LIGHT)))
        return image


@dataclass(frozen=True)
class Hidden:
    """A picture without a part of it.

    "beside": its middle is painted grey and, where the object can be told from its background, all but what lies
    beside it in the background's colour; "bare:0" to 3: what lies beside it in a corner is painted in that colour;
    "only:0" to 3: the corner alone.
    """

    row: Any
    part: str

    def decode(self, at_least: int | None = None) -> Image.Image:
        """Decode the picture and hide the part."""
        image = decode(self.row, at_least).copy()
        width, height = image.size
        way, _, number = self.part.partition(":")
        if way == "only":
            return image.crop(corner(int(number), width, height))
        if (parts := parted(image)) is not None:
            painted = ~parts.beside
            if way == "bare":
                left, top, right, bottom = corner(int(number), width, height)
                painted[:] = False
                painted[top:bottom, left:right] = parts.beside[top:bottom, left:right]
            image.paste(parts.background, mask=Image.fromarray(painted))
        if way == "beside":
            left, top = round(MIDDLE * width), round(MIDDLE * height)
            image.paste((128, 128, 128), (left, top, round((1 - MIDDLE) * width), round((1 - MIDDLE) * height)))
        return image


def hidden(data: Dataset, part: str) -> Dataset:
    """The same rows with a part hidden, with ids of their own, so that a store keeps them apart."""
    rows = [Hidden(row, part) for row in data.rows]
    return replace(data, rows=rows, ids=np.array([f"{row}~{part}" for row in data.ids]))


def marks(data: Dataset) -> np.ndarray:
    """(n, 4) the share of each corner that holds a mark, NaN for pictures that have no plain background."""
    return np.array([covered(decode(row, SIDE)) for row in data.rows]).reshape(-1, 4)


def view(data: Dataset, number: int) -> Dataset:
    """The same rows, each seen as view `number` shows it, with ids of their own, so that a store keeps them apart."""
    seeds = [int(hashlib.sha256(f"{row}~{number}".encode()).hexdigest()[:12], 16) for row in data.ids]
    rows = [View(row, seed) for row, seed in zip(data.rows, seeds, strict=True)]
    return replace(data, rows=rows, ids=np.array([f"{row}~{number}" for row in data.ids]))
