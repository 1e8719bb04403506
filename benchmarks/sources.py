"""Several labelled source domains, one unlabelled target: is it worth weighting the sources by how near they are?

    python -m benchmarks.sources --seeds 3

Tasks and draws are those of `benchmarks.generalisation`; the target's labels are used for the score alone. Behind every
weighting stands a ridge head. "Nearest" keeps one source domain; "best one" is chosen by the target's own labels.
"""

from __future__ import annotations

import argparse

import numpy as np
from sklearn.linear_model import LogisticRegression

from benchmarks.generalisation import BALANCED, Task, draw, tasks
from headstart._methods import vectors
from headstart.audit._permutation import kernel_test
from headstart.techniques._linear import Scaler
from headstart.techniques.ridge import Ridge

WAYS = ("all rows alike", "domains alike", "domain classifier", "MMD", "nearest by classifier", "nearest by MMD",
        "best one")  # fmt: skip


def cell(task: Task, target: str, seed: int) -> dict[str, float]:
    """Balanced accuracy on the target of every weighting of the sources."""
    train, held, _ = draw(task, target, seed)
    values = np.asarray(task.X, dtype=np.float64)
    scaler = Scaler.of(values[train])
    X, Z, y = scaler(values[train]), scaler(values[held]), task.y[train]
    names, source = np.unique(task.domains[train], return_inverse=True)
    apart = LogisticRegression(C=0.01, max_iter=300, class_weight="balanced").fit(X, source)
    share = apart.predict_proba(Z).mean(0)
    far = np.array([_mmd(X[source == k], Z, seed) for k in range(len(names))])

    def score(weight: np.ndarray) -> float:
        rows = (weight / np.bincount(source))[source]
        kept = rows > 0
        head = Ridge().fit(vectors(X[kept]), y[kept], sample_weight=rows[kept] / rows[kept].mean())
        return BALANCED(task.y[held], head.predict_proba(vectors(Z)))

    one = np.eye(len(names))
    near = np.exp(-2 * far / max(far.mean(), 1e-9))
    weights = [np.bincount(source), np.ones(len(names)), share, near, one[share.argmax()], one[far.argmin()]]
    return dict(zip(WAYS, [*map(score, weights), max(map(score, one))], strict=True))


def _mmd(X: np.ndarray, Z: np.ndarray, seed: int) -> float:
    """Squared maximum mean discrepancy; what an unbiased estimate has below zero is none."""
    return max(kernel_test(np.concatenate([X, Z]), len(X), np.random.default_rng(seed))[0], 0.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    seeds = range(parser.parse_args().seeds)
    found = {}
    for task in tasks():
        for target in np.unique(task.domains).tolist():
            rows = [cell(task, target, seed) for seed in seeds]
            found[task.name, target] = [np.mean([r[way] for r in rows]) for way in WAYS]
            print(task.name, target, *(f"{v:.3f}" for v in found[task.name, target]), flush=True)
    worth = np.array(list(found.values()))
    gain = 100 * (worth - worth[:, :1])
    print("| weighting | mean | gain | gained half a point | lost half a point |\n|---|---|---|---|---|")
    for k, way in enumerate(WAYS):
        own = gain[:, k]
        told = f"{100 * (own > 0.5).mean():.0f} % | {100 * (own < -0.5).mean():.0f} %"
        print(f"| {way} | {worth[:, k].mean():.3f} | {own.mean():+.1f} | {told} |")


if __name__ == "__main__":
    main()
