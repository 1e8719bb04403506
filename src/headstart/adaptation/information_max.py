"""Target rows labelled by a classifier that was made certain and diverse on them."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from scipy.special import softmax
from sklearn.pipeline import Pipeline

from headstart.adaptation._base import Adapter, classifier
from headstart.adaptation._shared import ordered, spread, told_apart


class InformationMax(Adapter):
    """Target rows with the label of the nearest centroid, after the classifier was made sure of rows and even overall.

    Use it where the classes are clusters of about one size in the target, and the source classifier is better than
    chance; not where a class is rare there: it asks for an even spread. The classifier's weights are moved, `stay`
    holding them, to raise the mutual information of target rows and labels; its probabilities give the centroids, by
    cosine in standardised columns, which are made anew `rounds` times. Source (n, d), target (m, d), result (m, d),
    weights the labels' probability. (The idea of Liang, Hu and Feng, Do we really need to access the source data?,
    ICML 2020, without a network.)

    >>> rows = np.random.default_rng(0).standard_normal((60, 2)) + np.repeat([[-3], [3]], 30, axis=0)
    >>> adapted = InformationMax().adapt(rows, np.repeat([0, 1], 30), rows + 2)
    >>> bool((adapted.y == (adapted.X.sum(1) > 4)).mean() > 0.95)
    True
    """

    shifts = frozenset({"conditional"})

    def __init__(self, stay: float = 0.05, rounds: int = 2) -> None:
        self.stay = stay
        self.rounds = rounds

    def _adapt(
        self, source: np.ndarray, y: np.ndarray, target: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.label(ordered(target), classifier(source, y))

    def label(self, target: np.ndarray, model: Pipeline) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The target rows, their labels and weights, from a classifier to begin with."""
        told = self._inform(model[0].transform(target), model[1].coef_, model[1].intercept_)
        mean, deviation = spread(target)
        rows = (target - mean) / deviation
        rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
        share, present = told, np.isin(np.arange(told.shape[1]), told.argmax(1))
        for _ in range(self.rounds + 1):
            centres = share.T @ rows
            length = np.linalg.norm(centres, axis=1)
            near = rows @ (centres / np.maximum(length, 1e-12)[:, None]).T
            near[:, (length < 1e-12) | ~present] = -2.0  # a class that the classifier gives no row attracts none
            given = near.argmax(1)
            share = np.eye(told.shape[1])[given]
        return target, told_apart(model.classes_[given]), told[np.arange(len(given)), given] + 1e-3

    def _inform(self, X: np.ndarray, coef: np.ndarray, bias: np.ndarray) -> np.ndarray:
        """(m, C) probabilities once mean entropy less entropy of the mean is as low as `stay` lets it be."""
        start = np.vstack([coef.T, bias])
        if start.shape[1] == 1:
            start = np.hstack([-start / 2, start / 2])
        X = np.hstack([X, np.ones((len(X), 1))])

        def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
            moved = flat.reshape(start.shape)
            told = softmax(X @ moved, axis=1)
            over = np.log(told + 1e-12) - np.log(told.mean(0) + 1e-12)
            gain = (told * over).sum(1)
            slope = -X.T @ (told * (over - gain[:, None])) / len(X) + self.stay * (moved - start)
            return -gain.mean() + self.stay / 2 * ((moved - start) ** 2).sum(), slope.ravel()

        found = minimize(loss, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 50}).x
        return np.asarray(softmax(X @ found.reshape(start.shape), axis=1))
