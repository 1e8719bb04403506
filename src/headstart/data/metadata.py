"""What is known of a row without reading it: its file's name and size, a picture's shape, a text's length."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from headstart.data.dataset import Dataset

NUMBER = re.compile(r"\d+")
MOST = 2000
EXIF = 0x8769  # the tag of a picture's Exif block; most cameras write it, most editors drop it
Facts = dict[str, Any]


def metadata(data: Dataset) -> dict[str, np.ndarray]:
    """Facts a row, (n,) each, that a model must not need: if they tell the target, so can a shortcut.

    Use it for audits; nothing is decoded. Pictures: width, height, mode, format, whether there is Exif, bytes, and the
    pattern and numbers of the file's name (its folder too where folders are not the classes). Texts: characters, words
    and lines. Table rows: how many cells are empty. Empty for vectors. Of more than 2,000 rows, the others (and a file
    that cannot be read any more) give None: opening every picture takes too long for what is learnt from it.

    >>> told = metadata(Dataset("text", ["two words", "one"], np.array(["a", "b"])))
    >>> {name: values.tolist() for name, values in told.items()}
    {'characters': [9, 3], 'words': [2, 1], 'lines': [1, 1]}
    """
    of = {"image": _picture, "text": _text, "table": _cells}.get(data.modality)
    if of is None or not len(data):
        return {}
    looked = set(np.argsort(data.ids, kind="stable")[:MOST].tolist())  # by content, so that order does not matter
    facts = [of(data.rows[i]) if i in looked else {} for i in range(len(data))]
    names = dict.fromkeys(key for fact in facts for key in fact)
    if "folder" in names and _folders_are_classes(data, facts):
        del names["folder"]
    return {name: _column([fact.get(name) for fact in facts]) for name in names}


def _picture(row: Any) -> Facts:
    if isinstance(row, Image.Image):
        return {"width": row.width, "height": row.height, "mode": row.mode}
    if isinstance(row, np.ndarray):
        return {"width": row.shape[1], "height": row.shape[0]}
    if not isinstance(row, str | Path):
        return {}
    path = Path(row)
    number = NUMBER.search(path.stem)
    facts: Facts = {
        "folder": path.parent.name, "name": NUMBER.sub("#", path.stem), "number": int(number[0]) if number else None,
        "suffix": path.suffix.lower(),
    }  # fmt: skip
    try:
        facts["bytes"] = path.stat().st_size
        with Image.open(path) as image:
            facts |= {"width": image.width, "height": image.height, "mode": image.mode, "format": image.format}
            facts["exif"] = "Exif" if EXIF in image.getexif() else "no Exif"
    except (
        OSError,
        ValueError,
        SyntaxError,
    ):  # it was readable when the rows were read; None says that it no longer is
        return facts
    return facts


def _text(row: str) -> Facts:
    return {"characters": len(row), "words": len(row.split()), "lines": row.count("\n") + 1}


def _cells(row: dict[str, Any]) -> Facts:
    return {"empty cells": sum(value is None for value in row.values())}


def _folders_are_classes(data: Dataset, facts: Sequence[Facts]) -> bool:
    """Whether each folder holds one class, named as it is: then the folder is the target, not a shortcut to it."""
    if data.target is None or data.target_kind != "label":
        return False
    return all(f.get("folder") in (None, data.classes[k]) for f, k in zip(facts, data.target, strict=True))


def _column(values: list[Any]) -> np.ndarray:
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out if any(v is None or isinstance(v, str) for v in values) else np.array(values)
