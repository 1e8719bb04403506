"""Groups from a shortcut that a check found by itself: nobody has to name an attribute."""

from __future__ import annotations

from typing import Any

import numpy as np

from headstart.audit._base import Evidence
from headstart.audit.background import CORNERS
from headstart.audit.words import has
from headstart.errors import NotApplicable
from headstart.techniques._linear import Scaler, class_weights, ridge_path, targets


def suspected(evidence: Evidence, told: dict[str, Any]) -> tuple[str, np.ndarray] | None:
    """What a finding's own evidence says that rows differ in: its name and a column (n,); None where it names nothing.

    An attribute is a column of the data; a word is in a text or not; of a corner or a border it is the class that this
    part of the picture speaks for by itself, which takes one more reading of every picture: NotApplicable where
    pictures cannot be read again.

    >>> from dataclasses import replace
    >>> from headstart.audit._example import evidence
    >>> made = replace(evidence(modality="text"), rows=["good zq17", "bad"] * 300)
    >>> name, column = suspected(made, {"word": "zq17"})
    >>> name, column[:2].tolist()
    ('zq17', ['yes', 'no'])
    """
    if name := told.get("attribute"):
        return name, evidence.columns[name]
    if word := told.get("word"):
        return word, np.array(["no", "yes"])[has(evidence.rows, word)]
    if corner := told.get("corner"):
        return _part(evidence, f"only:{CORNERS.index(corner)}", f"{corner} corner")
    return _part(evidence, "beside", "border") if "border" in told else None


def _part(evidence: Evidence, way: str, name: str) -> tuple[str, np.ndarray]:
    if evidence.look is None:
        raise NotApplicable("no pre-trained network reads these pictures, so none can be read in part")
    part = evidence.look(way, np.arange(len(evidence.target)))
    says = spoken_for(part, evidence.target, np.flatnonzero(evidence.split != "test"))
    return name, np.array([f"like {c}" for c in evidence.classes])[says]


def spoken_for(part: np.ndarray, y: np.ndarray, known: np.ndarray) -> np.ndarray:
    """(n,) the class that a ridge head, which reads only a `part` (n, d) of each row, gives it.

    It learns from the `known` rows, of which it says what it would without that row. Where nothing but a mark in that
    part goes with the class, this is the mark. (The answers of a model that sees only the bias, as groups: in the
    spirit of Nam et al., Learning from failure, NeurIPS 2020.)

    >>> y = np.arange(80) % 2
    >>> mark = np.where(np.arange(80) % 5 == 0, 1 - y, y)
    >>> bool((spoken_for(np.c_[mark, -mark] * 1.0, y, np.arange(60)) == mark).all())
    True
    """
    scaler, own = Scaler.of(part[known]), y[known]
    head = ridge_path(scaler(part[known]), targets(own), class_weights(own))
    told = scaler(part) @ head.coef + head.intercept
    told[known] = head.held_out
    return np.asarray(told.argmax(1))
