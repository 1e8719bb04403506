"""Validators against values by hand and skada's, and a made shift on which one candidate is plainly worse."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from headstart import _discover
from headstart.selection.validators._base import Outlook
from headstart.selection.validators._ratio import MOST, ratio
from headstart.selection.validators.bnm import bnm
from headstart.selection.validators.circular import circular
from headstart.selection.validators.class_ami import class_ami
from headstart.selection.validators.dev import dev
from headstart.selection.validators.entropy import entropy
from headstart.selection.validators.importance_weighted import importance_weighted
from headstart.selection.validators.mixval import mixval
from headstart.selection.validators.snd import snd
from headstart.selection.validators.source_accuracy import source_accuracy

FLOOR = "selection.validators"
EVERY = _discover.names(FLOOR)


def _candidate(kind: str, seed: int = 0, classes: int = 3) -> Outlook:
    """Three classes in four columns; the target is moved, so that an unadapted model mixes its classes up.

    "good" centres each domain, "unadapted" does not, "blind" sees only the columns in which classes do not differ.
    """
    rng = np.random.default_rng(seed)
    centres = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 3.0]])

    def rows(y: np.ndarray, move: float) -> np.ndarray:
        X = rng.normal(size=(len(y), 4)) * [0.5, 0.5, 1.0, 1.0]
        X[:, :2] += centres[y] + move
        return X

    def refit(X: np.ndarray, y: np.ndarray, other: np.ndarray, ask: np.ndarray) -> np.ndarray:
        columns = slice(2, 4) if kind == "blind" else slice(0, 4)
        a, b = (X.mean(0), other.mean(0)) if kind != "unadapted" else (0.0, 0.0)
        model = LogisticRegression(max_iter=1000).fit((X - a)[:, columns], y)
        told = np.zeros((len(ask), classes))
        told[:, model.classes_] = model.predict_proba((ask - b)[:, columns])
        return told

    y = rng.permutation(np.tile(np.arange(3), 40))
    source, held, target = rows(y, 0), rows(y, 0), rows(rng.permutation(y), 1.0)
    return Outlook(
        held, y, refit(source, y, source, held), source, y, target, refit(source, y, target, target), refit, seed
    )


GOOD, UNADAPTED, BLIND = (_candidate(kind) for kind in ("good", "unadapted", "blind"))


def test_every_file_is_a_validator():
    assert len(EVERY) == 9
    for name in EVERY:
        assert _discover.summary(FLOOR, name)
        assert np.isfinite(_discover.load(FLOOR, name)(GOOD))


# The domains of SND are predictions alone, and a blind model's even answers are its known failure: it is in no list.
@pytest.mark.parametrize("name", sorted({*EVERY} - {"snd"}))
def test_good_is_above_blind(name):
    validator = _discover.load(FLOOR, name)
    for seed in range(3):
        assert validator(_candidate("good", seed)) > validator(_candidate("blind", seed)) + 0.05


# Those that look at the target must also see that nothing was adapted (both candidates know the source equally well).
@pytest.mark.parametrize("name", ["snd", "entropy", "bnm", "class_ami", "mixval"])
def test_good_is_above_unadapted(name):
    validator = _discover.load(FLOOR, name)
    for seed in range(3):
        assert validator(_candidate("good", seed)) > validator(_candidate("unadapted", seed))


def test_the_known_failures_are_real():
    """A guard against negative transfer must know: even answers win SND, no adaptation passes there and back."""
    assert snd(BLIND) > snd(GOOD)
    assert circular(UNADAPTED) > 0.95


@pytest.mark.parametrize("name", EVERY)
def test_twice_the_same(name):
    validator = _discover.load(FLOOR, name)
    assert validator(GOOD) == validator(_candidate("good"))


def test_class_ami_is_seeded_where_clusters_are_not_plain():
    rng = np.random.default_rng(0)
    even = replace(GOOD, target=rng.uniform(size=(120, 4)), told=rng.dirichlet(np.ones(6), size=120))
    assert len({class_ami(even) for _ in range(5)}) == 1
    assert len({class_ami(replace(even, seed=seed)) for seed in range(5)}) > 1


@pytest.mark.parametrize("name", EVERY)
def test_absent_classes_and_one_class_for_all(name):
    validator = _discover.load(FLOOR, name)
    wide = _candidate("good", classes=5)  # two classes that no row has
    assert np.isfinite(validator(wide))
    one = np.tile([1.0, 0.0, 0.0], (120, 1))
    collapsed = replace(GOOD, told=one, told_held=one)
    assert np.isfinite(validator(collapsed))
    if name not in ("snd", "entropy"):
        assert validator(collapsed) < validator(GOOD)
    rare = np.where(GOOD.y == 2, 0, GOOD.y)
    assert np.isfinite(validator(replace(GOOD, y=rare)))


def test_by_hand():
    told = np.array([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8]])
    few = replace(GOOD, told=told, target=np.array([[0.0], [0.1], [5.0]]))
    nats = [-(p * np.log(p)).sum() for p in told]
    assert entropy(few) == pytest.approx(-np.mean(nats))
    singular = np.sqrt(np.linalg.eigvalsh(told.T @ told))
    assert bnm(few) == pytest.approx(singular.sum() / np.sqrt(6))
    assert entropy(replace(few, told=np.eye(2)[[0, 1, 1]])) == 0
    assert class_ami(replace(few, told=np.eye(2)[[0, 0, 1]])) == pytest.approx(1)
    unit = told / np.sqrt((told**2).sum(1, keepdims=True))
    value = 0.0
    for i in range(3):
        e = np.array([np.exp(unit[i] @ unit[j] / 0.05) for j in range(3) if j != i])
        value -= (e / e.sum() * np.log(e / e.sum())).sum() / 3
    assert snd(few) == pytest.approx(value)


def test_accuracies_by_hand():
    four = replace(GOOD, y=np.array([0, 0, 1, 1]), told_held=np.eye(2)[[0, 1, 1, 0]])
    assert source_accuracy(four) == 0.5
    four = replace(four, odds=np.array([4.0, 1.0, 2.0, 1.0]))
    assert importance_weighted(four) == pytest.approx(6 / 8)
    # losses 0 1 0 1: w l = 0 1 0 1, mean .5; mean w 2; cov = (2*-.5 + -1*.5 + 0 + -1*.5)/3 = -2/3, var 2, eta = 1/3
    assert dev(four) == pytest.approx(-(0.5 + 1 / 3 * 2 - 1 / 3))
    # losses 1 1 0 0: w l = 4 1 0 0, mean 1.25; cov = (2*2.75 + -1*-.25 + 0 + -1*-1.25)/3 = 7/3, var = 2, eta = -7/6
    assert dev(replace(four, y=np.array([1, 0, 1, 0]))) == pytest.approx(-(1.25 - 7 / 6 * 2 + 7 / 6))


def test_circular_asks_the_way_back():
    asked = []

    def refit(*arrays: np.ndarray) -> np.ndarray:
        asked.append(arrays)
        return np.eye(3)[np.roll(GOOD.labels, 1)]

    value = circular(replace(GOOD, refit=refit))
    X, y, other, ask = asked[0]
    assert X is GOOD.target
    assert (y == GOOD.told.argmax(1)).all()
    assert other is GOOD.source
    assert ask is GOOD.source
    assert value == (np.roll(GOOD.labels, 1) == GOOD.labels).mean()
    assert circular(replace(GOOD, refit=lambda *a: np.full((len(a[3]), 3), np.nan))) == 0


def test_mixval_asks_both_kinds_of_pairs():
    target = np.array([[0.0], [1.0], [2.0], [10.0], [11.0], [99.0]])
    told = np.eye(3)[[0, 0, 0, 1, 1, 2]]
    asked = []

    def refit(X: np.ndarray, y: np.ndarray, other: np.ndarray, ask: np.ndarray) -> np.ndarray:
        asked.append(ask)
        return np.eye(3)[np.zeros(len(ask), dtype=int)]

    value = mixval(replace(GOOD, target=target, told=told, refit=refit))
    assert len(asked[0]) == 5 + 6  # the row alone in its class has a partner only outside
    assert value == pytest.approx((3 / 5 + 3 / 6) / 2)
    assert set(np.round(asked[0][3:5, 0], 6)) == {10.4, 10.6}


def test_ratio_finds_the_density_ratio():
    rng = np.random.default_rng(0)
    held, target = rng.normal(size=(3000, 1)), rng.normal(0.8, size=(1500, 1))
    wanted = 0.8 * held[:, 0] - 0.32  # log of N(0.8, 1) / N(0, 1)
    inside = np.abs(wanted) < 2
    assert np.abs(np.log(ratio(held, target)) - wanted)[inside].mean() < 0.1
    far = ratio(held, target + 100)
    assert far == pytest.approx(1 / MOST)
    assert np.log(ratio(held, rng.normal(size=(3000, 1)))).std() < 0.1


def test_weights_let_the_target_decide():
    rng = np.random.default_rng(1)
    held, target = rng.normal(size=(2000, 1)), rng.normal(1.5, 0.5, size=(2000, 1))
    y = np.zeros(2000, dtype=int)
    right_there = np.eye(2)[(held[:, 0] < 0.5).astype(int)]  # wrong on most source rows, right where the target is
    seen = replace(GOOD, held=held, y=y, told_held=right_there, target=target)
    truth = (target[:, 0] >= 0.5).mean()
    assert abs(importance_weighted(seen) - truth) < 0.05
    assert abs(1 + dev(seen) - truth) < 0.15
    assert source_accuracy(seen) < 0.4


def test_as_skada():
    """Values of skada 0.6, which is not imported here: it changes settings of scikit-learn for everyone."""
    told = np.random.default_rng(0).dirichlet(np.full(4, 0.5), size=50)
    seen = replace(GOOD, told=told)
    assert snd(seen) == pytest.approx(2.160749858795559, rel=1e-5)  # they give the diagonal a weight of about e^-40
    assert entropy(seen) == pytest.approx(4 * -0.2311379566957961, rel=1e-5)  # they divide by the classes as well
