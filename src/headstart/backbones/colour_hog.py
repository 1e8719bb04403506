"""Edges and colours, counted: the classical features of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from headstart.backbones._featurizer import Featurizer
from headstart.data.images import decode

SIZE, CELL, ANGLES, COLOURS = 64, 8, 9, 8


class ColourHog(Featurizer):
    """Histograms of oriented gradients of the 64-pixel picture, and of its colours in a 4 x 4 grid.

    Use it as the honest rival of a pre-trained vision model. Not for objects that move about in the picture.
    `features` gives (n, 2148) floats. (Dalal and Triggs, Histograms of Oriented Gradients, CVPR 2005.)

    >>> ColourHog().features([np.zeros((10, 10, 3), dtype=np.uint8)]).shape
    (1, 2148)
    """

    modalities = frozenset({"image"})
    input_kind = kind_out = "vector"
    name = "colour_hog"

    @property
    def preprocessing(self) -> dict[str, Any]:
        """Sizes of picture, cells and histograms."""
        return {"size": SIZE, "cell": CELL, "angles": ANGLES, "colours": COLOURS}

    def features(self, rows: Sequence[Any]) -> np.ndarray:
        """(n, 2148) floats."""
        parts = [self._some(rows[i : i + 256]) for i in range(0, len(rows), 256)]
        return np.concatenate(parts)

    def _some(self, rows: Sequence[Any]) -> np.ndarray:
        pictures = np.stack([np.asarray(decode(r, at_least=SIZE).resize((SIZE, SIZE))) for r in rows])
        grey = pictures.astype(np.float32).mean(3) / 255
        return np.concatenate([_gradients(grey), _colours(pictures)], axis=1).astype(np.float32)

    @classmethod
    def read(cls, folder: Path, card: dict[str, Any]) -> Self:
        """Undo `save`."""
        return cls()


def _gradients(grey: np.ndarray) -> np.ndarray:
    """Histograms of gradient angle per cell, weighted by strength, normalised in blocks of 2 x 2 cells."""
    dy, dx = np.gradient(grey, axis=(1, 2))
    strength, angle = np.hypot(dx, dy), np.mod(np.arctan2(dy, dx), np.pi) / np.pi * ANGLES
    n, cells = len(grey), SIZE // CELL
    low = np.floor(angle).astype(int)
    share = angle - low
    histogram = np.zeros((n, cells, cells, ANGLES), dtype=np.float32)
    picture, row, column = np.ogrid[:n, :SIZE, :SIZE]
    for bin_, weight in ((low % ANGLES, 1 - share), ((low + 1) % ANGLES, share)):
        np.add.at(histogram, (picture, row // CELL, column // CELL, bin_), strength * weight)
    corners = [histogram[:, i : cells - 1 + i, j : cells - 1 + j] for i in (0, 1) for j in (0, 1)]
    blocks = np.concatenate(corners, axis=3)
    blocks /= np.sqrt((blocks**2).sum(3, keepdims=True)) + 1e-2
    return blocks.reshape(n, -1)


def _colours(pictures: np.ndarray) -> np.ndarray:
    """Shares of 8 levels of each colour in each field of a 4 x 4 grid."""
    n, field = len(pictures), SIZE // 4
    level = pictures.reshape(n, 4, field, 4, field, 3) // (256 // COLOURS)
    return np.stack([(level == k).mean(axis=(2, 4)) for k in range(COLOURS)], axis=-1).reshape(n, -1)
