"""Floor 1: pre-trained networks as lists of stages, and the classical features that they are measured against."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headstart import _discover
from headstart.backbones._weights import PACKAGED, find, installed, local
from headstart.errors import WeightsError

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
    "local-dir:FOLDER", "scratch:NAME" for the same network untrained, or a classical one ("columns" needs `data`, whose
    training rows decide its schema). Raises WeightsError where no weights are on this machine, saying how to get them.
    """
    if name == "columns" and data is not None:
        train = data if data.split is None else data.where(split="train")
        return _discover.load("backbones", "columns").of(train.rows)
    return _load(name)


@cache
def _load(name: str) -> Backbone:
    if name.startswith("scratch:"):
        backbone: Backbone = _discover.load("backbones", "scratch")(get(name.removeprefix("scratch:")))
    elif name in CLASSICAL.values():
        backbone = _discover.load("backbones", name)()
    elif name in PACKAGED and installed(PACKAGED[name]):
        backbone = _discover.load("backbones", PACKAGED[name].family).packaged(name)
    elif name.startswith("local-dir:"):
        folder = Path(name.removeprefix("local-dir:"))
        card = _card(folder)
        backbone = _family(folder, card).read(folder, card)
    else:
        folder = find(name.removeprefix("hf-hub:"))
        backbone = _family(folder, {}).read(folder, {"name": name})
    return backbone


def _card(folder: Path) -> dict[str, Any]:
    if not folder.is_dir():
        raise WeightsError(f"no folder {folder}", expected="a folder with config.json and weights", do="check the path")
    path = folder / "headstart.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def _family(folder: Path, card: dict[str, Any]) -> Any:
    """The family that reads a folder: as its card says, by timm's architecture, or a Hugging Face encoder."""
    if "family" in card:
        return _discover.load("backbones", card["family"])
    path = folder / "config.json"
    if not path.exists():
        raise WeightsError(f"no config.json in {folder}", expected="a timm or Hugging Face folder", do="copy it whole")
    config = json.loads(path.read_text(encoding="utf-8"))
    if "architecture" not in config:
        return _discover.load("backbones", "bert")
    for name in _discover.names("backbones"):
        family = _discover.load("backbones", name)
        if config["architecture"].startswith(getattr(family, "architectures", ("-",))):
            return family
    raise WeightsError(
        f"no family knows {config['architecture']!r}",
        expected="a VGG, ResNet, Inception, EfficientNet, ConvNeXt or ViT",
    )
