"""What the report is drawn from, where little time is left."""

from __future__ import annotations

import numpy as np

from headstart.data.dataset import Dataset
from headstart.evidence import FIRST, _map


def test_the_map_has_as_many_rows_as_the_time_allows_and_test_rows_first() -> None:
    n = 3 * FIRST
    vectors = np.random.default_rng(0).standard_normal((n, 8)).astype(np.float32)
    split = np.where(np.arange(n) % 5, "train", "test")
    data = Dataset(
        "text", [f"text {i}" for i in range(n)], np.arange(n).astype(str), np.arange(n) % 2, "label", ("a", "b"), split
    )
    wrong = np.zeros((split == "test").sum(), dtype=bool)
    whole, hurried = (_map(data, vectors, wrong, left) for left in (None, lambda: 0.0))
    assert (len(whole["x"]), len(hurried["x"])) == (n, FIRST)
    assert hurried["split"].count("test") == (split == "test").sum()
