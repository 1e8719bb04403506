"""Inception-v3."""

from __future__ import annotations

from typing import Any

from headstart.backbones._timm import Part, Timm

STEM = ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Pool1", "Conv2d_3b_1x1", "Conv2d_4a_3x3", "Pool2")
MIXED = ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c")


class Inception(Timm):
    """Inception-v3 through timm names (`inception_v3.tv_in1k`, ...).

    Use it to compare with older work, medical imaging above all. Kinds: "pixels" (299 x 299) at the input, "map"
    (c, h, w) above the stem and each mixed block, "vector" (2048,) at the top. (Szegedy et al., CVPR 2016.)

    >>> Inception(Inception.build("inception_v3"), "inception_v3").cuts[-2:]
    ('mixed.7c', 'pooled')
    """

    architectures = ("inception_v3",)

    def parts(self, model: Any) -> list[Part]:
        """Stem, mixed blocks, pooling."""
        return [
            ("stem", [getattr(model, name) for name in STEM], "map"),
            *((f"mixed.{name}", [getattr(model, f"Mixed_{name}")], "map") for name in MIXED),
            ("pooled", [model.global_pool], "vector"),
        ]
