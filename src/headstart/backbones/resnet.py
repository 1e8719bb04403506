"""ResNet and its kin: ResNeXt, Wide ResNet, SE-ResNet and others that timm builds as ResNets."""

from __future__ import annotations

from typing import Any

from headstart.backbones._timm import Part, Timm


class Resnet(Timm):
    """Residual networks through timm names: `resnet50.a1_in1k`, `resnext50_32x4d`, `wide_resnet50_2`, ...

    Use it when its weights are on the machine; the field's common yardstick. Kinds: "pixels" at the input, "map"
    (c, h, w) above the stem and the four layers, "vector" at the top. (He et al., Deep Residual Learning, CVPR 2016.)

    >>> Resnet(Resnet.build("resnet18"), "resnet18").cuts
    ('input', 'stem', 'layer1', 'layer2', 'layer3', 'layer4', 'pooled')
    """

    timm_files = ("resnet",)

    def parts(self, model: Any) -> list[Part]:
        """Stem, four layers, pooling."""
        return [
            ("stem", [model.conv1, model.bn1, model.act1, model.maxpool], "map"),
            *((f"layer{i}", [getattr(model, f"layer{i}")], "map") for i in (1, 2, 3, 4)),
            ("pooled", [model.global_pool], "vector"),
        ]
