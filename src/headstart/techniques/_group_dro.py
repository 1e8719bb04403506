"""Distributionally robust optimisation over groups: the linear head whose worst group is best."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from scipy.special import logsumexp

from headstart.techniques._linear import Fit, softmax

SMOOTH = (0.1, 0.01)  # nats within which groups share the weight, coarse first; the worst loss is off by at most
# the last times the logarithm of the number of groups
STEPS = 200


def group_dro(
    X: np.ndarray, y: np.ndarray, groups: np.ndarray, *, strength: float = 1e-3, weight: np.ndarray | None = None,
    start: Fit | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Multinomial logistic regression whose worst group's loss is smallest: (coef (d, C), intercept (C,), q (G,)).

    Minimises over the head the greatest of the groups' mean log losses plus |coef|^2 / (2 strength n), as scikit-learn
    counts the strength. Groups are anything that a row has one of: a domain, or a class and an attribute together. The
    paper takes stochastic steps; on stored features the problem is small and convex, so the maximum is replaced by a
    soft one (log-sum-exp, made sharp in two stages) and solved at once; `q` is the weight that each group had in the
    end, in the order of `np.unique(groups)`. X is (n, d) standardised, y codes 0..C-1, `weight` (n,) counts inside the
    groups. (Sagawa et al., Distributionally robust neural networks for group shifts, ICLR 2020.)

    >>> X, y, groups = np.array([[-1.0], [1.0]] * 6), np.array([0, 1] * 6), np.repeat(["a", "b"], 6)
    >>> coef, intercept, q = group_dro(X, y, groups)
    >>> bool(coef[0, 1] > coef[0, 0]), q.round(2).tolist()
    (True, [0.5, 0.5])
    """
    _, member = np.unique(groups, return_inverse=True)
    d, classes = X.shape[1], int(y.max()) + 1
    share = np.ones(len(y)) if weight is None else weight
    share = share / np.bincount(member, share)[member]  # of a row in its group's mean loss
    true = np.eye(classes)[y]

    def unpack(flat: np.ndarray) -> Fit:
        return flat[: d * classes].reshape(d, classes), flat[d * classes :]

    def losses(coef: np.ndarray, intercept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        logits = X @ coef + intercept
        return np.bincount(member, share * (logsumexp(logits, axis=1) - (logits * true).sum(1))), logits

    def objective(flat: np.ndarray, smooth: float) -> tuple[float, np.ndarray]:
        coef, intercept = unpack(flat)
        loss, logits = losses(coef, intercept)
        pull = 1 / (strength * len(y))
        value = smooth * logsumexp(loss / smooth) + pull / 2 * (coef**2).sum()
        residual = (softmax(loss[None] / smooth)[0][member] * share)[:, None] * (softmax(logits) - true)
        return float(value), np.concatenate([(X.T @ residual + pull * coef).ravel(), residual.sum(0)])

    flat = np.zeros((d + 1) * classes) if start is None else np.concatenate([start[0].ravel(), start[1]])
    for smooth in SMOOTH:
        flat = minimize(objective, flat, (smooth,), "L-BFGS-B", jac=True, options={"maxiter": STEPS}).x
    coef, intercept = unpack(flat)
    return coef, intercept, softmax(losses(coef, intercept)[0][None] / SMOOTH[-1])[0]
