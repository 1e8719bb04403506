"""The race: contenders run cheapest first, on train and valid only in the budget, until dearer ones gain nothing."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from headstart.activations.activations import Activations
from headstart.errors import HeadstartError, NotApplicable
from headstart.selection.contender import Contender
from headstart.selection.metrics import Metric, interval, paired
from headstart.selection.unseen import MOST, Domains, ask, away, evenly, learn, some

NOTHING_TO_GAIN = 0.005  # a dearer technique that cannot win half a point is not worth its wait
LEAST_SECONDS = 4.0  # less than this is no training: the contender is skipped, and says so
ALWAYS = ("majority", "classical", "scratch")  # roles that every other number stands on
FOLDS = 5
FEW = 2000  # up to so many known rows, cheap contenders are judged by cross-validation: few valid rows say little
SURE = 0.84  # standard errors by which a dearer contender must win on valid to replace a cheaper one: 4 times in 5
CERTAIN = 1.64  # and the network from scratch, whose wins on few valid rows are luck: 19 times in 20


class Clock:
    """The budget as time that is left; a resumed run has less of it."""

    def __init__(self, budget: float, spent: float = 0.0) -> None:
        self.budget = budget
        self._start = time.monotonic() - spent

    def elapsed(self) -> float:
        """Seconds since the start, earlier sessions of the same run included."""
        return time.monotonic() - self._start

    def left(self, *, keep: float = 0.0) -> float:
        """Seconds that may still be spent when a share `keep` of the whole budget is held back."""
        return self.budget * (1 - keep) - self.elapsed()


@dataclass
class Trial:
    """What became of one contender.

    `scores` are its predictions on the "valid" and "test" rows after fitting on train; and for cheap contenders on few
    rows "known": out-of-fold predictions on train and valid together, which then give the score in `valid`. Where there
    are domains, "away" (n rows) is what was said of each row by a fit on the other domains, and that gives the score.
    """

    contender: Contender
    cut: str = ""
    status: str = "done"  # "done" | "skipped" | "failed"
    why: str = ""
    seconds: float = 0.0
    fit_seconds: float = 0.0
    params: dict[str, Any] = field(default_factory=dict)
    valid: dict[str, Any] | None = None
    scores: dict[str, np.ndarray] = field(default_factory=dict)
    fitted: Any = None
    source: dict[str, float] | None = None
    duel: dict[str, Any] | None = None  # of a dear technique with the best cheaper one, on the valid rows

    def to_json(self) -> dict[str, Any]:
        """The trial as `result.json` shows it."""
        c = self.contender
        return {
            "backbone": c.backbone, "technique": c.technique, "cut": self.cut, "role": c.role, "status": self.status,
            "why": self.why, "seconds": round(self.seconds, 2), "fit_seconds": round(self.fit_seconds, 2),
            "params": self.params, "valid": self.valid, "test": None, "source": self.source, "duel": self.duel,
        }  # fmt: skip


@dataclass(frozen=True)
class Field:
    """The ground that all contenders run on."""

    see: Callable[[Contender, Any], Activations]  # all rows at the cut the technique reads; may be expensive
    y: np.ndarray
    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray
    metric: Metric
    groups: np.ndarray | None = None
    seed: int = 0
    folder: Callable[[Contender], Path] | None = None  # where an unfinished training may be kept
    keep_source: bool = False  # measure what fine-tuning forgets, on the valid rows
    domains: Domains | None = None  # all are then judged by what they say of domains that they have not seen
    doubted: bool = False  # what is pre-trained must win by more than luck: text networks on rows of a table

    @property
    def names(self) -> np.ndarray | None:
        """Of which domain each row is, where there are domains."""
        return None if self.domains is None else self.domains.names

    def judge(self, key: str) -> tuple[Metric, np.ndarray, np.ndarray | None]:
        """Metric, rows and groups by which scores of this key ("valid", "known", "away") are judged."""
        metric, rows = self.metric, self.valid if key == "valid" else self.known
        if key == "away" and self.domains is not None:
            rows = some(rows[self.domains.judged[rows]])
            metric = evenly(metric, self.domains.names[rows])
        return metric, rows, None if self.groups is None else self.groups[rows]

    @property
    def known(self) -> np.ndarray:
        """Train and valid rows together."""
        return np.sort(np.concatenate([self.train, self.valid]))

    @property
    def outputs(self) -> int:
        """Columns of `predict_proba`."""
        if self.y.ndim == 2:
            return int(self.y.shape[1])
        return 1 if np.issubdtype(self.y.dtype, np.floating) else int(self.y.max()) + 1


def race(
    entries: Iterable[Contender],
    ground: Field,
    clock: Clock,
    *,
    keep: float = 0.12,
    done: dict[Contender, Trial] | None = None,
    named: Sequence[str] = (),
    on_start: Callable[[Contender, float | None], None] = lambda c, s: None,
    on_end: Callable[[Trial], None] = lambda t: None,
) -> list[Trial]:
    """Run contenders in order; the share `keep` of the budget is left for evaluation and the report.

    Contenders of cost 3 and 4 get equal shares of what is left. The race stops when the paired bootstrap on the valid
    rows says that the dearer technique just tried gains nothing over the best cheaper one; the floor, and what a person
    has `named`, run all the same.
    """
    entries = list(entries)
    trials: list[Trial] = []
    stopped = ""
    for position, entry in enumerate(entries):
        before = (done or {}).get(entry)
        dear = entry.cost >= 3
        waiting = sum(e.cost >= 3 for e in entries[position:])
        share = clock.left(keep=keep) / max(waiting, 1) if dear else None
        if before is not None:
            trial = before
        elif stopped and entry.role not in ALWAYS and entry.technique not in named:
            trial = Trial(entry, status="skipped", why=stopped)
        elif share is not None and share < LEAST_SECONDS:
            trial = Trial(entry, status="skipped", why=f"{max(share, 0):.0f} s of the budget were left for it")
        elif entry.cost == 2 and entry.role not in ALWAYS and clock.left(keep=keep) <= 0:  # closed forms cost nothing
            trial = Trial(entry, status="skipped", why="the budget was spent")
        else:
            on_start(entry, share)
            trial = _try(entry, ground, share)
        if dear and entry.role == "pretrained" and trial.status == "done":
            stopped = _enough(trials, trial, ground)
        trials.append(trial)
        if before is None:
            on_end(trial)
    return trials


def best(trials: Sequence[Trial], ground: Field) -> Trial:
    """Who ships, by train and valid rows alone.

    Cheap contenders are ranked by their own score; a dearer one replaces the champion when it wins on the valid rows by
    more than luck would: both were then fitted on the same train rows. Of equals the cheaper wins. Where pre-training
    is `doubted`, cheap pre-trained ones count as dearer than the classical baseline.
    """
    able = [t for t in trials if t.status == "done" and t.valid]
    if not able:
        reasons = "; ".join(f"{t.contender.technique}: {t.why}" for t in trials if t.why)
        raise NotApplicable(f"no contender finished ({reasons})", do="raise --budget or name other techniques")
    cheap = [t for t in able if t.contender.cost < 3] or able[:1]
    champion = max(cheap, key=lambda t: (t.valid or {})["value"])
    plain = [t for t in cheap if t.contender.role == "classical"]
    if ground.doubted and champion.contender.role == "pretrained" and plain:
        second = max(plain, key=lambda t: (t.valid or {})["value"])
        gain, low, high = _duel(second, champion, ground)
        champion = champion if gain > SURE * (high - low) / 3.92 else second
    for trial in able:
        if trial.contender.cost >= 3 and trial is not champion:
            gain, low, high = _duel(champion, trial, ground)
            if gain > (CERTAIN if trial.contender.role == "scratch" else SURE) * (high - low) / 3.92:
                champion = trial
    return champion


def _duel(a: Trial, b: Trial, ground: Field) -> tuple[float, float, float]:
    """Gain of b over a with its 95 % interval, on unseen domains where there are any.

    Otherwise on rows that neither had seen: all that are known where both were cross-validated, else the valid ones.
    """
    if ground.domains is None:
        key = "known" if all("known" in t.scores for t in (a, b)) else "valid"
        metric, rows, groups = ground.judge(key)
        return paired(metric, ground.y[rows], a.scores[key], b.scores[key], groups=groups)
    metric, rows, groups = ground.judge("away")
    return paired(metric, ground.y[rows], a.scores["away"][rows], b.scores["away"][rows], groups=groups)


def _left_out(entry: Contender, seen: Activations, ground: Field) -> np.ndarray:
    """Exact leave-one-out predictions for train and valid rows, from one fit on both."""
    known = ground.known
    technique = learn(entry.build(seed=ground.seed), seen, ground.y, known, ground.names)
    scores = np.zeros((len(ground.known), ground.outputs))
    told = technique.left_out()
    scores[:, : told.shape[1]] = told
    return scores


def _out_of_fold(entry: Contender, settled: dict[str, Any], seen: Activations, ground: Field) -> np.ndarray:
    """Predictions for train and valid rows, each by a technique that never saw the row, its group or its fold."""
    from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

    known = ground.known
    y, groups = ground.y[known], None if ground.groups is None else ground.groups[known]
    if y.ndim == 1 and np.issubdtype(y.dtype, np.integer):
        kinds = (StratifiedKFold, StratifiedGroupKFold)
    else:
        kinds = (KFold, GroupKFold)
    folds = kinds[groups is not None](FOLDS, shuffle=True, random_state=ground.seed)
    scores = np.zeros((len(known), ground.outputs))
    with warnings.catch_warnings():  # the reader noted a class of few rows already
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        pairs = list(folds.split(np.zeros(len(known)), y, groups))
    for fit, held in ((known[a], known[b]) for a, b in pairs):
        technique = learn(entry.build(seed=ground.seed, **settled), seen, ground.y, fit, ground.names)
        part = ask(technique, seen, held, ground.names)
        scores[np.searchsorted(known, held), : part.shape[1]] = part
    return scores


def _try(entry: Contender, ground: Field, share: float | None) -> Trial:
    """Fit on train, predict valid and test; a contender that fails is a result, not the end of the run."""
    start = time.monotonic()
    trial = Trial(entry)
    dear, limit = share is not None, 0.0
    try:
        technique = entry.build(seed=ground.seed)
        seen = ground.see(entry, technique)
        trial.cut = seen.cut
        if share is not None:
            limit = share - (time.monotonic() - start)  # predictions included
            if limit < LEAST_SECONDS / 2:
                raise NotApplicable("reading its activations took the time it had")
            if ground.domains is not None:  # one more training for each domain, or block of them, that is held out
                limit /= 1 + len(list(ground.domains.splits(ground.known, FOLDS)))
                if limit < LEAST_SECONDS / 2:
                    raise NotApplicable(f"{share:.0f} s are too few to train it once more without each domain")
            technique = technique.set_params(seconds=limit)
            technique.folder = ground.folder(entry) if ground.folder else None
        fit_start = time.monotonic()
        learn(technique, seen, ground.y, ground.train, ground.names)
        trial.fit_seconds = time.monotonic() - fit_start
        trial.fitted = technique
        trial.params = {k: v for k, v in technique.get_params().items() if k != "seconds"}
        trial.scores = {"valid": ask(technique, seen, ground.valid, ground.names)}
        if not np.isfinite(trial.scores["valid"]).all():
            raise NotApplicable("its predictions are not finite numbers")
        trial.scores["test"] = ask(technique, seen, ground.test, ground.names)
        if ground.keep_source:
            trial.source = technique.forgetting(seen[ground.valid])
        key = "valid"
        if not dear and len(ground.known) <= FEW:
            exact = technique.left_out() is not None and ground.groups is None
            trial.scores["known"] = (
                _left_out(entry, seen, ground) if exact else _out_of_fold(entry, technique.settled(), seen, ground)
            )
            key = "known"
        scores = trial.scores[key]
        if ground.domains is not None:
            key = "away"
            settings = {"seconds": limit} if dear else {}  # nothing is settled by a look at what is held out
            told = away(
                lambda: entry.build(seed=ground.seed, **settings), seen, ground.y, ground.known, ground.domains,
                outputs=ground.outputs, most=FOLDS if dear else MOST,
            )  # fmt: skip
            trial.scores[key], scores = told, told[ground.judge(key)[1]]
        metric, rows, groups = ground.judge(key)
        trial.valid = interval(metric, ground.y[rows], scores, groups=groups)
    except HeadstartError as error:
        trial.status, trial.why = "skipped", str(error)
    except Exception as error:  # whatever a technique, of this package or another, may meet: it is shown
        trial.status, trial.why = "failed", f"{type(error).__name__}: {error}".partition("\n")[0][:300]
    trial.seconds = time.monotonic() - start
    return trial


def _enough(earlier: Sequence[Trial], trial: Trial, ground: Field) -> str:
    """Why dearer techniques need not be tried, or "" while they may still win."""
    cheaper = best(earlier, ground)
    gain, low, high = _duel(cheaper, trial, ground)
    trial.duel = {"over": cheaper.contender.technique, "gain": gain, "low": low, "high": high}
    if high > NOTHING_TO_GAIN:
        return ""
    return (
        f"{trial.contender.technique} gained {100 * gain:+.1f} points over {cheaper.contender.technique} on validation"
        f" (at most {100 * high:+.1f}): dearer techniques were not tried"
    )
