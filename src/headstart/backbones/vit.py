"""Vision transformers: ViT, DeiT, DINOv2, SigLIP's vision half."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from headstart.backbones._timm import Part, Timm


class Vit(Timm):
    """Plain vision transformers through timm names (`vit_base_patch16_224.dino`, `deit_tiny_patch16_224`, ...).

    Use it for the strongest frozen features, given a GPU or patience. Kinds: "pixels" at the input, "tokens" (t, d)
    above the patches and each block, "vector" at the top. (Dosovitskiy et al., ICLR 2021.)

    >>> Vit(Vit.build("vit_tiny_patch16_224"), "vit_tiny_patch16_224").cuts[:3]
    ('input', 'patches', 'blocks.0')
    """

    timm_files = ("vision_transformer", "deit")

    def parts(self, model: Any) -> list[Part]:
        """Patches, blocks, normalised pooling."""
        return [
            ("patches", [_Patches(model)], "tokens"),
            *((f"blocks.{i}", [block], "tokens") for i, block in enumerate(model.blocks)),
            ("pooled", [_Pool(model)], "vector"),
        ]


class _Part(nn.Module):
    """Some of a network's modules under their own names, beside its unregistered rest for the methods that use them."""

    def __init__(self, model: nn.Module, names: Sequence[str]) -> None:
        super().__init__()
        for name in names:
            value = getattr(model, name, None)
            if isinstance(value, nn.Parameter):
                self.register_parameter(name, value)
            elif isinstance(value, nn.Module):
                self.add_module(name, value)
            else:
                setattr(self, name, value)


class _Patches(_Part):
    norm_pre: nn.Module
    patch_embed: nn.Module

    def __init__(self, model: Any) -> None:
        names = (
            "patch_embed",
            "cls_token",
            "dist_token",
            "reg_token",
            "pos_embed",
            "pos_drop",
            "norm_pre",
            "num_prefix_tokens",
        )
        super().__init__(model, (*names, "no_embed_class", "num_reg_tokens", "dynamic_img_size"))
        self._pos_embed = type(model)._pos_embed.__get__(self)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.norm_pre(self._pos_embed(self.patch_embed(x)))
        return out


class _Pool(_Part):
    norm: nn.Module

    def __init__(self, model: Any) -> None:
        names = ("norm", "fc_norm", "head_drop", "attn_pool", "global_pool", "num_prefix_tokens", "pool_include_prefix")
        super().__init__(model, names)
        self.pool = type(model).pool.__get__(self)
        self.forward_head = type(model).forward_head.__get__(self)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.forward_head(self.norm(x), pre_logits=True)
        return out
