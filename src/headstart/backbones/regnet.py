"""RegNet: residual networks whose widths follow a line."""

from __future__ import annotations

import re
from typing import Any

from torch import Tensor

from headstart.backbones._timm import BeforeClassifier, Part, Timm

RENAMED = (
    (r"^stem\.0", "stem.conv"), (r"^stem\.1", "stem.bn"),
    (r"^trunk_output\.block(\d)\.block\d+-(\d+)", lambda m: f"s{m[1]}.b{int(m[2]) + 1}"),
    (r"f\.a\.0", "conv1.conv"), (r"f\.a\.1", "conv1.bn"), (r"f\.b\.0", "conv2.conv"), (r"f\.b\.1", "conv2.bn"),
    (r"f\.c\.0", "conv3.conv"), (r"f\.c\.1", "conv3.bn"), (r"f\.se\.", "se."),
    (r"proj\.0", "downsample.conv"), (r"proj\.1", "downsample.bn"),
)  # fmt: skip


class Regnet(Timm):
    """RegNetX, Y, Z and V through timm names (`regnety_004`, `regnetx_002`, ...).

    Use it as a ResNet that costs less for the same accuracy. Kinds: "pixels" at the input, "map" (c, h, w) above the
    stem and the four stages, "vector" at the top. (Radosavovic et al., Designing Network Design Spaces, CVPR 2020.)

    >>> Regnet(Regnet.build("regnetx_002"), "regnetx_002").cuts
    ('input', 'stem', 's1', 's2', 's3', 's4', 'pooled')
    """

    timm_files = ("regnet",)

    @classmethod
    def renamed(cls, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """torchvision's names to timm's: its shortcut stands before the block, with tensors of the same sizes."""
        out = {}
        for key, value in state.items():
            name = key
            for pattern, ours in RENAMED:
                name = re.sub(pattern, ours, name)
            out[name] = value
        return out

    def parts(self, model: Any) -> list[Part]:
        """Stem, four stages, last convolution (where there is one) and pooling."""
        return [
            ("stem", [model.stem], "map"),
            *((f"s{i}", [getattr(model, f"s{i}")], "map") for i in (1, 2, 3, 4)),
            ("pooled", [model.final_conv, BeforeClassifier(model.head)], "vector"),
        ]
