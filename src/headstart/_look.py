"""Rows read in another way, for the checks that ask: by the same network untrained, or with parts of them hidden."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from headstart import backbones
from headstart.activations.activations import Activations
from headstart.backbones._base import Backbone
from headstart.data.dataset import Dataset
from headstart.data.views import hidden, marks
from headstart.errors import NotApplicable

RATE = 8.0  # rows a second, where none was measured
GLANCES = 100.0  # pictures a second whose pixels alone are looked at
Look = Callable[[str, np.ndarray], np.ndarray]


def looker(
    backbone: Backbone | None, data: Dataset, get: Callable[[Backbone, Dataset, str], Activations],
    left: Callable[[], float] = lambda: math.inf, rate: float | None = None,
) -> Look | None:  # fmt: skip
    """What gives the vectors of some rows read in another way, where that takes no more than the seconds `left`.

    None for features that know nothing beforehand: there is no other way to read them.
    """
    if backbone is None or backbone.name == backbones.classical(data.modality):
        return None

    def look(way: str, rows: np.ndarray) -> np.ndarray:
        if way != "untrained" and data.modality != "image":
            raise NotApplicable(f"{data.modality} rows have no {way.partition(':')[0]}")
        seconds = len(rows) / (GLANCES if way == "marks" else rate or RATE)
        if seconds > left():
            raise NotApplicable(
                f"reading {len(rows)} rows again takes about {seconds:.0f} s", do="raise --budget to allow it"
            )
        some = data.take(rows)
        if way == "marks":  # no network reads them
            return marks(some)
        if way == "untrained":
            return np.asarray(get(backbones.get(f"scratch:{backbone.name}"), some, "pooled"))
        return np.asarray(get(backbone, hidden(some, way), "pooled"))

    return look
