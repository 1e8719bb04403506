"""Made evidence for the examples of the checks: clean, until something is planted."""

from __future__ import annotations

from typing import Any

import numpy as np

from headstart.audit._base import Evidence


def evidence(rows: int = 600, **planted: Any) -> Evidence:
    """Two classes that ten of twenty columns tell apart, answered rightly in about nine rows of ten; `planted` fields.

    >>> made = evidence()
    >>> made.values.shape, made.scores.shape, made.classes
    ((600, 20), (120, 2), ('no', 'yes'))
    """
    rng = np.random.default_rng(0)
    target = rng.integers(0, 2, rows)
    values = rng.normal(size=(rows, 20)) + np.where(np.arange(20) < 10, 0.4, 0.0) * (2 * target[:, None] - 1)
    split = np.repeat(["train", "valid", "test"], [rows - 2 * (rows // 5), rows // 5, rows // 5])
    chance = 1 / (1 + np.exp(-0.8 * values[:, :10].sum(1)))  # what Bayes' rule says of these columns
    test = split == "test"
    made: dict[str, Any] = {
        "modality": "vector", "kind": "label", "classes": ("no", "yes"), "target": target, "split": split,
        "values": values, "scores": np.stack([1 - chance, chance], 1)[test],
    }  # fmt: skip
    return Evidence(**made | planted)
