"""Two ways to trace a score back through a network: Grad-CAM for places, integrated gradients for tokens."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from headstart.errors import NotApplicable
from headstart.explain._network import Whole
from headstart.explain._score import Score

BATCH = 16  # points of a path that go through the network together
CLOSE = 0.05  # share of the change of score that the sum of all weights may miss
FAR = 0.1  # share of all that the weights say for and against: missing more, they explain nothing
STEPS = (16, 48)  # points on the path: more where the sum still misses
LEAST = 3  # places on a side of a map: fewer show nothing


def look_at(whole: Whole) -> str:
    """The place whose map shows where a network looks: the last map, or the tokens below the last block.

    Above the last block only the token that is pooled may matter, and it lies nowhere in the picture.
    """
    maps = [name for name in whole.places if whole.kinds[name] == "map"]
    tokens = [name for name in whole.places if whole.kinds[name] == "tokens"]
    if maps:
        return maps[-1]
    if len(tokens) < 2:
        raise NotApplicable(f"{whole.model.backbone.name} keeps neither maps nor tokens of places")
    return tokens[-2]


def grad_cam(whole: Whole, values: Tensor, score: Score) -> tuple[np.ndarray, float]:
    """(h, w) signed Grad-CAM of one prepared picture at its last map, above 0 what speaks for the class; and the score.

    Channels weighed by their mean slope. The published map keeps what is above 0; what is below speaks for the other
    class. (Selvaraju et al., Grad-CAM, ICCV 2017; of two classes: Prabhushankar et al., Contrastive Explanations in
    Neural Networks, ICIP 2020.)
    """
    told, point, found = whole.slope(look_at(whole), values, score)
    point, found = (on_grid(t) if t.ndim == 3 else t for t in (point, found))
    if min(point.shape[2:]) < LEAST:
        raise NotApplicable(f"the last map of {whole.model.backbone.name} is {point.shape[2]} x {point.shape[3]}")
    weight = found.mean((2, 3), keepdim=True)
    return (weight * point).sum(1)[0].double().cpu().numpy(), float(told)


def on_grid(tokens: Tensor) -> Tensor:
    """Tokens (n, t, d) of a square of patches as a map (n, d, s, s); the first ones, which lie nowhere, are dropped."""
    side = math.isqrt(tokens.shape[1])
    return tokens[:, tokens.shape[1] - side * side :].transpose(1, 2).unflatten(2, (side, side))


def integrated(
    whole: Whole, place: str, values: Tensor, blank: Tensor, score: Score
) -> tuple[np.ndarray, float, float]:
    """Weights (t,) of one row's tokens at a place, the score of the blank row there, and that of the row itself.

    Integrated gradients from what comes out of `blank` ids to what comes out of the row's own: the weights add up to
    the difference of the scores, up to the error of the integral, which more points make smaller. Some networks bend so
    sharply on the way (decoders, which hang on their first token) that it stays large: NotApplicable.
    (Sundararajan et al., Axiomatic Attribution for Deep Networks, ICML 2017.)
    """
    told, end = whole.at(place, values, score)
    empty, start = whole.at(place, blank, score)
    gap = float(told - empty)
    weights = np.zeros(end.shape[1])
    for steps in STEPS:
        weights = _path(whole, place, values, (start, end), score, steps)
        if abs(weights.sum() - gap) <= CLOSE * max(abs(gap), 1e-3):
            break
    missed = abs(weights.sum() - gap)
    if missed > FAR * np.abs(weights).sum():
        raise NotApplicable(
            f"the slopes from a blank text to this one add up to {weights.sum():+.2f}, the score changes by {gap:+.2f}"
        )
    return weights, float(empty), float(told)


def _path(
    whole: Whole, place: str, values: Tensor, ends: tuple[Tensor, Tensor], score: Score, steps: int
) -> np.ndarray:
    """(t,) Gauss-Legendre sum of slopes on the straight line between two points."""
    start, end = ends
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    total = torch.zeros_like(end)
    for i in range(0, steps, BATCH):
        share = torch.tensor((nodes[i : i + BATCH] + 1) / 2, dtype=end.dtype, device=end.device)[:, None, None]
        weight = torch.tensor(weights[i : i + BATCH] / 2, dtype=end.dtype, device=end.device)[:, None, None]
        many = values.expand(len(share), *values.shape[1:])
        _, _, found = whole.slope(place, many, score, start + share * (end - start))
        total += (weight * found).sum(0, keepdim=True)
    return (total * (end - start)).sum(2)[0].double().cpu().numpy()
