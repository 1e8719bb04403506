"""Any saved model on any labelled rows: what could be wrong with the data, the model, or the two together."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

import headstart
from headstart import backbones
from headstart._look import looker
from headstart._threads import threads
from headstart.activations.activations import Activations
from headstart.activations.store import ActivationStore
from headstart.audit import _base
from headstart.backbones._base import Backbone
from headstart.data.dataset import SPLITS, Dataset
from headstart.data.duplicates import separate
from headstart.data.read import read, read_known
from headstart.errors import DataError, ModelError, PlanError
from headstart.evidence import suspects
from headstart.model import Model, load
from headstart.outcome import Seen, described, observed
from headstart.plan import AdaptationPlan
from headstart.report.audit import page
from headstart.result import Result, write_page
from headstart.selection.metrics import interval, metric_for

VERSION = 1


@dataclass
class Audit:
    """What an audit found; `audit.json` holds these fields, a finding as in `result.json`."""

    command: str
    data: dict[str, Any]  # what was read, as in `result.json`
    test: dict[str, Any]  # the score of the model on the test rows: {metric, value, low, high, rows}
    findings: list[dict[str, Any]]
    unchecked: list[list[str]]  # checks that could not look, and why
    suspects: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # rows to look at, by code of the finding
    headstart: str = headstart.__version__
    created: str = ""
    version: int = VERSION

    def save(self, folder: str | Path) -> Path:
        """Write `audit.json` and `audit.html` into a folder, and return it."""
        return write_page(folder, "audit", asdict(self), page)


def audit_run(
    run: str | Path, data: Any = None, *, attributes: Sequence[str] = (), checks: Sequence[str] = (),
    target: str | None = None, cache: str | None = None,
) -> Audit:  # fmt: skip
    """Run the checks on a finished run's own test rows, or on other labelled rows.

    Without `data`, the run's own rows are read again and split as they were: its test rows are what the model has never
    seen. With `data` (what `run` reads: a path, a data frame, ...) every row of it is a test row, and the run's own
    training rows, where they can still be read, are what it is compared with. `attributes` are columns to compare
    groups by, besides those of the run; `checks` names some of `headstart list checks`. Raises DataError for rows that
    cannot be used, ModelError where there is no model, PlanError for a check that does not exist.
    """
    with threadpool_limits(threads()):
        return _Auditor(Path(run), tuple(attributes), target, cache).go(data, tuple(checks))


def read_again(run: str | Path, *, cache: str | None = None) -> tuple[Model, Seen, ActivationStore]:
    """A finished run's model, its rows split as they were with the vectors it was chosen by, and the store of these."""
    auditor = _Auditor(Path(run), (), None, cache)
    return auditor.model, auditor._see(auditor._rows(None)[0], fresh=False), auditor.store


class _Auditor:
    """One audit: the model, its run's plan if there is one, and a store."""

    def __init__(self, run: Path, attributes: tuple[str, ...], target: str | None, cache: str | None) -> None:
        self.run, self.model = run, load(run)
        plan = run / "plan.toml"
        card = self.model.card
        made = AdaptationPlan.from_toml(plan) if plan.exists() else AdaptationPlan(data="", inputs=card.inputs)
        made = replace(made, data="") if made.source_free else made  # that names a model, and no rows
        self.asked = attributes
        self.plan = replace(made, attributes=tuple(dict.fromkeys([*made.attributes, *attributes])))
        self.target = target or made.target or card.target
        self.result = Result.load(run) if (run / "result.json").exists() else Result()
        self.store = ActivationStore(Path(cache) if cache else None)

    def go(self, source: Any, checks: tuple[str, ...]) -> Audit:
        if unknown := sorted(set(checks) - set(_base.names())):
            raise PlanError(f"no check {', '.join(map(repr, unknown))}", expected=f"one of {', '.join(_base.names())}")
        data, whose = self._rows(source)
        seen = self._see(data, fresh=source is not None)
        test = seen.data.where(split="test")
        assert test.target is not None
        scores = self.model.scores(test, self.store)
        score = interval(seen.metric, test.target, scores, groups=test.groups)
        found, unchecked = _base.audit(observed(seen, scores, score, self.plan, self.model.card), checks)
        findings = [f.to_json() for f in found]
        words = ["headstart", "audit", str(self.run), *(["--data", whose] if whose else [])]
        for option, values in (("--attribute", self.plan.attributes), ("--check", checks)):
            words += [word for value in values for word in (option, value)]
        return Audit(
            command=shlex.join(words), data=described(seen.data), test=score, findings=findings,
            unchecked=[list(pair) for pair in unchecked], suspects=suspects(seen.data, findings),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        )  # fmt: skip

    def _rows(self, source: Any) -> tuple[Dataset, str]:
        """The rows to look at, split, and what a person calls their source ("" for the run's own)."""
        if source is None:
            if not self.plan.data:
                raise ModelError(
                    f"{self.run} holds a model without the rows that it learnt from", expected="other rows",
                    do=f"name some: headstart audit {self.run} --data FILE, or headstart explain {self.run} FILE",
                )  # fmt: skip
            return self._own(self.plan.attributes), ""
        card = self.model.card
        like = Dataset(
            card.modality, [], np.array([]), target_kind=card.target_kind, classes=card.classes, inputs=card.inputs
        )
        fresh = read_known(source, like=like, target=self.target, beside=self.asked, also=self.plan.attributes)
        there = tuple(name for name in self.plan.attributes if name in fresh.columns)
        self.plan = replace(self.plan, attributes=there)
        whose = str(source) if isinstance(source, str | Path) else "(in memory)"
        try:
            known = self._own(()) if self.plan.data else None
        except DataError as error:
            known = None
            note = f"the run's own rows cannot be read any more ({error.seen}): nothing is compared with them"
            fresh = replace(fresh, notes=(*fresh.notes, note))
        return (fresh if known is None else _joined(known, fresh)), whose

    def _own(self, beside: tuple[str, ...]) -> Dataset:
        """The run's rows with the run's split; the same sample of them where its budget allowed no more.

        Rows are made of the columns that the model reads, whatever is audited: their content decides the split.
        """
        p, card = self.plan, self.model.card
        data = read(
            p.data, target=p.target, inputs=card.inputs, group=p.group, split=p.split, modality=card.modality,
            seed=p.seed, beside=beside,
        )  # fmt: skip
        counts = self.result.data.get("counts", {})
        if sum(counts.values()) >= len(data):
            return data
        return data.take(np.sort(np.concatenate([data.sample(s, counts.get(s, len(data))) for s in SPLITS])))

    def _see(self, data: Dataset, *, fresh: bool) -> Seen:
        """The vectors that the run chose its model by, and near duplicates on one side, as in the run."""
        chosen = next((s["backbone"] for s in self.result.shortlist if s.get("chosen")), None)
        backbone = self.model.backbone if chosen in (None, self.model.card.backbone) else backbones.get(chosen)
        pooled = self._get(backbone, data, "pooled")
        moved: dict[str, Any] = {}
        if pooled.kind == "vector" and len(data.rows_of("train")):
            apart, moved = separate(data, np.asarray(pooled))
            if fresh:  # the model has learnt from its rows whatever is done about it now
                moved = {"alike": moved["moved"]}
            elif apart is not data:
                pooled = self._get(backbone, apart, "pooled") if len(apart) != len(data) else pooled
                data = apart
        if fresh:
            test = data.rows_of("test")
            known, counts = np.unique(data.ids[data.split != "test"], return_counts=True)
            moved["seen"] = int(np.isin(data.ids[test], known).sum())
            moved["repeats"] = float(counts[counts > 1].sum() / max(counts.sum(), 1))
        assert data.target is not None
        train = data.rows_of("train")
        metric = metric_for(data.target[train] if len(train) else data.target, str(data.target_kind))
        look = looker(backbone, data, self._get)
        return Seen(data, backbone, pooled, metric, moved, self._get, look, data)

    def _get(self, backbone: Backbone, data: Dataset, cut: str) -> Activations:
        return self.store.get(backbone, data, {cut}, precision=self.plan.precision)[cut]


def _joined(known: Dataset, fresh: Dataset) -> Dataset:
    """What the run learnt from and chose by, and below it the fresh rows as the test."""
    old = known.take(np.flatnonzero(known.split != "test"))
    names = [c for c in fresh.columns if c in old.columns]
    columns = {c: np.concatenate([old.columns[c], fresh.columns[c]]) for c in names}
    missing = np.full(len(old), None, dtype=object)
    columns |= {c: np.concatenate([missing, v]) for c, v in fresh.columns.items() if c not in old.columns}
    both: dict[str, Any] = {
        f: np.concatenate([getattr(old, f), getattr(fresh, f)]) for f in ("ids", "target", "split", "names")
    }
    return replace(fresh, rows=[*old.rows, *fresh.rows], columns=columns, **both)
