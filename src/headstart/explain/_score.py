"""The one number that is explained: by how much a model prefers an answer to another one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from headstart.activations.activations import Activations
from headstart.data.dataset import Dataset
from headstart.model import Model

TINY = 1e-300  # of a probability: a logarithm needs more than nothing
STEP = 1e-3  # of the root mean square of a vector, in each direction
BLOCK = 512  # columns that are moved at a time


@dataclass(frozen=True)
class Score:
    """log p(toward) - log p(against) over the model's temperature: how strongly it prefers one class to another.

    Of several labels a row, the log odds of `toward`; of a number, the number. It is a difference of logits for all
    heads whose logits go through a softmax, so that what linear heads add up stays a sum.
    """

    model: Model
    toward: int = 0
    against: int | None = None

    def of(self, raw: np.ndarray) -> np.ndarray:
        """(n,) scores of what the technique says of n rows."""
        kind = self.model.card.target_kind
        if kind == "number":
            return raw[:, 0]
        p = np.clip(raw, TINY, None)
        if kind == "labels":
            odds = np.log(p[:, self.toward]) - np.log(np.clip(1 - raw[:, self.toward], TINY, None))
            return np.asarray(odds / self.model.card.temperature)
        known = raw.shape[1]  # a class that no row was given has no column
        against = np.log(p[:, self.against]) if self.against is not None and self.against < known else np.log(TINY)
        return np.asarray((np.log(p[:, self.toward]) - against) / self.model.card.temperature)

    def rows(self, data: Dataset) -> np.ndarray:
        """(n,) scores of rows, through the served path."""
        return self.of(self.model.technique.predict_proba(self.model.activations(data)))

    def vectors(self, values: np.ndarray) -> np.ndarray:
        """(n,) scores of what the technique reads, before an adapter moves it."""
        model = self.model
        if model.adapter is not None:
            values = model.adapter.transform(values)
        ids = np.arange(len(values)).astype(str)
        return self.of(
            model.technique.predict_proba(Activations(values, ids, model.card.cut, "vector", model.backbone))
        )

    def logits(self, told: Tensor) -> Tensor:
        """(n,) scores of the outputs (n, k) of a network that was trained with its head."""
        technique: Any = self.model.technique
        if self.model.card.target_kind == "number":
            return told[:, 0] * technique.spread_ + technique.centre_
        score = told[:, self.toward]
        if self.against is not None and self.against < told.shape[1]:
            score = score - told[:, self.against]
        return score / self.model.card.temperature


class Head(torch.autograd.Function):
    """`Score.vectors` as a step of a network: numpy forwards, central differences backwards, whatever the head is."""

    @staticmethod
    def forward(ctx: Any, vectors: Tensor, score: Score) -> Tensor:
        """(n, d) to (n,) in float64."""
        values = vectors.detach().cpu().numpy().astype(np.float64)
        ctx.values, ctx.score, ctx.like = values, score, vectors
        return torch.from_numpy(score.vectors(values))

    @staticmethod
    def backward(ctx: Any, along: Tensor) -> tuple[Tensor, None]:
        """(n, d) the slope of the score, times what came from above."""
        slope = np.stack([slopes(ctx.score, row) for row in ctx.values])
        return along[:, None].to(ctx.like) * torch.from_numpy(slope).to(ctx.like), None


def slopes(score: Score, vector: np.ndarray) -> np.ndarray:
    """(d,) how the score changes with each column of a vector (d,), by central differences."""
    step = STEP * float(np.sqrt((vector**2).mean())) or STEP
    out = np.empty(len(vector))
    for start in range(0, len(vector), BLOCK):
        moves = step * np.eye(min(BLOCK, len(vector) - start), len(vector), start)
        told = score.vectors(np.concatenate([vector + moves, vector - moves]))
        out[start : start + len(moves)] = (told[: len(moves)] - told[len(moves) :]) / (2 * step)
    return out
