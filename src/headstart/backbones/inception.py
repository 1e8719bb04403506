"""Inception-v3, Inception-v4, Inception-ResNet-v2 and Xception: convolutions of several sizes side by side."""

from __future__ import annotations

from typing import Any

from torch import nn

from headstart.backbones._timm import BeforeClassifier, Part, Timm

STEM = ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Pool1", "Conv2d_3b_1x1", "Conv2d_4a_3x3", "Pool2")
MIXED = ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c")
V4_STEM = 6  # modules before the first of the equal blocks
RESNET_STEM = ("conv2d_1a", "conv2d_2a", "conv2d_2b", "maxpool_3a", "conv2d_3b", "conv2d_4a", "maxpool_5a")
RESNET_MIXED = ("mixed_5b", "repeat", "mixed_6a", "repeat_1", "mixed_7a", "repeat_2", "block8", "conv2d_7b")


class Inception(Timm):
    """The Inception line through timm names (`inception_v3.tv_in1k`, `inception_v4`, `legacy_xception`, ...).

    Use it to compare with older work, medical imaging above all. Kinds: "pixels" (299 x 299) at the input, "map"
    (c, h, w) above the stem and each block, "vector" (1536 or 2048,) at the top. (Szegedy et al., CVPR 2016 and
    AAAI 2017; Chollet, Xception, CVPR 2017.)

    >>> Inception(Inception.build("inception_v3"), "inception_v3").cuts[-2:]
    ('mixed.7c', 'pooled')
    """

    timm_files = ("inception_v3", "inception_v4", "inception_resnet_v2", "xception", "xception_aligned")

    def parts(self, model: Any) -> list[Part]:
        """Stem, blocks, pooling."""
        if hasattr(model, "Mixed_5b"):
            stem, blocks = [getattr(model, n) for n in STEM], _named(model, "mixed.", "Mixed_", MIXED)
        elif hasattr(model, "mixed_5b"):
            stem, blocks = [getattr(model, n) for n in RESNET_STEM], _named(model, "", "", RESNET_MIXED)
        elif hasattr(model, "features"):
            stem = list(model.features[:V4_STEM])
            blocks = [(f"mixed.{i}", [m], "map") for i, m in enumerate(model.features) if i >= V4_STEM]
        elif hasattr(model, "block12"):
            return _xception(model)
        else:
            blocks = [(f"blocks.{i}", [m], "map") for i, m in enumerate(model.blocks)]
            return [
                ("stem", [model.stem], "map"), *blocks,
                ("pooled", [model.act, BeforeClassifier(model.head)], "vector"),
            ]  # fmt: skip
        return [("stem", stem, "map"), *blocks, ("pooled", [model.global_pool], "vector")]


def _named(model: Any, said: str, prefix: str, names: tuple[str, ...]) -> list[Part]:
    return [(f"{said}{n}", [getattr(model, f"{prefix}{n}")], "map") for n in names]


def _xception(model: Any) -> list[Part]:
    def convolution(i: int) -> list[nn.Module]:
        return [getattr(model, f"{kind}{i}") for kind in ("conv", "bn", "act")]

    return [
        ("stem", [*convolution(1), *convolution(2)], "map"),
        *((f"block.{i}", [getattr(model, f"block{i}")], "map") for i in range(1, 13)),
        ("head", [*convolution(3), *convolution(4)], "map"),
        ("pooled", [model.global_pool], "vector"),
    ]
