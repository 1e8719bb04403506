"""Contrastive tuning: its pairs, its batches, its bound."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.made.network import Convolutions, maps
from torch import nn

from headstart.techniques import contrastive
from headstart.techniques.contrastive import Contrastive, pair_loss


def test_pairs_of_contrastive_tuning() -> None:
    torch.manual_seed(0)
    cosine, y = torch.rand(6, 6), torch.tensor([0, 0, 0, 1, 1, 2])
    same, other = [], []
    for i in range(6):
        for j in range(i + 1, 6):
            (same if y[i] == y[j] else other).append(float((cosine[i, j] - float(y[i] == y[j])) ** 2))
    assert float(pair_loss(cosine, y, torch.ones(6))) == pytest.approx((np.mean(same) + np.mean(other)) / 2, rel=1e-5)


@pytest.mark.parametrize("classes", [2, 20])
def test_batches_of_contrastive_tuning_hold_pairs_of_a_class_and_every_row_once(classes: int) -> None:
    y = np.arange(classes * 8) % classes
    batches = Contrastive().batches(np.ones(len(y)), y, 16, np.random.default_rng(0))
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(y)))
    assert all(np.bincount(y[b]).max() >= 2 for b in batches)
    assert max(map(len, batches)) <= 20


def test_pairs_are_bounded() -> None:
    X, y = maps(48)
    few, many = (Contrastive(pairs=p).fit(X, y).done_["steps"] for p in (15, 60))
    assert many == 4 * few
    assert few * 16 * 15 / 2 <= 15 * 48 * 1.5


def test_pairs_are_bounded_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contrastive, "MOST", 1200)
    assert Contrastive().fit(*maps(48)).done_["steps"] <= 1200 / (16 * 15 / 2) + 1


def test_contrastive_tuning_brings_a_class_together() -> None:
    X, y = maps()

    def apart(suffix: nn.Module) -> float:
        with torch.no_grad():
            v = nn.functional.normalize(suffix.cpu().eval()(torch.from_numpy(np.asarray(X))), dim=1)
        cosine, same = (v @ v.T).numpy(), y[:, None] == y[None]
        return float(cosine[same].mean() - cosine[~same].mean())

    assert apart(Contrastive(lr=3e-3).fit(X, y).network_.suffix) > apart(Convolutions()) + 0.2


def test_the_head_after_contrastive_tuning_weighs_the_rows() -> None:
    X, y = maps(60)
    heavy = np.where(y == 1, 20.0, 1.0)
    plain, weighed = (
        Contrastive(pairs=20).fit(X, y, sample_weight=w).predict_proba(X)[:, 1].mean() for w in (np.ones(60), heavy)
    )
    assert weighed > plain + 0.05
