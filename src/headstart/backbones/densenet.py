"""DenseNet: every layer reads all the layers before it."""

from __future__ import annotations

from typing import Any

from torch import nn

from headstart.backbones._timm import Part, Timm


class Densenet(Timm):
    """DenseNet-121, 161, 169, 201 through timm names (`densenet121.ra_in1k`, ...).

    Use it for drawings, textures and medical pictures, where its low layers stay visible at the top; it needs more
    memory than its size suggests. Kinds: "pixels" at the input, "map" (c, h, w) above the stem and each dense block,
    "vector" at the top. (Huang et al., Densely Connected Convolutional Networks, CVPR 2017.)

    >>> Densenet(Densenet.build("densenet121"), "densenet121").cuts
    ('input', 'stem', 'block.1', 'block.2', 'block.3', 'block.4', 'pooled')
    """

    timm_files = ("densenet",)

    def parts(self, model: Any) -> list[Part]:
        """Stem, dense blocks each with the transition or norm above it, pooling."""
        groups: list[list[nn.Module]] = [[]]
        for name, module in model.features.named_children():
            if name.startswith("denseblock"):
                groups.append([])
            groups[-1].append(module)
        blocks: list[Part] = [(f"block.{i}", group, "map") for i, group in enumerate(groups) if i]
        return [("stem", groups[0], "map"), *blocks, ("pooled", [model.global_pool], "vector")]
