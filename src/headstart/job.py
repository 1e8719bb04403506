"""The main job, one natural pass: read, choose, race, test once, say the verdict, save."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
from threadpoolctl import threadpool_limits

from headstart import backbones
from headstart._compute import give_back
from headstart._entries import CLASSICAL, allowed
from headstart._features import PILOT, Features
from headstart._journal import Journal
from headstart._listen import Listener
from headstart._look import looker
from headstart._threads import threads
from headstart.activations import engine
from headstart.activations.activations import Activations
from headstart.activations.store import ActivationStore
from headstart.audit._forecast import HEADS, early, forecast
from headstart.backbones._base import Backbone
from headstart.data.dataset import SPLITS, Dataset
from headstart.data.duplicates import separate
from headstart.data.frames import places
from headstart.data.read import read
from headstart.data.sites import domains_of, unlabelled
from headstart.data.splits import units
from headstart.data.views import view
from headstart.errors import DataError, HeadstartError, PlanError
from headstart.evidence import gather, suspects
from headstart.outcome import Seen, conclude, labels_curve, ship, tested
from headstart.plan import Plan, seconds
from headstart.report.card import model_card
from headstart.report.page import render
from headstart.result import Result, write_json
from headstart.selection.contender import Contender, contenders, make
from headstart.selection.ensemble import ensemble
from headstart.selection.metrics import metric_for
from headstart.selection.race import Clock, Field, Trial, best, race
from headstart.selection.shortlist import rank
from headstart.selection.unseen import Domains

SAMPLE = 600  # training rows that the shortlist looks at
CHOOSE_SHARE = 0.15  # at most this share of the budget reads the shortlist's rows
TAIL, TAIL_SECONDS = 0.14, 11.0  # of the budget, at least, are kept for the test, the report and the model folder
CLOSING, WHY_SHARE = 2.0, 0.04  # seconds to draw and write; of the budget, at least, explain mistakes
OVER = 0.1  # of the budget: no further beyond it


def run(
    data: Any, *, resume: bool = False, listener: Listener | None = None, cache: str | None = None,
    spent: float = 0.0, **options: Any,
) -> Result:  # fmt: skip
    """Read a folder or file, try what pre-training offers, and save a model, a report and an honest verdict.

    Use it for 50 to 50,000 labelled images, texts or table rows: a path, "sample:NAME", a data frame (kept under `out`)
    or a `Plan`. `options` are the fields of `Plan`; `budget` also takes "10m"; `cache` is the folder of the activation
    store, `spent` the seconds of the budget that are gone already. Writes `plan.toml`, `result.json`, `evidence.json`,
    `model/` and `report.html` under `out`. With `resume`, a run that was stopped goes on where it was, and a complete
    one is given back. Raises DataError for rows or targets that cannot be used, PlanError for options that do not fit.
    """
    frames: dict[Path, Any] = {}
    if not isinstance(data, Plan):
        budget = seconds(options.pop("budget", Plan.budget))
        (data,), frames = places(Path(options.get("out", Plan.out)), data=data)
        data = Plan(data=data, budget=budget, **options)
    for name in data.techniques:
        if make(name).needs_target:
            raise PlanError(
                f"technique {name!r} learns beside unlabelled rows of a target domain, and a run has none",
                do=f"use: headstart adapt --source {data.data} --target ROWS --technique {name}",
            )
    if resume and _is_complete(data):
        (listener or Listener()).say(f"the run in {data.out} is complete: nothing is done again; name another --out to")
        return Result.load(Path(data.out))
    job = Job(data, listener or Listener(), resume=resume, cache=cache, spent=spent)
    with threadpool_limits(threads()), job:
        job.journal.keep_rows(frames)
        return job.go()


class Job:
    """One run: the plan, its clock, its store, its journal, and a method a stage."""

    def __init__(
        self, plan: Plan, listener: Listener, *, resume: bool = False, cache: str | None = None, spent: float = 0.0
    ) -> None:
        self.plan, self.listener, self.out = plan, listener, Path(plan.out)
        self.journal = Journal(plan, resume=resume)
        self.clock = Clock(plan.budget, self.journal.spent + spent)
        self.tail = min(0.4, max(TAIL, TAIL_SECONDS / plan.budget))
        kept = self.journal.once("cache", lambda: cache)  # a run that is resumed finds its store again
        folder = cache or kept
        self.store = ActivationStore(Path(folder) if folder else None)
        self.features = Features(plan, listener, self.journal, self.clock, self.store, self.tail)
        self.stages: dict[str, float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind and issubclass(kind, HeadstartError):  # of another kind than these two, the world may be mended
            self.journal.withdraw(for_good=issubclass(kind, DataError | PlanError))
        self.stop()

    def go(self) -> Result:
        """All stages in order."""
        with self._stage("read the data"):
            data = self._read()
            _domains(data)  # what could not be judged later is refused before anything is spent on it
        with self._stage("choose the pre-trained model"):
            backbone, shortlist = self._choose(data)
            rows, backbone = self.features.afford(data, backbone)
            allowed(self.plan, rows, backbone)  # what cannot run is refused before all rows are read
            told = self._forecast(rows, backbone, shortlist)
        with self._stage("read features", self.features.seconds(rows, backbone)):
            seen = self._features(data, rows, backbone)
            engine.forget()  # trainings need the memory of the compiled network more than the race needs it
        with self._stage("race", max(self.clock.left(keep=self.tail), 1.0)):
            trials, ground = self._race(seen)
        with self._stage("test"):
            winner = best(trials, ground)
            kept = self.journal.state_of(winner, seen.data.fingerprint)
            chosen = ensemble(winner, trials, ground, seconds=max(self.clock.left() / 2, OVER / 2 * self.plan.budget))
            model = ship(seen, chosen, ground, self.plan, kept)
            scores = tested(model, seen.data, self.store)
            left = max(self.clock.left() / 2, 1.0)  # the report needs its share
            result = conclude(seen, trials, chosen, model, scores, ground, self.plan, left=left)
        with self._stage("report"):
            left_for_it = partial(self.clock.left, keep=WHY_SHARE)
            curve = labels_curve(seen, trials, self.plan.seed, left_for_it) if left_for_it() > 0 else {}
            pace = 1 / self.store.speed.get(model.card.backbone, np.inf)
            drawn = gather(seen.data, seen.pooled, model, scores, curve, left=self._for_why(), pace=pace)
            drawn["suspects"] = suspects(seen.data, result.findings)
            write_json(self.out / "evidence.json", drawn)
        return self._finish(result, shortlist, told)

    def _for_why(self) -> Callable[[], float]:
        """Seconds that are left to explain mistakes, counted from now: what is left of the budget, or a small share."""
        start, budget = time.monotonic(), self.plan.budget

        def left() -> float:
            share, rest = WHY_SHARE * budget - (time.monotonic() - start), self.clock.left() - CLOSING
            return max(rest, min(share, rest + OVER * budget))

        return left

    def _finish(self, result: Result, shortlist: list[dict[str, Any]], told: dict[str, Any] | None = None) -> Result:
        """Save the result, draw the report, and leave nothing to resume."""
        result.shortlist, result.forecast = shortlist, told or {}
        result.stages = {k: round(v, 2) for k, v in self.stages.items()}
        result.seconds = round(self.clock.elapsed(), 2)
        result.save(self.out)
        (self.out / "model" / "README.md").write_text(model_card(result), encoding="utf-8")
        render(self.out)
        self.journal.close()
        return result

    def stop(self) -> None:
        """Remember the seconds spent, if there is anything left to resume."""
        if self.journal.folder.exists():
            self.journal.spend(self.clock.elapsed())
        self.journal.leave()
        self.listener.close()

    @contextmanager
    def _stage(self, name: str, estimate: float | None = None) -> Iterator[None]:
        self.listener.stage(name, estimate)
        start = time.monotonic()
        yield
        give_back()
        self.stages[name] = self.stages.get(name, 0.0) + time.monotonic() - start
        self.journal.spend(self.clock.elapsed())

    def _read(self) -> Dataset:
        p = self.plan
        for name in p.backbones:
            backbones.get(name)  # weights that are not here are told of before any row is read
        if p.domain:
            unlabelled(p.data, p.domain, p.target, inputs=p.inputs, apart=(p.group, p.split))
        data = read(
            p.data, target=p.target, inputs=p.inputs, group=p.group, split=p.split, modality=p.modality, seed=p.seed,
            beside=(*([p.domain] if p.domain else []), *p.attributes),
        )  # fmt: skip
        if p.domain:
            data = replace(data, domain=domains_of(data.columns[p.domain], p.domain))
        for note in data.notes:
            self.listener.say(note)
        if self.journal.once("data", lambda: data.fingerprint) != data.fingerprint:
            self.listener.say("the data are not what the run was begun with: what was finished on them is done again")
        if data.skipped:
            self.listener.say(f"skipped {len(data.skipped)} broken rows, the first: {': '.join(data.skipped[0])}")
        return data

    def _choose(self, data: Dataset) -> tuple[Backbone | None, list[dict[str, Any]]]:
        """Rank the candidates on some training rows; of an only one, all that will be read of them is kept at once."""
        plain = backbones.classical(data.modality)
        names = [n for n in self.plan.backbones or backbones.candidates(data.modality) if n != plain]
        if not names:
            asked = (
                f"{plain} was asked for" if self.plan.backbones else f"no pre-trained model reads {data.modality} rows"
            )
            self.listener.say(f"{asked}: only the classical ones will run")
            return None, []
        seen, spent = {}, dict.fromkeys(names, 0.0)
        readers = {name: backbones.get(name) for name in names}
        cuts = {n: self.features.cuts(r, data) if len(names) == 1 else {"pooled"} for n, r in readers.items()}

        def look(rows: int) -> Dataset:
            train = data.take(data.sample("train", rows))
            for name, reader in readers.items():
                start = time.monotonic()
                seen[name] = self.features.get(reader, train, "pooled", *cuts[name])
                spent[name] += time.monotonic() - start
            return train

        first = max(self.features.pilot(reader, data, cuts[name], SAMPLE) for name, reader in readers.items())
        train = look(first)  # the time of the new ones says how many more can be read
        seconds_a_row = sum(1 / rate for rate in self.store.speed.values())
        most = min(CHOOSE_SHARE * self.plan.budget, max(self.clock.left(keep=self.tail), 0.0) / 2)  # loading took some
        more = int(most / seconds_a_row) if seconds_a_row else SAMPLE
        if more > PILOT:
            train = look(min(first - PILOT + more, SAMPLE))
        assert train.target is not None
        ranked = rank(seen, train.target, seed=self.plan.seed)
        for position, row in enumerate(ranked):
            row |= {"rows": len(train), "seconds": round(spent[row["backbone"]], 2), "chosen": position == 0}
        chosen = ranked[0]["backbone"]
        self.listener.say(f"pre-trained model: {chosen} ({ranked[0].get('why') or 'the only one that fits'})")
        return backbones.get(chosen), ranked

    def _forecast(self, data: Dataset, backbone: Backbone | None, shortlist: list[dict[str, Any]]) -> dict[str, Any]:
        """What the verdict will be, told before anything dear is trained, from the shortlist's rows; {} without one."""
        if backbone is None:
            return {}
        some = data.take(data.sample("train", shortlist[0]["rows"]))
        plain, kind, tests = backbones.classical(data.modality), str(data.target_kind), len(data.rows_of("test"))
        seen = {backbone.name: self.features.get(backbone, some, "pooled").pool()}
        seen[plain] = self.features.get(backbones.get(plain, data), some, "pooled")
        entries = contenders((*HEADS, "majority"), backbone.name, plain, kind=kind, floor=CLASSICAL[data.modality])
        assert some.target is not None
        trials = early(seen, some.target, entries, kind, groups=some.groups, seed=self.plan.seed)
        told = forecast(trials, some.target, kind, (len(data) - tests, tests), groups=some.groups, seed=self.plan.seed)
        self.listener.say(told.get("words", "no forecast: there is nothing to compare"))
        return told

    def _features(self, whole: Dataset, data: Dataset, backbone: Backbone | None) -> Seen:
        """Pooled activations of the rows in question; near duplicates are brought to one side of the split.

        The lower cuts that some techniques will read come out of the same pass where they are not too large.
        """
        reader = backbone or backbones.get(backbones.classical(data.modality), data)
        data, pooled = self.features.read(data, reader)
        moved: dict[str, Any] = {}
        if pooled.kind == "vector":
            apart, moved = separate(data, np.asarray(pooled))
            if len(apart) != len(data):
                pooled = self.features.get(reader, apart, "pooled")
            data = apart
        assert data.target is not None
        assert data.target_kind is not None
        metric = metric_for(data.target[data.rows_of("train")], data.target_kind)
        if number := moved.get("moved"):
            self.listener.say(f"rows moved, as a near duplicate lay across the split: {number:,}")
        cheap = whole if data.modality in ("table", "vector") else data  # their columns cost nothing to read
        rate = self.store.speed.get(backbone.name) if backbone else None
        look = looker(backbone, data, self.features.get, lambda: self.clock.left() / 4, rate)  # several checks may look
        return Seen(data, backbone, pooled, metric, moved, self.features.get, look, cheap)

    def _race(self, seen: Seen) -> tuple[list[Trial], Field]:
        data, key = seen.data, seen.data.fingerprint
        entries = allowed(self.plan, data, seen.backbone)
        done = {c: t for c in entries if (t := self.journal.finished(c, key)) is not None}
        assert data.target is not None

        def see(contender: Contender, technique: Any) -> Activations:
            backbone = backbones.get(contender.backbone, data)
            cut = technique.where(backbone.cuts)
            if seen.backbone is not None and (contender.backbone, cut) == (seen.backbone.name, "pooled"):
                return seen.pooled
            return self._with_views(backbone, self.features.get(backbone, data, cut), data, technique.views)

        def on_end(trial: Trial) -> None:
            self.journal.keep(trial, key)
            trial.fitted = None  # it is on disk: the networks of a race need not stay in memory
            give_back()
            self.journal.spend(self.clock.elapsed())
            self.listener.say(_line(trial))

        train, valid, test = (data.rows_of(s) for s in SPLITS)
        ground = Field(
            see, data.target, train, valid, test, seen.metric, data.groups, self.plan.seed,
            folder=lambda c: self.journal.unfinished(c, key), keep_source=self.plan.keep_source, domains=_domains(data),
            doubted=data.modality == "table",
        )  # fmt: skip
        for name, why in ground.domains.why.items() if ground.domains else ():
            self.listener.say(f"domain {name!r} is learnt from and not held out: {why}")
        trials = race(
            entries, ground, self.clock, keep=self.tail, done=done, named=self.plan.techniques, on_end=on_end,
            on_start=lambda c, s: self.listener.stage(f"race: {c.technique} on {c.backbone}", s) if s else None,
        )  # fmt: skip
        return trials, ground

    def _with_views(self, backbone: Backbone, seen: Activations, data: Dataset, views: int) -> Activations:
        """Besides the pictures themselves, what the backbone says of other views of those that are trained on."""
        if not views or data.modality != "image":
            return seen
        train = data.rows_of("train")
        place = np.zeros(len(data), dtype=int)  # rows that are not trained on show the first view: nobody looks
        place[train] = np.arange(len(train))
        others = (self.features.get(backbone, view(data.take(train), k), seen.cut) for k in range(views))
        return replace(seen, views=tuple(other[place] for other in others))


def _is_complete(plan: Plan) -> bool:
    """Whether the folder holds the result of this very plan, whatever its budget, and nothing to go on with."""
    out = Path(plan.out)
    is_closed = (out / "result.json").exists() and not (out / "state").exists()
    return is_closed and replace(Plan.from_toml(out / "plan.toml"), budget=plan.budget) == plan


def _domains(data: Dataset) -> Domains | None:
    if data.domain is None or data.target is None:
        return None
    known = np.flatnonzero(data.split != "test")
    return Domains.of(data.domain, data.target, known, units(data.ids, data.groups)[0])


def _line(trial: Trial) -> str:
    c = trial.contender
    if trial.status != "done":
        return f"{c.technique} ({c.role}) {trial.status}: {trial.why}"
    v = trial.valid or {}
    score = f"{v['metric'].replace('_', ' ')} {v['value']:.3f} [{v['low']:.3f}, {v['high']:.3f}] on validation"
    return f"{c.technique} on {c.backbone} ({c.role}): {score}, {trial.seconds:.1f} s"
