"""From a finished race to what a user gets: the model that ships, the verdict, the result."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

import headstart
from headstart import backbones
from headstart._compute import device, threads
from headstart.activations.activations import Activations
from headstart.audit._base import Evidence, audit
from headstart.audit._verdict import Arm, verdict
from headstart.backbones._base import Backbone
from headstart.data.dataset import SPLITS, Dataset
from headstart.model import Card, Model, load_state
from headstart.plan import Plan
from headstart.result import Result
from headstart.selection.calibration import temperature
from headstart.selection.contender import Contender
from headstart.selection.curve import learning_curve
from headstart.selection.metrics import Metric, interval
from headstart.selection.race import Field, Trial


@dataclass(frozen=True)
class Seen:
    """What race, verdict and report stand on: rows, the chosen backbone, its pooled activations, the metric."""

    data: Dataset
    backbone: Backbone | None
    pooled: Activations
    metric: Metric
    moved: dict[str, Any]
    get: Callable[[Backbone, Dataset, str], Activations]  # any other activations, through the store
    look: Callable[[str, np.ndarray], np.ndarray] | None  # vectors of some rows read in another way
    whole: Dataset  # what a classical winner learns from in the end: all rows of a table, though a sample raced

    @property
    def target(self) -> np.ndarray:
        """Targets of all rows."""
        assert self.data.target is not None
        return self.data.target


def ship(seen: Seen, winner: Trial, ground: Field, plan: Plan, kept: Path) -> Model:
    """The winner as a model folder, saved and loaded back, so that what is tested is what is served.

    Cheap winners are fitted again on train and valid rows together; dear ones ship as the race trained them (`kept` is
    where the journal holds them). Probabilities are calibrated on rows that the race's own fit had not seen.
    """
    data, contender = seen.data, winner.contender
    backbone = backbones.get(contender.backbone, data)
    technique = contender.build(**winner.params)
    if contender.cost <= 2:
        source = seen.whole if contender.role == "classical" else data
        known = source.take(np.sort(np.concatenate([source.rows_of("train"), source.rows_of("valid")])))
        technique.fit(seen.get(backbone, known, winner.cut), known.target)
    elif winner.fitted is not None:
        technique = winner.fitted
    else:
        technique.restore(load_state(kept), lambda: backbone.suffix(winner.cut))
    judged = "known" if "known" in winner.scores else "valid"
    y = seen.target[ground.known if judged == "known" else ground.valid]
    card = Card(
        backbone=contender.backbone, technique=contender.name, cut=winner.cut, params=winner.params,
        target_kind=str(data.target_kind), classes=data.classes, modality=data.modality, inputs=data.inputs,
        target=plan.target, precision=plan.precision, headstart=headstart.__version__,
        temperature=1.0 if data.target_kind == "number" else temperature(winner.scores[judged], y),
    )  # fmt: skip
    folder = Path(plan.out) / "model"
    Model(card, backbone, technique).save(folder)
    return Model.load(folder)


def conclude(seen: Seen, trials: list[Trial], winner: Trial, scores: np.ndarray, plan: Plan) -> Result:
    """The result: scores of the untouched rows for everything that ran, the verdict, the findings."""
    data, metric, test = seen.data, seen.metric, seen.data.rows_of("test")
    y, groups = seen.target[test], None if data.groups is None else data.groups[test]
    done = [t for t in trials if t.status == "done"]
    arms = [Arm(t.contender.role, t.contender.technique, (t.valid or {})["value"], t.scores["test"]) for t in done]
    rows = [t.to_json() for t in trials]
    for row, trial in zip(rows, trials, strict=True):
        row["test"] = interval(metric, y, trial.scores["test"], groups=groups) if trial in done else None
    score = interval(metric, y, scores, groups=groups)
    found, unchecked = audit(observed(seen, scores, score, plan))
    c = winner.contender
    return Result(
        command=plan.command(),
        headstart=headstart.__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        plan=plan.given(),
        data=described(data),
        trials=rows,
        best={
            "backbone": c.backbone, "technique": c.technique, "cut": winner.cut, "role": c.role,
            "params": winner.params,
        },
        test=score,
        verdict=verdict(arms, y, metric, groups=groups, seed=plan.seed),
        findings=[f.to_json() for f in found],
        unchecked=[list(pair) for pair in unchecked],
        environment=environment(),
    )  # fmt: skip


def observed(seen: Seen, scores: np.ndarray, score: dict[str, Any], plan: Plan) -> Evidence:
    """What the checks may look at."""
    data = seen.data
    assert data.split is not None
    return Evidence(
        modality=data.modality, kind=str(data.target_kind), classes=data.classes, target=seen.target, split=data.split,
        values=np.asarray(seen.pooled), scores=scores, score=score, groups=data.groups, columns=data.columns,
        attributes=plan.attributes, rows=data.rows, names=data.names, moved=seen.moved, look=seen.look, seed=plan.seed,
    )  # fmt: skip


def labels_curve(seen: Seen, trials: list[Trial], seed: int) -> dict[str, Any]:
    """Quality against number of labels, for the cheapest heads: pre-trained and classical."""
    data, y, test = seen.data, seen.target, seen.data.rows_of("test")
    classical = [t.contender for t in trials if t.contender.role == "classical" and t.status == "done"][:1]
    heads = [Contender(seen.backbone.name, "ridge", "pretrained")] if seen.backbone else []

    def learner(contender: Contender) -> Callable[[np.ndarray], np.ndarray]:
        pooled = seen.get(backbones.get(contender.backbone, data), data, "pooled")

        def learn(rows: np.ndarray) -> np.ndarray:
            fitted = contender.build(seed=seed).fit(pooled[rows], y[rows])
            return np.asarray(fitted.predict_proba(pooled[test]))

        return learn

    learners = {c.role: learner(c) for c in (*heads, *classical)}
    return learning_curve(learners, data.rows_of("train"), y, y[test], seen.metric, seed=seed) if learners else {}


def described(data: Dataset) -> dict[str, Any]:
    """What was read, as `result.json` says it."""
    return {
        "modality": data.modality, "target_kind": data.target_kind, "rows": len(data),
        "counts": {s: len(data.rows_of(s)) for s in SPLITS}, "classes": list(data.classes), "notes": list(data.notes),
        "skipped": [list(s) for s in data.skipped],
    }  # fmt: skip


def environment() -> dict[str, Any]:
    """On what it ran."""
    import torch

    cpu = platform.processor() or platform.machine()
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cpu": cpu,
        "threads": threads(),
        "device": str(device()),
    }
