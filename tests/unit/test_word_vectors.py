"""Tables of words in every format that they come in."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from headstart import backbones
from headstart.backbones._word_files import _letter_groups, read_words
from headstart.errors import WeightsError

WORDS = ["the", "naïve", "new york", "42"]
TABLE = np.arange(12, dtype=np.float32).reshape(4, 3) / 7


def text(path: Path, *, header: bool) -> Path:
    rows = [f"{w} {' '.join(f'{v:.7g}' for v in row)}" for w, row in zip(WORDS, TABLE, strict=True)]
    path.write_text("\n".join([*(["4 3"] if header else []), *rows]) + "\n", encoding="utf-8")
    return path


def word2vec(path: Path, *, newlines: bool) -> Path:
    words = [w.replace(" ", "_") for w in WORDS]
    rows = (w.encode() + b" " + row.tobytes() + b"\n" * newlines for w, row in zip(words, TABLE, strict=True))
    path.write_bytes(b"4 3\n" + b"".join(rows))
    return path


def fasttext(path: Path, *, groups: tuple[int, int], buckets: int = 50) -> tuple[Path, np.ndarray]:
    words = [w.replace(" ", "_") for w in WORDS]
    table = np.random.default_rng(0).normal(size=(len(words) + buckets, 3)).astype(np.float32)
    arguments = struct.pack("<12i d", 3, 5, 5, 1, 5, 1, 1, 1, buckets, *groups, 100, 1e-4)
    known = b"".join(w.encode() + b"\0" + struct.pack("<qb", 9, 0) for w in words)
    label = b"__label__x\0" + struct.pack("<qb", 1, 1)
    counts = struct.pack("<3i2q", len(words) + 1, len(words), 1, 99, -1)
    body = struct.pack("<2i", 793712314, 12) + arguments + counts + known + label + b"\0"
    path.write_bytes(body + struct.pack("<2q", *table.shape) + table.tobytes())
    return path, table


@pytest.mark.parametrize("header", [True, False])
def test_text_files_with_and_without_a_first_line(header: bool, tmp_path: Path) -> None:
    words, vectors = read_words(text(tmp_path / "glove.txt", header=header))
    assert words == WORDS
    np.testing.assert_allclose(vectors, TABLE, rtol=1e-6)


@pytest.mark.parametrize("newlines", [True, False])
def test_word2vecs_binary_files(newlines: bool, tmp_path: Path) -> None:
    words, vectors = read_words(word2vec(tmp_path / "w2v.bin", newlines=newlines))
    assert words == ["the", "naïve", "new_york", "42"]
    np.testing.assert_array_equal(vectors, TABLE)


def test_fasttexts_binary_files_add_the_letter_groups(tmp_path: Path) -> None:
    path, table = fasttext(tmp_path / "ft.bin", groups=(0, 0))
    np.testing.assert_allclose(read_words(path)[1], table[:4])
    path, table = fasttext(tmp_path / "ft2.bin", groups=(3, 4))
    words, vectors = read_words(path)
    groups = [4 + h % 50 for h in _letter_groups("the", 3, 4)]
    assert len(groups) == len(["<th", "the", "he>", "<the", "the>"])
    np.testing.assert_allclose(vectors[words.index("the")], table[[0, *groups]].mean(0), rtol=1e-5)


def test_the_hash_is_fasttexts() -> None:
    """32-bit FNV-1a, spelt out."""
    only = _letter_groups("a", 3, 3)[0]
    expected = 2166136261
    for byte in b"<a>":
        expected = ((expected ^ byte) * 16777619) % 2**32
    assert only == expected


def test_a_file_is_a_backbone(tmp_path: Path) -> None:
    backbone = backbones.get(str(text(tmp_path / "glove.6B.3d.txt", header=False)))
    pooled = backbone.prefix(backbone.prepare(["The 42, the!", "nothing known"]), ["pooled"])["pooled"]
    expected = torch.from_numpy((2 * TABLE[0] + TABLE[3]) / 3)
    torch.testing.assert_close(pooled, torch.stack([expected, torch.zeros(3)]))


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "prose.txt").write_text("It was a dark night\nand so on\n")
    (tmp_path / "junk.bin").write_bytes(b"\x00" * 40)
    for name in ("prose.txt", "junk.bin"):
        with pytest.raises(WeightsError, match="no word vectors"):
            backbones.get(str(tmp_path / name))
