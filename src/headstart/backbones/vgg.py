"""VGG: plain stacks of small convolutions."""

from __future__ import annotations

from typing import Any

from torch import nn

from headstart.backbones._timm import Part, Timm

TRUNK = "_trunk"


class Vgg(Timm):
    """VGG-11, 13, 16 and 19, with or without batch normalisation, through timm names.

    Use it to compare with older work, or for textures; it is slow for what it knows. Kinds: "pixels" at the input,
    "map" (c, h, w) above each block of convolutions, "vector" (4096; a trunk 512,) at the top.
    (Simonyan and Zisserman, ICLR 2015.)

    >>> Vgg(Vgg.build("vgg11"), "vgg11").cuts[1:3]
    ('block.0', 'block.1')
    """

    timm_files = ("vgg",)

    @classmethod
    def knows(cls, architecture: str) -> bool:
        """Also "vgg16_trunk" and its like: the convolutions alone, whose pooled vector is the mean of the last map."""
        return super().knows(architecture.removesuffix(TRUNK))

    @classmethod
    def build(cls, architecture: str, **config: Any) -> Any:
        """The bare network without a classifier."""
        model = super().build(architecture.removesuffix(TRUNK), **config)
        if architecture.endswith(TRUNK):
            model.pre_logits = nn.Identity()
            model.pretrained_cfg["architecture"] = architecture
        return model

    def parts(self, model: Any) -> list[Part]:
        """A block up to each pooling, then what VGG does before its classifier."""
        blocks: list[list[nn.Module]] = [[]]
        for module in model.features:
            blocks[-1].append(module)
            if isinstance(module, nn.MaxPool2d):
                blocks.append([])
        named: list[Part] = [(f"block.{i}", block, "map") for i, block in enumerate(b for b in blocks if b)]
        return [*named, ("pooled", [model.pre_logits, model.head.global_pool], "vector")]
