"""The guard: a candidate for a domain without labels ships only when several validators agree beyond noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from headstart import _discover
from headstart.selection.validators._base import Outlook
from headstart.selection.validators._ratio import ratio

PARTS = 8  # disjoint parts of the rows, on each of which candidate and floor are compared: their spread is the noise
BEYOND = 1.9  # standard errors: one-sided 95 % of Student's t with seven degrees of freedom
WHOLE = ("circular", "mixval")  # validators that train again: asked once, their noise is that of a share of rows
SILENT = ("mixval", "snd")  # their likings went against the true gain in benchmarks/adaptation.py: they have no vote
AGREE = 4  # votes that it takes, of seven


@dataclass(frozen=True)
class Vote:
    """One validator's comparison of a candidate with the floor."""

    method: str
    validator: str
    floor: float
    value: float
    noise: float
    says: int  # 1 better beyond noise, -1 worse beyond noise, 0 cannot tell


@dataclass(frozen=True)
class Decision:
    """What the guard decided: `method` is None where it declined."""

    method: str | None
    words: str
    votes: tuple[Vote, ...]

    def to_json(self) -> list[dict[str, Any]]:
        """The votes as `result.json` shows them."""
        return [asdict(v) for v in self.votes]


def guard(
    floor: Outlook, candidates: Mapping[str, Outlook], *, voters: Sequence[str] = (), agree: int = AGREE
) -> Decision:
    """Compare each candidate with the floor by every validator; the best supported one, or none.

    Use it wherever no label of the domain in question may be looked at. With realistic, label-free selection 78 % of
    published method and data set pairs are worse than doing nothing, so that doing nothing must be beaten beyond
    noise: by at least `agree` validators, and by none may the candidate be found worse. `voters` are the validators
    that are asked, all but SILENT where none is named. (Lalou et al., SKADA-Bench, TMLR 2025; Musgrave et al.,
    Unsupervised Domain Adaptation: A Reality Check, 2021.)
    """
    names = list(voters) or [n for n in _discover.names("selection.validators") if n not in SILENT]
    odds = [ratio(part.held, part.target, part.seed) for part in _parts(floor)]
    base = {name: _values(name, floor, odds) for name in names}
    votes = [_vote(m, name, base[name], outlook, odds) for m, outlook in candidates.items() for name in names]
    net = {m: sum(v.says for v in votes if v.method == m) for m in candidates}
    against = {m: sum(v.says < 0 for v in votes if v.method == m) for m in candidates}
    able = [m for m in candidates if net[m] >= agree and not against[m]]
    if not able:
        return Decision(None, _declined(net, against, len(names)), tuple(votes))
    best = max(able, key=lambda m: net[m])
    words = f"{net[best]} of {len(names)} validators prefer {best} to no adaptation beyond noise, and none opposes it"
    return Decision(best, words, tuple(votes))


def favourite(decision: Decision) -> str | None:
    """The candidate that the votes speak for most, shipped or not; None where there is none."""
    methods = dict.fromkeys(v.method for v in decision.votes)
    own = {m: [v for v in decision.votes if v.method == m] for m in methods}
    sure = {m: sum((v.value - v.floor) / (v.noise + 1e-9) for v in votes) for m, votes in own.items()}
    return decision.method or max(own, key=lambda m: (sum(v.says for v in own[m]), sure[m]), default=None)


def _declined(net: Mapping[str, int], against: Mapping[str, int], validators: int) -> str:
    if not net:
        return "no method could be used on these rows"
    best = max(net, key=lambda m: net[m])
    return (
        f"of {len(net)} methods none convinced the {validators} validators beyond noise; the nearest, {best}, had"
        f" {net[best] + against[best]} for it and {against[best]} against it"
    )


def _vote(method: str, validator: str, base: np.ndarray, outlook: Outlook, odds: list[np.ndarray]) -> Vote:
    told = _values(validator, outlook, odds)
    difference = told - base
    gain = float(difference.mean())
    if len(difference) > 1:
        noise = float(difference.std(ddof=1) / np.sqrt(len(difference)))
    else:
        share, rows = float(base[0] + told[0]) / 2, len(outlook.labels)
        noise = float(np.sqrt(2 * max(share * (1 - share), 1 / rows) / rows))
    says = int(np.sign(gain)) if abs(gain) > BEYOND * noise + 1e-9 else 0
    return Vote(method, validator, float(base.mean()), float(told.mean()), noise, says)


def _values(validator: str, outlook: Outlook, odds: list[np.ndarray]) -> np.ndarray:
    """A validator's value on each part of the rows, or on all of them for one that trains again."""
    score = _discover.load("selection.validators", validator)
    if validator in WHOLE:
        return np.array([score(outlook)])
    return np.array([score(replace(part, odds=o)) for part, o in zip(_parts(outlook), odds, strict=True)])


def _parts(outlook: Outlook) -> list[Outlook]:
    """Disjoint parts of target and held rows, the same for every candidate."""
    rng = np.random.default_rng(outlook.seed)
    target, held = (np.array_split(rng.permutation(n), PARTS) for n in (len(outlook.target), len(outlook.y)))
    return [
        replace(
            outlook, target=outlook.target[t], told=outlook.told[t], held=outlook.held[h], y=outlook.y[h],
            told_held=outlook.told_held[h],
        )
        for t, h in zip(target, held, strict=True)
    ]  # fmt: skip
