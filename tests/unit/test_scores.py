"""Scores of the shortlist against published code's values and brute force."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import datasets
from sklearn.preprocessing import StandardScaler

from headstart.activations.activations import Activations
from headstart.selection.knn_loo import knn_loo
from headstart.selection.leep import leep
from headstart.selection.logme import logme
from headstart.selection.nce import nce
from headstart.selection.ridge_loo import STRENGTHS, ridge_loo
from headstart.selection.shortlist import rank
from headstart.techniques._linear import softmax

Known = tuple[np.ndarray, np.ndarray, tuple[float, float]]

# The reference code of LogME's authors on standardised features, constant columns left out; k-NN by brute force.
GOLDEN = {
    "iris": (-0.639151, 0.853333),
    "wine": (-0.537707, 0.955056),
    "digits": (0.124431, 0.961603),
    "breast_cancer": (-0.852145, 0.963093),
}


# Reference code of LEEP and NCE; the old classes' probabilities are a softmax of the first four columns.
OLD_CLASSES = {
    "iris": (-0.817141, -0.426330),
    "wine": (-0.943959, -0.748056),
    "digits": (-2.258817, -2.155005),
    "breast_cancer": (-0.651774, -0.631503),
}


@pytest.fixture(params=GOLDEN)
def known(request: pytest.FixtureRequest) -> Known:
    X, y = getattr(datasets, f"load_{request.param}")(return_X_y=True)
    return StandardScaler().fit_transform(X[:, X.std(0) > 0]), y, GOLDEN[request.param]


def test_logme_and_knn_give_the_values_of_the_reference(
    known: tuple[np.ndarray, np.ndarray, tuple[float, float]],
) -> None:
    X, y, (evidence, share) = known
    assert logme(X, y) == pytest.approx(evidence, abs=1e-6)
    assert knn_loo(X, y, k=11) == pytest.approx(share, abs=1e-6)


@pytest.mark.parametrize("name", OLD_CLASSES)
def test_scores_of_old_classes_give_the_values_of_the_reference(name: str) -> None:
    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    told = softmax(StandardScaler().fit_transform(X[:, X.std(0) > 0])[:, :4])
    assert (leep(told, y), nce(told, y)) == pytest.approx(OLD_CLASSES[name], abs=1e-6)
    none = np.c_[told, np.zeros(len(y))]  # an old class that no row is given changes nothing
    assert (leep(none, y), nce(none, y)) == pytest.approx(OLD_CLASSES[name], abs=1e-6)


def test_ridge_leaves_rows_out_exactly() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 40)
    X = rng.normal(size=(40, 6)) + 0.6 * np.eye(3)[y] @ rng.normal(size=(3, 6))
    Z = (X - X.mean(0)) / X.std(0)
    right = []
    for strength in STRENGTHS:
        said = []
        for i in range(len(y)):
            keep = np.arange(len(y)) != i
            middle, Y = Z[keep].mean(0), np.eye(3)[y[keep]]
            A = Z[keep] - middle
            coef = np.linalg.solve(A.T @ A + strength * np.eye(6), A.T @ (Y - Y.mean(0)))
            said.append(int(((Z[i] - middle) @ coef + Y.mean(0)).argmax()))
        right.append(np.mean(np.array(said) == y))
    assert ridge_loo(X, y) == pytest.approx(max(right), abs=0.026)  # a row, for the scale


@pytest.mark.parametrize("kind", ["number", "labels"])
def test_other_targets_are_scored_too(kind: str) -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(120, 5))
    y = X[:, 0] * 2 if kind == "number" else (X[:, :3] > 0).astype(int)
    for score in (knn_loo, ridge_loo, logme):
        assert score(X, y) > score(rng.normal(size=X.shape), y)


def test_the_backbone_that_sees_the_classes_comes_first_whatever_the_order() -> None:
    rng = np.random.default_rng(2)
    y = np.tile([0, 1, 2], 30)
    ids = np.arange(90).astype(str)
    seen = {
        name: Activations(rng.normal(size=(90, 8)) + strength * np.eye(3, 8)[y], ids, "pooled", "vector")
        for name, strength in (("none", 0.0), ("much", 3.0), ("some", 1.0))
    }
    table = rank(seen, y)
    assert [r["backbone"] for r in table] == ["much", "some", "none"]
    assert table[0]["score"] == 1.0
    assert [r["backbone"] for r in rank(dict(reversed(seen.items())), y)] == ["much", "some", "none"]
