"""Pictures: one safe way from whatever a row holds to RGB pixels, and a cheap check that every file decodes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from headstart._threads import threads
from headstart.data.raw import content_id
from headstart.errors import BrokenRow

ENDINGS = (
    "jpg", "jpeg", "jpe", "jfif", "png", "gif", "bmp", "dib", "webp", "tif", "tiff", "ppm", "pgm", "pbm", "avif",
    "jp2",
)  # fmt: skip
SUFFIXES = frozenset(f".{ending}" for ending in ENDINGS)
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "AVIF", "JPEG2000")
MOST_PIXELS = 80_000_000  # decoded at once: about 240 MB; a larger JPEG is decoded at 1/2, 1/4 or 1/8 scale
MOST_PROGRESSIVE = 160_000_000  # a progressive JPEG keeps all coefficients in memory whatever the scale
GLANCE = 32  # pixels of the check decode


def is_picture(name: str) -> bool:
    """Whether a file name ends as a picture's does."""
    return Path(name).suffix.lower() in SUFFIXES


def place_of(name: str, base: Path) -> str:
    """The path that a cell of a table names, also one that Windows wrote."""
    path = base / name.strip()
    return str(path if "\\" not in name or path.exists() else base / name.strip().replace("\\", "/"))


def decode(row: Any, at_least: int | None = None) -> Image.Image:
    """A row as an upright RGB picture; the first frame of an animation, transparency laid on white.

    `row` is a path, bytes, a PIL image or an array (h, w) or (h, w, 1|3|4), integers or floats in 0..1. With `at_least`
    a JPEG may come back at 1/2, 1/4 or 1/8 scale, its shorter side never below `at_least` pixels. Raises BrokenRow for
    what is no picture, is cut off, or has more pixels than is safe to decode.

    >>> decode(np.zeros((4, 6), dtype=np.uint8)).size
    (6, 4)
    """
    if hasattr(row, "decode") and not isinstance(row, bytes | bytearray):  # a view, which decodes itself
        told: Image.Image = row.decode(at_least)
        return told
    with _faults():
        return _upright(_open(row, at_least))


@contextmanager
def _faults() -> Iterator[None]:
    """Whatever a decoder raises, as a BrokenRow with a reason."""
    try:
        yield
    except BrokenRow:
        raise
    except FileNotFoundError as error:
        raise BrokenRow("the file does not exist") from error
    except MemoryError as error:
        raise BrokenRow("too large for the memory of this machine") from error
    except Exception as error:  # decoders raise nearly everything: OSError, SyntaxError, struct.error, ValueError, ...
        raise BrokenRow(f"the picture cannot be decoded ({str(error) or type(error).__name__})") from error


def check(row: Any) -> tuple[str, str | None]:
    """Id of a picture and why it is broken, or None; reads the file once and decodes it at the smallest scale."""
    try:
        raw = content(row)
    except OSError as error:
        return "", "the file does not exist" if isinstance(
            error, FileNotFoundError
        ) else f"cannot be read ({error.strerror})"
    if not raw:
        return "", "the file is empty (0 bytes)"
    try:
        with _faults():
            _open(row if isinstance(row, Image.Image | np.ndarray) else raw, GLANCE)
    except BrokenRow as error:
        return "", error.seen
    return content_id(raw), None


def check_all(rows: list[Any]) -> list[tuple[str, str | None]]:
    """`check` for many pictures, in threads: hashing and decoding let go of the interpreter."""
    with ThreadPoolExecutor(threads()) as pool:
        return list(pool.map(check, rows))


def content(row: Any) -> bytes:
    """The bytes that identify a picture: the file's own, or mode, size and pixels of what is in memory."""
    if isinstance(row, str | Path):
        return Path(row).read_bytes()
    if isinstance(row, Image.Image):
        return f"{row.mode} {row.size} ".encode() + row.tobytes()
    if isinstance(row, np.ndarray):
        return f"{row.dtype} {row.shape} ".encode() + np.ascontiguousarray(row).tobytes()
    return bytes(row)


def _open(row: Any, at_least: int | None) -> Image.Image:
    if isinstance(row, np.ndarray):
        return _from_array(row)
    if isinstance(row, Image.Image):
        return row
    in_memory = isinstance(row, bytes | bytearray | memoryview)
    with io.BytesIO(row) if in_memory else Path(row).open("rb") as source:
        image = _identify(source)
        if image.format in ("JPEG", "MPO"):
            _scale_down(image, at_least)
        width, height = image.size
        if width * height > MOST_PIXELS:
            raise BrokenRow(
                f"{width} x {height} pixels: {image.format} pictures above {MOST_PIXELS:,} pixels are refused"
            )
        image.load()
    return image


def _identify(source: Any) -> Image.Image:
    """As Image.open, for common formats only and without its process-wide pixel limit (ours depends on the format)."""
    Image.init()
    start = source.read(16)
    for name in FORMATS:
        if name not in Image.OPEN:
            continue
        factory, accept = Image.OPEN[name]
        if accept is None or accept(start) is True:
            source.seek(0)
            image: Image.Image = factory(source, "")
            return image
    raise UnidentifiedImageError("not a picture of a known format")


def _scale_down(image: Image.Image, at_least: int | None) -> None:
    width, height = image.size
    if image.info.get("progressive") and width * height > MOST_PROGRESSIVE:
        raise BrokenRow(f"{width} x {height} pixels: progressive JPEGs above {MOST_PROGRESSIVE:,} pixels are refused")
    wanted = at_least
    if width * height > MOST_PIXELS:
        fits = next((s for s in (2, 4, 8) if width * height <= MOST_PIXELS * s * s), 8)
        wanted = min(at_least or min(width, height), min(width, height) // fits)
    if wanted:
        image.draft(image.mode, (wanted, wanted))


def _from_array(row: np.ndarray) -> Image.Image:
    if row.ndim == 3 and row.shape[2] == 1:
        row = row[:, :, 0]
    if row.ndim not in (2, 3) or (row.ndim == 3 and row.shape[2] not in (3, 4)) or 0 in row.shape:
        raise BrokenRow(f"an array of shape {row.shape} is no picture", expected="(h, w) or (h, w, 1, 3 or 4)")
    return Image.fromarray(_to_bytes(row))


def _to_bytes(values: np.ndarray) -> np.ndarray:
    """Any numbers as 0..255: floats within 0..1 are scaled, 16-bit integers keep their upper byte."""
    if values.dtype == np.uint8:
        return values
    if values.dtype == bool:
        return values.astype(np.uint8) * 255
    if np.issubdtype(values.dtype, np.floating):
        if not np.isfinite(values).all():
            raise BrokenRow("the picture holds NaN or infinite pixels")
        values = values * 255 if values.size and values.max() <= 1 and values.min() >= 0 else values
    elif values.max() > 255:
        values = values / 257
    return np.clip(np.round(values), 0, 255).astype(np.uint8)


def _upright(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        image = Image.fromarray(_to_bytes(np.asarray(image)))
    if image.getexif().get(ExifTags.Base.Orientation, 1) != 1:  # what is upright would be copied for nothing
        image = ImageOps.exif_transpose(image)
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGB", image.size, (255, 255, 255))
        white.paste(image, mask=image.getchannel("A"))
        return white
    return image if image.mode == "RGB" else image.convert("RGB")
