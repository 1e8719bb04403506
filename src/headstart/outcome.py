"""From a finished race to what a user gets: the model that ships, the verdict, the result."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

import headstart
from headstart import backbones
from headstart._compute import device
from headstart._threads import threads
from headstart.activations.activations import Activations
from headstart.activations.store import ActivationStore
from headstart.adaptation._source import FLAT, Source
from headstart.audit._base import Evidence, audit
from headstart.audit._familiar import Familiar
from headstart.audit._verdict import Arm, by_class, class_words, verdict
from headstart.backbones._base import Backbone
from headstart.data.dataset import SPLITS, Dataset
from headstart.data.metadata import metadata
from headstart.data.roles import owners
from headstart.errors import NotApplicable
from headstart.model import Card, Model, load_state
from headstart.plan import Plan
from headstart.result import Result
from headstart.selection._unseen import pretraining, unseen
from headstart.selection.calibration import apply, conformal, temperature
from headstart.selection.contender import Contender
from headstart.selection.curve import learning_curve
from headstart.selection.ensemble import Ensemble
from headstart.selection.metrics import Metric, interval
from headstart.selection.race import Field, Trial
from headstart.selection.unseen import learn
from headstart.techniques._base import by_domain

FEW = 200  # validation rows that say how rows look to a network that was trained
MOST = 2000  # training rows that say what is familiar


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


def ship(seen: Seen, chosen: Ensemble, ground: Field, plan: Plan, kept: Path) -> Model:
    """The winner as a model folder, saved and loaded back, so that what is tested is what is served.

    Cheap winners are fitted again on train and valid rows together, and so are those that are averaged with them; dear
    ones ship as the race trained them (`kept` is where the journal holds them). Probabilities are calibrated on rows
    that the race's own fit had not seen.
    """
    data, folder, winner = seen.data, Path(plan.out) / "model", chosen.winner
    model, read, y = _fitted(seen, winner, ground, plan, kept)
    has_vectors = read.kind in FLAT or model.technique.tunes
    if data.target_kind == "label" and has_vectors and not model.technique.together:
        told, true = _held_out(winner, ground)
        told = apply(told, model.card.temperature)
        model.source = Source.of(model.technique.vectors(read), y, told, true, interval(seen.metric, true, told))
    model.familiar = _familiar(seen.get(model.backbone, data, winner.cut), data)
    if chosen.held_out is not None:
        model.beside = tuple(_fitted(seen, t, ground, plan, kept)[0] for t in chosen.others)
        sure = trust(chosen.held_out, _held_out(winner, ground)[1], str(data.target_kind))
        model.card = replace(model.card, mean_temperature=sure.get("temperature", 1.0), qhat=sure.get("qhat"))
    model.save(folder)
    return Model.load(folder)


def _fitted(seen: Seen, trial: Trial, ground: Field, plan: Plan, kept: Path) -> tuple[Model, Activations, np.ndarray]:
    """A contender as a model, what it reads of the rows that say how rows look to it, and their targets.

    These are the rows that a cheap one learns from; those that a network was trained on lie apart as no others do.
    """
    data, contender = seen.data, trial.contender
    backbone = backbones.get(contender.backbone, data)
    technique = contender.build(**trial.params)
    if contender.cost <= 2:
        source = seen.whole if contender.role == "classical" else data
        known = source.take(np.sort(np.concatenate([source.rows_of("train"), source.rows_of("valid")])))
    else:
        known = data.take(data.sample("valid", FEW))
    read = seen.get(backbone, known, trial.cut)
    assert known.target is not None
    if contender.cost <= 2:
        learn(technique, read, known.target, np.arange(len(known)), known.domain)
    else:
        technique.restore(load_state(kept), lambda: backbone.suffix(trial.cut))
    assert data.target_kind is not None
    card = Card(
        backbone=contender.backbone, technique=contender.name, cut=trial.cut, params=trial.params,
        target_kind=data.target_kind, classes=data.classes, modality=data.modality, inputs=data.inputs,
        target=plan.target, precision=plan.precision, headstart=headstart.__version__,
        **trust(*_held_out(trial, ground), data.target_kind),
    )  # fmt: skip
    return Model(card, backbone, technique), read, known.target


def _held_out(trial: Trial, ground: Field) -> tuple[np.ndarray, np.ndarray]:
    """What the race's own fit said of rows that it had not seen, and their targets."""
    judged = "known" if "known" in trial.scores else "valid"
    return trial.scores[judged], ground.y[ground.known if judged == "known" else ground.valid]


def tested(model: Model, data: Dataset, store: ActivationStore) -> np.ndarray:
    """Scores of the test rows through the served path; a domain at a time where the model reads its statistics."""
    if not model.technique.together or data.domain is None:
        return model.scores(data.where(split="test"), store)
    return by_domain(lambda rows: model.scores(data.take(rows), store), data.domain)[data.rows_of("test")]


def _familiar(seen: Activations, data: Dataset) -> Familiar | None:
    """What rows like those learnt from look like to the model; None where it reads no vectors, or rows are too few."""
    if seen.kind not in ("vector", "frame", "tokens", "map"):
        return None
    train, valid = (data.sample(s, MOST) for s in ("train", "valid"))
    try:
        return Familiar().fit(*(np.asarray(seen[rows].pool()) for rows in (train, valid)))
    except NotApplicable:  # too few rows: the check `ood` says so
        return None


def trust(scores: np.ndarray, y: np.ndarray, kind: str) -> dict[str, Any]:
    """What held-out rows say of a model's probabilities: how sure it may be, and from where on a class is possible."""
    if kind == "number":
        return {}
    t = temperature(scores, y)
    return {"temperature": t, "qhat": conformal(apply(scores, t), y) if kind == "label" else None}


def conclude(
    seen: Seen, trials: list[Trial], chosen: Ensemble, model: Model, scores: np.ndarray, ground: Field, plan: Plan, *,
    left: float,
) -> Result:  # fmt: skip
    """The result: scores of the untouched rows for everything that ran, the verdict, the findings.

    No check begins when `left` seconds are over.
    """
    data, metric, test = seen.data, seen.metric, seen.data.rows_of("test")
    y, groups = seen.target[test], None if data.groups is None else data.groups[test]
    done = [t for t in trials if t.status == "done"]
    arms = [Arm(t.contender.role, t.contender.technique, (t.valid or {})["value"], t.scores["test"]) for t in done]
    rows = [t.to_json() for t in trials]
    for row, trial in zip(rows, trials, strict=True):
        row["test"] = interval(metric, y, trial.scores["test"], groups=groups) if trial in done else None
    score = interval(metric, y, scores, groups=groups)
    found, unchecked = audit(observed(seen, scores, score, plan, model.card), seconds=left)
    winner, c = chosen.winner, chosen.winner.contender
    said = verdict(arms, y, metric, groups=groups, seed=plan.seed)
    if data.target_kind == "label":
        said["classes"] = by_class(arms, y, data.classes)
        said["where"] = class_words(said["classes"])
    if ground.domains is not None:
        said["unseen"] = pretraining(trials, ground)
    return Result(
        command=plan.command(),
        headstart=headstart.__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        plan=plan.given(),
        data=described(data),
        trials=rows,
        best={
            "backbone": c.backbone, "technique": c.technique, "cut": winner.cut, "role": c.role,
            "params": winner.params, "averaged_with": chosen.names,
        },
        test=score,
        verdict=said,
        domains=unseen(winner, ground, str(plan.domain)) if ground.domains is not None else {},
        findings=[f.to_json() for f in found],
        unchecked=[list(pair) for pair in unchecked],
        environment=environment(),
    )  # fmt: skip


def observed(seen: Seen, scores: np.ndarray, score: dict[str, Any], plan: Plan, card: Card) -> Evidence:
    """What the checks may look at."""
    data = seen.data
    assert data.split is not None
    has_vectors = seen.pooled.kind in ("vector", "frame")  # counts of words are too many for the checks
    return Evidence(
        modality=data.modality, kind=str(data.target_kind), classes=data.classes, target=seen.target, split=data.split,
        values=np.asarray(seen.pooled) if has_vectors else np.empty((len(data), 0)), scores=scores, score=score,
        groups=data.groups, columns=data.columns, attributes=plan.attributes, owners=owners(data.columns),
        metadata=metadata(data), own_split=data.own_split, qhat=card.qhat, rows=data.rows, names=data.names,
        moved=seen.moved, look=seen.look, seed=plan.seed,
    )  # fmt: skip


def labels_curve(seen: Seen, trials: list[Trial], seed: int, left: Callable[[], float]) -> dict[str, Any]:
    """Quality against number of labels, for the cheapest heads, pre-trained and classical, in the seconds `left`."""
    data, y, test = seen.data, seen.target, seen.data.rows_of("test")
    plain = [t.contender for t in trials if t.status == "done" and not t.contender.uses_domains]
    classical = [c for c in plain if c.role == "classical"][:1]
    heads = [Contender(seen.backbone.name, "ridge", "pretrained")] if seen.backbone else []

    def learner(contender: Contender) -> Callable[[np.ndarray], np.ndarray]:
        pooled = seen.get(backbones.get(contender.backbone, data), data, "pooled")

        def learn(rows: np.ndarray) -> np.ndarray:
            fitted = contender.build(seed=seed).fit(pooled[rows], y[rows])
            return np.asarray(fitted.predict_proba(pooled[test]))

        return learn

    learners = {c.role: learner(c) for c in (*heads, *classical)}
    if not learners:
        return {}
    return learning_curve(learners, data.rows_of("train"), y, y[test], seen.metric, seed=seed, left=left)


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
