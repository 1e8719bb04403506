"""MobileNet and other small networks of inverted residuals."""

from __future__ import annotations

from typing import Any

from headstart.backbones._timm import Part
from headstart.backbones.efficientnet import Efficientnet


class Mobilenet(Efficientnet):
    """MobileNetV1 to V4, MNASNet, LCNet, FBNet, MixNet, TinyNet through timm names (`mobilenetv3_small_100`, ...).

    Use it where a picture must be read in milliseconds; a little weaker than EfficientNet-Lite0 at the same speed.
    Kinds: "pixels" at the input, "map" (c, h, w) above the stem and each group of blocks, "vector" at the top.
    (Sandler et al., MobileNetV2, CVPR 2018; Howard et al., MobileNetV3, ICCV 2019.)

    >>> Mobilenet(Mobilenet.build("mobilenetv3_small_050"), "mobilenetv3_small_050").cuts[-2:]
    ('blocks.5', 'pooled')
    """

    timm_files = ("efficientnet", "mobilenetv3")
    timm_names = (
        "mobilenet", "tf_mobilenet", "mnasnet", "semnasnet", "spnasnet", "lcnet", "fbnet", "tinynet", "mixnet",
        "tf_mixnet",
    )  # fmt: skip

    def parts(self, model: Any) -> list[Part]:
        """As EfficientNet; from V3 on the last convolution stands behind the pooling."""
        if hasattr(model, "bn2"):
            return super().parts(model)
        groups: list[Part] = [(f"blocks.{i}", [group], "map") for i, group in enumerate(model.blocks)]
        head = [model.global_pool, model.conv_head, model.norm_head, model.act2, model.flatten]
        return [("stem", [model.conv_stem, model.bn1], "map"), *groups, ("pooled", head, "vector")]
