"""A few labels, asked one at a time: is the challenger better than the champion? Stop as soon as it is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.special import betainc, betaln

LEVEL = 0.05


@dataclass(frozen=True)
class Duel:
    """How it ended: `better` is True or False once that is sure, None where the labels did not suffice."""

    better: bool | None
    asked: int
    wins: int
    losses: int
    evidence: float  # for the challenger; `against` for the champion
    against: float
    level: float

    def to_json(self) -> dict[str, Any]:
        """As `result.json` shows it."""
        return asdict(self)


def evidence(wins: int, losses: int) -> float:
    """How strongly so many wins and losses speak against "not more often won than lost": an e-value, 1 is nothing.

    The wealth of a gambler who bets on wins and begins with 1, averaged over all stakes that expect between one and all
    rounds to be won: 2^n times the integral of p^wins (1 - p)^losses over p from 1/2 to 1, times 2. While wins are no
    likelier than losses it is a supermartingale, so that it ever reaches 1 / level with at most that probability,
    however often one looks (Ville). (Waudby-Smith and Ramdas, Estimating means of bounded random variables by betting,
    JRSS B 2024; Robbins, Statistical methods related to the law of the iterated logarithm, 1970.)

    >>> round(evidence(0, 0), 6), round(evidence(7, 0), 1), evidence(5, 5) < 1
    (1.0, 31.9, True)
    """
    a, b = wins + 1, losses + 1
    log = (wins + losses + 1) * np.log(2.0) + betaln(a, b)
    return float(np.exp(log) * betainc(b, a, 0.5))


def duel(ask: Callable[[int], int], rows: Sequence[int], most: int, *, level: float = LEVEL) -> Duel:
    """Ask for rows in their order, at most so many, until the answers speak for one side at this level.

    `ask` says 1 where only the challenger is right, -1 where only the champion is, 0 for neither. Use it on rows on
    which the two disagree, in random order: others decide nothing. Either conclusion is wrong with probability at most
    `level`, whenever it stops, as long as the rows come independently from where the rows to be answered come from. Not
    for a choice among many challengers: then share the level among them.

    >>> duel(lambda row: 1, range(20), 20).asked, duel(lambda row: -1, range(20), 20).better
    (7, False)
    """
    counts = {1: 0, 0: 0, -1: 0}
    asked, better = 0, None
    for row in rows[:most]:
        counts[ask(row)] += 1
        asked += 1
        if evidence(counts[1], counts[-1]) >= 1 / level:
            better = True
        elif evidence(counts[-1], counts[1]) >= 1 / level:
            better = False
        if better is not None:
            break
    won, lost = counts[1], counts[-1]
    return Duel(better, asked, won, lost, evidence(won, lost), evidence(lost, won), level)
