"""What the race learnt about unseen domains, as `result.json` says it."""

from __future__ import annotations

from typing import Any

import numpy as np

from headstart.selection.metrics import interval, paired
from headstart.selection.race import FOLDS, Field, Trial
from headstart.selection.unseen import MOST, evenly, some

FEW = 5  # domains; with fewer of them, the spread says next to nothing about another one


def unseen(winner: Trial, ground: Field, column: str) -> dict[str, Any]:
    """For each domain, what ships would have said without it, against what it says with it; the worst; an estimate.

    A held-out domain is judged on all its rows, by fits that saw none of them (the choice among techniques did see
    those of train and valid); with it, on rows that the fit left out. The estimate for a domain that nobody has seen is
    the mean over the held-out ones, and `spread` their standard deviation.
    """
    where, metric, y = ground.domains, ground.metric, ground.y
    assert where is not None
    told = winner.scores["away"]
    home, at_home = _home(winner, ground)
    rows: list[dict[str, Any]] = []
    for name in np.unique(where.names):
        own = some(np.flatnonzero(where.names == name))
        row: dict[str, Any] = {"name": str(name), "rows": int((where.names == name).sum())}
        row |= {"home": None, "away": None, "gap": None, "why": where.why.get(str(name), "")}
        rows.append(row)
        if row["why"]:
            continue
        row["away"] = interval(metric, y[own], told[own], groups=_of(ground.groups, own))
        both = own[at_home[own]]
        if len(both):
            kin = _of(ground.groups, both)
            row["home"] = interval(metric, y[both], home[both], groups=kin)
            gain = paired(metric, y[both], home[both], told[both], groups=kin)
            row["gap"] = {k: 100 * v for k, v in zip(("gain", "low", "high"), gain, strict=True)}
    held = [r for r in rows if r["away"]]
    values = np.array([r["away"]["value"] for r in held])
    estimate = {
        "metric": metric.name, "value": float(values.mean()), "spread": float(values.std(ddof=1)),
        "low": float(values.min()), "high": float(values.max()), "domains": len(held),
    }  # fmt: skip
    worst = held[int(values.argmin())]["name"]
    alone = len(where.held) <= (MOST if winner.contender.cost < 3 else FOLDS)
    return {
        "column": column, "technique": winner.contender.technique, "backbone": winner.contender.backbone,
        "how": "each domain held out alone" if alone else "domains held out in folds", "each": rows, "worst": worst,
        "unseen": estimate, "together": winner.contender.build().together, "words": _words(estimate, column, worst),
    }  # fmt: skip


def pretraining(trials: list[Trial], ground: Field) -> dict[str, Any] | None:
    """Does pre-training help on domains that were not seen? The best head of each side, paired on untouched test rows.

    Which pre-trained and which classical contender face each other was settled on train and valid rows; both predict
    every test row from a fit without its domain. None where a side is missing.
    """
    where = ground.domains
    assert where is not None
    sides = {}
    for role in ("pretrained", "classical"):
        able = [t for t in trials if t.contender.role == role and t.status == "done" and t.valid]
        if not able:
            return None
        sides[role] = max(able, key=lambda t: (t.valid or {})["value"])
    rows = some(ground.test[where.judged[ground.test]])
    groups = _of(ground.groups, rows)
    metric = evenly(ground.metric, where.names[rows])
    a, b = (sides[r].scores["away"][rows] for r in ("classical", "pretrained"))
    gain, low, high = (100 * v for v in paired(metric, ground.y[rows], a, b, groups=groups, seed=ground.seed))
    helped = True if low > 0 else False if high < 0 else None
    said = {True: "pre-training helped as well", False: "pre-training hurt", None: "no evidence that it helped"}[helped]
    names = " against ".join(f"{t.contender.technique} on {t.contender.backbone}" for t in sides.values())
    words = (
        f"On domains not seen in training, {said}: {gain:+.1f} points [{low:+.1f}, {high:+.1f}] of"
        f" {ground.metric.name.replace('_', ' ')}, {len(where.held)} held-out domains counted alike,"
        f" {len(rows):,} untouched test rows ({names})."
    )
    return {"helped": helped, "gain": gain, "low": low, "high": high, "words": words}


def _of(groups: np.ndarray | None, rows: np.ndarray) -> np.ndarray | None:
    return None if groups is None else groups[rows]


def _home(winner: Trial, ground: Field) -> tuple[np.ndarray, np.ndarray]:
    """What the technique says of rows whose domain it has seen, from fits without the row; and where that is known."""
    told = np.zeros((len(ground.y), ground.outputs))
    there = np.zeros(len(ground.y), dtype=bool)
    parts = {"test": ground.test, "valid": ground.valid, "known": ground.known}
    for key, rows in parts.items():
        if key in winner.scores:
            told[rows] = 0.0
            told[rows, : winner.scores[key].shape[1]] = winner.scores[key]
            there[rows] = True
    return told, there


def _words(estimate: dict[str, Any], column: str, worst: str) -> str:
    few = f"; {estimate['domains']} domains say little about another one" if estimate["domains"] < FEW else ""
    return (
        f"On a {column} that is not in the data, expect {estimate['metric'].replace('_', ' ')} of about"
        f" {estimate['value']:.3f}: held out in turn, the {estimate['domains']} domains got {estimate['low']:.3f} to"
        f" {estimate['high']:.3f}{few}. The worst is {worst}."
    )
