"""Entropic optimal transport of the source onto the target."""

from __future__ import annotations

import numpy as np

from headstart.adaptation._base import Adapter
from headstart.adaptation._shared import blocks, ordered, plan, sample, squared

BLOCK = 2000  # rows of a plan


class Transport(Adapter):
    """Each source row moves to the mean of the target rows that an optimal transport plan sends it to.

    Use it where the domains' clouds differ by more than an affine map but neighbours stay neighbours;
    `class_regular` above 0 keeps the classes apart, so that a target row takes its mass from one class. Not where the
    classes' shares differ: the plan moves all mass. Costs are squared distances over their median, `regular` is in
    that unit; above 2,000 rows a domain the plan is made in blocks. Source (n, d), target (m, d), result (n, d); needs
    POT. (Cuturi, NeurIPS 2013; Courty et al., Optimal transport for domain adaptation, TPAMI 2017.)

    >>> rows = np.random.default_rng(0).standard_normal((60, 2)) + np.repeat([[-3], [3]], 30, axis=0)
    >>> moved = Transport().adapt(rows, np.repeat([0, 1], 30), rows + 20).X
    >>> bool(np.abs(moved - rows - 20).max() < 3)
    True
    """

    shifts = frozenset({"conditional"})
    extra = "transport"
    maps = True

    def __init__(self, regular: float = 0.02, class_regular: float = 0.0, rounds: int = 5, seed: int = 0) -> None:
        self.regular = regular
        self.class_regular = class_regular
        self.rounds = rounds
        self.seed = seed

    def _adapt(
        self, source: np.ndarray, y: np.ndarray, target: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        moved = np.empty_like(source)
        target = ordered(target)
        for number, rows in enumerate(blocks(len(source), BLOCK, self.seed)):
            onto = sample(target, BLOCK, self.seed + number)
            mass = self._plan(source[rows], y[rows], onto)
            moved[rows] = mass @ onto / mass.sum(1, keepdims=True)
        return moved, y, np.ones(len(y))

    def _plan(self, source: np.ndarray, y: np.ndarray, onto: np.ndarray) -> np.ndarray:
        """The plan (n, m); the class term, concave, is replaced by its tangent at the last plan, round by round."""
        cost = squared(source, onto)
        cost /= float(np.median(cost)) or 1.0
        mass = plan(cost, self.regular)
        for _ in range(self.rounds if self.class_regular else 0):
            bent = np.empty_like(cost)
            for code in np.unique(y):
                bent[y == code] = 0.5 / np.sqrt(len(onto) * mass[y == code].sum(0) + 1e-3)
            mass = plan(cost + self.class_regular * bent, self.regular)
        return mass
