"""How each public archive becomes a CSV file or a folder of pictures; archives are read, never run or installed."""

from __future__ import annotations

import csv
import html
import io
import json
import tarfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from headstart.errors import DataError

Build = Callable[[Path, Path], None]
CLEAR = 0.5  # mean human scores run from -4 to 4; nearer to zero people did not agree on a side


def vader(stem: str) -> Build:
    """Human-scored snippets (Hutto and Gilbert, ICWSM 2014): the side of the mean score, clear ones only."""

    def build(archive: Path, out: Path) -> None:
        with tarfile.open(archive) as outer:
            inner = _member(outer, "additional_resources/hutto_ICWSM_2014.tar.gz")
            with tarfile.open(fileobj=io.BytesIO(inner)) as files:
                lines = _member(files, f"{stem}_GroundTruth.txt").decode("latin-1").splitlines()
        rows = []
        for line in lines:
            name, score, text = line.split("\t", 2)
            if abs(float(score)) >= CLEAR:
                rows.append((html.unescape(text).strip(), "positive" if float(score) > 0 else "negative", name))
        write_csv(out, ("text", "label", "snippet"), rows)

    return build


def emoji(archive: Path, out: Path) -> None:
    """Google's pictures at 64 pixels, a folder a category; base emoji only: no two differ by skin tone alone."""
    with tarfile.open(archive) as files:
        members = {m.name: m for m in files.getmembers() if m.isfile()}
        entries = json.loads(_read(files, members["package/emoji.json"]))
        for entry in entries:
            member = members.get(f"package/img/google/64/{entry['image']}")
            if member is None or not entry["has_img_google"] or entry["category"] == "Component":
                continue
            folder = out / entry["category"].lower().replace(" & ", "-").replace(" ", "-")
            folder.mkdir(parents=True, exist_ok=True)
            (folder / Path(entry["image"]).name).write_bytes(_read(files, member))


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a CSV file as UTF-8 with Unix line ends."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _member(files: tarfile.TarFile, ending: str) -> bytes:
    for member in files:
        if member.isfile() and member.name.endswith(ending):
            return _read(files, member)
    raise DataError(f"no {ending} in the archive", expected="the archive that was checked", do="report it")


def _read(files: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = files.extractfile(member)
    assert file is not None
    return file.read()
