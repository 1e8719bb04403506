"""Rows changed while they are trained on: mixing for maps and pixels, random views for pixels."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from headstart.activations.activations import Kind
from headstart.errors import NotApplicable

MIXES = ("mixup", "cutmix")
VIEWS = ("crop", "rand")
ALPHA = {"mixup": 0.2, "cutmix": 1.0}  # of the Beta distribution that the share is drawn from


def check(kind: Kind, augment: str | None, mix: str | None) -> None:
    """NotApplicable where the rows at this cut cannot be changed so."""
    if augment and kind != "pixels":
        raise NotApplicable(
            f"augment={augment!r} on {kind!r}: what is stored was computed from the pictures as they are",
            expected="pixels: a technique that trains from the input up, such as full",
        )
    if mix and kind not in ("pixels", "map"):
        raise NotApplicable(f"mix={mix!r} on {kind!r}", expected="pixels or maps, which all have one shape")


def views(x: Tensor, how: str) -> Tensor:
    """Another view of each picture of (n, 3, h, w) uint8: a crop and a flip, or RandAugment besides.

    (Cubuk et al., RandAugment, NeurIPS 2020: two operations of magnitude 9, drawn for each picture.)
    """
    from torchvision.transforms import v2

    steps: list[Any] = [v2.RandomResizedCrop(x.shape[-2:], scale=(0.6, 1.0), antialias=True), v2.RandomHorizontalFlip()]
    if how == "rand":
        steps.append(v2.RandAugment())
    change = v2.Compose(steps)
    return torch.stack([change(row) for row in x.to(torch.uint8)])


def mixed(x: Tensor, how: str) -> tuple[Tensor, Tensor, float]:
    """(x, other, share): each row with some of row `other`, of which 1 - share counts.

    mixup adds, cutmix pastes a rectangle. On a map this is manifold mixup. (Zhang et al., mixup, ICLR 2018; Yun et
    al., CutMix, ICCV 2019; Verma et al., Manifold Mixup, ICML 2019.)
    """
    share = float(torch.distributions.Beta(ALPHA[how], ALPHA[how]).sample())
    other = torch.randperm(len(x), device="cpu").to(x.device)
    if how == "mixup":
        return x.float() * share + x[other].float() * (1 - share), other, share
    height, width = x.shape[-2:]
    side = (1 - share) ** 0.5
    h, w = round(height * side), round(width * side)
    top, left = (int(torch.randint(0, full - part + 1, ())) for full, part in ((height, h), (width, w)))
    x = x.clone()
    x[..., top : top + h, left : left + w] = x[other][..., top : top + h, left : left + w]
    return x, other, 1 - h * w / (height * width)
