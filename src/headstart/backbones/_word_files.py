"""Files of word vectors: text (GloVe, word2vec, fastText) and binary (word2vec, fastText)."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np

from headstart.errors import WeightsError

FASTTEXT = 793712314  # the magic number of fastText's binary files
ARGUMENTS = struct.Struct("<12i d")  # dimension first; buckets, shortest and longest letter group are at 8, 9, 10


def read_words(path: Path) -> tuple[list[str], np.ndarray]:
    """Words and their vectors (n, d) float32; WeightsError for a file of another form."""
    try:
        with path.open("rb") as file:
            if path.suffix == ".bin":
                magic = struct.unpack("<i", file.read(4))[0]
                file.seek(0)
                words, vectors = _fasttext(file) if magic == FASTTEXT else _word2vec(file)
            else:
                words, vectors = _text(file)
    except (ValueError, struct.error, IndexError, UnicodeDecodeError) as error:
        raise WeightsError(
            f"{path} holds no word vectors ({error})", expected="GloVe, word2vec or fastText, as text or binary"
        ) from error
    keep = [i for i, word in enumerate(words) if word and "\n" not in word]
    if not keep or not np.isfinite(vectors).all():
        raise WeightsError(f"{path} holds no usable word vectors", expected="a word and finite numbers a line")
    return [words[i] for i in keep], np.ascontiguousarray(vectors[keep])


def _text(file: BinaryIO) -> tuple[list[str], np.ndarray]:
    lines = file.read().decode("utf-8").rstrip("\n").split("\n")
    first = lines[0].split()
    if len(first) == 2 and all(part.isdigit() for part in first):
        lines, size = lines[1:], int(first[1])
    else:
        size = _numbers_at_end(lines[0].rstrip().split(" "))
    if size < 2:
        raise ValueError("no numbers behind the first word")
    parts = [line.rstrip().rsplit(" ", size) for line in lines]
    if uneven := next((p for p in parts if len(p) != size + 1), None):
        raise ValueError(f"{len(uneven) - 1} numbers behind {uneven[0]!r}, {size} behind other words")
    return [p[0] for p in parts], np.array([p[1:] for p in parts], dtype=np.float32)


def _numbers_at_end(parts: list[str]) -> int:
    count = 0
    for part in reversed(parts[1:]):
        try:
            float(part)
        except ValueError:
            break
        count += 1
    return count


def _word2vec(file: BinaryIO) -> tuple[list[str], np.ndarray]:
    count, size = map(int, file.readline().split())
    words, vectors = [], np.empty((count, size), dtype=np.float32)
    for i in range(count):
        words.append(_until(file, b" ").lstrip(b"\n").decode("utf-8", "replace"))
        vectors[i] = np.frombuffer(file.read(4 * size), dtype="<f4")
    return words, vectors


def _fasttext(file: BinaryIO) -> tuple[list[str], np.ndarray]:
    """Words with the letter groups that make them up already added; words outside the vocabulary are not known."""
    _, version = struct.unpack("<2i", file.read(8))
    arguments = ARGUMENTS.unpack(file.read(ARGUMENTS.size))
    buckets, shortest, longest = arguments[8:11]
    _, count, labels, _, pruned = struct.unpack("<3i2q", file.read(28))
    entries = []
    for _ in range(count + labels):
        word = _until(file, b"\0").decode("utf-8", "replace")
        entries.append((word, file.read(9)[8]))
    if pruned > 0 or file.read(1) != b"\0":
        raise ValueError(f"fastText version {version}, quantised")
    rows, size = struct.unpack("<2q", file.read(16))
    table = np.frombuffer(file.read(4 * rows * size), dtype="<f4").reshape(rows, size)
    words = [word for word, kind in entries if kind == 0]
    vectors = np.stack(
        [
            table[[i, *(count + h % buckets for h in _letter_groups(w, shortest, longest))]].mean(0)
            for i, w in enumerate(words)
        ]
    )
    return words, vectors


def _letter_groups(word: str, shortest: int, longest: int) -> list[int]:
    """Hashes (FNV-1a with signed bytes, as fastText has it) of all groups of letters of "<word>"."""
    if longest < 1 or word == "</s>":
        return []
    bounded, found = f"<{word}>", []
    for start in range(len(bounded)):
        for size in range(max(shortest, 1), longest + 1):
            group = bounded[start : start + size]
            if len(group) < size or (size == 1 and (start == 0 or start + 1 == len(bounded))):
                continue
            value = 2166136261
            for byte in group.encode():
                value = ((value ^ (byte if byte < 128 else byte | 0xFFFFFF00)) * 16777619) & 0xFFFFFFFF
            found.append(value)
    return found


def _until(file: BinaryIO, stop: bytes) -> bytes:
    found = bytearray()
    while (byte := file.read(1)) != stop:
        if not byte:
            raise ValueError("the file ends inside a word")
        found += byte
    return bytes(found)
