"""One battery over every technique that learns beside unlabelled rows, on shifts that were made and so are known."""

from __future__ import annotations

import hashlib
import inspect
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.made import network
from tests.made.domains import redundant
from torch import Tensor, nn

import headstart
from headstart import _discover
from headstart.activations.activations import Activations
from headstart.errors import NotApplicable, PlanError
from headstart.techniques._base import Technique
from headstart.techniques._deep import Deep

NAMES = [n for n in _discover.names("techniques") if _discover.load("techniques", n).needs_target]
TRAINED = [n for n in NAMES if issubclass(_discover.load("techniques", n), Deep)]
SHORT = {"least": 250, "head_lr": 3e-3}  # steps: an adversary takes more than the others


class Top(nn.Module):
    """What is above pooled vectors: nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = nn.ModuleDict()

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return x


class Vectors(network.Source):
    def suffix(self, cut: str, *, fresh: bool = False) -> nn.Module:
        return Top()


def seen(X: np.ndarray, cut: str = "pooled") -> Activations:
    ids = np.array([hashlib.sha256(row.tobytes()).hexdigest() for row in X])
    kind: Any = "vector" if X.ndim == 2 else "map"
    return Activations(X, ids, cut, kind, Vectors() if X.ndim == 2 else network.Source())


def made(name: str, **settings: Any) -> Technique:
    technique: Technique = _discover.load("techniques", name)()
    own = {"epochs": 1, "training": SHORT} if name in TRAINED else {}
    return technique.set_params(**own | settings)


@cache
def accuracy(name: str, *, other: bool, gap: float, weight: float = 1.0) -> float:
    """On rows of the target that no training saw."""
    source, y = redundant(300, other=False, gap=gap)
    target, _ = redundant(300, other=other, gap=gap, seed=1)
    test, truth = redundant(2000, other=other, gap=gap, seed=2)
    technique = made(name, weight=weight).fit(seen(source), y, target=seen(target))
    return float((technique.predict(seen(test)) == truth).mean())


def shaded(n: int, seed: int, gain: np.ndarray, bias: np.ndarray) -> tuple[Activations, np.ndarray]:
    """Maps of another camera: each channel has a gain and a bias."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    X = rng.normal(0, 1, (n, 3, 5, 5)).astype(np.float32)
    X[np.arange(n), y] += 0.8
    return seen((X * gain[:, None, None] + bias[:, None, None]).astype(np.float32), "input"), y


def test_they_are_found_and_none_is_run_unasked() -> None:
    assert len(NAMES) == 8
    assert set(NAMES) - set(TRAINED) == {"adabn"}
    assert all(_discover.load("techniques", n).unasked is None for n in NAMES)


@pytest.mark.parametrize("name", TRAINED)
def test_it_wins_where_the_same_network_without_its_term_fails(name: str) -> None:
    floor = accuracy("dann", other=True, gap=4.0, weight=0.0)
    assert floor < 0.75
    assert accuracy(name, other=True, gap=4.0) > floor + 0.05


@pytest.mark.parametrize("name", TRAINED)
def test_it_does_no_harm_where_there_is_no_shift(name: str) -> None:
    floor = accuracy("dann", other=False, gap=2.5, weight=0.0)
    assert 0.9 < floor < 0.99
    assert accuracy(name, other=False, gap=2.5) > floor - 0.005


def test_adabn_wins_under_another_camera_and_does_no_harm_without() -> None:
    plain, camera = (np.ones(3), np.zeros(3)), (np.array([0.3, 1.0, 3.0]), np.array([2.0, -1.0, 0.5]))
    source, y = shaded(300, 0, *plain)
    reached = {}
    for name, (gain, bias) in (("camera", camera), ("none", plain)):
        target, (test, truth) = shaded(300, 1, gain, bias)[0], shaded(1500, 2, gain, bias)
        for way, beside in (("adapted", target), ("nothing", source)):
            technique = made("adabn", layers=2).fit(source, y, target=beside)
            reached[name, way] = float((technique.predict(test) == truth).mean())
    assert reached["camera", "nothing"] < 0.6
    assert reached["camera", "adapted"] > reached["camera", "nothing"] + 0.1
    assert reached["none", "adapted"] > reached["none", "nothing"] - 0.005


def test_adabn_keeps_the_weights_and_takes_the_targets_statistics() -> None:
    source, y = shaded(60, 0, np.ones(3), np.zeros(3))
    target = shaded(64, 1, np.array([0.3, 1.0, 3.0]), np.ones(3))[0]
    technique = made("adabn", layers=2).fit(source, y, target=target)
    before, after = network.Convolutions(), technique.network_.suffix
    for (name, a), b in zip(before.named_parameters(), after.parameters(), strict=True):
        assert torch.equal(a, b), name
    with torch.no_grad():
        mixed = before.steps["low"][0](torch.from_numpy(np.asarray(target)))
    torch.testing.assert_close(after.steps["low"][1].running_mean, mixed.mean((0, 2, 3)), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(after.steps["low"][1].running_var, mixed.var((0, 2, 3)), atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_the_target_rows_does_not_matter(name: str) -> None:
    source, y = network.maps(48)
    target = seen(np.asarray(source)[::-1] + 0.5, "input")
    order = np.random.default_rng(0).permutation(len(target))
    settings = {"training": {"least": 4}} if name in TRAINED else {}
    told = []
    for rows in (target, target[order]):
        technique = made(name, layers=2, **settings).fit(source, y, target=rows)
        told.append(technique.predict_proba(target))
    np.testing.assert_array_equal(told[0], told[1])


@pytest.mark.parametrize("name", NAMES)
def test_no_label_of_the_target_can_enter(name: str) -> None:
    kind = _discover.load("techniques", name)
    assert list(inspect.signature(kind.fit).parameters) == ["self", "X", "y", "sample_weight", "target"]
    assert not {"y", "label", "labels"} & set(inspect.signature(Activations).parameters)
    if name in TRAINED:
        assert list(inspect.signature(kind.term).parameters) == ["self", "network", "told", "other", "ramp"]


@pytest.mark.parametrize("name", NAMES)
def test_rows_that_cannot_be_used_are_refused(name: str) -> None:
    source, y = network.maps(24)
    technique = made(name, layers=2)
    with pytest.raises(NotApplicable, match=f"headstart adapt .* --technique {name}"):
        technique.fit(source, y)
    with pytest.raises(NotApplicable, match="has 9 rows"):
        technique.fit(source, y, target=source[np.arange(9)])
    with pytest.raises(NotApplicable, match="one network at one cut"):
        technique.fit(source, y, target=seen(np.zeros((20, 4), dtype=np.float32)))
    with pytest.raises(NotApplicable, match="not a number"):
        technique.fit(source, y.astype(float), target=source)
    if name == "adabn":
        with pytest.raises(NotApplicable, match="no BatchNorm"):
            technique.fit(seen(np.ones((20, 4), dtype=np.float32)), np.arange(20) % 2, target=seen(np.ones((20, 4))))
        return
    with pytest.raises(NotApplicable, match="one class only"):
        technique.fit(source, np.zeros_like(y), target=source)
    rows = np.ones((20, 4), dtype=np.float32)
    rows[3, 1] = np.nan
    with pytest.raises(NotApplicable, match="NaN or infinite features in 1 target row"):
        technique.fit(seen(np.ones((20, 4), dtype=np.float32)), np.arange(20) % 2, target=seen(rows))


def test_stages_above_the_cut_learn_and_what_only_trains_is_forgotten() -> None:
    source, y = network.maps(24)
    technique = made("cdan", layers=2, training={"least": 4}).fit(source, y, target=source)
    first = network.Convolutions().steps["low"][0].weight
    assert not torch.equal(technique.network_.suffix.steps["low"][0].weight, first)
    assert {n.partition(".")[0] for n in technique.network_.state_dict()} == {"suffix", "scale", "neck", "head"}
    assert technique.beside is None
    assert technique.vectors(source).shape == (24, 256)


def test_a_run_sends_to_adapt(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="headstart adapt"):
        headstart.run("rows.csv", techniques=("dann:layers=1",), out=str(tmp_path / "run"))
    with pytest.raises(PlanError, match=r"lora: no target rows.*dann"):
        headstart.adapt("a.csv", "b.csv", techniques=("lora",), out=str(tmp_path / "run"))
