"""Bring models to this machine, carry them to one without network, and say whether those that are here are sound."""

from __future__ import annotations

import os
import shutil
import tarfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from headstart import backbones
from headstart.backbones._convert import make
from headstart.backbones._recipes import RECIPES
from headstart.backbones._weights import PACKAGED, SEAL, check, installed, local, models_folder, seal, sha256, verify
from headstart.errors import HeadstartError, WeightsError

WANTED = ("*.safetensors", "*.json", "*.txt", "*.model", "*.hdf5")  # nothing that has to be unpickled
PROBE: dict[str, list[Any]] = {
    "text": ["A short text.", "Another one, which is a little longer."],
    "image": [np.full((64, 64, 3), 90, dtype=np.uint8), np.arange(64 * 64 * 3, dtype=np.uint8).reshape(64, 64, 3)],
}


def pull(name: str) -> Path:
    """Bring a model to this machine: from HEADSTART_MIRROR if set, else from a package or the hub. Returns its folder.

    Only safetensors, JSON and tokenizer text are taken, and their checksums written down.
    """
    name = name.removeprefix("hf-hub:")
    if name in PACKAGED and installed(PACKAGED[name]):
        return verify(PACKAGED[name].path, PACKAGED[name].sha256).parent
    if (models_folder() / name).is_dir():
        return check(models_folder() / name)
    with _arriving(name) as folder:
        if mirror := os.environ.get("HEADSTART_MIRROR"):
            _copy(Path(mirror), name, folder)
        elif name in RECIPES:
            make(name, folder)
        else:
            _download(name if "/" in name else f"timm/{name}", folder)
        seal(folder)
    return models_folder() / name


def bundle(names: Sequence[str], out: Path) -> list[str]:
    """Write models into one .tar file for a machine without network; `unbundle` there. Returns the names in it."""
    temporary = out.with_name(f".{out.name}.writing")
    with _folder_beside(out) as place, tarfile.open(temporary, "w") as tar:
        for name in names:
            folder = place / name
            if name in PACKAGED:
                backbones.get(name).save(folder)
            else:
                shutil.copytree(pull(name), folder, ignore=shutil.ignore_patterns(SEAL, ".*"))
            seal(folder)
            tar.add(folder, arcname=name)
    os.replace(temporary, out)
    return list(names)


def unbundle(path: Path) -> list[str]:
    """Put the models of a `bundle` into the models folder, each only if every checksum is right; returns their names.

    Links and paths that lead elsewhere are refused. A model that is here already is kept.
    """
    try:
        with _folder_beside(models_folder() / "bundle") as place, tarfile.open(path) as tar:
            _extract(tar, place)
            found = sorted(p.parent for p in place.rglob(SEAL))
            names = [p.relative_to(place).as_posix() for p in found]
            for name, folder in zip(names, found, strict=True):
                check(folder)
                if not (target := models_folder() / name).exists():
                    target.parent.mkdir(parents=True, exist_ok=True)
                    folder.rename(target)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise WeightsError(
            f"{path} is no whole bundle ({error})", expected="a .tar that headstart models bundle wrote",
            do="copy it again",
        ) from error  # fmt: skip
    if not names:
        raise WeightsError(f"no model in {path}", expected="a .tar that headstart models bundle wrote")
    return names


def _extract(tar: tarfile.TarFile, place: Path) -> None:
    """Regular files below `place` alone; tarfile's own filters are missing before Python 3.11.4."""
    for member in tar:
        target = place / member.name
        inside = target.resolve().is_relative_to(place.resolve())
        if not inside or not (member.isfile() or member.isdir()):
            raise tarfile.TarError(f"{member.name} is a link or leads elsewhere")
        if content := tar.extractfile(member):
            target.parent.mkdir(parents=True, exist_ok=True)
            with content, target.open("wb") as file:
                shutil.copyfileobj(content, file)


def here() -> list[str]:
    """Names of the packaged models that are installed and of those that were pulled."""
    root = models_folder()
    pulled = sorted(p.parent.relative_to(root).as_posix() for p in root.rglob(SEAL)) if root.is_dir() else []
    return list(dict.fromkeys([*(n for n, p in PACKAGED.items() if installed(p)), *pulled]))


def doctor(name: str) -> dict[str, Any]:
    """Whether one model is sound: {name, sound, why, folder, megabytes, licence, sha256}.

    Its checksums are compared, it is loaded, and two made rows go through it; `why` says what was wrong.
    """
    report: dict[str, Any] = {"name": name, "sound": False, "why": "", "folder": "", "megabytes": 0.0}
    try:
        if name in PACKAGED and installed(PACKAGED[name]):
            weights = [verify(PACKAGED[name].path, PACKAGED[name].sha256)]
        else:
            plain = name.removeprefix("hf-hub:")
            folder = Path(name.removeprefix("local-dir:")) if name.startswith("local-dir:") else local(plain)
            weights = sorted(folder.glob("*.safetensors")) if folder else []
        backbone = backbones.get(name)
        rows = PROBE["text" if "text" in backbone.modalities else "image"]
        vectors = backbone.prefix(backbone.prepare(rows), {"pooled"})["pooled"].numpy()
        if not np.isfinite(vectors).all() or np.allclose(vectors[0], vectors[1]):
            raise WeightsError("it says the same of every row, or no finite numbers", expected="different vectors")
        report |= {
            "sound": True, "folder": str(weights[0].parent) if weights else "", "licence": backbone.licence,
            "width": int(vectors.shape[1]), "megabytes": round(sum(p.stat().st_size for p in weights) / 1e6, 1),
            "sha256": {p.name: sha256(p) for p in weights},
        }  # fmt: skip
    except (HeadstartError, ImportError, OSError, RuntimeError, ValueError, KeyError) as error:
        report["why"] = str(error).partition("\n")[0]
    return report


@contextmanager
def _arriving(name: str) -> Iterator[Path]:
    """A folder to fill, which becomes the model's folder only if nothing went wrong."""
    target = models_folder() / name
    temporary = models_folder() / f".{target.name}.{uuid.uuid4().hex[:8]}"
    temporary.mkdir(parents=True)
    try:
        yield temporary
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def _folder_beside(path: Path) -> Iterator[Path]:
    """An empty folder on the same disk, removed afterwards."""
    folder = path.absolute().with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _copy(mirror: Path, name: str, folder: Path) -> None:
    source = mirror / name
    if not source.is_dir():
        raise WeightsError(f"no folder {name!r} in {mirror}", expected="the model as on the hub", do="copy it there")
    for file in (f for pattern in WANTED for f in source.rglob(pattern)):
        (folder / file.relative_to(source)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, folder / file.relative_to(source))


def _download(repository: str, folder: Path) -> None:
    from huggingface_hub import snapshot_download

    try:
        snapshot_download(repository, allow_patterns=list(WANTED), local_dir=folder)
    except Exception as error:  # the hub client raises many kinds; all mean that nothing was brought
        why = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise WeightsError(
            f"{repository} could not be fetched ({why})", expected="a reachable hub",
            do="set HEADSTART_MIRROR to a folder of models, or copy the model's folder and use local-dir:FOLDER",
        ) from error  # fmt: skip
    shutil.rmtree(folder / ".cache", ignore_errors=True)  # the hub client's own notes
