"""What all families share whose architecture is timm's: names, preprocessing, saving; a family adds its stage list."""

from __future__ import annotations

import json
import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from headstart.activations.activations import Kind
from headstart.backbones._base import Backbone, Batch, Plain, Stage
from headstart.backbones._weights import find
from headstart.data.images import decode
from headstart.errors import WeightsError

MARGIN = 4  # a scaled decode is still so many times larger than what is made of it, for the sake of its edges
Part = tuple[str, Sequence[Any], Kind]  # name, modules in order, kind of what comes out


@dataclass(frozen=True)
class Preparation:
    """From raw rows to pixels, as the weights' own configuration says; small, so that worker processes can hold it."""

    size: int
    resize: int  # of the shorter side, before the centre is cut out
    interpolation: str
    squash: bool = False

    def __call__(self, rows: Sequence[Any], *, scaled: bool = False) -> np.ndarray:
        """(n, 3, size, size) uint8."""
        return np.stack([self.one(row, scaled=scaled) for row in rows])

    def one(self, row: Any, *, scaled: bool = False) -> np.ndarray:
        """(3, size, size) uint8."""
        image = decode(row, at_least=MARGIN * self.resize if scaled else None)
        width = height = self.size
        if not self.squash:
            short = min(image.size)
            width, height = (max(self.size, int(self.resize * side / short)) for side in image.size)
        left, top = round((width - self.size) / 2), round((height - self.size) / 2)
        if scaled and (width, height) != image.size and self.interpolation in ("bilinear", "bicubic"):
            pixels = _quickly(image, width, height, self.interpolation)
            return pixels[:, top : top + self.size, left : left + self.size]
        how = Image.Resampling[self.interpolation.upper()]
        if (width, height) != image.size and image.width >= image.height:
            # what the crop cuts off is not made; the filter still reads beyond the box. Not for upright pictures: there
            # Pillow takes its two passes in another order with a box than without one, and rounds in between.
            across, down = image.width / width, image.height / height
            right, bottom = (left + self.size) * across, (top + self.size) * down
            box = (left * across, top * down, min(right, image.width), min(bottom, image.height))
            return np.asarray(image.resize((self.size, self.size), how, box=box)).transpose(2, 0, 1)
        image = image if (width, height) == image.size else image.resize((width, height), how)
        return np.asarray(image.crop((left, top, left + self.size, top + self.size))).transpose(2, 0, 1)


def _quickly(image: Image.Image, width: int, height: int, how: str) -> np.ndarray:
    """(3, height, width) uint8, resized by torch: a level or two beside Pillow at a part of the time."""
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None]
    out: np.ndarray = nn.functional.interpolate(pixels, (height, width), mode=how, antialias=True)[0].numpy()
    return out


class Pixels(nn.Module):
    """Bytes to the numbers that the weights expect: scaled to 0..1, minus mean, over deviation."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1) * 255)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1) * 255)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = (x.to(self.mean.dtype) - self.mean) / self.std
        return out


class BeforeClassifier(nn.Module):
    """What a timm head does before its classifier."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.head = head

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(x, pre_logits=True)
        return out


class Timm(Backbone):
    """A timm network; subclasses list its stages and say which architectures they know."""

    modalities = frozenset({"image"})
    input_kind = "pixels"
    timm_files: ClassVar[tuple[str, ...]] = ()  # files of timm/models that build the family's networks
    timm_names: ClassVar[tuple[str, ...]] = ("",)  # and how the names of those begin that belong to it

    def __init__(
        self, model: Any, name: str, *, licence: str | None = None, preparation: Preparation | None = None
    ) -> None:
        from timm.data.config import resolve_data_config

        self.model = model.eval().requires_grad_(False)
        self.name = name
        self.config = resolve_data_config(pretrained_cfg=model.pretrained_cfg, model=model)
        self.licence = licence or str(model.pretrained_cfg.get("license") or "unknown")
        size = int(self.config["input_size"][-1])
        self.preparation = preparation or Preparation(
            size, math.floor(size / self.config["crop_pct"]), self.config["interpolation"],
            squash=self.config.get("crop_mode") == "squash",
        )  # fmt: skip

    @classmethod
    def build(cls, architecture: str, **config: Any) -> Any:
        """The bare network without a classifier."""
        import timm

        return timm.create_model(architecture, pretrained=False, num_classes=0, **config)

    @classmethod
    def knows(cls, architecture: str) -> bool:
        """Whether the family builds a timm architecture (a name without the tag behind the point)."""
        from timm.models import is_model_in_modules

        return architecture.startswith(cls.timm_names) and is_model_in_modules(architecture, cls.timm_files)

    @classmethod
    def reads(cls, folder: Path, config: dict[str, Any]) -> bool:
        """Whether timm's configuration names an architecture of the family."""
        return "architecture" in config and cls.knows(config["architecture"].partition(".")[0])

    @classmethod
    def renamed(cls, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """torchvision's tensors under other names, where neither name nor order tells which is which."""
        return state

    @classmethod
    def named(cls, name: str) -> Self:
        """A timm name or hub id that lies on this machine."""
        return cls.read(find(name.removeprefix("hf-hub:")), {"name": name})

    @classmethod
    def read(cls, folder: Path, card: dict[str, Any]) -> Self:
        """A folder with config.json and model.safetensors, as the hub and `save` lay it out."""
        from safetensors.torch import load_file

        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        weights = folder / "model.safetensors"
        if not weights.exists():
            raise WeightsError(
                f"no model.safetensors in {folder}", expected="weights without pickle", do="convert them"
            )
        model = cls.build(config["architecture"], pretrained_cfg_overlay=config.get("pretrained_cfg", {}))
        wanted = model.state_dict()
        state = {k: v for k, v in load_file(weights).items() if k in wanted}
        if missing := set(wanted) - set(state):
            raise WeightsError(
                f"{weights} lacks {len(missing)} tensors, such as {min(missing)}", expected=config["architecture"]
            )
        model.load_state_dict(state)
        own = card.get("preprocessing", {}).get("preparation")
        name = card.get("name") or f"local-dir:{folder}"
        return cls(model, name, licence=card.get("licence"), preparation=Preparation(**own) if own else None)

    @property
    def preprocessing(self) -> dict[str, Any]:
        """Size, crop, interpolation, mean and deviation."""
        mean, std = list(self.config["mean"]), list(self.config["std"])
        return {"preparation": asdict(self.preparation), "mean": mean, "std": std}

    def prepare(self, rows: Sequence[Any]) -> Batch:
        """(n, 3, s, s) uint8 pixels."""
        return Batch(torch.from_numpy(self.preparation(rows)))

    def prepare_quickly(self, rows: Sequence[Any]) -> Batch:
        """The same within a level or two, from JPEGs decoded at 1/2, 1/4 or 1/8 where they are large."""
        return Batch(torch.from_numpy(self.preparation(rows, scaled=True)))

    @abstractmethod
    def parts(self, model: Any) -> list[Part]:
        """(name, modules in order, kind) from the first convolution to the pooled vector, without preprocessing."""

    def stages(self) -> list[Stage]:
        """The network in order; the first stage begins with the weights' own mean and deviation."""
        return self._staged(self.model)

    def fresh(self) -> list[Stage]:
        """The same network with weights drawn as timm draws them."""
        return self._staged(self.build(self.model.pretrained_cfg["architecture"]).eval())

    def _staged(self, model: Any) -> list[Stage]:
        first: list[nn.Module] = [Pixels(self.config["mean"], self.config["std"])]
        found = []
        for name, modules, kind in self.parts(model):
            found.append(Stage(name, Plain(nn.Sequential(*first, *modules)), kind))
            first = []
        return found

    def save(self, folder: Path) -> None:
        """config.json, model.safetensors and headstart.json."""
        from safetensors.torch import save_file

        folder.mkdir(parents=True, exist_ok=True)
        architecture = self.model.pretrained_cfg["architecture"]
        own = {k: list(v) if isinstance(v, tuple) else v for k, v in self.config.items()}
        config = {"architecture": architecture, "num_classes": 0, "pretrained_cfg": own}
        family = type(self).__module__.rpartition(".")[2]
        card = {"family": family, "name": self.name, "licence": self.licence, "preprocessing": self.preprocessing}
        (folder / "config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")
        (folder / "headstart.json").write_text(json.dumps(card, indent=1), encoding="utf-8")
        save_file({k: v.contiguous() for k, v in self.model.state_dict().items()}, folder / "model.safetensors")
