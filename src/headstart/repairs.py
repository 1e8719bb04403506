"""A run's head trained again from stored activations so that it leans less on what was found; the better one ships."""

from __future__ import annotations

import shlex
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from headstart import _discover, backbones
from headstart._listen import Listener
from headstart._look import looker
from headstart._threads import threads
from headstart.activations.activations import Activations
from headstart.adaptation._source import Source
from headstart.audit._base import TOLD, audit
from headstart.audit._levels import Levels, levels
from headstart.audit.repair._compete import LEAST, Decision, by_group, comparable, compete, gap, judged, resamples
from headstart.audit.repair._found import suspected
from headstart.audit.repair._rule import Rule, coins
from headstart.data.dataset import Dataset
from headstart.errors import DataError, HeadstartError, NotApplicable, PlanError
from headstart.evidence import gather
from headstart.job import Job
from headstart.model import ByGroup, Model
from headstart.outcome import Seen, observed, trust
from headstart.plan import Plan
from headstart.result import Result, read_json, write_json
from headstart.selection.calibration import apply, conformal
from headstart.selection.contender import make
from headstart.selection.metrics import interval, paired
from headstart.techniques.linear_probe import LinearProbe

CHEAP = 2  # techniques up to this cost are fitted again in every fold, to be the floor


def repair(
    run: str | Path, *, finding: str, method: str | None = None, out: str | Path | None = None,
    listener: Listener | None = None, cache: str | None = None,
) -> Result:  # fmt: skip
    """Train the head of a finished run again, against one of its findings, and keep the better of both in a new folder.

    Use it after `run --attribute scanner` found `shortcut:scanner`, or where a check found a shortcut that nobody named
    (`words:zq17`, `background:corner`): nothing is computed but heads on stored activations, and, for a corner or the
    border, those of that part of every picture alone. Not for models of a number, or for networks that were fine-tuned:
    NotApplicable. Without a `method` all compete; which one wins, or that none does, is settled on rows of train and
    valid that each had not seen. Test rows say what it brought. Against `group_gaps:COLUMN` what counts is the gap
    between groups, and thresholds by group compete as well; the model then asks for that column. `out` is
    `<run>-repaired` by default; the run itself is not touched.
    """
    folder = Path(run)
    old = Result.load(folder)
    plan = Plan.from_toml(folder / "plan.toml")
    later = folder / "audit.json"  # what `headstart audit` found afterwards counts as well
    audited = read_json(later)["findings"] if later.exists() else []
    about = _about([*audited, *old.findings], finding)
    attribute = about.get("attribute")
    if attribute is not None and attribute not in plan.attributes:
        plan = replace(plan, attributes=(*plan.attributes, attribute))
    if method is not None and method not in _discover.names("audit.repair"):
        raise PlanError(f"no repair {method!r}", expected=f"one of {', '.join(_discover.names('audit.repair'))}")
    if method is not None and attribute is None and _discover.load("audit.repair", method).asks:
        raise PlanError(
            f"{method} asks every row to come for a column, and {finding!r} names none", expected="shortcut:COLUMN"
        )
    where = Path(out) if out else folder.with_name(f"{folder.name}-repaired")
    if (where / "plan.toml").exists():
        raise PlanError(f"{where} already holds a run", expected="a new folder", do="name another --out, or remove it")
    model = _with_a_head(Model.load(folder / "model"))
    begun = where.exists()
    with threadpool_limits(threads()):
        job = _Repair(replace(plan, out=str(where)), listener or Listener(), cache=cache)
        try:
            return job.repair(old, model, finding, about, (method,) if method else ())
        except HeadstartError:
            if not begun:
                shutil.rmtree(where)  # a refusal leaves nothing behind
            raise
        finally:
            job.stop()


def _with_a_head(model: Model) -> Model:
    """The model; NotApplicable where there is no head to train again."""
    card, technique = model.card, make(model.card.technique)
    if card.target_kind != "label":
        raise NotApplicable(f"rows of this model have {TOLD[card.target_kind]}", expected="a model of one class a row")
    if technique.cost > CHEAP or not technique.accepts & {"vector", "frame"}:
        raise NotApplicable(
            f"{card.technique} is no head on frozen features, so there is nothing to train again in seconds",
            expected="a model such as linear_probe, ridge, knn or boosting",
            do="run again with --technique linear_probe, and repair that run",
        )
    return model


def _about(findings: list[dict[str, Any]], finding: str) -> dict[str, Any]:
    """The evidence of a finding, which may name a column, a word or a corner; or the column that a person suspects."""
    known = {f["code"]: f for f in findings}
    check, _, about = finding.partition(":")
    if finding in known and check != "group_gaps":
        return dict(known[finding]["evidence"])
    about = about.removeprefix("none:") if check == "group_gaps" else about
    if " x " in about:
        raise PlanError(
            f"{finding!r} is about two columns", expected="one", do="name one, or join them in a new column"
        )
    if check in ("shortcut", "group_gaps") and about:
        return {"attribute": about}  # a column that nothing was found of: reading says whether there is one
    raise PlanError(
        f"the run has no finding {finding!r}",
        expected=f"one of {', '.join(known)}" if known else "a finding; the run has none",
        do="name one of result.json, or shortcut:COLUMN or group_gaps:COLUMN for any column of the data",
    )


class _Repair(Job):
    """One repair: reading and storing as in a run, then the competition of heads."""

    def repair(self, old: Result, model: Model, finding: str, about: dict[str, Any], methods: Sequence[str]) -> Result:
        """All stages in order."""
        start = time.monotonic()
        with self._stage("read the data"):
            data = self._read()
            reader = next(t["backbone"] for t in old.trials if t["role"] == "majority")  # whose twins were separated
            known = reader != backbones.classical(data.modality)
            seen = self._features(data, data, backbones.get(reader, data) if known else None)
            data = seen.data
            if tuple(data.classes) != tuple(model.card.classes):
                raise DataError("the data changed since the run", expected=f"the classes {model.card.classes}")
            values = model.activations(data, self.store)
        with self._stage("heads compete"):
            known = np.flatnonzero(data.split != "test")
            look = looker(seen.backbone, data, self.features.get)  # whoever asks for a repair waits for it
            seen = replace(seen, look=look)
            before = model.scores(data.where(split="test"), self.store)
            found = suspected(observed(seen, before, {}, self.plan, model.card), about)
            attribute, column = found or (None, None)
            codes, names = (None, ("",)) if column is None else levels(column)
            decision = self._compete(model, values, data, known, codes, methods, gaps=finding.startswith("group_gaps:"))
            self.listener.say(decision.why)
        with self._stage("test"):
            test = data.rows_of("test")
            rows = data.take(test)
            model = self._ship(model, decision, seen, values[known], attribute, column)
            after = model.scores(rows, self.store)
            told = _measured(seen, before, after, None if codes is None else codes[test], names, attribute or "")
        result = self._result(old, seen, model, after)
        result.repair = {
            "decision": "repaired" if decision.method else "refused", "finding": finding, "attribute": attribute,
            "method": decision.method, "why": decision.why, "table": decision.table, **told,
            "seconds": round(time.monotonic() - start, 2),
        }  # fmt: skip
        words = ["headstart", "repair", str(old.plan["out"]), "--finding", finding, "--out", self.plan.out]
        result.command = shlex.join([*words, *(w for m in methods for w in ("--method", m))])
        write_json(self.out / "evidence.json", gather(data, seen.pooled, model, after, {}))
        return self._finish(result, old.shortlist)

    def _compete(
        self, model: Model, values: Activations, data: Dataset, known: np.ndarray, codes: np.ndarray | None,
        methods: Sequence[str], *, gaps: bool,
    ) -> Decision:  # fmt: skip
        """The shipped technique, fitted anew in every fold, against the repairs."""
        assert data.target is not None
        X, y, card = values[known], data.target[known], model.card
        technique = make(card.technique)

        def floor(rows: np.ndarray, held: np.ndarray) -> np.ndarray:
            told = type(technique)(**card.params).fit(X[rows], y[rows]).predict_proba(X[held])
            return np.pad(told, ((0, 0), (0, int(y.max()) + 1 - told.shape[1])))

        level = None if codes is None else codes[known]
        return compete(
            np.asarray(X), y, level, names=methods, seed=self.plan.seed, floor=floor, gaps=gaps,
            coin=coins(data.ids[known]),
        )  # fmt: skip

    def _ship(
        self, old: Model, decision: Decision, seen: Seen, read: Activations, attribute: str | None,
        column: np.ndarray | None,
    ) -> Model:  # fmt: skip
        """The repaired head, the old model below thresholds, or the old one as it was; saved and loaded back.

        `read` is what heads learnt from: rows of train and valid.
        """
        folder, y = self.out / "model", seen.target[seen.data.split != "test"]
        if decision.rule is not None:
            assert attribute is not None
            assert column is not None
            rule = Rule(decision.rule.bars / old.card.temperature, decision.rule.shares)  # of log odds as they are told
            card = replace(old.card, qhat=conformal(decision.held, y))
            by_group = ByGroup(attribute, Levels.of(column), rule)
            Model(card, old.backbone, old.technique, familiar=old.familiar, by_group=by_group).save(folder)
            return Model.load(folder)
        if decision.head is None:
            old.save(folder)
            return Model.load(folder)
        probe = LinearProbe()
        probe.mean_, probe.coef_, probe.intercept_ = decision.space.outside(decision.head)
        probe.target_kind_, probe.n_outputs_, probe.strength_ = "label", len(decision.head.intercept), 0.0
        card = replace(
            old.card, technique="linear_probe", params=probe.get_params(), **trust(decision.held, y, "label")
        )
        told = apply(decision.held, card.temperature)
        source = Source.of(np.asarray(read), y, told, y, interval(seen.metric, y, told))
        Model(card, old.backbone, probe, familiar=old.familiar, source=source).save(folder)
        return Model.load(folder)

    def _result(self, old: Result, seen: Seen, model: Model, scores: np.ndarray) -> Result:
        """The old result with what the model that ships now says."""
        test = seen.data.rows_of("test")
        groups = None if seen.data.groups is None else seen.data.groups[test]
        score = interval(seen.metric, seen.target[test], scores, groups=groups)
        found, unchecked = audit(observed(seen, scores, score, self.plan, model.card))
        return replace(
            old, plan=self.plan.given(), test=score, findings=[f.to_json() for f in found],
            unchecked=[list(pair) for pair in unchecked],
            best={
                **old.best, "technique": model.card.technique, "params": model.card.params,
                "averaged_with": [f"{m.card.technique} on {m.card.backbone}" for m in model.beside],
            },
        )  # fmt: skip


def _words(classes: Sequence[str], group: int, names: Sequence[str], attribute: str) -> str:
    """What a group is called."""
    if group < 0:
        return f"groups of fewer than {LEAST} rows, together"
    level = f", {attribute} {names[group % len(names)]}" if attribute else ""
    return classes[group // len(names)] + level


def _measured(
    seen: Seen, before: np.ndarray, after: np.ndarray, codes: np.ndarray | None, names: Sequence[str], attribute: str
) -> dict[str, Any]:
    """Overall and worst-group quality of both on the test rows, which no repair has touched."""
    test = seen.data.rows_of("test")
    y, metric = seen.target[test], seen.metric
    codes = np.zeros(len(y), dtype=int) if codes is None else codes
    groups, draws = y * len(names) + codes, resamples(len(y))
    part, kept = judged(groups)
    words = [_words(seen.data.classes, int(g), names, attribute) for g in kept]
    told: dict[str, Any] = {}
    worst, apart = {}, {}
    for when, scores in (("before", before), ("after", after)):
        right = (scores.argmax(1) == y).astype(float)
        value, spread = by_group(right, groups)[0], by_group(right, groups, draws)[0]
        worst[when] = (float(value[0]), spread)
        apart[when] = (gap(right, y, codes)[0], gap(right, y, codes, draws))
        told[when] = {
            "gap": _within("gap", *apart[when], len(y)) if comparable(y, codes) else None,
            "overall": interval(metric, y, scores),
            "worst": _within("worst_group", *worst[when], len(y)),
            "groups": [
                {"group": word, "rows": int((part == k).sum()), "value": float(right[part == k].mean())}
                for k, word in enumerate(words)
            ],
        }  # fmt: skip
    gain = paired(metric, y, before, after)
    low, high = np.percentile(worst["after"][1] - worst["before"][1], (2.5, 97.5))
    told["gain"] = dict(zip(("value", "low", "high"), gain, strict=True))
    told["worst_gain"] = {"value": worst["after"][0] - worst["before"][0], "low": float(low), "high": float(high)}
    low, high = np.percentile(apart["after"][1] - apart["before"][1], (2.5, 97.5))
    change = {"value": apart["after"][0] - apart["before"][0], "low": float(low), "high": float(high)}
    told["gap_change"] = change if comparable(y, codes) else None
    return told


def _within(metric: str, value: float, spread: np.ndarray, rows: int) -> dict[str, Any]:
    """A value and the interval of its resamples, widened to hold it."""
    low, high = np.percentile(spread, (2.5, 97.5))
    return {
        "metric": metric, "value": float(value), "low": float(min(low, value)), "high": float(max(high, value)),
        "rows": rows,
    }  # fmt: skip
