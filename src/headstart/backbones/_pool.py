"""One vector of many: how the tokens of a text or the places of a picture become what a head reads."""

from __future__ import annotations

import torch
from torch import Tensor, nn

POOLINGS = ("mean", "max", "gem", "cls", "last")
GEM = 3  # the power of a generalised mean: 1 is the mean, infinity the maximum


class Pool(nn.Module):
    """Tokens (n, t, d) with their mask, or maps (n, c, h, w), to vectors.

    "mean", "max"; "gem", the generalised mean (Radenovic et al., TPAMI 2019), here of signed values; "cls", the first
    token; "last", the last one that is no padding, which is the only one of a causal network that has read all.
    """

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        x = x.float()  # many numbers are added up, also where a training runs in half precision
        if x.ndim == 4:
            x, mask = x.flatten(2).transpose(1, 2), None
        if self.how == "cls":
            return x[:, 0]
        if self.how == "last":
            if mask is None:
                return x[:, -1]
            at = (mask.sum(1) - 1).clamp_min(0)[:, None, None].expand(-1, 1, x.shape[2])
            return x.gather(1, at)[:, 0]
        if self.how == "max":
            return (x if mask is None else x.masked_fill(~mask[..., None], float("-inf"))).amax(1)
        if self.how == "gem":
            power = _mean(x**GEM, mask)
            return power.sign() * power.abs().clamp_min(1e-12) ** (1 / GEM)
        return _mean(x, mask)

    def extra_repr(self) -> str:
        return self.how


class Concat(nn.Module):
    """Runs the last stages below a pooling and puts what each of them says side by side."""

    def __init__(self, steps: list[nn.Module], how: str) -> None:
        super().__init__()
        self.steps = nn.ModuleList(steps)
        self.pool = Pool(how)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        found = []
        for step in self.steps:
            x = step(x, mask)
            found.append(self.pool(x, mask))
        return torch.cat(found, dim=1)


def _mean(x: Tensor, mask: Tensor | None) -> Tensor:
    if mask is None:
        return x.mean(1)
    weight = mask.to(x.dtype)[..., None]
    return (x * weight).sum(1) / weight.sum(1).clamp_min(1e-9)
