"""The training loop's corners: schedules, averages, changed rows, trackers, and going on from a checkpoint."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn

from headstart.activations.activations import Activations
from headstart.errors import NotApplicable
from headstart.techniques import _augment, _loop
from headstart.techniques._forward import Quicker
from headstart.techniques._head import Network
from headstart.techniques._learner import Learner, Recipe, changed
from headstart.techniques._loop import train
from headstart.techniques._objective import Told
from headstart.techniques._schedule import rate


class Suffix(nn.Module):
    """Two stages with dropout, so that torch's random state matters."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.steps = nn.ModuleDict({"low": nn.Linear(4, 6), "high": nn.Sequential(nn.Dropout(0.3), nn.Linear(6, 5))})

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        out: torch.Tensor = self.steps["high"](torch.tanh(self.steps["low"](x.float())))
        return out


def rows(n: int = 48, seed: int = 0) -> tuple[Activations, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 3
    X = rng.normal(size=(n, 4)).astype(np.float32)
    X[np.arange(n), y] += 2
    return Activations(X, np.arange(n).astype(str), "layer", "vector"), y


def trained(recipe: Recipe, learner: Learner | None = None, **words: Any) -> dict[str, np.ndarray]:
    X, y = rows()
    network = Network(Suffix(), 5, 3)
    train(network, X, y, np.ones(len(y)), "label", recipe, learner=learner, **words)
    return {k: v.numpy().copy() for k, v in network.state_dict().items()}


def test_the_slanted_triangle_is_ulmfits() -> None:
    """Howard and Ruder's formula: cut = T cut_frac; p = t/cut or 1 - (t - cut)/(cut (1/cut_frac - 1))."""
    steps, share, ratio = 400, 0.1, 32
    cut = steps * share
    for t in range(steps + 1):
        p = t / cut if t < cut else 1 - (t - cut) / (cut * (1 / share - 1))
        assert rate("slanted", t / steps) == pytest.approx((1 + p * (ratio - 1)) / ratio, abs=1e-9)


def test_the_cosine_warms_up_and_ends_low() -> None:
    told = [rate("cosine", d) for d in np.linspace(0, 1, 101)]
    assert np.argmax(told) == 10
    assert told[10] == pytest.approx(1)
    assert told[-1] == pytest.approx(0.02)


def test_time_that_runs_out_ends_the_schedule_and_counts_true_steps() -> None:
    seen: list[float] = []

    class Look(Learner):
        def at(self, network: Network, done: float) -> None:
            seen.append(done)

    X, y = rows()
    done = train(
        Network(Suffix(), 5, 3), X, y, np.ones(len(y)), "label", Recipe(least=10**9, seconds=0.3), learner=Look()
    )
    assert done["steps"] == len(seen) < 10**6
    assert seen == sorted(seen)
    assert 0.9 < seen[-1] < 1


class CutOffError(Exception):
    pass


class Kept(Learner):
    """Keeps checkpoints in a folder, and may be cut off after some steps."""

    def __init__(self, folder: Path | None, stop_at: int | None = None) -> None:
        self.folder, self.stop_at, self.calls = folder, stop_at, 0

    def at(self, network: Network, done: float) -> None:
        self.calls += 1
        if self.calls == self.stop_at:
            raise CutOffError


@pytest.mark.parametrize("stop_at", [2, 5, 11])
@pytest.mark.parametrize("held", [False, True])
def test_a_training_goes_on_from_its_checkpoint_to_the_same_bits(tmp_path: Path, stop_at: int, *, held: bool) -> None:
    recipe = Recipe(epochs=4, batch=16, least=1, ema=0.9, checkpoint=0.0, mix=None, patience=99)
    words = {"held": rows(30, seed=1)} if held else {}
    whole = trained(recipe, Kept(None), **words)
    with pytest.raises(CutOffError):
        trained(recipe, Kept(tmp_path, stop_at), **words)
    assert (tmp_path / "checkpoint.pt").exists()
    torch.manual_seed(999)
    second = Kept(tmp_path)
    resumed = trained(recipe, second, **words)
    assert second.calls < 4 * 3
    for key, value in whole.items():
        np.testing.assert_array_equal(resumed[key], value)
    assert not (tmp_path / "checkpoint.pt").exists()


class Beside(Kept):
    """Sees a batch of other rows in each step, and adds what the network says of them."""

    def __init__(self, folder: Path | None, stop_at: int | None = None) -> None:
        super().__init__(folder, stop_at)
        self.beside = rows(40, seed=5)[0]
        self.seen: list[torch.Tensor] = []

    def loss(self, network: Network, told: Told) -> torch.Tensor:
        assert told.other is not None
        self.seen.append(told.other[0].detach())
        return super().loss(network, told) + told.share * told.other[1].square().mean()


@pytest.mark.parametrize("stop_at", [2, 6])
def test_other_rows_come_back_in_the_same_order_from_a_checkpoint(tmp_path: Path, stop_at: int) -> None:
    recipe = Recipe(epochs=4, batch=16, least=1, checkpoint=0.0)
    whole = trained(recipe, Beside(None))
    assert not np.array_equal(whole["head.weight"], trained(recipe)["head.weight"])
    with pytest.raises(CutOffError):
        trained(recipe, Beside(tmp_path, stop_at))
    torch.manual_seed(999)
    resumed = trained(recipe, Beside(tmp_path))
    for key, value in whole.items():
        np.testing.assert_array_equal(resumed[key], value)


def test_a_checkpoint_beside_other_rows_is_left_alone(tmp_path: Path) -> None:
    recipe = Recipe(epochs=4, batch=16, least=1, checkpoint=0.0)
    with pytest.raises(CutOffError):
        trained(recipe, Beside(tmp_path, 5))
    learner = Beside(tmp_path)
    learner.beside = learner.beside[np.arange(30)]
    trained(recipe, learner)
    assert learner.calls == 4 * 3


def test_other_rows_all_come_before_one_comes_again() -> None:
    learner = Beside(None)
    batches = learner.others(7, 16, np.random.default_rng(0))
    assert {len(b) for b in batches} == {13, 14}
    assert sorted(np.concatenate(batches[:3]).tolist()) == list(range(40))
    lengths = np.repeat([5, 50], 20)
    ragged = np.array([np.zeros((n, 2), dtype=np.float32) for n in lengths], dtype=object)
    learner.beside = Activations(ragged, np.arange(40).astype(str), "layer", "tokens")
    assert all(len(set(lengths[b])) == 1 for b in learner.others(4, 10, np.random.default_rng(0)))


def test_a_step_in_halves_sees_all_other_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, halves = Beside(None), Beside(None)
    recipe = Recipe(epochs=1, batch=16, least=1)
    trained(recipe, whole)
    start = _loop._Progress(parts=2)
    monkeypatch.setattr(_loop, "_Progress", lambda: start)
    trained(recipe, halves)
    assert len(halves.seen) == 2 * len(whole.seen)
    assert sum(map(len, halves.seen)) == sum(map(len, whole.seen))


def test_a_checkpoint_of_other_rows_or_another_recipe_is_left_alone(tmp_path: Path) -> None:
    recipe = Recipe(epochs=4, batch=16, least=1, checkpoint=0.0)
    with pytest.raises(CutOffError):
        trained(recipe, Kept(tmp_path, 5))
    other = changed(recipe, {"lr": 1e-3})
    fresh, seen = Kept(None), Kept(tmp_path)
    expected, told = trained(other, fresh), trained(other, seen)
    assert fresh.calls == seen.calls
    np.testing.assert_array_equal(expected["head.weight"], told["head.weight"])


def test_the_average_follows_and_is_kept() -> None:
    last, mean = (trained(Recipe(epochs=6, least=1, ema=e, lr=1e-2)) for e in (0.0, 0.95))
    first = {k: v.numpy() for k, v in Network(Suffix(), 5, 3).state_dict().items()}
    key = "suffix.steps.low.weight"
    assert np.linalg.norm(mean[key] - first[key]) < np.linalg.norm(last[key] - first[key])
    assert np.linalg.norm(mean[key] - first[key]) > 0


def test_a_slow_average_of_a_short_training_is_not_the_start() -> None:
    """A thousandth of each of 18 steps would be nothing: at first it follows soon."""
    last, mean = (trained(Recipe(epochs=6, least=1, ema=e, lr=1e-2)) for e in (0.0, 0.999))
    assert np.linalg.norm(mean["head.weight"]) > 0.3 * np.linalg.norm(last["head.weight"])


@pytest.mark.parametrize("ema", [0.0, 0.9])
@pytest.mark.parametrize("held", [False, True])
def test_statistics_that_follow_the_data_are_those_of_the_weights_that_are_kept(ema: float, *, held: bool) -> None:
    """Gathered during some fast steps they are of no weights that there ever were, and every answer is the same."""
    X, y = rows()
    suffix = Suffix()
    suffix.steps["low"] = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6))
    network = Network(suffix, 5, 3)
    recipe = Recipe(epochs=4, least=1, lr=0.3, ema=ema, norm_learns=True, patience=99)
    train(network, X, y, np.ones(len(y)), "label", recipe, held=rows(30, seed=1) if held else None)
    with torch.no_grad():
        seen = suffix.steps["low"][0](torch.from_numpy(np.asarray(X)))
    torch.testing.assert_close(suffix.steps["low"][1].running_mean, seen.mean(0))
    assert suffix.steps["low"][1].momentum == 0.1


@pytest.mark.parametrize(
    "words", [{"precision": "bf16"}, {"precision": "fp16"}, {"schedule": "slanted"}, {"loss": "focal"}, {"ema": 0.5}]
)
def test_settings_of_the_recipe_change_the_result(words: dict[str, Any]) -> None:
    assert not np.array_equal(
        trained(Recipe(epochs=2, precision="fp32"))["head.weight"],
        trained(changed(Recipe(epochs=2, precision="fp32"), words))["head.weight"],
    )


@pytest.mark.parametrize("stop_on", ["loss", "balanced_accuracy", "macro_f1"])
def test_stopping_lowers_what_it_was_told_to(stop_on: str) -> None:
    X, y = rows()
    network = Network(Suffix(), 5, 3)
    recipe = Recipe(epochs=60, least=1, patience=2, stop_on=stop_on)
    done = train(network, X, y, np.ones(len(y)), "label", recipe, (X, (y + 1) % 3))
    assert done["steps"] < 60 * 3
    assert _loop.held_value(network, (X, y), "label", recipe) <= 1.2


def test_unknown_words_are_refused() -> None:
    with pytest.raises(NotApplicable, match="Expected: one of"):
        changed(Recipe(), {"loss": "hinge"})
    with pytest.raises(NotApplicable, match="momentum"):
        changed(Recipe(), {"momentum": 0.9})


def test_mixing_adds_up_and_cutting_counts_its_pixels() -> None:
    torch.manual_seed(0)
    x = torch.arange(4.0).reshape(4, 1, 1, 1).expand(4, 3, 8, 8).clone()
    told, other, share = _augment.mixed(x, "mixup")
    torch.testing.assert_close(told, share * x + (1 - share) * x[other])
    told, other, share = _augment.mixed(x, "cutmix")
    changed_rows = x[other] != x
    kept = (told == x)[changed_rows].float().mean()
    assert float(kept) == pytest.approx(share, abs=1e-6)


@pytest.mark.parametrize("how", _augment.VIEWS)
def test_views_are_pictures_of_the_same_shape(how: str) -> None:
    torch.manual_seed(0)
    x = torch.randint(0, 256, (3, 3, 16, 16), dtype=torch.uint8)
    told = _augment.views(x, how)
    assert told.shape == x.shape
    assert told.dtype == torch.uint8
    assert not torch.equal(told, x)


@pytest.mark.parametrize(("kind", "words"), [("map", {"augment": "rand"}), ("tokens", {"mix": "mixup"})])
def test_what_cannot_be_changed_says_why(kind: Any, words: dict[str, Any]) -> None:
    with pytest.raises(NotApplicable, match="pixels"):
        _augment.check(kind, words.get("augment"), words.get("mix"))


def test_a_tracker_that_is_not_there_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(NotApplicable, match="pip install mlflow"):
        trained(Recipe(epochs=1, track="mlflow"))


def test_tensorboard_receives_losses(tmp_path: Path) -> None:
    trained(Recipe(epochs=2, least=1, track="tensorboard"), Kept(tmp_path))
    found = EventAccumulator(str(tmp_path / "track")).Reload()
    assert [e.step for e in found.Scalars("loss")] == list(range(1, 7))
    assert all(e.value > 0 for e in found.Scalars("loss"))


def test_mlflow_gets_a_run_of_the_technique_that_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    fake: Any = ModuleType("mlflow")
    fake.active_run = lambda: None
    fake.start_run = lambda *, run_name: calls.append(run_name)
    fake.log_metrics = lambda values, step: calls.append((step, *values))
    fake.end_run = lambda: calls.append("ended")
    monkeypatch.setitem(sys.modules, "mlflow", fake)
    trained(Recipe(epochs=1, least=1, track="mlflow"))
    assert calls == ["Learner", *((step, "loss", "rate") for step in (1, 2, 3)), "ended"]


@pytest.mark.parametrize("masked", [None, "bool", "bias"])
def test_plain_attention_is_the_fused_one(masked: str | None) -> None:
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 3, 20, 8, dtype=torch.bfloat16, requires_grad=True) for _ in range(3))
    seen = torch.ones(2, 1, 20, 20, dtype=torch.bool)
    seen[1, ..., 15:] = False
    bias = torch.zeros(seen.shape, dtype=torch.bfloat16).masked_fill(~seen, -100.0)
    mask = {None: None, "bool": seen, "bias": bias}[masked]

    def attend() -> tuple[torch.Tensor, ...]:
        out = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return out, *torch.autograd.grad(out.float().square().sum(), (q, k, v))

    fused = attend()
    with Quicker():
        plain = attend()
    for a, b in zip(plain, fused, strict=True):
        torch.testing.assert_close(a.float(), b.float(), atol=0.05, rtol=0.05)
    assert not torch.equal(plain[0], fused[0])  # another kernel did answer


def test_a_norm_is_rounded_once_where_training_is_in_bfloat16() -> None:
    torch.manual_seed(0)
    norm, x = nn.LayerNorm(8), torch.randn(4, 8)
    exact = norm(x)
    with Quicker():
        assert torch.equal(norm(x), exact)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.equal(norm(x), exact.bfloat16())
