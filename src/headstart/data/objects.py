"""What of a picture is its background, what the object, and what lies beside the object."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PIL import Image
from scipy.ndimage import binary_dilation, label

CORNER = 0.25  # of each side belongs to a corner
SIDE = 128  # pixels of the shorter side at which regions are told apart
APART = 24  # levels of 255 in one channel at least, from which two colours differ
PLAIN = 0.6  # share of the frame that has the background's colour at least
ANY = np.ones((3, 3), dtype=bool)  # pixels that touch by a side or a corner


class Parts(NamedTuple):
    """The colour of the background, and where the object and what lies on it beside the object are, (h, w) booleans."""

    background: tuple[int, int, int]
    object: np.ndarray
    beside: np.ndarray


def corner(number: int, width: int, height: int) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) of corner 0 to 3: upper left, upper right, lower left, lower right."""
    x, y = (number % 2) * (1 - CORNER), (number // 2) * (1 - CORNER)
    left, top = min(round(x * width), width - 1), min(round(y * height), height - 1)
    return left, top, max(round((x + CORNER) * width), left + 1), max(round((y + CORNER) * height), top + 1)


def parted(image: Image.Image) -> Parts | None:
    """Tell an RGB picture's object from its background and from what lies beside it, without having learnt anything.

    Use it for objects on a plain ground: the background is what the frame of the picture mostly shows, and None comes
    back where less than `PLAIN` of the frame is of one colour, as in most photographs. The object is the largest region
    that differs from it; a pixel in a corner whose colour is met nowhere but in corners does not belong to it even if
    it touches. What else differs lies beside it: a letter, a patch, a watermark, or a loose part of the object (a
    spark, a drop). A mark in the object's own colours that touches it is taken for a part of it, and what differs from
    the background by `APART` or less for background. (Wei et al., Geodesic saliency using background priors, ECCV 2012,
    for the frame as the background.)

    >>> image = Image.new("RGB", (40, 40), "white")
    >>> image.paste((60, 60, 200), (8, 5, 35, 40))
    >>> image.paste((230, 30, 30), (0, 0, 8, 8))
    >>> parts = parted(image)
    >>> parts.background, bool(parts.beside[:8, :8].all()), bool(parts.object[5:, 9:35].all())
    ((255, 255, 255), True, True)
    """
    small = image.reduce(max(1, min(image.size) // SIDE))
    pixels = np.asarray(small, dtype=int)
    frame = np.concatenate([pixels[0], pixels[-1], pixels[1:-1, 0], pixels[1:-1, -1]])
    background = np.median(frame, axis=0)
    if (np.abs(frame - background).max(1) <= APART).mean() < PLAIN:
        return None
    differs = np.abs(pixels - background).max(2) > APART
    corners = np.zeros_like(differs)
    for k in range(4):
        left, top, right, bottom = corner(k, *small.size)
        corners[top:bottom, left:right] = True
    shades = np.moveaxis(pixels // APART, 2, 0)
    met = np.zeros((255 // APART + 1,) * 3, dtype=bool)
    met[tuple(shades[:, differs & ~corners])] = True
    own = differs & (~corners | binary_dilation(met, np.ones((3, 3, 3)))[tuple(shades)])
    regions, _ = label(own, ANY)
    sizes = np.bincount(regions.ravel())
    sizes[0] = 0
    thing = (regions == sizes.argmax()) & own
    beside = differs & ~thing
    beside |= binary_dilation(beside, ANY) & ~differs  # its edges are drawn smoothly
    red, green, blue = (int(v) for v in background)
    if small.size != image.size:
        thing, beside = (
            np.asarray(Image.fromarray(a).resize(image.size, Image.Resampling.NEAREST)) for a in (thing, beside)
        )
    return Parts((red, green, blue), thing, beside)


def covered(image: Image.Image) -> np.ndarray:
    """(4,) the share of each corner that holds a mark; NaN where object and background cannot be told apart.

    >>> covered(Image.new("RGB", (40, 40), "white")).tolist()
    [0.0, 0.0, 0.0, 0.0]
    """
    parts = parted(image)
    if parts is None:
        return np.full(4, np.nan)
    boxes = [corner(k, *image.size) for k in range(4)]
    return np.array([parts.beside[top:bottom, left:right].mean() for left, top, right, bottom in boxes])
