"""Optimal transport of features and labels together."""

from __future__ import annotations

import numpy as np

from headstart.adaptation._base import Adapter, classifier
from headstart.adaptation._shared import blocks, ordered, plan, sample, squared, told_apart

BLOCK = 1000  # rows of a plan


class JointTransport(Adapter):
    """Target rows with the labels that an optimal transport plan on features and labels carries to them.

    Use it where the domains' clouds moved but neighbours stay neighbours, with a head that is to be trained on target
    rows alone. Not where the classes' shares differ: the plan moves all mass. The plan costs squared distances over
    their median plus `label` times the loss of a classifier of target rows, which is fitted anew to the plan's labels
    in each round; at most 1,000 rows a domain meet in one plan. Source (n, d), target (m, d), result (m, d); the
    weight is how sure plan and classifier are of the label; needs POT. (Courty et al., Joint distribution optimal
    transportation for domain adaptation, NeurIPS 2017.)

    >>> rows = np.random.default_rng(0).standard_normal((60, 2)) + np.repeat([[-3], [3]], 30, axis=0)
    >>> adapted = JointTransport().adapt(rows, np.repeat([0, 1], 30), rows + 20)
    >>> bool((adapted.y == (adapted.X.sum(1) > 40)).mean() > 0.95)
    True
    """

    shifts = frozenset({"conditional"})
    extra = "transport"

    def __init__(self, regular: float = 0.1, label: float = 0.5, rounds: int = 3, seed: int = 0) -> None:
        self.regular = regular
        self.label = label
        self.rounds = rounds
        self.seed = seed

    def _adapt(
        self, source: np.ndarray, y: np.ndarray, target: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        target = ordered(target)
        names, codes = np.unique(y, return_inverse=True)
        carried = np.eye(len(names))[codes]
        parts = []
        for number, rows in enumerate(blocks(len(target), BLOCK, self.seed)):
            of = sample(np.arange(len(source)), BLOCK, self.seed + number)
            cost = squared(source[of], target[rows])
            parts.append((of, rows, cost / (float(np.median(cost)) or 1.0)))
        loss = np.zeros((len(target), len(names)))
        for _ in range(self.rounds + 1):
            share = np.empty_like(loss)
            for of, rows, cost in parts:
                mass = plan(cost + self.label * carried[of] @ loss[rows].T, self.regular).T @ carried[of]
                share[rows] = mass / mass.sum(1, keepdims=True)
            given = told_apart(share.argmax(1))
            model = classifier(target, given, share.max(1))
            told = np.full_like(loss, 1e-3)
            told[:, model.classes_] = np.maximum(model.predict_proba(target), 1e-3)
            loss = -np.log(told)
        return target, names[given], share.max(1) * told[np.arange(len(target)), given]
