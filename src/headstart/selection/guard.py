"""The guard: for a domain without labels, doing nothing must be beaten beyond noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar

import numpy as np
from sklearn.metrics import adjusted_rand_score
from threadpoolctl import threadpool_limits

from headstart import _discover
from headstart.selection.clusters import agreement, clusters
from headstart.selection.validators._base import Outlook
from headstart.selection.validators._ratio import ratio

PARTS = 8  # disjoint parts of the rows, on each of which candidate and floor are compared: their spread is the noise
BEYOND = 1.9  # standard errors: one-sided 95 % of Student's t with seven degrees of freedom
WHOLE = ("circular", "mixval")  # validators that train again: asked once, their noise is that of a share of rows
SILENT = ("mixval", "snd")  # their likings went against the true gain in benchmarks/adaptation.py: they have no vote
AGREE = 4  # votes that it takes, of seven
GRAINS = {"coarse_clusters": 2, "fine_clusters": 4}  # clusters for each class that a mapping's answers must follow
SURE = 2.5  # standard errors: one-sided 5 % shared among some eight comparisons (Bonferroni)

F = TypeVar("F", bound=Callable[..., Any])
# For linear algebra on a few thousand rows: with two threads it costs twice the CPU seconds and ends later.
one_thread: Callable[[F], F] = threadpool_limits.wrap(limits=1)


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


@one_thread
def guard(
    floor: Outlook, candidates: Mapping[str, Outlook], *, voters: Sequence[str] = (), agree: int = AGREE
) -> Decision:
    """Compare each candidate with the floor by every validator; the best supported one, or none.

    Use it wherever no label of the domain in question may be looked at. With realistic, label-free selection 78 % of
    published method and data set pairs are worse than doing nothing, so that doing nothing must be beaten beyond
    noise. What speaks for a candidate depends on what it looked at. One that `maps` knows nothing of its own answers
    for the target, so that the target's clusters are a witness: at both GRAINS its answers must follow them better by
    SURE standard errors. So must what several of them `agreed` on, whose errors partly cancel. The witness is heard
    where it can be checked: the source's clusters must follow the source's labels. Any other one made its answers fit
    the target, and needs `agree` of the validators and none against; `voters` are those that are asked, all but SILENT
    where none is named. (Lalou et al., SKADA-Bench, TMLR 2025; Musgrave et al., Unsupervised Domain Adaptation: A
    Reality Check, 2021.)
    """
    names = list(voters) or [n for n in _discover.names("selection.validators") if n not in SILENT]
    odds = [ratio(part.held, part.target, part.seed) for part in _parts(floor)]
    base = {name: _values(name, floor, odds) for name in names}
    asked = {m: o for m, o in candidates.items() if not o.agreed}
    votes = [_vote(m, name, base[name], outlook, odds) for m, outlook in asked.items() for name in names]
    follow = _follow(floor, candidates) if any(o.maps or o.agreed for o in candidates.values()) else {}
    seen = [*votes, *(v for own in follow.values() for v in own)]
    net = {m: sum(v.says for v in votes if v.method == m) for m in asked}
    against = {m: sum(v.says < 0 for v in votes if v.method == m) for m in asked}
    trusted = bool(follow) and heard(floor)
    able = [m for m, own in follow.items() if trusted and all(v.says > 0 for v in own)]
    mapped = [m for m in able if candidates[m].maps] or [m for m in able if candidates[m].agreed]
    voted = [m for m in asked if not asked[m].maps and net[m] >= agree and not against[m]]
    if mapped:
        best = max(mapped, key=lambda m: follow[m][-1].value)
        words = f"answers adapted by {best} follow the target's own clusters better than before, beyond noise"
    elif voted:
        best = max(voted, key=lambda m: net[m])
        words = f"{net[best]} of {len(names)} validators prefer {best} beyond noise, and none opposes it"
    else:
        return Decision(None, _declined(net, against, len(names), trusted), tuple(seen))
    return Decision(best, words, tuple(seen))


def followers(floor: Outlook, candidates: Mapping[str, Outlook]) -> list[str]:
    """Candidates whose answers follow the target's clusters better than the floor's at every grain, noise or not.

    A single one may do so by chance or because it was made to; what they agree on is a candidate of its own.
    """
    codes = _clusters(floor.target, floor)

    def fit(outlook: Outlook) -> np.ndarray:
        return np.array([adjusted_rand_score(own, outlook.told.argmax(1)) for own in codes.values()])

    least = fit(floor)
    return [m for m, outlook in candidates.items() if (fit(outlook) > least).all()]


def heard(floor: Outlook) -> bool:
    """Do the source's clusters follow its labels better than shuffled ones, at both grains, by SURE standard errors?

    Where they do not, what forms clusters in these rows is something else than the classes, in the target as well.
    """
    rows, y = np.concatenate([floor.source, floor.held]), np.concatenate([floor.labels, floor.y])
    shuffled = np.random.default_rng(floor.seed).permutation(y)
    told = [agreement(own, shuffled, y, floor.seed) for own in _clusters(rows, floor).values()]
    return all(new - old > SURE * noise + 1e-9 for old, new, noise in told)


def _clusters(rows: np.ndarray, floor: Outlook) -> dict[str, np.ndarray]:
    return {name: clusters(rows, grain * floor.told.shape[1], floor.seed) for name, grain in GRAINS.items()}


def _follow(floor: Outlook, candidates: Mapping[str, Outlook]) -> dict[str, list[Vote]]:
    """What the target's clusters say of each candidate against the floor, at each grain, the finest last."""
    codes = _clusters(floor.target, floor)
    found: dict[str, list[Vote]] = {m: [] for m in candidates}
    for m, outlook in candidates.items():
        for name, own in codes.items():
            old, new, noise = agreement(own, floor.told.argmax(1), outlook.told.argmax(1), floor.seed)
            says = int(np.sign(new - old)) if abs(new - old) > SURE * noise + 1e-9 else 0
            found[m].append(Vote(m, name, old, new, noise, says))
    return found


def favourite(decision: Decision) -> str | None:
    """The candidate that the votes speak for most, shipped or not; None where there is none."""
    methods = dict.fromkeys(v.method for v in decision.votes)
    own = {m: [v for v in decision.votes if v.method == m] for m in methods}
    sure = {m: sum((v.value - v.floor) / (v.noise + 1e-9) for v in votes) for m, votes in own.items()}
    return decision.method or max(own, key=lambda m: (sum(v.says for v in own[m]), sure[m]), default=None)


def _declined(net: Mapping[str, int], against: Mapping[str, int], validators: int, trusted: bool) -> str:
    if not net:
        return "no method could be used on these rows"
    best = max(net, key=lambda m: net[m])
    follows = "follows the target's clusters better or " if trusted else ""
    return (
        f"of {len(net)} methods none {follows}convinces the {validators} validators,"
        f" beyond noise; the nearest, {best}, had {net[best] + against[best]} for it and {against[best]} against it"
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
