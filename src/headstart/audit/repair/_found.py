"""Groups from a shortcut that a check found by itself: nobody has to name an attribute."""

from __future__ import annotations

from typing import Any

import numpy as np

from headstart.audit._base import Evidence
from headstart.audit.background import CORNERS
from headstart.audit.repair._base import two_means
from headstart.audit.words import has
from headstart.errors import NotApplicable
from headstart.techniques._linear import Scaler, class_weights, ridge_path, targets


def suspected(evidence: Evidence, told: dict[str, Any]) -> tuple[str, np.ndarray] | None:
    """What a finding's own evidence says that rows differ in: its name and a column (n,); None where it names nothing.

    An attribute is a column of the data, a word is in a text or not, and a corner holds a mark or not, which takes one
    more reading of every picture. NotApplicable where pictures cannot be read again.

    >>> from headstart.audit._example import evidence
    >>> from dataclasses import replace
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
        if evidence.look is None:
            raise NotApplicable("these pictures are not read by a pre-trained network, so none can be read again")
        hidden = evidence.look(f"corner:{CORNERS.index(corner)}", np.arange(len(evidence.target)))
        known = np.flatnonzero(evidence.split != "test")
        return f"{corner} corner", np.array(["plain", "marked"])[
            by_hiding(evidence.values, hidden, evidence.target, known)
        ]
    return None


def by_hiding(seen: np.ndarray, hidden: np.ndarray, y: np.ndarray, known: np.ndarray) -> np.ndarray:
    """(n,) 1 where hiding a part of a picture moves what a plain head says of it, 0 where nothing was to be hidden.

    `seen` and `hidden` (n, d) are the same rows whole and with the part hidden; everything is learnt from the `known`
    ones. Along its main direction the movement falls into two clusters; those that move more have the mark.

    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(80) % 2
    >>> whole = rng.normal(size=(80, 5)) + 4 * y[:, None]
    >>> (by_hiding(whole, np.where(y[:, None] == 1, whole - 4, whole), y, np.arange(80)) == y).mean()
    np.float64(1.0)
    """
    scaler = Scaler.of(seen[known])
    head = ridge_path(scaler(seen[known]), targets(y[known]), class_weights(y[known]))
    moved = (scaler(seen) - scaler(hidden)) @ head.coef
    along = moved @ np.linalg.svd(moved[known], full_matrices=False)[2][0]
    low = two_means(along[known]) == 1
    side = (along > along[known][low].max()).astype(int)
    return side if abs(along[known][~low].mean()) > abs(along[known][low].mean()) else 1 - side
