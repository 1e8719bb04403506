"""The sequential test against integrals, an exact expectation, and simulations of its two errors."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import binom

from headstart.selection.sequential import duel, evidence


@pytest.mark.parametrize(("wins", "losses"), [(0, 0), (1, 0), (0, 3), (7, 2), (15, 11)])
def test_evidence_is_the_average_wealth_over_all_stakes(wins: int, losses: int) -> None:
    def wealth(p: float) -> float:
        rate = 1.0
        for won in [True] * wins + [False] * losses:
            rate *= 1 + (2 * p - 1) * (1 if won else -1)  # the share 2p - 1 of all one has is staked on a win
        return rate

    assert evidence(wins, losses) == pytest.approx(2 * quad(wealth, 0.5, 1.0)[0], rel=1e-8)


def test_wealth_is_expected_to_stay_or_fall_where_wins_are_not_likelier() -> None:
    for n in (1, 5, 20):
        won = np.arange(n + 1)
        values = np.array([evidence(int(w), int(n - w)) for w in won])
        assert binom.pmf(won, n, 0.5) @ values == pytest.approx(1.0)
        assert binom.pmf(won, n, 0.4) @ values < 1.0
    for wins, losses in ((0, 0), (3, 1), (6, 9)):  # and so after every beginning: a martingale
        one, other = evidence(wins + 1, losses), evidence(wins, losses + 1)
        assert (one + other) / 2 == pytest.approx(evidence(wins, losses))


def ends(share: float, most: int, runs: int = 500) -> np.ndarray:
    """How many runs said better and how many said worse, with that share of wins."""
    rng = np.random.default_rng(0)
    said = [duel(lambda row: 1 if rng.random() < share else -1, range(most), most).better for _ in range(runs)]
    return np.array([said.count(True), said.count(False)]) / runs


def test_it_errs_no_more_often_than_it_says_however_often_it_looks() -> None:
    errors = ends(0.5, 150, runs=400)
    assert (errors <= 0.05).all()
    assert errors.max() > 0.005  # it does err: a test that never decides would pass as well
    assert ends(0.4, 40, runs=400)[0] <= 0.05


def test_it_finds_what_is_better_with_few_labels() -> None:
    assert ends(0.9, 20)[0] > 0.8
    assert ends(0.1, 20)[1] > 0.8
    assert ends(0.75, 100)[0] > 0.9


def test_it_asks_in_order_stops_when_sure_and_never_asks_for_more() -> None:
    asked: list[int] = []

    def ask(row: int) -> int:
        asked.append(row)
        return 1

    ended = duel(ask, [5, 3, 8, 1, 9, 2, 7, 4, 6], 100)
    assert asked == [5, 3, 8, 1, 9, 2, 7]
    assert (ended.better, ended.asked, ended.wins, ended.losses) == (True, 7, 7, 0)
    short = duel(lambda row: 0, range(50), 12)
    assert (short.better, short.asked, short.evidence) == (None, 12, pytest.approx(1.0))
