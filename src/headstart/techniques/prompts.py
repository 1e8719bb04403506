"""Learnt tokens beside a row's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from headstart.errors import NotApplicable
from headstart.techniques._head import Network
from headstart.techniques._learner import Recipe
from headstart.techniques._network import Trained


class Prompts(Trained):
    """Puts `tokens` learnt vectors after a row's first token; the network itself stays as it was, bit for bit.

    Use it where a frozen network serves many tasks at once and a task may weigh no more than a few kilobytes. Not as
    the first choice: it learns slowly and asks for full backward passes. Reads "tokens" above the embeddings, which are
    computed once. Transformers only. (Lester et al., The Power of Scale for Parameter-Efficient Prompt Tuning, EMNLP
    2021; Jia et al., Visual Prompt Tuning, ECCV 2022.)

    >>> Prompts().where(("input", "embeddings", "layer.0", "pooled"))
    'embeddings'
    """

    accepts = frozenset({"tokens"})
    cost = 4
    usual = Recipe(epochs=10, lr=1e-2, head_lr=1e-2, layer_decay=1.0, weight_decay=0.0)

    def __init__(
        self, tokens: int = 8, layers: int | None = None, epochs: float | None = None,
        lr: float | None = None, seconds: float | None = None, seed: int = 0, training: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(layers, epochs, lr, seconds, seed, training)
        self.tokens = tokens

    def where(self, cuts: Sequence[str]) -> str:
        """Above the embeddings, or below the last so many layers."""
        return super().where(cuts) if self.layers is not None else cuts[min(1, len(cuts) - 1)]

    def wrap(self, network: Network) -> None:
        """Freeze the network and stand before it."""
        network.suffix.requires_grad_(False)
        network.suffix = _Prompted(network.suffix, self.tokens, _width(network.suffix))


class _Prompted(nn.Module):
    def __init__(self, suffix: nn.Module, tokens: int, width: int) -> None:
        super().__init__()
        self.inner = suffix
        self.prompt = nn.Parameter(torch.randn(1, tokens, width) * 0.02)

    @property
    def steps(self) -> Any:
        return self.inner.steps

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        if x.ndim != 3:
            raise NotApplicable(f"prompts: rows of shape {tuple(x.shape[1:])}", expected="tokens (t, d)")
        prompt = self.prompt.expand(len(x), -1, -1).to(x.dtype)
        x = torch.cat([x[:, :1], prompt, x[:, 1:]], dim=1)
        if mask is not None:
            mask = torch.cat([mask[:, :1], mask.new_ones(prompt.shape[:2]), mask[:, 1:]], dim=1)
        out: Tensor = self.inner(x, mask)
        return out


def _width(suffix: nn.Module) -> int:
    """Of the tokens that the first stage reads: its first matrix or norm says so."""
    for module in suffix.modules():
        if isinstance(module, nn.Linear):
            return module.in_features
        if isinstance(module, nn.LayerNorm):
            return int(module.normalized_shape[0])
    raise NotApplicable("prompts: no transformer above this cut", do="use adapters or lora")
