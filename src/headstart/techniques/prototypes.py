"""One prototype a class."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from headstart.activations.activations import Activations
from headstart.techniques._base import Technique
from headstart.techniques._linear import sharpness, softmax


class Prototypes(Technique):
    """The class whose mean direction is nearest by cosine.

    Use it for one to ten rows a class: nothing is fitted that few rows cannot carry. Not for classes with several
    separate kinds of members. Vectors (n, d). (Snell et al., Prototypical Networks, NeurIPS 2017.)

    >>> X = Activations(np.repeat(np.eye(2), 5, axis=0), np.arange(10).astype(str), "pooled", "vector")
    >>> Prototypes().fit(X, np.repeat([0, 1], 5)).predict(X).tolist()
    [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]
    """

    def fit(
        self, X: Activations, y: np.ndarray, *, sample_weight: np.ndarray | None = None, target: Any = None
    ) -> Self:
        """Mean of the centred unit vectors of each class; how sure to be is set by leaving each row out."""
        self._check(y)
        values = self._finite(X)
        weight = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        self.centre_ = weight @ values / weight.sum()
        unit = _unit(values - self.centre_)
        sums = np.zeros((self.n_outputs_, unit.shape[1]))
        np.add.at(sums, y, unit * weight[:, None])
        self.prototypes_ = _unit(sums)
        left_out = unit @ self.prototypes_.T
        own = _unit(sums[y] - unit * weight[:, None])
        left_out[np.arange(len(y)), y] = (unit * own).sum(1)
        self.sharpness_ = sharpness(left_out, y)
        self._left_out = softmax(self.sharpness_ * left_out)
        return self

    def left_out(self) -> np.ndarray:
        """The training rows against prototypes without them, right after `fit`."""
        return self._left_out

    def predict_proba(self, X: Activations) -> np.ndarray:
        """Softmax of the cosines."""
        cosine = _unit(self._finite(X) - self.centre_) @ self.prototypes_.T
        return softmax(self.sharpness_ * cosine)


def _unit(X: np.ndarray) -> np.ndarray:
    return np.asarray(X / np.maximum(np.linalg.norm(X, axis=1, keepdims=True), 1e-12))
