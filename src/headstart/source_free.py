"""From a finished model to a domain without labels and without a single source row: what helps, and is it safe?"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import headstart
from headstart import _discover, backbones
from headstart._answers import by_labels, changes, decided, labels_of, score, target_read
from headstart._methods import FLOOR, HEAD, vectors
from headstart.adaptation._source import Source
from headstart.adaptation.source_free._base import SourceFree
from headstart.audit._moved import moved
from headstart.errors import NotApplicable
from headstart.evidence import both_domains, show
from headstart.job import Job
from headstart.model import Model, load
from headstart.plan import AdaptationPlan
from headstart.result import Result, write_json
from headstart.selection.calibration import apply, temperature
from headstart.selection.contender import make
from headstart.selection.estimate import OFF
from headstart.selection.guard import Decision, guard
from headstart.selection.validators._base import Outlook
from headstart.techniques._base import Technique

MOST = 2000  # rows of the target that decide, and as many made rows that stand for the source
FAR = 8  # of the most foreign rows are shown
VOTERS = ("circular", "class_ami", "mixval")  # can do without source rows, and were not misled by certainty
AGREE = len(VOTERS)
FLOORS = "adaptation.source_free"


@dataclass(frozen=True, eq=False)
class Ready:
    """A way without source rows, done: what comes before the head, the head, and its temperature."""

    way: SourceFree | None
    head: Technique
    temperature: float
    classes: int
    is_new: bool  # the head was learnt from target rows

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """(m, C) probabilities."""
        told = self.head.predict_proba(vectors(rows if self.way is None else self.way.transform(rows)))
        told = apply(np.pad(told, ((0, 0), (0, self.classes - told.shape[1]))), self.temperature)
        return told if self.way is None else np.asarray(self.way.answers(told))


def ready(name: str, base: Ready, target: np.ndarray, source: Source) -> Ready:
    """Adapt a model to target rows (m, d) by one way; NotApplicable where that cannot be."""
    way: SourceFree = _discover.load(FLOORS, name)()
    told = base(target)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # solvers that stop early are judged by what they give
        adapted = way.adapt(target, told, source)
    if adapted is None:
        return Ready(way, base.head, base.temperature, base.classes, is_new=False)
    head = make(HEAD).fit(vectors(adapted.X), adapted.y, sample_weight=adapted.weight)
    new = Ready(None, head, 1.0, base.classes, is_new=True)
    # no label says how sure it may be: as sure as it agrees with the model that it comes from
    return replace(new, temperature=temperature(new(target), told.argmax(1)))


def refit(name: str, classes: int) -> Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]:
    """The same way from other labelled rows to other unlabelled ones, as validators need it."""

    def again(X: np.ndarray, y: np.ndarray, other: np.ndarray, ask: np.ndarray) -> np.ndarray:
        base = Ready(None, make(HEAD).fit(vectors(X), y), 1.0, classes, is_new=True)
        if name == FLOOR:
            return base(ask)
        source = Source.of(X, y, base(X), y, {})
        try:
            if source is None:
                raise NotApplicable("no class has five rows")
            return ready(name, base, other, source)(ask)
        except NotApplicable:
            return np.full((len(ask), classes), 1 / classes)

    return again


def _guess(source: Source, before: np.ndarray, told: np.ndarray, *, is_shift: bool) -> dict[str, float]:
    """How often the old model is right on the target, which answers `before`, where `told` is preferred to that.

    Of two that differ at most one is right, and the old one more seldom. Beyond chance in the rows, a shift is worth
    twice the error that such guesses had on average.
    """
    value, low, high = source.estimate(before)
    if is_shift:
        value = min(value, 1 - float((before.argmax(1) != told.argmax(1)).mean()) / 2)
        low, high = max(value - 2 * OFF, 0.0), min(value + 2 * OFF, 1.0)
    return {"estimate": value, "low": low, "high": high, "estimate_off": OFF}


class WithoutSource(Job):
    """One adaptation of a finished model: its summary of the source stands where the source rows stood."""

    plan: AdaptationPlan

    def adapt(self, *, score_target: bool) -> Result:
        """All stages in order."""
        plan = self.plan
        with self._stage("read the model and the data"):
            model = load(plan.data)
            source = model.kept()
            other = model.read(plan.adapt_to)
            read = target_read(other, plan)
            read["notes"] += backbones.unlike(model.backbone, other.rows)
            for words in read["notes"]:
                self.listener.say(words)
            named, labels = replace(plan, target=plan.target or model.card.target), None
            if score_target or plan.target_labels:
                labels = labels_of(named, other, model.card.classes)
        with self._stage("read features", None):
            below = self.features.get(model.backbone, other, model.card.cut)
            served = np.asarray(model.technique.vectors(below), dtype=np.float64)
            Z = np.where(np.isnan(served), source.mean, served)
        some = np.sort(np.random.default_rng(plan.seed).permutation(len(Z))[:MOST])
        floor = Ready(None, model.technique, model.card.temperature, len(model.card.classes), is_new=False)
        plainly = floor(served)  # gaps and all, as the model itself answers
        before = model.scores(other, self.store) if model.beside else plainly
        with self._stage("methods"):
            seen = moved(source, Z[some], plainly[some], classes=model.card.classes, seed=plan.seed)
            self.listener.say(seen.words)
            menu = self._menu(floor, Z[some], source) if seen.is_shift else {}
        with self._stage("decide"):
            made, codes = source.draw(len(some), plan.seed)  # as many as there are of the others
            looks = {n: self._outlook(n, c, made, codes, Z[some]) for n, c in (menu | {FLOOR: floor}).items()}
            plain = looks.pop(FLOOR)
            if seen.is_shift:
                decision = guard(plain, looks, voters=VOTERS, agree=AGREE)
            else:
                decision = Decision(None, "no shift was found: adaptation is not needed", ())
            asked: dict[str, Any] = {}
            if plan.target_labels and labels:
                tell = {n: c(Z) for n, c in menu.items()}
                decision, asked = by_labels(decision, tell, before, labels, plan)
                self.listener.say(asked["words"])
        with self._stage("report"):
            chosen = menu[decision.method] if decision.method else floor
            shipped = self._ship(model, chosen, decision.method)
            told = shipped.scores(other, self.store)
            data = {
                "modality": model.card.modality, "target_kind": "label", "rows": source.rows,
                "counts": {"train": source.rows}, "classes": list(model.card.classes), "notes": [], "skipped": [],
            }  # fmt: skip
            guessed = _guess(source, plainly, told if decision.method else plainly, is_shift=seen.is_shift)
            result = decided(plan, decision, shipped.card, data, source.score, {
                "source_free": True, "source_only": source.score, "shipped": decision.method or FLOOR, "target": read,
                **guessed, "shift": seen.to_json(),
                **changes(other, model.card.classes, before, told), **({"labels": asked} if asked else {}),
            })  # fmt: skip
            if score_target and labels:
                result.adaptation["scored"] = score(labels, told, before)
            far = [show(other, int(some[i])) for i in seen.far[:FAR]]
            at = chosen.way.transform(Z[some]) if chosen.way else Z[some]
            write_json(self.out / "evidence.json", both_domains(made, Z[some], made if chosen.way else None, at, far))
        return self._finish(result, [])

    def _menu(self, base: Ready, target: np.ndarray, source: Source) -> dict[str, Ready]:
        menu = {}
        for name in _discover.names(FLOORS):
            try:
                menu[name] = ready(name, base, target, source)
            except NotApplicable as error:
                self.listener.say(f"{name} is left out: {error}")
        return menu

    def _outlook(self, name: str, who: Ready, made: np.ndarray, codes: np.ndarray, target: np.ndarray) -> Outlook:
        """What validators may look at: target rows, and made rows where others have source rows."""
        again = refit(name, who.classes)
        return Outlook(made, codes, who(made), made, codes, target, who(target), again, self.plan.seed)

    def _ship(self, model: Model, chosen: Ready, method: str | None) -> Model:
        """The model with its new head, or with what comes before and after its own, saved and loaded back."""
        card = replace(model.card, headstart=headstart.__version__, temperature=chosen.temperature, adapted_by=method)
        technique = model.technique.headed(chosen.head) if chosen.is_new else chosen.head
        if chosen.is_new and not technique.tunes:
            card = replace(card, technique=HEAD, params=chosen.head.get_params())
        if chosen.way is not None:
            card = replace(card, adapter=f"source_free.{method}", adapter_params=chosen.way.get_params())
        folder = self.out / "model"
        source, beside = (None, ()) if method else (model.source, model.beside)
        Model(card, model.backbone, technique, adapter=chosen.way, source=source, beside=beside).save(folder)
        return Model.load(folder)
