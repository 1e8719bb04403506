"""Archives from package registries, by the registry's own client, checked by SHA-256; nothing in them is ever run."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from headstart.errors import DataError

PATIENCE = 600  # seconds for one archive

# pip asks a source archive's build code for its name before it saves the archive. This stand-in answers in its place,
# from the PKG-INFO file, so that no line of the archive runs.
STAND_IN = '''"""Answers for the build code of a source archive: name and version from PKG-INFO, nothing is run."""
import pathlib, re

def _field(name):
    return re.search(rf"^{name}: (.*)$", pathlib.Path("PKG-INFO").read_text("utf-8", "replace"), re.M).group(1).strip()

def get_requires_for_build_wheel(config_settings=None):
    return []

def prepare_metadata_for_build_wheel(folder, config_settings=None):
    stem = re.sub(r"[-_.]+", "_", _field("Name"))  # older pips read name and version off the folder
    info = pathlib.Path(folder, f"{stem}-{_field('Version')}.dist-info")
    info.mkdir()
    words = f"Metadata-Version: 2.1\\nName: {_field('Name')}\\nVersion: {_field('Version')}\\n"
    (info / "METADATA").write_text(words, "utf-8")
    return info.name

def build_wheel(*_, **__):
    raise RuntimeError("nothing is built here")

class __legacy__:
    get_requires_for_build_wheel = staticmethod(get_requires_for_build_wheel)
    prepare_metadata_for_build_wheel = staticmethod(prepare_metadata_for_build_wheel)
    build_wheel = staticmethod(build_wheel)
'''


@dataclass(frozen=True)
class Source:
    """One archive of a registry, pinned."""

    kind: str  # "wheel" | "sdist" | "npm" | "deb" | "none" (nothing to fetch)
    package: str
    version: str
    sha256: str

    def __str__(self) -> str:
        where = {"wheel": "PyPI", "sdist": "PyPI", "npm": "npm", "deb": "Debian"}[self.kind]
        return f"{where} package {self.package} {self.version}".rstrip()


def fetch(source: Source, folder: Path) -> Path:
    """Download an archive into an empty folder and check it; DataError with the client's last words where it fails."""
    {"wheel": _pip, "sdist": _pip, "npm": _npm, "deb": _deb}[source.kind](source, folder)
    found = [p for p in folder.iterdir() if p.is_file()]
    if len(found) != 1:
        raise DataError(f"{source} gave {len(found)} files", expected="one archive", do="try again")
    with found[0].open("rb") as file:
        seen = hashlib.file_digest(file, "sha256").hexdigest()
    if seen != source.sha256:
        raise DataError(
            f"{source} has SHA-256 {seen}",
            expected=source.sha256,
            do="do not use it: the archive is not the one that was checked",
        )
    return found[0]


def _pip(source: Source, folder: Path) -> None:
    if find_spec("pip"):
        client = [sys.executable, "-m", "pip"]
    elif path := shutil.which("pip") or shutil.which("pip3"):
        client = [path]
    else:
        raise DataError(f"pip is missing, which fetches the {source}", expected="pip", do="python -m ensurepip")
    lock = folder / "requirement"
    lock.write_text(f"{source.package}=={source.version} --hash=sha256:{source.sha256}\n", encoding="utf-8")
    words = [
        *client,
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--require-hashes",
        "--ignore-requires-python",
    ]
    words += ["--dest", str(folder), "--requirement", str(lock)]
    environment = dict(os.environ)
    stand_in = folder / "stand_in"
    if source.kind == "wheel":
        words += ["--only-binary", ":all:"]
    else:
        words += ["--no-binary", ":all:", "--no-build-isolation"]
        (stand_in / "setuptools").mkdir(parents=True)
        (stand_in / "setuptools" / "__init__.py").write_text("")
        (stand_in / "setuptools" / "build_meta.py").write_text(STAND_IN, encoding="utf-8")
        environment["PYTHONPATH"] = str(stand_in)
        environment["PIP_USE_PEP517"] = "1"  # else pip 23.0 runs setup.py; later ones know no such option and need none
    try:
        _call(words, folder, source, environment)
    finally:
        shutil.rmtree(stand_in, ignore_errors=True)
        lock.unlink()


def _npm(source: Source, folder: Path) -> None:
    npm = _tool("npm", source, "install Node.js")
    _call([npm, "pack", "--silent", "--ignore-scripts", f"{source.package}@{source.version}"], folder, source)


def _deb(source: Source, folder: Path) -> None:
    apt = _tool("apt-get", source, "fetch it on a Debian or Ubuntu machine")
    pinned = f"{source.package}={source.version}" if source.version else source.package
    _call([apt, "download", "-q", pinned], folder, source)


def _tool(name: str, source: Source, remedy: str) -> str:
    if path := shutil.which(name):
        return path
    raise DataError(f"{name} is missing, which fetches the {source}", expected=f"{name} on the PATH", do=remedy)


def _call(words: list[str], folder: Path, source: Source, environment: dict[str, str] | None = None) -> None:
    try:
        done = subprocess.run(
            words, cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise DataError(
            f"{source} did not arrive within {PATIENCE} seconds", expected="a working network", do="try again"
        ) from error
    if done.returncode:
        last = " / ".join((done.stderr or done.stdout).strip().splitlines()[-2:])
        raise DataError(
            f"{source} could not be fetched ({last})", expected="a working network or mirror", do="try again later"
        )
