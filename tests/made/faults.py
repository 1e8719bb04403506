"""Evidence of a data set in which nothing is wrong, and the same with one fault of a chosen strength."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from headstart.audit._base import Evidence

STRENGTHS = ("weak", "plain", "blatant")


def clean(seed: int = 0, rows: int = 600, *, dims: int = 20, classes: int = 2, apart: float = 2.0) -> Evidence:
    """Clouds of unit variance, split by chance; scores are Bayes' rule, so that they are calibrated."""
    rng = np.random.default_rng(seed)
    target = rng.integers(0, classes, rows)
    directions = rng.normal(size=(classes, dims))
    centres = apart * directions / np.linalg.norm(directions, axis=1, keepdims=True)
    values = rng.normal(size=(rows, dims)) + centres[target]
    split = rng.permutation(np.repeat(["train", "valid", "test"], [rows - 2 * (rows // 5), rows // 5, rows // 5]))
    odds = values @ centres.T - (centres**2).sum(1) / 2
    chance = np.exp(odds - odds.max(1, keepdims=True))
    chance /= chance.sum(1, keepdims=True)
    y = target[split == "valid"]
    short = np.sort(1 - chance[split == "valid"][np.arange(len(y)), y])
    return Evidence(
        modality="text", kind="label", classes=tuple(f"class {k}" for k in range(classes)), target=target, split=split,
        values=values, scores=chance[split == "test"], qhat=float(short[int(np.ceil(0.9 * (len(y) + 1))) - 1]),
        columns={
            "sex": rng.choice(["f", "m"], rows), "age": rng.integers(20, 80, rows),
            "site": rng.choice(["a", "b", "c"], rows),
            "patient": np.array([f"p{k}" for k in rng.permutation(rows) // 3]),
        },
        attributes=("sex", "age", "site"), owners=("patient",),
        metadata={"characters": rng.integers(20, 400, rows), "words": rng.integers(4, 80, rows)}, seed=seed,
    )  # fmt: skip


def wrong_labels(made: Evidence, strength: str) -> Evidence:
    """A share of the labels becomes another class."""
    share = {"weak": 0.05, "plain": 0.1, "blatant": 0.25}[strength]
    rng = np.random.default_rng(made.seed + 1)
    flip = rng.random(len(made.target)) < share
    other = (made.target + rng.integers(1, len(made.classes), len(made.target))) % len(made.classes)
    return replace(made, target=np.where(flip, other, made.target))


def worse_for_one_group(made: Evidence, strength: str) -> Evidence:
    """Answers for one sex are replaced by a coin in a share of its rows."""
    share = {"weak": 0.4, "plain": 0.7, "blatant": 1.0}[strength]
    rng = np.random.default_rng(made.seed + 1)
    hit = (made.columns["sex"][made.of("test")] == "f") & (rng.random(len(made.scores)) < share)
    return replace(made, scores=np.where(hit[:, None], rng.permuted(made.scores, axis=1), made.scores))


def longer_texts_of_one_class(made: Evidence, strength: str) -> Evidence:
    """The number of characters tells the class."""
    step = {"weak": 60, "plain": 150, "blatant": 400}[strength]
    return replace(made, metadata={**made.metadata, "characters": made.metadata["characters"] + step * made.target})


def alike_owners(made: Evidence, strength: str) -> Evidence:
    """Rows of one patient have the same class in a share of the patients, and patients straddle the split."""
    share = {"weak": 0.3, "plain": 0.6, "blatant": 1.0}[strength]
    rng = np.random.default_rng(made.seed + 1)
    _, owner = np.unique(made.columns["patient"], return_inverse=True)
    count = owner.max() + 1
    own, alike = rng.integers(0, len(made.classes), count), rng.random(count) < share
    return replace(made, target=np.where(alike[owner], own[owner], made.target))


def told_column(made: Evidence, strength: str) -> Evidence:
    """A column of a table that is the target under another name, with a few cells wrong."""
    wrong = {"weak": 0.02, "plain": 0.01, "blatant": 0.0}[strength]
    rng = np.random.default_rng(made.seed + 1)
    told = np.where(
        rng.random(len(made.target)) < wrong, rng.integers(0, len(made.classes), len(made.target)), made.target
    )
    rows = [{"age": float(a), "code": f"c{t}"} for a, t in zip(made.columns["age"], told, strict=True)]
    return replace(made, modality="table", rows=rows)


def too_sure(made: Evidence, strength: str) -> Evidence:
    """Log odds are multiplied."""
    times = {"weak": 2.0, "plain": 4.0, "blatant": 20.0}[strength]
    odds = times * np.log(np.clip(made.scores, 1e-9, 1))
    scores = np.exp(odds - odds.max(1, keepdims=True))
    return replace(made, scores=scores / scores.sum(1, keepdims=True))


def moved_scores(made: Evidence, strength: str) -> Evidence:
    """Some answers are those of other rows, as they are where rows have come out of order."""
    share = {"weak": 0.1, "plain": 0.4, "blatant": 1.0}[strength]
    rng = np.random.default_rng(made.seed + 1)
    hit = np.flatnonzero(rng.random(len(made.scores)) < share)
    scores = made.scores.copy()
    scores[hit] = made.scores[rng.permutation(hit)]
    return replace(made, scores=scores)


def strange_rows(made: Evidence, strength: str) -> Evidence:
    """Five rows lie far out, each in its own direction."""
    times = {"weak": 3.0, "plain": 5.0, "blatant": 20.0}[strength]
    values = made.values.copy()
    values[:5] *= times
    return replace(made, values=values)


def moved_test(made: Evidence, strength: str) -> Evidence:
    """The test rows come from elsewhere."""
    step = {"weak": 0.4, "plain": 0.8, "blatant": 2.0}[strength]
    values = made.values + step * (made.split == "test")[:, None]
    return replace(made, values=values, own_split=True)


def silent_class(made: Evidence, strength: str) -> Evidence:
    """The last class is hardly, or never, what the model says; only `blatant` is a class that is never said."""
    scores = made.scores.copy()
    scores[:, -1] *= {"weak": 0.5, "plain": 0.2, "blatant": 0.0}[strength]
    return replace(made, scores=scores / scores.sum(1, keepdims=True))
