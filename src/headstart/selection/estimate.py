"""How often a model is right on rows that nobody has labelled: by how sure it is, or beside other ways to answer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import identity, kron, vstack

from headstart.selection.calibration import apply, temperature
from headstart.selection.validators._base import Outlook

RESAMPLES = 500
OFF = 0.09  # by so much difference of confidences was wrong on average over the shifts of benchmarks/adaptation.py
OFF_AMONG = 0.06  # the same of `among`, over the shifts of `--fresh`, on which nothing was chosen
WIDE = 0.15  # 95 % of the errors of `among` stay below, over the shifts on which it was chosen


def estimate(told_held: np.ndarray, y: np.ndarray, told: np.ndarray, *, seed: int = 0) -> tuple[float, float, float]:
    """Accuracy on the rows `told` (m, C) with a 95 % interval, from held-out rows (n, C) and their codes y.

    The accuracy on the held-out rows, moved by as much as the model is less sure of the new ones. Use it where there is
    one model alone. It trusts the model to be as well calibrated there as here, which a shift may break, so that the
    interval says nothing about that: a benchmark has to. (Guillory et al., Predicting with Confidence on Unseen
    Distributions, ICCV 2021.)

    >>> held = np.array([[0.9, 0.1], [0.8, 0.2], [0.6, 0.4], [0.7, 0.3]])
    >>> round(estimate(held, np.array([0, 0, 1, 0]), np.array([[0.5, 0.5], [0.6, 0.4]]))[0], 2)
    0.55
    """
    right, sure, asked = told_held.argmax(1) == y, told_held.max(1), told.max(1)

    def value(i: np.ndarray, j: np.ndarray) -> float:
        return float(np.clip(right[i].mean() + asked[j].mean() - sure[i].mean(), 0.0, 1.0))

    rng = np.random.default_rng(seed)
    n, m = len(y), len(asked)
    draws = [value(rng.integers(0, n, n), rng.integers(0, m, m)) for _ in range(RESAMPLES)]
    low, high = np.percentile(draws, (2.5, 97.5))
    return value(np.arange(n), np.arange(m)), float(low), float(high)


def among(shipped: Outlook, floor: Outlook, others: Sequence[np.ndarray]) -> tuple[float, float, float]:
    """Accuracy of a candidate on the target, from what others (m, C) say of the same rows; value, low and high.

    The mean of three guesses that err in different ways: the others' mean probability of its answers; what its answers
    cost as a transport to the source's class shares (`transported`, sure models mislead it); and the source's accuracy
    less half of the disagreement, since of two that differ at most one is right (`disagreed`, blind to shared errors).
    The interval is as wide as the errors over the shifts of a benchmark were: `WIDE` held in nine of ten on tasks that
    it was not taken from. Use it where several methods were tried; not with copies of one method, which agree whether
    they are right or not. (Lu et al., Characterizing Out-of-Distribution Error via Optimal Transport, NeurIPS 2023;
    Jiang et al., Assessing Generalization of SGD via Disagreement, ICLR 2022.)

    >>> from headstart.selection.validators._example import example
    >>> seen = example()
    >>> value, low, high = among(seen, seen, [seen.told, example(blind=True).told])
    >>> low < value < high
    True
    """
    answers = shipped.told.argmax(1)
    joint = float(np.mean(others, axis=0)[np.arange(len(answers)), answers].mean())
    sure = apply(shipped.told, temperature(shipped.told_held, shipped.y))
    right = float((floor.told_held.argmax(1) == floor.y).mean())
    shares = np.bincount(shipped.labels, minlength=sure.shape[1]) / len(shipped.labels)
    value = float(np.mean([joint, transported(sure, shares), disagreed(right, answers, others)]))
    return value, max(value - WIDE, 0.0), min(value + WIDE, 1.0)


def transported(told: np.ndarray, shares: np.ndarray) -> float:
    """One less the cost of moving probabilities (m, C) to sure answers of which each class has its share.

    The cost of a class is one less its probability: half of the absolute difference to a sure answer. (Lu et al. 2023.)

    >>> round(transported(np.array([[0.9, 0.1], [0.8, 0.2]]), np.array([0.5, 0.5])), 2)
    0.55
    """
    m, classes = told.shape  # columns of the programme: what each row gives to each class, row by row
    sums = vstack([kron(identity(m), np.ones(classes)), kron(np.ones(m), identity(classes))])
    best = linprog((1.0 - told).ravel(), A_eq=sums.tocsr(), b_eq=np.concatenate([np.full(m, 1 / m), shares]))
    return 1.0 - float(best.fun)


def disagreed(right: float, answers: np.ndarray, others: Sequence[np.ndarray]) -> float:
    """An accuracy less half of the mean share of rows on which others (m, C) answer otherwise.

    >>> disagreed(0.9, np.array([0, 0]), [np.array([[0.9, 0.1], [0.2, 0.8]])])
    0.65
    """
    return right - float(np.mean([(told.argmax(1) != answers).mean() for told in others])) / 2
