"""From a labelled domain to an unlabelled one: is there a shift, what helps against it, and is it safe to use it?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

import headstart
from headstart import _discover, backbones
from headstart._answers import by_labels, changes, decided, labels_of, score, target_read
from headstart._entries import readable
from headstart._listen import Listener
from headstart._methods import CONSENSUS, FLOOR, Beside, Candidate, candidates, finite, guess, sharpness
from headstart._threads import threads
from headstart.adaptation._source import Source
from headstart.audit._base import TOLD
from headstart.audit._shift import shift
from headstart.data.dataset import Dataset
from headstart.data.frames import places
from headstart.data.read import read_rows
from headstart.errors import DataError, PlanError
from headstart.evidence import both_domains, show
from headstart.job import Job
from headstart.model import Card, Model
from headstart.outcome import described
from headstart.plan import AdaptationPlan, Plan, seconds
from headstart.result import Result, write_json
from headstart.selection.calibration import apply
from headstart.selection.contender import make
from headstart.selection.guard import Decision, guard
from headstart.selection.metrics import interval, metric_for
from headstart.source_free import WithoutSource

MOST = 2000  # rows of a domain that decide; all of them are predicted
OF_THE_RUN = ("inputs", "group", "split", "domain", "modality", "backbones", "techniques")  # a finished one has its own
FAR = 8  # of the most foreign rows are shown


def adapt(
    source: Any, target: Any = "", *, score_target: bool = False,
    listener: Listener | None = None, cache: str | None = None, **options: Any,
) -> Result:  # fmt: skip
    """Adapt what is learnt on labelled source rows to unlabelled target rows, or decline to.

    Use it where rows of another site, scanner, author or time are to be predicted and none of them is labelled; not
    where some hundred of them are: `run` on those. Both are paths, "sample:NAME" or data frames (kept under `out`),
    or the first is an `AdaptationPlan`. `options` are its fields, with `target` there called `label`; with
    `source_free=True`, `source` is the folder of a finished run, and no source row is read. With `score_target`, labels
    of the target are read after everything was decided, to say how right it was.
    Writes what `run` writes; `result.adaptation` holds the decision. Raises DataError for rows that cannot be used.
    """
    frames: dict[Path, Any] = {}
    if not isinstance(source, AdaptationPlan):
        if isinstance(target, str) and not target:
            raise PlanError("no target", expected="rows of the other domain", do="headstart.adapt(source, target)")
        budget = seconds(options.pop("budget", Plan.budget))
        label = options.pop("label", None)
        (a, b), frames = places(Path(options.get("out", Plan.out)), data=source, target=target)
        source = AdaptationPlan(data=a, adapt_to=b, target=label, budget=budget, **options)
    if source.source_free and (more := [k for k in OF_THE_RUN if getattr(source, k)]):
        raise PlanError(f"{', '.join(more)} with a run", expected="those of the run", do="leave them out")
    if plain := [spec for spec in source.techniques if not make(spec).needs_target]:
        able = [n for n in _discover.names("techniques") if make(n).needs_target]
        raise PlanError(f"{', '.join(plain)}: no target rows are used", expected=f"some of {able}", do="use run")
    kind = WithoutSource if source.source_free else _Adaptation
    job = kind(source, listener or Listener(), cache=cache)
    with threadpool_limits(threads()), job:
        job.journal.keep_rows(frames)
        return job.adapt(score_target=score_target)


class _Adaptation(Job):
    """One adaptation: reading, choosing and storing as in a run, then shift, methods, guard."""

    plan: AdaptationPlan

    def adapt(self, *, score_target: bool) -> Result:
        """All stages in order."""
        plan = self.plan
        with self._stage("read the data"):
            data = self._read()
            if data.target_kind != "label":
                raise DataError(
                    f"the rows have {TOLD[str(data.target_kind)]}", expected="one class a row", do="use run"
                )
            other = read_rows(plan.adapt_to, modality=data.modality, inputs=data.inputs)
            read = target_read(other, plan, data.ids)
            for words in read["notes"]:
                self.listener.say(words)
            labels = labels_of(plan, other, data.classes) if score_target or plan.target_labels else None
        with self._stage("choose the pre-trained model"):
            is_table = data.modality in ("table", "vector") and not plan.backbones
            backbone, shortlist = (None, []) if is_table else self._choose(data)  # columns beat sentences of them
            reader = backbone or backbones.get(backbones.classical(data.modality), data)
            for spec in plan.techniques:
                readable(spec, reader)
            for words in backbones.unlike(reader, other.rows):
                self.listener.say(words)
                read["notes"].append(words)
        with self._stage("read features", None):
            ours, theirs = (self.features.get(reader, d, "pooled") for d in (data, other))
            X, Z = finite(ours, theirs, data.rows_of("train"))
        train, held = data.sample("train", MOST), np.flatnonzero(data.split != "train")
        assert data.target is not None
        y, some = data.target, np.sort(np.random.default_rng(plan.seed).permutation(len(Z))[:MOST])
        with self._stage("methods"):
            rows = X[train], y[train], X[held], y[held], Z[some]
            floor = candidates(*rows, names=(FLOOR,), seed=plan.seed)[FLOOR]
            seen = shift(X[train], Z[some], floor.outlook.told, y[train], classes=data.classes, seed=plan.seed)
            self.listener.say(seen.words)
            menu = candidates(*rows, seed=plan.seed, told=self.listener.say) if seen.is_shift else {}
            if menu:
                menu |= self._deep(data.take(train), data.take(held), other.take(some), reader, floor)
        with self._stage("decide"):
            if seen.is_shift:
                decision = guard(floor.outlook, {n: c.outlook for n, c in menu.items() if n != FLOOR})
            else:
                decision = Decision(None, "no shift was found: adaptation is not needed", ())
            asked: dict[str, Any] = {}
            if plan.target_labels and labels:
                tell = {n: c.outlook.told for n, c in menu.items()}
                decision, asked = by_labels(decision, tell, floor.outlook.told, labels.of(some), plan)
                self.listener.say(asked["words"])
        with self._stage("report"):
            chosen = menu[decision.method] if decision.method else floor
            guessed = guess(chosen, floor, menu, plan.seed)
            model = self._ship(data, reader, chosen, guessed["estimate"])
            told, before = model.scores(other, self.store), floor.fitted(Z)
            metric, known = metric_for(y[data.rows_of("train")], "label"), floor.outlook.y
            plain = interval(metric, known, floor.outlook.told_held)
            result = decided(plan, decision, model.card, described(data), plain, {
                "source_only": plain, "shipped": chosen.name, "target": read, **guessed,
                "shift": seen.to_json(), **changes(other, data.classes, before, told),
                **({"labels": asked} if asked else {}),
            })  # fmt: skip
            if score_target and labels:
                result.adaptation["scored"] = score(labels, told, before)
            after = chosen.fitted.learnt if decision.method else None
            moved = chosen.fitted.adapter.transform(Z[some]) if chosen.moved is None else chosen.moved
            far = [show(other, int(some[i])) for i in seen.far[:FAR]]
            write_json(self.out / "evidence.json", both_domains(X[train], Z[some], after, moved, far))
        return self._finish(result, shortlist)

    def _deep(
        self, ours: Dataset, held: Dataset, theirs: Dataset, reader: Any, floor: Candidate
    ) -> dict[str, Candidate]:
        """The techniques that were named, each trained beside the target's rows from the cut that it reads."""
        found = {}
        for spec in self.plan.techniques:
            cut = make(spec).where(reader.cuts)
            a, b, c = (self.features.get(reader, rows, cut) for rows in (ours, held, theirs))
            found[spec] = Beside(spec, floor.fitted.classes, reader, self.plan.seed).candidate(a, b, c, floor, cut)
            self.listener.say(f"{spec}: trained beside {len(theirs):,} rows of the target")
        return found

    def _ship(self, data: Dataset, backbone: Any, chosen: Candidate, right: float) -> Model:
        """The head behind the method's own transformation, saved and loaded back; `right` is how often, as guessed."""
        plan, own, seen = self.plan, chosen.moves, chosen.outlook
        card = Card(
            backbone=backbone.name, technique=chosen.technique, cut=chosen.cut, params=chosen.fitted.head.get_params(),
            target_kind="label", classes=data.classes, modality=data.modality, inputs=data.inputs, target=plan.target,
            precision=plan.precision, headstart=headstart.__version__,
            temperature=sharpness(chosen, right), adapted_by=None if chosen.name == FLOOR else chosen.name,
            adapter={CONSENSUS: FLOOR}.get(chosen.name, chosen.name) if own else None,  # it reads rows as they are
            adapter_params=chosen.fitted.adapter.get_params() if own else {},
        )  # fmt: skip
        folder = self.out / "model"
        sure, metric = apply(seen.told_held, card.temperature), metric_for(seen.labels, "label")
        source = None
        if not own and not chosen.fitted.head.needs_target:  # those read other columns than the summary would be of
            source = Source.of(seen.source, seen.labels, sure, seen.y, interval(metric, seen.y, sure))
        adapter = chosen.fitted.adapter if own else None
        Model(card, backbone, chosen.fitted.head, adapter=adapter, source=source).save(folder)
        return Model.load(folder)
