"""Adversaries: a gradient that is turned round, and a small network that tells the domains apart."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

HIDDEN = 256
SURE = 1e-6  # keeps the logarithm of what is nearly zero finite


class _Reverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, share: float) -> Tensor:
        ctx.share = share
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None]:
        return -ctx.share * slopes[0], None


def reverse(x: Tensor, share: float) -> Tensor:
    """x itself; its gradient times -share: what lowers a loss above here raises it below.

    (Ganin and Lempitsky, Unsupervised Domain Adaptation by Backpropagation, ICML 2015.)

    >>> x = torch.ones(2, requires_grad=True)
    >>> (3 * reverse(x, 0.5)).sum().backward()
    >>> x.grad.tolist()
    [-1.5, -1.5]
    """
    return _Reverse.apply(x, share)


def judge(width: int, outs: int = 1) -> nn.Module:
    """A network of two layers on features: a domain's logit, or logits of classes."""
    return nn.Sequential(nn.Linear(width, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, outs))


def domain_loss(
    source: Tensor, other: Tensor, weight: Tensor | None = None, other_weight: Tensor | None = None
) -> Tensor:
    """Binary cross entropy of domain logits (n, 1) and (m, 1): source 1, target 0, both domains counting the same.

    Weights (n,) and (m,) have mean one.

    >>> round(float(domain_loss(torch.zeros(3, 1), torch.zeros(5, 1))), 4)
    0.6931
    """
    ours = binary_cross_entropy_with_logits(source[:, 0], torch.ones_like(source[:, 0]), weight)
    theirs = binary_cross_entropy_with_logits(other[:, 0], torch.zeros_like(other[:, 0]), other_weight)
    return (ours + theirs) / 2


def certain(told: Tensor) -> Tensor:
    """(n,) weights of mean one that are large for sure probabilities (n, C): 1 + exp(-entropy).

    >>> sure, unsure = certain(torch.tensor([[1.0, 0.0], [0.5, 0.5]])).tolist()
    >>> round(sure, 3), round(unsure, 3)  # 2 and 1.5, mean one
    (1.143, 0.857)
    """
    weight = 1 + torch.exp(torch.special.entr(told).sum(1).neg())
    return weight / weight.mean()


def margin_disparity(source: Tensor, source_class: Tensor, other: Tensor, other_class: Tensor, margin: float) -> Tensor:
    """What the second classifier lowers: margin * CE(source, the first one's class) - log(1 - p) on the target.

    `source` and `other` are its logits; p is what it gives the class that the first one chose. Where it is low the
    classifiers agree on the source and differ on the target.

    >>> even, first = torch.zeros(2, 2), torch.tensor([0, 1])
    >>> round(float(margin_disparity(even, first, even, first, margin=1.0)), 4)  # 2 log 2
    1.3863
    """
    p = torch.softmax(other, 1).gather(1, other_class[:, None])[:, 0]
    return margin * cross_entropy(source, source_class) - torch.log((1 - p).clamp_min(SURE)).mean()
