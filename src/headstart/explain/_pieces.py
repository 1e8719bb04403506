"""The words of a text as a person sees them, and what each of them weighs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch

from headstart._compute import device
from headstart.errors import NotApplicable
from headstart.explain._gradients import integrated
from headstart.explain._network import Whole
from headstart.explain._score import Score
from headstart.techniques._linear import slopes
from headstart.techniques.tfidf import Tfidf

CHUNK = re.compile(r"\S+")


class Piece(NamedTuple):
    """A word of a text, and where it stands."""

    name: str
    start: int
    end: int


def pieces(text: str) -> list[Piece]:
    """The words of a text, with the marks that stick to them.

    >>> pieces("not bad!")[1]
    Piece(name='bad!', start=4, end=8)
    """
    return [Piece(m[0], *m.span()) for m in CHUNK.finditer(text)]


def by_gradient(whole: Whole, text: str, score: Score) -> tuple[list[Piece], np.ndarray, float, float]:
    """Integrated gradients of a text's tokens, summed over its words; the scores of the blank text and of the text.

    Blank is the text whose tokens all say nothing (masks, where the tokenizer has one), but for the marks around them.
    """
    backbone = whole.model.backbone
    place = next((name for name in whole.places if whole.kinds[name] == "tokens"), None)
    if place is None or backbone.input_kind != "ids":
        raise NotApplicable(f"{backbone.name} reads no tokens one by one")
    parts, spans = pieces(text), backbone.spans(text)
    batch = backbone.prepare([text])
    if len(spans) != batch.values.shape[1]:
        raise NotApplicable(f"{backbone.name} says where {len(spans)} of its {batch.values.shape[1]} tokens stand")
    values = batch.values.to(device())
    blank = values.clone()
    blank[:, torch.tensor([end > start for start, end in spans])] = torch.as_tensor(backbone.blank).to(blank)
    weights, empty, told = integrated(whole, place, values, blank, score)
    owner = np.full(max(len(text), 1), -1)
    for i, part in enumerate(parts):
        owner[part.start : part.end] = i
    out = np.zeros(len(parts))
    for (start, end), weight in zip(spans, weights, strict=True):
        if end > start and owner[end - 1] >= 0:
            out[owner[end - 1]] += weight
    return parts, out, empty, told


def counted(score: Score, text: str) -> tuple[list[Piece], np.ndarray, float, float]:
    """The exact share of each word in a linear score of hashed counts; the score of no words, and of the text.

    What a count adds is divided among the words that it counts: letters belong to their word, a pair half to each.
    """
    technique: Any = score.model.technique
    backbone: Any = score.model.backbone
    parts = pieces(text)
    worded = [i for i, part in enumerate(parts) if re.search(r"\w", part.name)]
    pairs = list(pairwise(worded))
    names = [part.name for part in parts]
    some = backbone.features([text, *names, *(f"{names[i]} {names[j]}" for i, j in pairs)])[:, technique.columns_]
    told = float(score.rows(score.model.read([text]))[0])
    whole, own, both = some[0].toarray()[0], some[1 : 1 + len(parts)], some[1 + len(parts) :]
    each = technique.weigh(backbone.features([text])).toarray()[0] * _coefficients(score) / np.maximum(whole, 1)
    out = own @ each
    for (i, j), value in zip(pairs, both @ each, strict=True):
        cross = (value - own[i] @ each - own[j] @ each).item() / 2
        out[i] += cross
        out[j] += cross
    return parts, out, told - float(out.sum()), told


def _coefficients(score: Score) -> np.ndarray:
    technique, card = score.model.technique, score.model.card
    if not isinstance(technique, Tfidf):
        raise NotApplicable(f"{card.technique} is no linear head on counts")
    if card.target_kind == "number":
        return np.asarray(technique.coef_[:, 0])
    if card.target_kind == "labels":
        return np.asarray(technique.coef_[:, score.toward] / card.temperature)
    slope = slopes(technique)
    assert slope is not None
    against = slope[:, score.against] if score.against is not None and score.against < slope.shape[1] else 0.0
    return np.asarray((slope[:, score.toward] - against) / card.temperature)


def without(text: str, parts: Sequence[Piece], present: np.ndarray) -> str:
    """A text of which only some pieces are left."""
    return " ".join(part.name for part, here in zip(parts, present, strict=True) if here)
