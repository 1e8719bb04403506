"""A heat map laid over a picture, and pictures of which some cells are hidden."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from headstart.data.images import decode
from headstart.data.objects import parted

SIDE = 160  # pixels of a drawn map's longer side
FOR, AGAINST = (230, 85, 0), (20, 90, 220)  # orange and blue can be told apart by all eyes
PLACES = (
    ("upper left", "upper middle", "upper right"),
    ("left", "middle", "right"),
    ("lower left", "lower middle", "lower right"),
)
STRONG = 0.75  # of the colour where the map is strongest


@dataclass(frozen=True)
class Cells:
    """A picture of whose grid of cells only some are shown; the others have the picture's mean colour."""

    row: Any
    shown: np.ndarray  # (h, w) bool

    def decode(self, at_least: int | None = None) -> Image.Image:
        """Decode the picture and hide cells."""
        image = decode(self.row, at_least)
        grey = np.asarray(image, dtype=np.float64).mean((0, 1)).round().astype(int)
        mask = Image.fromarray(self.shown.astype(np.uint8) * 255).resize(image.size, Image.Resampling.NEAREST)
        return Image.composite(image, Image.new("RGB", image.size, tuple(grey.tolist())), mask)


def as_seen(pixels: np.ndarray) -> Image.Image:
    """A picture as the network sees it, cut and scaled: (3, h, w) bytes."""
    return Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))


def drawn(image: Image.Image, heat: np.ndarray) -> str:
    """A data: URI of the picture in grey, orange where the map (h, w) is above 0 and blue where it is below."""
    image = image.copy()
    image.thumbnail((SIDE, SIDE))
    if max(image.size) < SIDE:
        factor = SIDE / max(image.size)
        image = image.resize((round(image.width * factor), round(image.height * factor)))
    grey = np.asarray(image.convert("L"), dtype=np.float64)[..., None].repeat(3, 2) * 0.6 + 90
    strength = large(heat, image.size)[..., None]
    colour = np.where(strength > 0, FOR, AGAINST)
    share = STRONG * np.abs(strength)
    out = io.BytesIO()
    blend = np.clip(grey * (1 - share) + colour * share, 0, 255).astype(np.uint8)
    Image.fromarray(blend).save(out, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode()


def drawn_alone(heat: np.ndarray) -> str:
    """A data: URI of a map without a picture."""
    return drawn(Image.new("RGB", (SIDE, SIDE), "white"), heat)


def where(heat: np.ndarray) -> str:
    """The ninth of a picture that holds most of a map (h, w) above 0, in words, and its share.

    >>> where(np.diag([0.0, 0.0, 0.0, 0.0, 3.0, 1.0]))
    'in the lower right (100 %)'
    """
    shares = ninths(heat)
    if not shares.any():
        return ""
    row, column = np.unravel_index(int(shares.argmax()), shares.shape)
    return f"in the {PLACES[int(row)][int(column)]} ({100 * shares.max():.0f} %)"


def off_object(image: Image.Image, heat: np.ndarray) -> tuple[float, float] | None:
    """The share of what of a map (h, w) is above 0 that lies off the picture's object, and that of the picture.

    None where object and background cannot be told apart, and for a map that is nowhere above 0.

    >>> image = Image.new("RGB", (40, 40), "white")
    >>> image.paste((60, 60, 200), (4, 10, 20, 30))
    >>> [round(share, 2) for share in off_object(image, np.ones((4, 4)))]
    [0.8, 0.8]
    """
    parts, mass = parted(image), np.maximum(large(heat, image.size), 0)
    if parts is None or not parts.object.any() or not mass.any():
        return None
    return float(mass[~parts.object].sum() / mass.sum()), float(1 - parts.object.mean())


def ninths(heat: np.ndarray) -> np.ndarray:
    """(3, 3) shares of what of a map (h, w) is above 0; a place of the map is divided where a line crosses it."""
    rows, columns = (_thirds(side) for side in heat.shape)
    mass = rows @ np.maximum(heat, 0) @ columns.T
    return np.asarray(mass / (mass.sum() or 1.0))


def _thirds(side: int) -> np.ndarray:
    """(3, side) how much of each of so many places lies in each third of their line."""
    at = np.arange(3 * side) // 3
    return np.asarray(np.eye(side)[at].reshape(3, side, side).sum(1) / 3)


def large(heat: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(height, width) the map between -1 and 1, as large as a picture of (width, height)."""
    top = float(np.abs(heat).max()) or 1.0
    small = Image.fromarray((heat / top).astype(np.float32))
    return np.clip(np.asarray(small.resize(size, Image.Resampling.BICUBIC)), -1, 1)
