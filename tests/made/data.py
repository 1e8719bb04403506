"""Made data: small files and folders with a known content, and with known faults."""

from __future__ import annotations

import csv
import json
import struct
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from PIL import Image

GOOD = ["great", "lovely", "excellent", "happy with it", "works perfectly", "wonderful", "best purchase", "superb"]
BAD = ["awful", "terrible", "broke at once", "waste of money", "useless", "horrible", "regret it", "worst purchase"]
THINGS = ["kettle", "lamp", "phone", "chair", "book", "jacket", "tent", "camera", "bicycle", "radio", "pan", "clock"]


def write_csv(
    path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]], *, delimiter: str = ",", encoding: str = "utf-8"
) -> Path:
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(header)
        writer.writerows(rows)
    return path


def texts(n: int = 60) -> list[tuple[str, str]]:
    """Rows of (text, label), all different, half of either class."""
    return [
        (f"this is {'good' if i % 2 else 'bad'} thing number {i} of many", "yes" if i % 2 else "no") for i in range(n)
    ]


def people(n: int = 80) -> list[list[Any]]:
    """Rows of (id, age, town, income, label) of a table."""
    rng = np.random.default_rng(0)
    towns = ["Paris", "Rome", "Oslo"]
    return [
        [i, int(rng.integers(18, 90)), towns[rng.integers(3)], round(float(rng.normal(100, 9)), 2), "ab"[i % 2]]
        for i in range(n)
    ]


def picture(seed: int, size: tuple[int, int] = (24, 20)) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def image_folder(folder: Path, per_class: int = 10, classes: Sequence[str] = ("cat", "dog"), *, seed: int = 0) -> Path:
    """One sub-folder a class, PNG files that all differ."""
    for k, name in enumerate(classes):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for i in range(per_class):
            picture(seed + 1000 * k + i).save(folder / name / f"{i:03d}.png")
    return folder


def saved_dataset(folder: Path, columns: dict[str, Any], features: dict[str, Any]) -> Path:
    """What Hugging Face's `Dataset.save_to_disk` writes: Arrow stream files, state.json, dataset_info.json."""
    folder.mkdir(parents=True)
    table = pa.table(columns)
    names = [f"data-{k:05d}-of-00002.arrow" for k in range(2)]
    half = table.num_rows // 2
    for name, part in zip(names, (table.slice(0, half), table.slice(half)), strict=True):
        with pa.OSFile(str(folder / name), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(part)
    state = {"_data_files": [{"filename": n} for n in names], "_indices_data_files": None, "_split": None}
    (folder / "state.json").write_text(json.dumps(state))
    (folder / "dataset_info.json").write_text(json.dumps({"features": features}))
    return folder


def png_bomb(path: Path, side: int = 20_000) -> Path:
    """A valid PNG of a few kilobytes that decodes to side x side grey pixels."""
    packer = zlib.compressobj(9)
    row = bytes(1 + side)
    data = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b""))
    return path


def reviews(rows: int = 160, seed: int = 0) -> pd.DataFrame:
    """Short texts that are good or bad by one word."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, rows)
    words = [rng.choice(GOOD if k else BAD) for k in label]
    text = [f"This {rng.choice(THINGS)} number {i} is {w}, order {rng.integers(10**6)}." for i, w in enumerate(words)]
    return pd.DataFrame({"text": text, "mood": np.where(label, "good", "bad")})
