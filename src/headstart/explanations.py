"""A finished model's answers explained: on new rows, or on the mistakes that its run made."""

from __future__ import annotations

import shlex
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

import headstart
from headstart._threads import threads
from headstart.activations.store import ActivationStore
from headstart.audits import read_again
from headstart.data.dataset import Dataset
from headstart.errors import DataError, ModelError
from headstart.evidence import confusions, mistakes, named, near, show, unit
from headstart.explain.confused import aims, explain
from headstart.explain.explainer import WAYS, Explainer
from headstart.model import Model, load
from headstart.outcome import Seen
from headstart.report.explain import page
from headstart.result import write_page

VERSION = 1


@dataclass
class Explanations:
    """Why rows were answered as they were; `explain.json` holds these fields."""

    command: str
    rows: list[dict[str, Any]]  # [{row, predicted, confidence, true, text, picture, neighbours, explanation}]
    confused: list[dict[str, Any]] = field(default_factory=list)  # [{true, said, rows, explained, pulls, where, ...}]
    ways: dict[str, str] = field(default_factory=dict)  # what was done, in words
    notes: list[str] = field(default_factory=list)
    headstart: str = headstart.__version__
    created: str = ""
    version: int = VERSION

    def save(self, folder: str | Path) -> Path:
        """Write `explain.json` and `explain.html` into a folder, and return it."""
        return write_page(folder, "explain", asdict(self), page)


def explain_run(run: str | Path, data: Any = None, *, rows: int = 12, cache: str | None = None) -> Explanations:
    """Say of at most so many rows what pulled them to their answers, each with the most alike training rows.

    Without `data` these are the surest mistakes among the run's own test rows, and the pairs of classes that are most
    often confused are explained as well. With `data` (a path, or anything that `predict` takes): its first rows.
    Training rows come from the run's own data where it can still be read. Raises ModelError where there is no model or
    no run to take rows from, DataError for rows that cannot be used, NotApplicable for models that answer rows only
    together.
    """
    with threadpool_limits(threads()):
        model, seen, store, notes = _again(run, cache, needed=data is None)
        if data is None:
            assert seen is not None
            told, confused, note = _own(model, seen, store, rows)
        else:
            (told, note), confused = _fresh(model, seen, store, model.read(data), rows), []
    why = [r["explanation"] for r in told if r.get("explanation")]
    ways = {w["way"] for w in why}
    source = [] if data is None else [str(data) if isinstance(data, str | Path) else "(in memory)"]
    return Explanations(
        command=shlex.join(["headstart", "explain", str(run), *source]), rows=told, confused=confused,
        ways={way: words for way, words in WAYS.items() if way in ways},
        notes=[n for n in (*notes, note, _off_objects(why)) if n],
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )  # fmt: skip


def _off_objects(told: list[dict[str, Any]]) -> str:
    """In how many pictures the map holds more of what lies off the object than the picture does."""
    known = [t for t in told if t["off"] is not None]
    off = [t for t in known if t["off"] > t["around"]]
    return f"in {len(off)} of {len(known)} pictures the map prefers what lies off the object" if off else ""


def _again(
    run: str | Path, cache: str | None, *, needed: bool
) -> tuple[Model, Seen | None, ActivationStore, list[str]]:
    """The model, its run's rows where they are still there (or `needed`), a store, and what a reader should know."""
    try:
        model, seen, store = read_again(run, cache=cache)
    except (DataError, ModelError) as error:
        if needed:
            raise
        note = f"the run's own rows cannot be read ({error.seen}): no training rows are shown"
        return load(run), None, ActivationStore(Path(cache) if cache else None), [note]
    return model, seen, store, []


def _own(
    model: Model, seen: Seen, store: ActivationStore, most: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], str]:
    scores = model.scores(seen.data.where(split="test"), store)
    explainer = Explainer(model, seen.data.where(split="train"))
    told, note = mistakes(seen.data, unit(seen.pooled), scores, explainer, most=most)
    confused, missing = confusions(seen.data, scores, explainer)
    return told, confused, note or missing or ("" if told else "the run made no mistake on its test rows")


def _fresh(
    model: Model, seen: Seen | None, store: ActivationStore, data: Dataset, most: int
) -> tuple[list[dict[str, Any]], str]:
    some = data.take(np.arange(min(most, len(data))))
    scores = model.scores(some, store)
    kind, classes = model.card.target_kind, model.card.classes
    explainer = Explainer(model, data if seen is None else seen.data.where(split="train"))
    found, note = explain(explainer, some, range(len(some)), aims(scores, None, kind))
    neighbours = _near(seen, some, store)
    rows = []
    for i in range(len(some)):
        rows.append({
            "true": None, "predicted": named(classes, kind, scores[i]),
            "confidence": None if kind == "number" else float(scores[i].max()), **show(some, i),
            "neighbours": neighbours[i], "explanation": found[i].to_json() if i in found else None,
        })  # fmt: skip
    if len(some) < len(data):
        note = note or f"the first {len(some)} of {len(data):,} rows are explained; --rows asks for more"
    return rows, note


def _near(seen: Seen | None, some: Dataset, store: ActivationStore) -> list[list[dict[str, Any]]]:
    """The most alike training rows of each of some fresh rows."""
    nothing: list[list[dict[str, Any]]] = [[] for _ in range(len(some))]
    if seen is None or seen.backbone is None or seen.pooled.kind not in ("vector", "frame"):
        return nothing
    fresh = store.get(seen.backbone, some, {"pooled"})["pooled"]
    both = np.concatenate([np.asarray(seen.pooled), np.asarray(fresh)])
    ids = np.concatenate([seen.pooled.ids, fresh.ids])
    vectors = unit(replace(seen.pooled, values=both, ids=ids, rows=None))
    assert vectors is not None
    return [near(seen.data, vectors, len(seen.data) + i) for i in range(len(some))]
