"""Floor 1: pre-trained networks as lists of stages, and the classical features that they are measured against."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headstart import _discover
from headstart.backbones._weights import PACKAGED, find, installed, local
from headstart.errors import HeadstartError, WeightsError

if TYPE_CHECKING:
    from headstart.backbones._base import Backbone
    from headstart.data.dataset import Dataset

CLASSICAL = {"text": "ngrams", "image": "colour_hog", "table": "columns", "vector": "columns"}


def candidates(modality: str) -> list[str]:
    """Packaged pre-trained models that read such rows; a text model also reads table rows, as sentences.

    >>> candidates("image"), candidates("vector")
    (['efficientnet_lite0'], [])
    """
    reads = {"table": "text"}.get(modality, modality)
    return [n for n, p in PACKAGED.items() if p.modality == reads and (installed(p) or local(n))]


def classical(modality: str) -> str:
    """The features that know nothing beforehand."""
    return CLASSICAL[modality]


def get(name: str, data: Dataset | None = None) -> Backbone:
    """A backbone by name, loaded once a process.

    Names: a packaged one ("minilm"), a timm name ("resnet50.a1_in1k"), a hub id ("hf-hub:..." or "org/model"),
    "local-dir:FOLDER", a file of weights ("resnet50-11ad3fa6.pth", "resnet50@mine.safetensors", "model.gguf",
    "glove.txt"), "scratch:NAME" for the same network untrained, or a classical one ("columns" needs `data`, whose
    training rows decide its schema). Behind a # stands where it ends and how it pools: "minilm#layer.4+max",
    "minilm#last.3", "smollm2#last". Raises WeightsError where no weights are on this machine, saying how to get them.
    """
    if name == "columns" and data is not None:
        train = data if data.split is None else data.where(split="train")
        return _discover.load("backbones", "columns").of(train.rows)
    return _load(name)


def unlike(backbone: Backbone, rows: Sequence[Any]) -> list[str]:
    """In words, what rows to predict hold of another kind than those that a table's columns were learnt from."""
    from headstart.backbones.columns import Columns

    return backbone.unlike(rows) if isinstance(backbone, Columns) else []


@cache
def _load(name: str) -> Backbone:
    whole, _, where = name.rpartition("#")
    if name.startswith("scratch:"):
        backbone: Backbone = _discover.load("backbones", "scratch")(get(name.removeprefix("scratch:")))
    elif whole and not Path(name).exists():
        backbone = _ended(get(whole), where)
    elif name in CLASSICAL.values():
        backbone = _discover.load("backbones", name)()
    elif name in PACKAGED and installed(PACKAGED[name]):
        backbone = _discover.load("backbones", PACKAGED[name].family).packaged(name)
    elif (file := Path(name.rpartition("@")[2])).is_file():
        with _faults(file):
            backbone = _from_file(name)
    else:
        folder = Path(name.removeprefix("local-dir:")) if name.startswith("local-dir:") else find(name)
        with _faults(folder):
            card = _card(folder) if name.startswith("local-dir:") else _card(folder) | {"name": name}
            backbone = _family(folder, card).read(folder, card)
        backbone = _ended(backbone, card["layer"]) if "layer" in card else backbone
    return backbone


def _ended(backbone: Backbone, where: str) -> Backbone:
    from headstart.backbones._layer import Layer

    return Layer(backbone, where)


@contextmanager
def _faults(folder: Path) -> Iterator[None]:
    """Whatever libraries say of files that are cut off or not theirs, as a WeightsError."""
    from safetensors import SafetensorError

    try:
        yield
    except HeadstartError:
        raise
    except (SafetensorError, ValueError, KeyError, OSError) as error:
        why = str(error).partition("\n")[0]
        raise WeightsError(f"{folder} cannot be read ({why})", expected="whole files", do="copy it again") from error


def _from_file(name: str) -> Backbone:
    """A single file: of a family that knows its ending, or of a timm or torchvision network."""
    from headstart.backbones import _file

    architecture, _, path = name.rpartition("@")
    for family in (_discover.load("backbones", n) for n in _discover.names("backbones")):
        if path.endswith(family.endings or "?"):
            made: Backbone = family.from_file(Path(path), name)
            return made
    return _file.from_file(Path(path), architecture or None)


def _card(folder: Path) -> dict[str, Any]:
    if not folder.is_dir():
        raise WeightsError(f"no folder {folder}", expected="a folder with config.json and weights", do="check the path")
    path = folder / "headstart.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def _family(folder: Path, card: dict[str, Any]) -> Any:
    """The family that reads a folder: as its card says, or the one that knows its configuration."""
    if "family" in card:
        return _discover.load("backbones", card["family"])
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for name in _discover.names("backbones"):
        family = _discover.load("backbones", name)
        if family.reads(folder, config):
            return family
    what = config.get("architecture") or config.get("model_type")
    raise WeightsError(
        f"no family knows {what!r}" if what else f"no config.json in {folder} that says what it is",
        expected="a timm or Hugging Face folder of a family that headstart list backbones shows", do="copy it whole",
    )  # fmt: skip
