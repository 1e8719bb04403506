"""Pictures: what decodes, how it looks afterwards, and what is refused with which words."""

from __future__ import annotations

import io
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.made.data import picture, png_bomb

from headstart.data import images
from headstart.data.images import check, decode
from headstart.errors import BrokenRow


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def test_every_way_to_hold_a_picture_gives_the_same_pixels(tmp_path: Path) -> None:
    image = picture(1)
    image.save(tmp_path / "x.png")
    pixels = np.asarray(image)
    for row in (str(tmp_path / "x.png"), tmp_path / "x.png", saved(image, "PNG"), image, pixels, pixels / 255.0):
        np.testing.assert_array_equal(np.asarray(decode(row)), pixels)


def test_modes_become_rgb_with_the_right_brightness() -> None:
    grey = Image.new("L", (4, 4), 200)
    deep = Image.fromarray(np.full((4, 4), 200 * 257, dtype=np.uint16))
    cmyk = Image.new("RGB", (16, 16), (200, 200, 200)).convert("CMYK")
    palette = Image.new("RGB", (4, 4), (200, 200, 200)).convert("P", palette=Image.Palette.ADAPTIVE)
    rows = {
        "grey": saved(grey, "PNG"), "16-bit PNG": saved(deep, "PNG"), "16-bit TIFF": saved(deep, "TIFF"),
        "CMYK": saved(cmyk, "JPEG"), "palette": saved(palette, "PNG"), "float": np.full((4, 4), 200 / 255),
        "16-bit array": np.full((4, 4), 200 * 257, dtype=np.uint16),
        "one channel": np.full((4, 4, 1), 200, dtype=np.uint8),
    }  # fmt: skip
    for name, row in rows.items():
        image = decode(row)
        assert image.mode == "RGB", name
        assert np.abs(np.asarray(image).astype(int) - 200).max() <= 3, name


def test_transparency_lies_on_white() -> None:
    clear = Image.new("RGBA", (3, 3), (255, 0, 0, 0))
    clear.putpixel((1, 1), (255, 0, 0, 255))
    seen = np.asarray(decode(saved(clear, "PNG")))
    assert seen[0, 0].tolist() == [255, 255, 255]
    assert seen[1, 1].tolist() == [255, 0, 0]
    indexed = Image.new("P", (3, 3), 0)
    indexed.putpalette([9, 9, 9, 255, 0, 0])
    assert np.asarray(decode(saved(indexed, "PNG", transparency=0))).min() == 255


def test_an_animation_gives_its_first_frame() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    for kind in ("GIF", "PNG", "WEBP"):
        row = saved(frames[0], kind, save_all=True, append_images=frames[1:])
        red, green, blue = np.asarray(decode(row)).mean((0, 1))
        assert red > 240, kind
        assert max(green, blue) < 15, kind


def test_exif_orientation_is_obeyed() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned by a quarter
    row = saved(picture(2, (30, 10)), "JPEG", exif=exif)
    assert decode(row).size == (10, 30)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP"])
def test_one_pixel_is_a_picture(kind: str) -> None:
    assert decode(saved(Image.new("RGB", (1, 1), "white"), kind)).size == (1, 1)


def test_a_large_jpeg_is_decoded_at_reduced_scale() -> None:
    row = saved(Image.new("RGB", (1600, 1200), "teal"), "JPEG")
    assert decode(row, at_least=256).size == (400, 300)
    assert decode(row).size == (1600, 1200)
    assert decode(saved(picture(3, (300, 200)), "JPEG"), at_least=180).size == (300, 200)


def test_20000_pixels_square_jpeg_stays_within_memory(tmp_path: Path) -> None:
    path = tmp_path / "huge.jpg"
    Image.new("L", (20_000, 20_000), 128).save(path, quality=20)
    code = (
        "import resource, sys; from headstart.data.images import decode;"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
        f"image = decode({str(path)!r}); small = decode({str(path)!r}, at_least=224);"
        "grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before;"
        "print(image.size[0], small.size[0], grown)"
    )
    words = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert (int(words[0]), int(words[1])) == (5000, 2500)
    unit = 1024 if sys.platform != "darwin" else 1
    assert int(words[2]) * unit < 700e6


def test_a_png_bomb_is_refused_before_it_unfolds(tmp_path: Path) -> None:
    path = png_bomb(tmp_path / "bomb.png")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(BrokenRow, match=r"20000 x 20000 pixels: PNG pictures above 80,000,000 pixels are refused"):
        decode(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


def test_a_huge_progressive_jpeg_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "MOST_PROGRESSIVE", 10_000)
    plain = picture(7, (200, 200))
    assert decode(saved(plain, "JPEG")).size == (200, 200)
    with pytest.raises(BrokenRow, match="200 x 200 pixels: progressive JPEGs above 10,000 pixels"):
        decode(saved(plain, "JPEG", progressive=True))


def test_what_is_no_picture_says_why(tmp_path: Path) -> None:
    whole = saved(picture(4, (400, 300)), "JPEG")
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "words.png").write_text("not a picture at all, sorry")
    assert "truncated" in str(check(tmp_path / "cut.jpg")[1])
    assert check(tmp_path / "empty.jpg")[1] == "the file is empty (0 bytes)"
    assert "not a picture of a known format" in str(check(tmp_path / "words.png")[1])
    assert check(tmp_path / "gone.jpg")[1] == "the file does not exist"
    with pytest.raises(BrokenRow, match="truncated"):
        decode(tmp_path / "cut.jpg")
    for row in (np.zeros((3, 4, 7)), np.zeros((0, 4)), np.full((3, 3), np.nan), np.zeros(5)):
        with pytest.raises(BrokenRow):
            decode(row)


def test_equal_content_has_an_equal_id(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        picture(5).save(tmp_path / name)
    picture(6).save(tmp_path / "c.png")
    a, b, c = (check(tmp_path / f"{n}.png") for n in "abc")
    assert a == b
    assert a[0] != c[0]
    assert len(a[0]) == 32
    assert a[1] is None
