"""A linear softmax head with weights a row, a start and a leash: what every repair trains, in milliseconds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from headstart.techniques._linear import Scaler, softmax

WIDTH = 256  # principal directions of the standardised activations that heads are trained on


@dataclass(frozen=True, eq=False)
class Head:
    """Logits X @ coef + intercept."""

    coef: np.ndarray  # (d, C)
    intercept: np.ndarray  # (C,)

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """(n, C) probabilities."""
        return softmax(X @ self.coef + self.intercept)


@dataclass(frozen=True, eq=False)
class Space:
    """Standardised activations on their leading principal directions; heads there are heads on the activations."""

    scaler: Scaler
    basis: np.ndarray  # (d, k)

    @classmethod
    def of(cls, X: np.ndarray) -> Space:
        """Fit on rows (n, d), whose labels are not looked at."""
        scaler = Scaler.of(X)
        Z = scaler(X)
        values, vectors = np.linalg.eigh(Z.T @ Z / len(Z))
        keep = np.flatnonzero(values > values[-1] * 1e-9)[-min(WIDTH, len(Z) - 1) :]
        return cls(scaler, vectors[:, keep] / np.sqrt(values[keep].mean()))

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """Rows (n, k)."""
        return self.scaler(X) @ self.basis

    def outside(self, head: Head) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The head as (mean, coef, intercept) on the activations themselves."""
        return self.scaler.mean, self.basis @ head.coef / self.scaler.scale[:, None], head.intercept


def fit(
    X: np.ndarray, y: np.ndarray, weight: np.ndarray, strength: float, *, classes: int, start: Head | None = None,
    leash: bool = False, steps: int = 100,
) -> Head:  # fmt: skip
    """Weighted mean cross-entropy plus strength / 2 times the squared length of coef (with `leash`: of its change)."""
    d, weight = X.shape[1], weight / weight.sum()
    first = start or Head(np.zeros((d, classes)), np.zeros(classes))
    home = first.coef if leash else 0.0
    hot = np.eye(classes)[y]

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        whole = flat.reshape(d + 1, classes)
        away = whole[:-1] - home
        told = softmax(X @ whole[:-1] + whole[-1])
        error = (told - hot) * weight[:, None]
        value = -float(weight @ np.log(np.maximum(told[np.arange(len(y)), y], 1e-300)))
        slope = np.concatenate([X.T @ error + strength * away, error.sum(0)[None]])
        return value + strength / 2 * float((away**2).sum()), slope.ravel()

    whole = np.concatenate([first.coef, first.intercept[None]]).ravel()
    found = minimize(loss, whole, jac=True, method="L-BFGS-B", options={"maxiter": steps, "gtol": 1e-4})
    found = found.x.reshape(d + 1, classes)
    return Head(found[:-1], found[-1])
