"""Other views of pictures, and how a training reads them."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from tests.unit.test_loop import Suffix, rows

from headstart.activations.activations import Activations
from headstart.data import views
from headstart.data.dataset import Dataset
from headstart.data.images import decode
from headstart.data.views import LEAST, View, view
from headstart.techniques import _loop
from headstart.techniques._head import Network
from headstart.techniques._learner import Recipe


def pictures() -> Dataset:
    made = [np.random.default_rng(i).integers(0, 255, (20, 30, 3), dtype=np.uint8) for i in range(3)]
    return Dataset("image", made, np.array(["a", "b", "c"]), np.array([0, 1, 0]), "label", ("x", "y"))


def test_a_view_is_the_same_each_time_and_another_for_each_number_and_row() -> None:
    data = pictures()
    first, again, second = view(data, 0), view(data, 0), view(data, 1)
    assert first.ids.tolist() == ["a~0", "b~0", "c~0"]
    assert not set(first.ids) & set(second.ids)
    for i in range(3):
        one, same, other = (np.asarray(decode(d.rows[i])) for d in (first, again, second))
        assert one.shape == (20, 30, 3)
        np.testing.assert_array_equal(one, same)
        assert not np.array_equal(one, other)
        assert not np.array_equal(one, data.rows[i])
    assert first.target is data.target


def test_a_view_shows_most_of_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a picture whose red is its column, and whose green is its row, the area seen can be read off."""
    columns, lines = np.meshgrid(np.arange(200), np.arange(200))
    picture = Image.fromarray(np.stack([columns, lines, np.zeros_like(lines)], axis=-1).astype(np.uint8))
    monkeypatch.setattr(views, "LIGHT", 0.0)
    areas = []
    for seed in range(40):
        seen = np.asarray(View(picture, seed).decode()).astype(float)
        areas.append(np.ptp(seen[..., 0]) * np.ptp(seen[..., 1]) / 199**2)
    assert min(areas) > LEAST - 0.05
    assert np.std(areas) > 0.05


def test_views_follow_the_rows_that_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = rows(12)
    other = Activations(np.asarray(X) + 100, X.ids, X.cut, X.kind)
    both = Activations(np.asarray(X), X.ids, X.cut, X.kind, views=(other,))
    some = both[np.array([5, 2])]
    np.testing.assert_array_equal(np.asarray(some.views[0]), np.asarray(some) + 100)
    seen = []
    real = _loop.tensors

    def look(shown: Activations, index: np.ndarray):
        values = real(shown, index)
        seen.append(float(values[0].mean()) > 50)
        return values

    monkeypatch.setattr(_loop, "tensors", look)
    _loop.train(Network(Suffix(), 5, 3), both, y, np.ones(12), "label", Recipe(epochs=40, least=1))
    assert 0.3 < np.mean(seen) < 0.7
