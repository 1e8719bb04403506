"""What an adaptation decided and changed on the target, a few labels where they were asked for, how right it was."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

import headstart
from headstart._words import counted
from headstart.adaptation._base import LEAST
from headstart.backbones import classical
from headstart.data import roles, targets
from headstart.data.dataset import Dataset
from headstart.data.sources import open_source
from headstart.errors import DataError, NotApplicable
from headstart.model import Card
from headstart.outcome import environment
from headstart.plan import AdaptationPlan
from headstart.result import Result
from headstart.selection.guard import Decision, favourite
from headstart.selection.metrics import interval, metric_for, paired
from headstart.selection.sequential import Duel, duel

CHANGED = 20  # rows whose prediction changed that are shown


def target_read(other: Dataset, plan: AdaptationPlan, known: np.ndarray | None = None) -> dict[str, Any]:
    """What was read of the target, in words and in rows; `known` are the ids of the source's rows."""
    if len(other) < LEAST:
        raise NotApplicable(
            f"the target has {counted(len(other))}", expected=f"{LEAST} or more: fewer tell nothing about their domain",
            do="collect more, or have these answered as they are, by headstart run and headstart predict",
        )  # fmt: skip
    notes = [f"target: {counted(len(other))}; {plan.reads}", *other.notes]
    if other.skipped:
        first = ": ".join(other.skipped[0])
        notes.append(f"broken, and left out of the target: {counted(len(other.skipped))}, the first: {first}")
    if copies := 0 if known is None else int(np.isin(other.ids, known).sum()):
        notes.append(f"{counted(copies)} of the target: exact copies of source rows, on which any model looks better")
    return {"notes": notes, "skipped": [list(s) for s in other.skipped]}


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
    role = "classical" if card.backbone == classical(card.modality) else "pretrained"
    verb = f"Adapted by {decision.method}" if decision.method else "Adaptation declined"
    return Result(
        command=plan.command(), headstart=headstart.__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"), plan=plan.given(), data=data,
        best={
            "backbone": card.backbone, "technique": card.technique, "cut": card.cut, "role": role,
            "params": card.params,
        },
        test=test,
        verdict={
            "helped": None, "gain": None, "low": None, "high": None, "against": [],
            "words": f"{verb}: {decision.words}.",
        },
        adaptation={
            "decision": "adapted" if decision.method else "declined", "method": decision.method,
            "why": decision.words, "votes": decision.to_json(), **told,
        },
        environment=environment(),
    )  # fmt: skip


def by_labels(
    decision: Decision, tell: dict[str, np.ndarray], before: np.ndarray, labels: Labels, plan: AdaptationPlan
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

    def ask(row: int) -> int:
        code = labels(row)
        return int(code == now[row]) - int(code == was[row])

    able = [row for row in order.tolist() if labels.has(row)]
    ended = duel(ask, able, plan.target_labels)
    words = _words(ended, name, len(apart), len(was))
    words += f"; {len(apart) - len(able)} of those rows have no label" if len(able) < len(apart) else ""
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


@dataclass(frozen=True, eq=False)
class Labels:
    """The target's labels, each looked up when it is asked for and not before."""

    column: str
    cells: np.ndarray  # (n,) of the rows in their order
    classes: tuple[str, ...]  # the source's
    is_class: bool  # names of folders, whatever they look like

    def __call__(self, row: int) -> int:
        """The code of a row, -1 where it is none of the source's classes."""
        code, strange = targets.encode_as(self.cells[[row]], "label", self.classes)
        return int(code[0]) if strange == [None] else -1

    def of(self, rows: np.ndarray) -> Labels:
        """Those of some rows."""
        return replace(self, cells=self.cells[rows])

    def has(self, row: int) -> bool:
        """Whether a row has a label, whatever it is."""
        return targets.reasons(self.cells[[row]], is_class=self.is_class) == [None]


def labels_of(plan: AdaptationPlan, other: Dataset, classes: tuple[str, ...]) -> Labels:
    """Where the labels of `other` are; a DataError where there are none, before anything is spent on them."""
    raw = open_source(plan.adapt_to)
    try:
        own, _ = targets.asked(plan.target or "", raw.columns)
        name = own if own in raw.columns else raw.target
        name = name or roles.find_target(raw, set(other.inputs), [])
    except DataError as error:
        raise DataError(
            f"--score-target and --target-labels find no labels in the target; there are: {', '.join(raw.columns)}",
            expected="a column of labels, called as in the source", do="name it with --label, or leave the option out",
        ) from error  # fmt: skip
    assert other.names is not None
    place = {str(n): i for i, n in enumerate(raw.names)}
    cells = raw.columns[name][[place[str(n)] for n in other.names]]
    return Labels(name, cells, classes, is_class=name == raw.target)


def score(labels: Labels, told: np.ndarray, before: np.ndarray) -> dict[str, Any]:
    """How right it was, from labels that nothing before this line has seen, but for those asked for."""
    codes = np.array([labels(i) if labels.has(i) else -1 for i in range(len(told))])
    rows = np.flatnonzero(codes >= 0)
    if not len(rows):
        return {"why": f"no label in {labels.column!r} is one of {', '.join(labels.classes[:8])}"}
    y = codes[rows]
    metric = metric_for(y, "label")
    gain, low, high = (100 * v for v in paired(metric, y, before[rows], told[rows]))
    return {
        "shipped": interval(metric, y, told[rows]), "source_only": interval(metric, y, before[rows]),
        "gain": gain, "low": low, "high": high, "accuracy": float((told[rows].argmax(1) == y).mean()),
        "column": labels.column, "without": len(codes) - len(rows),
    }  # fmt: skip
