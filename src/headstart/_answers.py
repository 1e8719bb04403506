"""What an adaptation decided and changed on the target, a few labels where they were asked for, how right it was."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np

import headstart
from headstart.data import roles
from headstart.data.dataset import Dataset
from headstart.data.read import read
from headstart.data.sources import open_source
from headstart.data.targets import as_number
from headstart.errors import DataError
from headstart.model import Card
from headstart.outcome import environment
from headstart.plan import AdaptationPlan
from headstart.result import Result
from headstart.selection.guard import Decision, favourite
from headstart.selection.metrics import interval, metric_for, paired
from headstart.selection.sequential import Duel, duel

CHANGED = 20  # rows whose prediction changed that are shown


def changes(other: Dataset, classes: tuple[str, ...], before: np.ndarray, told: np.ndarray) -> dict[str, Any]:
    """Which answers on the target differ from those of the source's own model, and how many stayed, class by class."""
    was, now = before.argmax(1), told.argmax(1)
    changed, names = np.flatnonzero(was != now), np.array(classes, dtype=object)
    rows = other.names if other.names is not None else np.arange(len(was))
    some = [{"row": str(rows[i]), "before": names[was[i]], "after": names[now[i]]} for i in changed[:CHANGED]]
    return {
        "rows": len(was),
        "changed": {"rows": len(changed), "some": some},
        "agreement": {str(c): float((now[was == k] == k).mean()) for k, c in enumerate(classes) if (was == k).any()},
    }


def decided(
    plan: AdaptationPlan, decision: Decision, card: Card, data: dict[str, Any], test: dict[str, Any],
    told: dict[str, Any],
) -> Result:  # fmt: skip
    """The result of an adaptation: what was decided and why, what ships, and what else is `told` of it."""
    verb = f"adapted by {decision.method}" if decision.method else "declined"
    return Result(
        command=plan.command(), headstart=headstart.__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"), plan=plan.given(), data=data,
        best={
            "backbone": card.backbone, "technique": card.technique, "cut": card.cut, "role": "pretrained",
            "params": card.params,
        },
        test=test,
        verdict={
            "helped": None, "gain": None, "low": None, "high": None, "against": [],
            "words": f"Adaptation {verb}: {decision.words}.",
        },
        adaptation={
            "decision": "adapted" if decision.method else "declined", "method": decision.method,
            "why": decision.words, "votes": decision.to_json(), **told,
        },
        environment=environment(),
    )  # fmt: skip


def by_labels(
    decision: Decision, tell: dict[str, np.ndarray], before: np.ndarray, other: Dataset, classes: tuple[str, ...],
    plan: AdaptationPlan,
) -> tuple[Decision, dict[str, Any]]:  # fmt: skip
    """Let at most `plan.target_labels` labels of the target decide between no adaptation and the validators' favourite.

    `tell[name]` and `before` hold probabilities (m, C) of all target rows. Only rows on which the two disagree are
    asked about, drawn with the seed; no other label is looked at.
    """
    name = favourite(decision)
    if name is None:
        return decision, {"asked": 0, "words": "no label was asked: there was nothing to decide"}
    was, now = before.argmax(1), tell[name].argmax(1)
    apart = np.flatnonzero(was != now)
    order = np.random.default_rng(plan.seed).permutation(apart)
    label = labels_of(plan, other, classes)

    def ask(row: int) -> int:
        code = label(row)
        return int(code == now[row]) - int(code == was[row])

    ended = duel(ask, order.tolist(), plan.target_labels)
    words = _words(ended, name, len(apart), len(was))
    shipped = Decision(name if ended.better else None, words, decision.votes)
    return shipped, {"method": name, "apart": len(apart), **ended.to_json(), "words": words}


def _words(ended: Duel, name: str, apart: int, rows: int) -> str:
    counts = (
        f"{ended.asked} labels of the {apart:,} of {rows:,} target rows on which {name} and no adaptation disagree"
        f" were asked for: {ended.wins} for {name}, {ended.losses} against it"
    )
    sure = f"(e-value {max(ended.evidence, ended.against):.1f} of the {1 / ended.level:.0f} that it takes)"
    told = {True: f"{name} is better", False: "no adaptation is better", None: "that does not decide it"}
    return f"{counts}; {told[ended.better]} {sure}"


def labels_of(plan: AdaptationPlan, other: Dataset, classes: tuple[str, ...]) -> Callable[[int], int]:
    """A function that looks one label up: the code of a row of `other`, -1 where it is none of the source's classes."""
    raw = open_source(plan.adapt_to)
    found = roles.find(raw, target=plan.target, inputs=plan.inputs, apart=set(), grouped=True, modality=other.modality)
    cells, place = raw.columns[found.target], {str(n): i for i, n in enumerate(raw.names)}
    codes = {name: k for k, name in enumerate(classes)}

    def label(row: int) -> int:
        assert other.names is not None
        cell = cells[place[str(other.names[row])]]
        number = as_number(cell)
        whole = str(int(number)) if number is not None and np.isfinite(number) and number == int(number) else ""
        return codes.get(str(cell).strip(), codes.get(whole, -1))

    return label


def score(
    plan: AdaptationPlan, other: Dataset, classes: tuple[str, ...], told: np.ndarray, before: np.ndarray
) -> dict[str, Any]:
    """How right it was, from labels that nothing before this line has seen, but for those asked for."""
    labelled = read(plan.adapt_to, target=plan.target, inputs=plan.inputs)
    assert labelled.target is not None
    assert labelled.names is not None
    assert other.names is not None
    if labelled.target_kind != "label":
        raise DataError(f"the target's labels are {labelled.target_kind}s", expected="the source's classes")
    known = dict(zip(labelled.names.tolist(), labelled.target.tolist(), strict=True))
    code = {name: k for k, name in enumerate(classes)}
    pairs = [
        (i, code[labelled.classes[known[n]]])
        for i, n in enumerate(other.names.tolist())
        if n in known and labelled.classes[known[n]] in code
    ]
    if not pairs:
        raise DataError("no target row has a label of the source's classes", expected=", ".join(classes[:8]))
    rows, y = (np.array(v) for v in zip(*pairs, strict=True))
    metric = metric_for(y, "label")
    gain, low, high = (100 * v for v in paired(metric, y, before[rows], told[rows]))
    return {
        "shipped": interval(metric, y, told[rows]), "source_only": interval(metric, y, before[rows]),
        "gain": gain, "low": low, "high": high, "accuracy": float((told[rows].argmax(1) == y).mean()),
    }  # fmt: skip
