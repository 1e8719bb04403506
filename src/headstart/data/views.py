"""Other views of pictures: the same content seen a little differently, always the same for one number."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance

from headstart.data.dataset import Dataset
from headstart.data.images import decode

LEAST = 0.6  # share of a picture's area that a view shows at least
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


def view(data: Dataset, number: int) -> Dataset:
    """The same rows, each seen as view `number` shows it, with ids of their own, so that a store keeps them apart."""
    seeds = [int(hashlib.sha256(f"{row}~{number}".encode()).hexdigest()[:12], 16) for row in data.ids]
    rows = [View(row, seed) for row, seed in zip(data.rows, seeds, strict=True)]
    return replace(data, rows=rows, ids=np.array([f"{row}~{number}" for row in data.ids]))
