"""Closed forms against brute force and reference implementations; the training loop's corners."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.made.network import Source
from torch import nn

from headstart.activations.activations import Activations
from headstart.techniques import _linear, _loop
from headstart.techniques._linear import logistic, logits_to_probability, ridge_path, targets
from headstart.techniques._loop import Recipe, train
from headstart.techniques._network import Network
from headstart.techniques.knn import Knn
from headstart.techniques.prototypes import Prototypes
from headstart.techniques.ridge import Ridge

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(("rows", "columns"), [(40, 5), (20, 35)])
@pytest.mark.parametrize("weighted", [False, True])
def test_ridge_leave_one_out_is_exact(rows: int, columns: int, *, weighted: bool) -> None:
    X, Y = RNG.normal(size=(rows, columns)), RNG.normal(size=(rows, 2))
    weight = RNG.uniform(0.5, 2, rows) if weighted else np.ones(rows)
    strength = 3.0
    told = ridge_path(X, Y, weight, np.array([strength])).held_out
    for i in range(rows):
        keep = np.arange(rows) != i
        w = weight[keep]
        xm, ym = w @ X[keep] / w.sum(), w @ Y[keep] / w.sum()
        A = (X[keep] - xm).T @ (w[:, None] * (X[keep] - xm)) + strength * np.eye(columns)
        coef = np.linalg.solve(A, (X[keep] - xm).T @ (w[:, None] * (Y[keep] - ym)))
        # leaving row i out also moves the mean; the leverage form keeps the full mean's weight share
        np.testing.assert_allclose(told[i], (X[i] - xm) @ coef + ym, atol=2e-2 if weighted else 1e-6)


def test_features_that_hardly_vary_are_not_blown_up_and_columns_of_other_units_are() -> None:
    """A thousandth in the training rows, as behind a ReLU, and then as large as the others."""
    X = np.random.default_rng(1).normal(size=(40, 6))
    X[:, 0] *= 1e-3
    X[:, 1] = 0
    np.testing.assert_allclose(_linear.Scaler.of(X).scale[:2], [X[:, 0].std(), 1])
    usual = np.median(X[:, [0, 2, 3, 4, 5]].std(0))
    alike = _linear.Scaler.of(X, alike=True).scale
    np.testing.assert_allclose(alike, [0.3 * usual, 0.3 * usual, *X[:, 2:].std(0)])
    np.testing.assert_allclose(_linear.Scaler.of(np.zeros((3, 2)), alike=True).scale, 1)
    y, ids = (X[:, 2] > 0).astype(int), np.arange(40).astype(str)
    slope, theirs = (
        np.abs(Ridge().fit(Activations(X, ids, "pooled", "vector", source), y).coef_[0]).max()
        for source in (Source(), None)
    )
    assert slope < 0.05 * theirs


@pytest.mark.parametrize("classes", [2, 4])
def test_sparse_rows_are_told_as_dense_ones(classes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from scipy.sparse import csr_matrix

    monkeypatch.setattr(_linear, "OWN_SPACE", 0)  # as with many rows
    X, y = np.maximum(RNG.normal(size=(80, 120)) - 1, 0), np.arange(80) % classes
    sparse, dense = (logistic(x, y, np.ones(80), (1.0,), 0) for x in (csr_matrix(X), X))
    np.testing.assert_allclose(sparse[0], dense[0], atol=5e-3)
    assert np.abs(dense[0]).max() > 0.3


def test_ridge_agrees_with_scikit_learn() -> None:
    from sklearn.linear_model import Ridge

    X, Y = RNG.normal(size=(50, 7)), RNG.normal(size=(50, 3))
    ours, theirs = ridge_path(X, Y, np.ones(50), np.array([2.5])), Ridge(alpha=2.5).fit(X, Y)
    np.testing.assert_allclose(ours.coef.T, theirs.coef_, atol=1e-9)
    np.testing.assert_allclose(ours.intercept, theirs.intercept_, atol=1e-9)


def test_the_rows_own_space_is_for_few_rows_or_many_classes() -> None:
    from scipy.sparse import random

    few, many = (random(n, 20_000, density=0.006, format="csr", random_state=0) for n in (200, 1500))  # 120 words each
    assert _linear._in_own_space(few, 2)
    assert not _linear._in_own_space(many, 2)
    assert _linear._in_own_space(many, 20)
    assert _linear._in_own_space(np.zeros((200, 1280)), 9)
    assert not _linear._in_own_space(np.zeros((1200, 1280)), 9)
    assert not _linear._in_own_space(np.zeros((200, 64)), 9)


@pytest.mark.parametrize("classes", [2, 4])
def test_logistic_in_the_rows_own_space_is_the_same(classes: int) -> None:
    from sklearn.linear_model import LogisticRegression

    X, y = RNG.normal(size=(40, 120)), np.arange(40) % classes
    coef, intercept, _ = logistic(X, y, np.ones(40), (0.05,), 0)
    direct = LogisticRegression(C=0.05, max_iter=2000, tol=1e-8).fit(X, y)
    told = logits_to_probability(X @ coef + intercept, "label")
    np.testing.assert_allclose(told, direct.predict_proba(X), atol=2e-3)


def test_left_out_scores_are_those_of_refits() -> None:
    X = RNG.normal(size=(30, 4)) + 2 * np.eye(4)[np.arange(30) % 3]
    y = np.arange(30) % 3
    seen = Activations(X, np.arange(30).astype(str), "pooled", "vector")
    knn = Knn(neighbours=(5,)).fit(seen, y)
    told = knn.left_out()
    for i in (0, 7, 29):
        rest = np.arange(30) != i
        again = Knn(neighbours=(5,)).fit(seen[rest], y[rest], sample_weight=knn.weight_[rest])
        np.testing.assert_allclose(again.predict_proba(seen[np.array([i])])[0], told[i], atol=1e-9)
    assert (Prototypes().fit(seen, y).left_out().argmax(1) == y).mean() > 0.5


def test_targets() -> None:
    assert targets(np.array([0, 2])).shape == (2, 3)
    assert targets(np.array([0.5, 2.0])).shape == (2, 1)


class Mean(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.steps = nn.ModuleDict({"mix": nn.Linear(4, 4)})

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        weight = torch.ones(x.shape[:2]) if mask is None else mask.float()
        pooled = (x * weight[..., None]).sum(1) / weight.sum(1, keepdim=True)
        out: torch.Tensor = self.steps["mix"](pooled)
        return out


def ragged(rows: int = 40) -> tuple[Activations, np.ndarray]:
    y = np.arange(rows) % 2
    values = np.empty(rows, dtype=object)
    values[:] = [np.full((2 + i % 5, 4), 1.0 if k else -1.0, dtype=np.float32) for i, k in enumerate(y)]
    return Activations(values, np.arange(rows).astype(str), "layer", "tokens"), y


def test_out_of_memory_halves_the_batch_and_the_result_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = ragged()
    results = []
    for limit in (99, 3):
        torch.manual_seed(0)
        network = Network(Mean(), 4, 2)
        real = _loop.tensors

        def tight(seen: Activations, index: np.ndarray, limit: int = limit, real=real):
            if len(index) > limit:
                raise torch.OutOfMemoryError("made")
            return real(seen, index)

        with monkeypatch.context() as patch:
            patch.setattr(_loop, "tensors", tight)
            train(network, X, y, np.ones(len(y)), "label", Recipe(epochs=3, batch=8))
        results.append(network.head.weight.detach().numpy().copy())
    np.testing.assert_allclose(results[0], results[1], atol=1e-5)
    assert np.abs(results[0]).max() > 0


def test_early_stopping_brings_the_best_weights_back() -> None:
    X, y = ragged()
    network = Network(Mean(), 4, 2)
    wrong = 1 - y  # the held-out rows contradict the others: the first epoch is the best
    done = train(network, X, y, np.ones(len(y)), "label", Recipe(epochs=50, batch=8, patience=2), (X, wrong))
    assert done["steps"] < 50 * 5
