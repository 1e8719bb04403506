"""A made task with a planted shortcut: a column that goes with the class in nine rows of ten."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from headstart.audit.repair._base import Task


def rows(n: int = 400, seed: int = 0, share: float = 0.9) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(X (n, 12), y, attribute): the attribute equals the class in `share` of the rows and is the loudest column."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    attribute = np.where(rng.random(n) < share, y, 1 - y)
    X = rng.normal(size=(n, 12))
    X[:, :4] += 0.7 * (2 * y[:, None] - 1)
    X[:, 4:6] += 1.5 * (2 * attribute[:, None] - 1)
    return X, y, attribute


def task(n: int = 400, seed: int = 0, **other: Any) -> Task:
    """As `Task`; `other` replaces fields.

    >>> task().groups.max()
    np.int64(3)
    """
    X, y, attribute = rows(n, seed)
    return replace(Task(X, y, attribute, 2, 0.01, seed), **other)
