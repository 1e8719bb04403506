"""ConvNeXt: convolutions with what transformers taught."""

from __future__ import annotations

from typing import Any

from headstart.backbones._timm import BeforeClassifier, Part, Timm


class Convnext(Timm):
    """ConvNeXt and ConvNeXt-V2 through timm names (`convnext_atto.d2_in1k`, ...).

    Use it where accuracy counts more than time on a CPU. Kinds: "pixels" at the input, "map" (c, h, w) above the stem
    and the four stages, "vector" at the top. (Liu et al., A ConvNet for the 2020s, CVPR 2022.)

    >>> Convnext(Convnext.build("convnext_atto"), "convnext_atto").cuts[-2:]
    ('stages.3', 'pooled')
    """

    timm_files = ("convnext",)

    def parts(self, model: Any) -> list[Part]:
        """Stem, four stages, normalised pooling."""
        return [
            ("stem", [model.stem], "map"),
            *((f"stages.{i}", [stage], "map") for i, stage in enumerate(model.stages)),
            ("pooled", [model.norm_pre, BeforeClassifier(model.head)], "vector"),
        ]
