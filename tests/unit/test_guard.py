"""The guard on validators whose opinions are known beforehand, and the guess of an accuracy without labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from headstart import _discover
from headstart.selection.estimate import among, disagreed, estimate, transported
from headstart.selection.guard import followers, guard, heard
from headstart.selection.validators._base import Outlook


def outlook(level: float) -> Outlook:
    """A candidate whose every answer is `level` sure, so that a validator can read its quality off."""
    rng = np.random.default_rng(0)
    rows, y = rng.normal(size=(200, 3)), rng.integers(0, 2, 200)
    told = np.full((200, 2), [1 - level, level])
    return Outlook(rows, y, told, rows, y, rows, told, lambda X, c, o, ask: told[: len(ask)])


@pytest.fixture
def validators(monkeypatch: pytest.MonkeyPatch) -> dict[str, Callable[[Outlook], float]]:
    table: dict[str, Callable[[Outlook], float]] = {}
    monkeypatch.setattr(_discover, "names", lambda floor: list(table))
    monkeypatch.setattr(_discover, "load", lambda floor, name: table[name])
    return table


def likes(o: Outlook) -> float:
    return float(o.told[:, 1].mean())


def hates(o: Outlook) -> float:
    return -likes(o)


def shrugs(o: Outlook) -> float:
    return float(o.target.mean()) * likes(o)  # differs from part to part more than between candidates


def test_what_most_validators_like_ships(validators: dict[str, Any]) -> None:
    validators |= {"a": likes, "b": likes, "c": likes, "d": shrugs, "e": likes, "snd": hates}
    decision = guard(outlook(0.6), {"better": outlook(0.9), "worse": outlook(0.3)})
    assert decision.method == "better"
    says = {(v.method, v.validator): v.says for v in decision.votes}
    assert says["better", "a"] == 1
    assert says["worse", "a"] == -1
    assert says["better", "d"] == 0


def test_opposition_or_too_few_votes_decline(validators: dict[str, Any]) -> None:
    validators |= {"a": likes, "b": likes, "c": shrugs}
    assert guard(outlook(0.6), {"better": outlook(0.9)}).method is None
    validators |= dict.fromkeys("defgh", likes) | {"x": hates}
    decision = guard(outlook(0.6), {"better": outlook(0.9)})
    assert decision.method is None
    assert "1 against" in decision.words


def test_the_same_answers_are_no_gain(validators: dict[str, Any]) -> None:
    validators |= dict.fromkeys("abcdef", likes)
    assert guard(outlook(0.6), {"same": outlook(0.6)}).method is None


def test_a_calibrated_model_is_guessed_right() -> None:
    rng = np.random.default_rng(0)

    def draw(rows: int, hard: float) -> tuple[np.ndarray, np.ndarray]:
        sure = 0.5 + 0.5 * rng.random(rows) ** hard
        y = (rng.random(rows) < sure).astype(int)
        return np.c_[1 - sure, sure], y

    held, y = draw(4000, 1.0)
    told, truth = draw(4000, 2.0)
    value, low, high = estimate(held, y, told)
    right = float((told.argmax(1) == truth).mean())
    assert abs(value - right) < 0.05
    assert abs(float((held.argmax(1) == y).mean()) - right) > 0.05  # it did not just carry the source's accuracy over
    assert low < value < high


def test_transport_to_the_class_shares_costs_what_pot_says() -> None:
    ot = pytest.importorskip("ot", reason="pip install POT (headstart[transport])")
    rng = np.random.default_rng(0)
    told, shares = rng.dirichlet(np.ones(4), 90), np.array([0.4, 0.3, 0.2, 0.1])
    reference = 1 - ot.emd2(np.full(90, 1 / 90), shares, 1 - told)
    assert transported(told, shares) == pytest.approx(reference, abs=1e-9)
    assert transported(np.eye(4)[rng.permutation(np.repeat(np.arange(4), [4, 3, 2, 1]))], shares) == pytest.approx(1)
    assert transported(np.eye(4)[np.zeros(10, int)], shares) == pytest.approx(0.4)  # all of one class: its share alone


def test_others_see_that_a_sure_model_is_wrong_after_a_shift() -> None:
    rng = np.random.default_rng(0)
    truth = np.repeat([0, 1], 300)

    def told(right: float, sure: float) -> np.ndarray:
        answers = np.where(rng.random(600) < right, truth, 1 - truth)
        return np.where(np.eye(2)[answers] == 1, sure, 1 - sure)

    start = outlook(0.6)
    seen = replace(
        start, y=truth, labels=truth, told_held=told(0.95, 0.95), target=np.zeros((600, 3)), told=told(0.7, 0.95)
    )
    others = [told(0.7, 0.75) for _ in range(4)]
    value, low, high = among(seen, seen, others)
    alone = estimate(seen.told_held, truth, seen.told)[0]
    actual = float((seen.told.argmax(1) == truth).mean())
    assert abs(alone - actual) > 0.2
    assert abs(value - actual) < abs(alone - actual) / 2
    assert low <= actual <= high
    differs = np.mean([(o.argmax(1) != seen.told.argmax(1)).mean() for o in others])
    assert disagreed(0.95, seen.told.argmax(1), others) == pytest.approx(0.95 - differs / 2)


@pytest.fixture
def floor(validators: dict[str, Any]) -> Outlook:
    """Two classes that are clusters in both domains; doing nothing is right for 70 % of the target's rows."""
    rng = np.random.default_rng(0)
    truth = np.repeat([0, 1], 150)
    rows = rng.normal(size=(300, 3)) + 4 * truth[:, None]
    half = np.eye(2)[np.where(rng.random(300) < 0.7, truth, 1 - truth)]
    start = outlook(0.6)
    return replace(start, target=rows, told=half, source=rows, labels=truth, held=rows[::3], y=truth[::3])


def test_the_targets_clusters_speak_for_a_mapping_and_not_for_what_fitted_itself(floor: Outlook) -> None:
    rng = np.random.default_rng(0)
    right = replace(floor, told=np.eye(2)[floor.labels])
    wrong = replace(floor, told=np.eye(2)[rng.integers(0, 2, 300)], maps=True)
    assert guard(floor, {"a": replace(right, maps=True), "b": wrong}).method == "a"
    declined = guard(floor, {"a": right, "b": wrong})
    assert declined.method is None
    assert {(v.method, v.validator): v.says for v in declined.votes}["b", "fine_clusters"] == -1


def test_what_several_agree_on_is_judged_by_clusters_after_the_mappings(floor: Outlook) -> None:
    right = np.eye(2)[floor.labels]
    near = np.eye(2)[np.where(np.arange(300) % 10 == 0, 1 - floor.labels, floor.labels)]
    agreed = replace(floor, told=right, agreed=True)
    assert followers(floor, {"a": agreed, "same": floor}) == ["a"]
    assert guard(floor, {"both": agreed, "same": floor}).method == "both"
    assert guard(floor, {"both": agreed, "map": replace(floor, told=near, maps=True)}).method == "map"


def test_clusters_that_do_not_know_the_sources_labels_are_not_heard(floor: Outlook) -> None:
    rng = np.random.default_rng(0)
    deaf = replace(floor, labels=rng.permutation(floor.labels), y=rng.permutation(floor.y))
    better = {"a": replace(floor, told=np.eye(2)[floor.labels], maps=True)}
    assert heard(floor)
    assert not heard(deaf)
    assert guard(floor, better).method == "a"
    assert guard(deaf, better).method is None
