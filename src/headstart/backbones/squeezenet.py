"""SqueezeNet: fire modules, five megabytes."""

from __future__ import annotations

from typing import Any

from torch import nn

from headstart.backbones._timm import Part, Timm

CONFIG = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225), "input_size": (3, 224, 224)}


class Squeezenet(Timm):
    """SqueezeNet 1.0 and 1.1, built by torchvision.

    Use it for quick trials and where five megabytes are all there is; anything newer is more accurate. Kinds: "pixels"
    at the input, "map" (c, h, w) above the stem and each fire module, "vector" (512,) at the top.
    (Iandola et al., SqueezeNet, arXiv 1602.07360.)

    >>> Squeezenet(Squeezenet.build("squeezenet1_1"), "squeezenet1_1").cuts[1:3]
    ('stem', 'fire.3')
    """

    @classmethod
    def knows(cls, architecture: str) -> bool:
        """Whether torchvision builds it."""
        return architecture.startswith("squeezenet")

    @classmethod
    def build(cls, architecture: str, **config: Any) -> Any:
        """The bare network without a classifier."""
        import torchvision

        model = getattr(torchvision.models, architecture)(weights=None)
        model.classifier = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        overlay = config.get("pretrained_cfg_overlay") or {}
        model.pretrained_cfg = {"architecture": architecture, "crop_pct": 0.875, "interpolation": "bilinear"}
        model.pretrained_cfg |= CONFIG | overlay
        return model

    def parts(self, model: Any) -> list[Part]:
        """Stem, fire modules (with a pooling before some), pooling."""
        groups: list[list[nn.Module]] = [[]]
        names = ["stem"]
        for i, module in enumerate(model.features):
            groups[-1].append(module)
            if i >= 2 and not isinstance(module, nn.MaxPool2d):
                names.append(f"fire.{i}")
                groups.append([])
            elif i == 2:
                groups.append([])
        parts: list[Part] = [(name, group, "map") for name, group in zip(names, groups, strict=False) if group]
        return [*parts, ("pooled", [model.classifier], "vector")]
