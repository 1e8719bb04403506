"""Object, background and marks of a picture; and the check that asks which of them a model goes by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from tests.made.plants import with_patch

from headstart.audit._base import Evidence
from headstart.audit._example import evidence
from headstart.audit.background import Background
from headstart.data.dataset import Dataset
from headstart.data.objects import covered, parted
from headstart.data.views import hidden, marks
from headstart.errors import NotApplicable

RED, BLUE, WHITE = (230, 30, 30), (60, 60, 200), (255, 255, 255)
Draw = Callable[[Image.Image, int, np.random.Generator], None]


def shirt(image: Image.Image) -> None:
    """A garment whose sleeve fills the upper left corner."""
    image.paste(BLUE, (8, 2, 24, 32))
    image.paste(BLUE, (0, 2, 8, 14))


def test_a_sleeve_is_of_the_object_and_a_patch_that_touches_it_is_not() -> None:
    image = Image.new("RGB", (32, 32), WHITE)
    shirt(image)
    assert covered(image).tolist() == [0, 0, 0, 0]
    image.paste(RED, (0, 0, 6, 6))
    assert covered(image)[0] >= 36 / 64
    assert (covered(image)[1:] == 0).all()


def test_a_mark_in_the_objects_own_colour_is_one_only_where_it_does_not_touch() -> None:
    image = Image.new("RGB", (32, 32), WHITE)
    image.paste(BLUE, (12, 12, 24, 32))
    image.paste(BLUE, (1, 1, 6, 6))
    assert covered(image)[0] > 0.3
    image.paste(BLUE, (4, 4, 14, 14))
    assert covered(image)[0] == 0


def test_busy_backgrounds_are_not_told_apart_and_large_pictures_are() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3)).astype(np.uint8)
    assert parted(Image.fromarray(noise)) is None
    assert np.isnan(covered(Image.fromarray(noise))).all()
    image = Image.new("RGB", (900, 700), WHITE)
    image.paste(BLUE, (300, 200, 600, 700))
    image.paste(RED, (750, 20, 850, 120))
    parts = parted(image)
    assert parts is not None
    assert parts.beside.shape == (700, 900)
    assert parts.beside[20:120, 750:850].all()
    assert parts.beside.sum() < 1.3 * 100 * 100
    assert not parts.beside[:, :700].any()


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 500), (500, 3)])
def test_pictures_of_any_size_have_four_corners(size: tuple[int, int]) -> None:
    image = Image.new("RGB", size, BLUE)
    assert covered(image).tolist() == [0, 0, 0, 0]
    data = Dataset("image", [image], np.array(["a"]))
    for k in range(4):
        assert np.asarray(hidden(data, f"only:{k}").rows[0].decode()).max() == BLUE[2]
        assert hidden(data, f"bare:{k}").rows[0].decode().size == size


def test_views_paint_marks_or_the_object_in_the_colour_of_the_background() -> None:
    plain = Image.new("RGB", (40, 40), WHITE)
    plain.paste(BLUE, (10, 5, 35, 40))
    image = with_patch(plain)
    assert (np.asarray(image)[:8, :8] == np.asarray(image)[0, 0]).all()
    assert (np.asarray(image)[8:] == np.asarray(plain)[8:]).all()
    data = Dataset("image", [image], np.array(["a"]))
    bare, around = hidden(data, "bare:0"), hidden(data, "beside")
    assert {bare.ids[0], around.ids[0]} == {"a~bare:0", "a~beside"}
    pixels = np.asarray(bare.rows[0].decode())
    assert (pixels[:10, :10] == WHITE).all()
    assert (pixels[5:, 10:35] == BLUE).all()
    assert (np.asarray(hidden(data, "bare:1").rows[0].decode()) == np.asarray(image)).all()
    pixels = np.asarray(around.rows[0].decode())
    assert (pixels[8:32, 8:32] == 128).all()
    assert (pixels[33:] == WHITE).all()
    assert (pixels[:8, :8] == np.asarray(image)[0, 0]).all()
    assert np.asarray(hidden(data, "only:1").rows[0].decode()).shape == (10, 10, 3)
    assert marks(data).shape == (1, 4)
    busy = np.random.default_rng(0).integers(0, 256, (40, 40, 3)).astype(np.uint8)
    left = np.asarray(hidden(Dataset("image", [busy], np.array(["b"])), "beside").rows[0].decode())
    assert (left[:8] == busy[:8]).all()


def seen(draw: Draw, share: float = 0.9, *, busy: bool = False) -> Evidence:
    """Pictures of two classes that a bar tells apart, loosely; `draw` adds what goes with the class in a `share`.

    The network is an 8 x 8 thumbnail.
    """
    made = evidence(modality="image")
    rng = np.random.default_rng(1)
    bar = np.where(rng.random(600) < 0.8, made.target, 1 - made.target)
    with_it = np.where(rng.random(600) < share, made.target, 1 - made.target)
    pictures = []
    for i in range(600):
        image = Image.new("RGB", (32, 32), WHITE)
        if busy:
            image = Image.fromarray(rng.integers(0, 256, (32, 32, 3)).astype(np.uint8))
        top = int(rng.integers(8, 11))
        image.paste(shade(rng), (10, top, 22, top + 12 + 6 * int(bar[i])))
        draw(image, int(with_it[i]), rng)
        pictures.append(image)
    data = Dataset("image", pictures, np.arange(600).astype(str))

    def look(way: str, rows: np.ndarray) -> np.ndarray:
        some = data.take(rows)
        if way == "marks":
            return marks(some)
        return read(hidden(some, way).rows)

    def read(rows: list) -> np.ndarray:
        images = [row if isinstance(row, Image.Image) else row.decode() for row in rows]
        small = np.array([np.asarray(i.resize((8, 8), Image.Resampling.BOX), dtype=float).ravel() for i in images])
        return small / 255 + rng.normal(size=small.shape) * 0.02

    return replace(made, values=read(pictures), look=look)


def shade(rng: np.random.Generator) -> tuple[int, int, int]:
    """Any colour that is not near white."""
    red, green, blue = (int(v) for v in rng.integers(40, 200, 3))
    return red, green, blue


def patch(image: Image.Image, there: int, rng: np.random.Generator) -> None:
    if there:
        image.paste(RED, (25, 25, 31, 31))


def sleeve(image: Image.Image, there: int, rng: np.random.Generator) -> None:
    if there:
        colour = image.getpixel((12, 15))
        image.paste(colour, (18, 15, 32, 21))
        image.paste(colour, (25, 15, 32, 32))


def test_a_corner_mark_is_found_and_named() -> None:
    (found,) = (f for f in Background()(seen(patch)) if f.code == "background:corner")
    assert found.evidence["corner"] == "lower right"
    assert found.evidence["class"] == "yes"


@pytest.mark.parametrize(
    ("draw", "share", "busy"), [(sleeve, 0.9, False), (patch, 0.5, False), (patch, 0.9, True)],
    ids=["part of the object", "goes with no class", "busy background"],
)  # fmt: skip
def test_nothing_is_said_of_corners_that_tell_nothing_or_cannot_be_told(draw: Draw, share: float, busy: bool) -> None:
    assert "background:corner" not in {f.code for f in Background()(seen(draw, share, busy=busy))}


def test_nothing_is_said_where_the_object_alone_tells_the_class() -> None:
    assert Background()(seen(lambda image, there, rng: None)) == []


def test_pictures_that_the_model_did_not_learn_from_are_not_enough() -> None:
    made = seen(patch)
    with pytest.raises(NotApplicable, match="learnt from"):
        Background()(replace(made, split=np.full(600, "test")))


def test_a_part_of_the_object_at_the_edge_is_not_the_border() -> None:
    assert "background:border" not in {f.code for f in Background()(seen(sleeve, 0.97))}
    assert "background:border" in {f.code for f in Background()(seen(patch, 0.97))}
