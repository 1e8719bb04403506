"""What a run found: `result.json` (versioned, small, for programs) and `evidence.json` (what the report draws).

result.json, version 1. Every number that stands for quality comes with a 95 % interval.

    version      1
    headstart    version of the library          created    ISO time
    command      the exact line that repeats the run
    plan         the Plan, as in plan.toml       seconds    wall clock        stages    {stage: seconds}
    data         {modality, target_kind, rows, classes, counts: {train, valid, test}, notes: [str],
                  skipped: [[name, why]]}
    shortlist    [{backbone, score, scores: {knn, ridge, logme}, rows, seconds, chosen, why}]
    forecast     {} where none was made; else what the verdict will be, told from the shortlist's rows before the race:
                 {helped: true|false|null (the likeliest), chances: {helped, "no evidence", hurt}, gain, low, high
                  (points), rows, against: [{role, name, gain, low, high}] on these rows, words}
    trials       [{backbone, technique, cut, role, status, why, seconds, fit_seconds, valid: Score, test: Score | null,
                   source: {cosine, cka, agreement} | null}]   source: what a fine-tuning left of the
                 pre-trained network on valid rows, with --keep-source; each 1 where nothing was forgotten; agreement:
                 share of rows that the pre-training's own classifier calls as before, where the weights bring it
                 duel: {over, gain, low, high} | null   of a trained technique with the best cheaper one, on valid rows
                 role: "pretrained" | "scratch" | "classical" | "majority"; status: "done" | "skipped" | "failed"
    best         {backbone, technique, cut, role, params, averaged_with: ["technique on backbone", ...]}
    test         Score of what ships, through the served path; of an adaptation, of the source's own model: source_only
    adaptation   {} for a run; for an adaptation {decision: "adapted"|"declined", method, why, source_only: Score on
                 held-out source rows, shipped, estimate, low, high (guessed accuracy on the target),
                 estimate_off (mean error of such guesses in the benchmark), votes: [{method,
                 validator, floor, value, noise, says}], shift, rows, changed, agreement, scored: with --score-target
                 {shipped: Score, source_only: Score, gain, low, high, column, without (rows)} or {why} it could not be,
                 source_free: true without source rows (then shift is {mean, mean_p, spread, spread_p, kinds, ...}),
                 target: {notes, skipped} of its rows,
                 labels: with --target-labels {method, apart, better, asked, wins, losses, evidence, against, level,
                 words}}
    repair       {} for a run; for a repair {decision: "repaired"|"refused", finding, attribute (null: groups were
                 guessed), method, why, table: [{method, worst, balanced, mean, gain, low, high, doubt, worst_gain,
                 cost}] on rows that were held out, before and after: {overall: Score, worst: Score,
                 groups: [{group, rows, value}]} on test rows, gain and worst_gain: {value, low, high} on test rows,
                 seconds}
    verdict      {helped: true|false|null, gain, low, high, words, against: [{role, name, gain, low, high}],
                  classes: [{class, rows, gain (points of its rows), p (sign test, adjusted for their number)}],
                  where (the classes that stand out, in words, or ""): both where a row has one class,
                  unseen: {helped, gain, low, high, words} | null}   with domains: pre-training on held-out domains
    domains      {} without --domain; else {column, technique, backbone (what ships), how, words, worst,
                  each: [{name, rows, away: Score | null (the domain held out entirely), home: Score | null (rows of it
                  that the fit left out), gap: {gain, low, high} | null (away minus home, points, same rows), why (it
                  was not held out, else "")}],
                  together (what ships says of a row depends on the others: predict rows of one domain at a time),
                  unseen: {metric, value (mean of the held-out domains), spread (their deviation), low, high (the
                  worst and the best of them), domains}}
    findings     [{code, title, severity: "info"|"warning"|"serious", evidence: {...}, do}]
    unchecked    [[check, why]]   checks that could not look at this data
    environment  {python, torch, cpu, threads, device}

Score: {metric, value, low, high, rows}.

evidence.json, version 1 (keys that do not apply are absent):

    confusion    {classes, counts: [[int]]}                  label: rows are true classes
    scatter      {true: [..], predicted: [..]}               number
    calibration  {bins: [{confidence, accuracy, rows}], ece, ece_before, temperature}
    curve        {words, points: [{labels, role, value, low, high}]}   test metric against number of labels
    mistakes     [{row, true, predicted, confidence, text, picture,
                   neighbours: [{row, label, similarity, text, picture}], explanation: Explanation}]   the last where
                   there was time
    confused     [{true, said, rows, explained, pulls: [[word or column, mean weight, rows]], picture, pictures, where}]
    unexplained  why not all mistakes are explained
    map          {x, y, label, split, wrong, name}           two-dimensional view of the activations; parallel lists

Explanation: {way, toward, against, score, base, missed, heat, picture, where, words, columns, note}, see
`headstart.explain.explainer.Explanation`.

`picture` is a data: URI (JPEG thumbnail) or null; `text` is the raw text, cut at 600 characters, or null: escape it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from headstart.errors import ModelError

VERSION = 1


@dataclass
class Result:
    """What a run found; the fields are those of `result.json`, described at the top of this file."""

    command: str = ""
    headstart: str = ""
    created: str = ""
    plan: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    shortlist: list[dict[str, Any]] = field(default_factory=list)
    forecast: dict[str, Any] = field(default_factory=dict)
    trials: list[dict[str, Any]] = field(default_factory=list)
    best: dict[str, Any] = field(default_factory=dict)
    test: dict[str, Any] = field(default_factory=dict)
    verdict: dict[str, Any] = field(default_factory=dict)
    adaptation: dict[str, Any] = field(default_factory=dict)
    domains: dict[str, Any] = field(default_factory=dict)
    repair: dict[str, Any] = field(default_factory=dict)
    findings: list[dict[str, Any]] = field(default_factory=list)
    unchecked: list[list[str]] = field(default_factory=list)
    environment: dict[str, Any] = field(default_factory=dict)
    stages: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    version: int = VERSION

    def save(self, folder: Path) -> None:
        """Write `result.json` whole or not at all."""
        write_json(folder / "result.json", asdict(self))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read `result.json` of a run folder."""
        path = folder / "result.json"
        if not path.exists():
            raise ModelError(
                f"no result.json in {folder}",
                expected="the folder of a finished run",
                do="check the path, or finish the run with --resume",
            )
        raw = read_json(path)
        if raw.get("version", 0) > VERSION:
            raise ModelError(
                f"{path} is of version {raw['version']}", expected=f"at most {VERSION}", do="update headstart"
            )
        with damage(path):
            return cls(**raw)


def write_page(folder: str | Path, name: str, told: dict[str, Any], page: Callable[[dict[str, Any]], str]) -> Path:
    """Write what is told as JSON, and the page that shows it, under one name into a folder, and return the folder."""
    home = Path(folder)
    write_json(home / f"{name}.json", told)
    (home / f"{name}.html").write_text(page(told), encoding="utf-8")
    return home


@contextmanager
def damage(path: Path) -> Iterator[None]:
    """Whatever goes wrong while a saved file is understood, as a ModelError that names it."""
    try:
        yield
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ModelError(
            f"{path} is damaged ({error})", expected="the file as headstart wrote it", do="copy the folder again"
        ) from error


def read_json(path: Path) -> dict[str, Any]:
    """An object that `write_json` wrote; ModelError where it is none."""
    with damage(path):
        return dict(json.loads(path.read_text(encoding="utf-8")))


def write_json(path: Path, value: Any) -> None:
    """Write JSON under a temporary name, then rename: a reader sees the old file or the new one, never half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False), encoding="utf-8")
    os.replace(temporary, path)
