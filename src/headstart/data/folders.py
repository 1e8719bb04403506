"""Folders: one sub-folder a class, or train/valid/test above the classes; and Hugging Face `datasets` on disk."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from headstart.data.files import KNOWN, load
from headstart.data.images import is_picture, place_of
from headstart.data.raw import Raw, column
from headstart.data.splits import side_of
from headstart.errors import DataError

OTHER_PICTURES = "convert pictures of another kind (HEIC, DICOM, raw) to PNG or JPEG, or check the path"
SHARD = re.compile(r"-\d+-of-\d+$")
JUNK = frozenset({"thumbs.db", "desktop.ini", "__macosx", "ehthumbs.db", "icon\r"})


def load_folder(folder: Path) -> Raw:
    """The rows of a folder, by looking at what lies in it."""
    from headstart.data.huggingface import is_saved, load_saved

    if is_saved(folder):
        return load_saved(folder)
    found = list(_walk(folder))
    pictures = [p for p in found if is_picture(p.name)]
    tables = [p for p in found if p.suffix.lower() in KNOWN and p.parent == folder]
    if pictures and len(tables) == 1 and _names_pictures(tables[0], pictures):
        return load(tables[0])
    if pictures:
        return _image_folder(folder, pictures, [p for p in found if not is_picture(p.name)])
    files = [p for p in found if p.suffix.lower() in KNOWN]
    if len(files) == 1:
        return load(files[0])
    if files and (all(_side(p) for p in files) or all(SHARD.search(p.stem) for p in files)):
        return _several(files)
    what, do = "nothing", "check the path"
    if found:
        what, do = f"{len(found)} other files: {_endings(found)}", OTHER_PICTURES
    if files:
        do = f"name one of its tables: {', '.join(sorted(p.name for p in files)[:5])}"
    expected = "one sub-folder a class with pictures in it, or one table file"
    raise DataError(f"no pictures in {folder} ({what})", expected=expected, do=do)


def pictures_in(folder: Path) -> list[Path]:
    """All pictures below a folder, sorted by path."""
    return [p for p in _walk(folder) if is_picture(p.name)]


def _walk(folder: Path) -> Iterator[Path]:
    """Files below a folder in a fixed order; hidden files and system litter are passed over, each real folder once."""
    seen: set[tuple[int, int]] = set()
    for place, folders, files in os.walk(folder, followlinks=True):
        status = os.stat(place)
        if (status.st_dev, status.st_ino) in seen:  # a link that leads back
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = sorted(f for f in folders if not _is_junk(f))
        yield from (Path(place) / f for f in sorted(files) if not _is_junk(f))


def _names_pictures(table: Path, pictures: list[Path]) -> bool:
    """Whether a table beside pictures tells what they are: most of its cells in some column are their paths."""
    there = {str(p) for p in pictures}
    columns = load(table).columns.values()
    return any(sum(place_of(str(c), table.parent) in there for c in cells) > len(cells) / 2 for cells in columns)


def _is_junk(name: str) -> bool:
    return name.startswith((".", "._")) or name.lower() in JUNK


def _image_folder(folder: Path, pictures: list[Path], others: list[Path]) -> Raw:
    parts = [p.relative_to(folder).parts for p in pictures]
    while all(len(x) > 2 for x in parts) and len({x[0] for x in parts}) == 1:  # a folder around the folders
        parts = [x[1:] for x in parts]
    own = {x[0] for x in parts if len(x) > 1}
    is_split = bool(own) and all(side_of(name) for name in own)
    depth = 1 if is_split else 0
    loose = np.array([len(x) <= depth + 1 for x in parts])
    raw = Raw({"image": column(str(p) for p in pictures)}, column("/".join(x) for x in parts), folder, modality="image")
    if others:
        raw.notes.append(f"{len(others)} files that are no pictures were passed over ({_endings(others)})")
    if loose.all():
        return raw
    raw.target = "label"
    raw.columns["label"] = column(x[depth] if len(x) > depth + 1 else None for x in parts)
    if is_split:
        raw.split = "split"
        raw.columns["split"] = column(x[0] for x in parts)
    if any(len(x) > depth + 2 for x in parts):
        raw.columns["folder"] = column("/".join(x[depth + 1 : -1]) or None for x in parts)
    if loose.any():
        raw.notes.append(f"{loose.sum()} pictures lie outside the class folders and were passed over")
        raw.take(~loose)
    classes = len(set(raw.columns["label"]))
    raw.notes.append(
        f"{len(raw)} pictures in {classes} class folders" + (f", under {', '.join(sorted(own))}" if is_split else "")
    )
    return raw


def _endings(files: list[Path]) -> str:
    """How files end, the commonest first."""
    common = Counter(p.suffix.lower() or "no ending" for p in files).most_common(4)
    return ", ".join(f"{n} {ending}" for ending, n in common)


def _side(path: Path) -> str | None:
    """The side that a file such as train.csv or train-00000-of-00002.parquet holds."""
    return side_of(SHARD.sub("", path.stem))


def _several(files: list[Path]) -> Raw:
    """Files of one table below each other; named train, valid or test they are the user's own split."""
    raws = [load(p) for p in files]
    shared = [c for c in raws[0].columns if all(c in r.columns for r in raws)]
    out = Raw(
        {c: np.concatenate([r.columns[c] for r in raws]) for c in shared},
        column(f"{p.name} {name}" for p, r in zip(files, raws, strict=True) for name in r.names),
        files[0].parent,
        notes=list(dict.fromkeys(n for r in raws for n in r.notes)),
        skipped=[(f"{p.name} {name}", why) for p, r in zip(files, raws, strict=True) for name, why in r.skipped],
        target=raws[0].target,
    )
    if len({_side(p) for p in files}) > 1:
        out.columns["split"] = column(_side(p) for p, r in zip(files, raws, strict=True) for _ in range(len(r)))
        out.split = "split"
    out.notes.append(f"{len(files)} files were read as one table: {', '.join(p.name for p in files[:6])}")
    return out
