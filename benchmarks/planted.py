"""Faults planted in real data: how many are found, how often clean data are accused, what a repair wins back.

    python -m benchmarks.planted --seeds 3 --keep benchmarks/planted.jsonl --write docs/benchmarks.md

A planting marks rows of a real set (a word in texts, a red corner in pictures, the hospital of patients) so that the
mark goes with the class in 80, 90 or 97 % of the rows, and trains a head on them; a clean control marks as many rows
at random. Rows are drawn anew for each seed. A planted slice is a fifth of the rows, marked, whose labels are wrong in
25, 35 or 50 %; it counts as found where eight of ten of the most typical rows of a slice that is told are of it. What a
repair wins back is measured on other rows, marked at random.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from tests.made.plants import STRENGTHS, TOKEN, flipped, marked

from benchmarks._measure import into
from benchmarks._planted import Ground, heart, pictures, texts
from headstart import _discover
from headstart.audit._base import Evidence, audit
from headstart.audit.repair._base import Task
from headstart.audit.repair._compete import by_group, compete
from headstart.audit.repair._head import Space
from headstart.audit.words import has
from headstart.techniques._linear import Scaler, class_weights, logistic, softmax

MARK = "<!-- planted -->"
FREE = 0.3  # rows that no planting touches: marked at random, to measure repairs on


def grounds() -> Iterator[Ground]:
    """The real sets."""
    yield texts("reviews")
    yield texts("tweets")
    yield pictures("emoji", ("animals-nature",), ("food-drink", "objects"))
    yield pictures("fashion", ("pullover",), ("shirt",))
    yield heart()


def plain_head(X: np.ndarray, y: np.ndarray, ask: np.ndarray) -> np.ndarray:
    """What the linear probe says of other rows."""
    scaler = Scaler.of(X)
    coef, intercept, _ = logistic(scaler(X), y, class_weights(y), (3e-4, 3e-3, 3e-2, 0.3), 0)
    logits = scaler(ask) @ coef + intercept
    return softmax(np.c_[np.zeros(len(logits)), logits] if logits.shape[1] == 1 else logits)


def planted(ground: Ground, share: float, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """(rows, X, marks) of a planting; a real attribute goes with the class after rows were dropped."""
    order = rng.permutation(len(ground.y))
    if ground.other is None:
        mark = marked(ground.y, share, rng)
        X = np.where(mark[:, None] == 1, ground.marked, ground.plain)
        return order, X, mark
    agree = ground.other == ground.y
    most = min(agree.sum() / share, (~agree).sum() / (1 - share))
    kept = [rng.permutation(np.flatnonzero(s))[: round(most * w)] for s, w in ((agree, share), (~agree, 1 - share))]
    order = rng.permutation(np.concatenate(kept))
    return order, ground.plain, ground.other


def evidence(
    ground: Ground, X: np.ndarray, mark: np.ndarray, y: np.ndarray, order: np.ndarray, *, named: bool = True
) -> Evidence:
    """The rows in `order` as a run would show them to the checks, with a plain head's answers."""
    train, test = order[: int(0.7 * len(order))], order[int(0.7 * len(order)) :]
    split = np.repeat(["train", "test"], [len(train), len(test)])
    split[int(0.8 * len(train)) : len(train)] = "valid"
    scores = plain_head(X[train], y[train], X[test])
    rows: list[Any] = []
    if ground.modality == "text":
        rows = [ground.rows[int(mark[i])][i] for i in order]
    return Evidence(
        modality=ground.modality, kind="label", classes=("no", "yes"), target=y[order], split=split, values=X[order],
        scores=scores, columns={"mark": mark[order].astype(str)} if named else {},
        attributes=("mark",) if named else (), rows=rows, names=order.astype(str),
    )  # fmt: skip


def shortcuts(ground: Ground, seed: int) -> Iterator[dict[str, Any]]:
    """Marks at all strengths, and marks that say nothing."""
    for kind, share in {"clean": 0.5, **STRENGTHS}.items():
        rng = np.random.default_rng([seed, int(1000 * share)])
        order, X, mark = planted(ground, share, rng)
        free, order = order[: int(FREE * len(order))], order[int(FREE * len(order)) :]
        if ground.other is not None:
            free = np.setdiff1d(np.arange(len(ground.y)), order)
        found, _ = audit(evidence(ground, X, mark, ground.y, order), ("shortcut",))
        row = {"plant": "shortcut", "kind": kind, "found": bool(found), "codes": [f.code for f in found]}
        yield row | _repaired(ground, X, mark, order, free, rng)
        hidden = evidence(ground, X, mark, ground.y, order, named=False)
        if ground.modality == "text":
            codes = [f.code for f in audit(hidden, ("words",))[0]]
            hit = f"words:{TOKEN}" in codes if kind != "clean" else bool(codes)
            yield {"plant": "word", "kind": kind, "found": hit, "codes": codes}
        said, _ = audit(hidden, ("slices",))
        true = mark[order] != ground.y[order]
        hit = any(_hits(f, hidden, true) for f in said) if kind != "clean" else bool(said)
        yield {"plant": "shortcut as a slice", "kind": kind, "found": hit, "codes": [f.code for f in said]}


def slices(ground: Ground, seed: int) -> Iterator[dict[str, Any]]:
    """A kind of rows, a fifth of all and marked but not named, many of whose labels are wrong."""
    for kind, share in {"clean": 0.0, "weak": 0.25, "middle": 0.35, "strong": 0.5}.items():
        rng = np.random.default_rng([seed, int(1000 * share), 1])
        mark = (rng.random(len(ground.y)) < 0.2).astype(int) if ground.other is None else ground.other
        X = np.where(mark[:, None] == 1, ground.marked, ground.plain)
        y = np.where((mark == 1) & (rng.random(len(mark)) < share), 1 - ground.y, ground.y)
        order = rng.permutation(len(y))
        seen = evidence(ground, X, mark, y, order, named=False)
        said, _ = audit(seen, ("slices",))
        hit = any(_hits(f, seen, mark[order] == 1) for f in said) if share else bool(said)
        yield {"plant": "slice", "kind": kind, "found": hit, "codes": [f.code for f in said]}


def labels(ground: Ground, seed: int) -> Iterator[dict[str, Any]]:
    """Flipped labels, where there is a check for them."""
    for kind, share in {"clean": 0.0, "weak": 0.05, "middle": 0.1, "strong": 0.2}.items():
        rng = np.random.default_rng([seed, int(1000 * share)])
        y, _ = flipped(ground.y, share, rng)
        order = rng.permutation(len(y))
        found, _ = audit(evidence(ground, ground.plain, ground.y * 0, y, order, named=False), ("label_errors",))
        yield {"plant": "labels", "kind": kind, "found": bool(found), "codes": [f.code for f in found]}


def _hits(finding: Any, seen: Evidence, true: np.ndarray) -> bool:
    """Whether at least eight in ten of the most typical test rows of a slice are of the planted one."""
    assert seen.names is not None
    place = {name: i for i, name in enumerate(seen.names)}
    return float(np.mean([true[place[name]] for name in finding.evidence["examples"]])) >= 0.8


def _repaired(
    ground: Ground, X: np.ndarray, mark: np.ndarray, order: np.ndarray, free: np.ndarray, rng: np.random.Generator
) -> dict[str, Any]:
    """Worst group on rows marked at random: plain, DFR that knows the marks, and what each way to groups ships."""
    y = ground.y
    if ground.other is None:
        new = rng.integers(0, 2, len(free))
        Z = np.where(new[:, None] == 1, ground.marked[free], ground.plain[free])
    else:
        new, Z = ground.other[free], X[free]

    def worst(said: np.ndarray) -> float:
        return float(by_group((said.argmax(1) == y[free]).astype(float), y[free] * 2 + new)[0][0])

    space = Space.of(X[order])
    dfr = _discover.load("audit.repair", "dfr")()(Task(space(X[order]), y[order], mark[order], 2, seed=0))
    out: dict[str, Any] = {
        "plain": worst(plain_head(X[order], y[order], Z)), "oracle_dfr": {"worst": worst(dfr(space(Z)))}
    }  # fmt: skip
    ways = {"with": mark[order], "without": None}
    if ground.modality == "text":
        ways["from_finding"] = has([ground.rows[int(mark[i])][i] for i in order], TOKEN)
    for name, levels in ways.items():
        start = time.process_time()
        decision = compete(X[order], y[order], levels)
        won = worst(decision.head(decision.space(Z))) if decision.head is not None else out["plain"]
        out[name] = {"worst": won, "method": decision.method, "seconds": time.process_time() - start}
    return out


PLANTS: tuple[Callable[[Ground, int], Iterator[dict[str, Any]]], ...] = (
    (shortcuts, slices, labels) if "label_errors" in _discover.names("audit") else (shortcuts, slices)
)


def table(rows: list[dict[str, Any]], command: str) -> str:
    """What was found, and what was won back."""
    lines = [
        f"Command: `{command}`", "",
        "| planted | plantings | found | weak | middle | strong | clean controls | false alarms |",
        "|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for plant in dict.fromkeys(r["plant"] for r in rows):
        lines.append(f"| {plant} | {_found([r for r in rows if r['plant'] == plant])} |")
    harmed = [r for r in rows if r["plant"] == "shortcut" and (r["kind"] == "clean" or _costs(r))]
    lines.append(f"| shortcut that costs five points | {_found(harmed)} |")
    lines += [
        "",
        "| set | mark goes with the class | plain | DFR, marks known | best, marks known | best, groups guessed |"
        " best, groups by the word found | CPU s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    mended = [r for r in rows if "oracle_dfr" in r and r["kind"] != "clean"]
    for name in [*dict.fromkeys(r["set"] for r in mended), "all"]:
        for kind, share in {**STRENGTHS, "all": None}.items():
            own = [r for r in mended if name in (r["set"], "all") and kind in (r["kind"], "all")]
            if own and (name == "all") == (kind == "all"):
                lines.append(f"| {name} | {'all' if share is None else f'{100 * share:.0f} %'} | {_won(own)} |")
    clean = [r for r in rows if "oracle_dfr" in r and r["kind"] == "clean"]
    taken, blind = (sum(bool(r[way]["method"]) for r in clean) for way in ("with", "without"))
    change = 100 * np.mean([r["with"]["worst"] - r["plain"] for r in clean])
    lines += [
        "",
        f"Clean controls: of {len(clean)} repairs that nothing called for, {taken} were taken with marks known (the"
        f" worst group changed by {change:+.1f} points on average) and {blind} with groups guessed.",
    ]
    return "\n".join(lines)


def _costs(row: dict[str, Any]) -> bool:
    """Whether the worst group of rows marked at random is five points worse than where DFR knows the marks."""
    return bool(row["oracle_dfr"]["worst"] - row["plain"] >= 0.05)


def _found(own: list[dict[str, Any]]) -> str:
    """Cells: how many, which share was found in all and by strength, clean controls and alarms among them."""
    bad, clean = [r for r in own if r["kind"] != "clean"], [r for r in own if r["kind"] == "clean"]
    by = [_share(r for r in bad if r["kind"] == kind) for kind in STRENGTHS]
    return f"{len(bad)} | {_share(bad)} | {' | '.join(by)} | {len(clean)} | {_share(clean)}"


def _won(own: list[dict[str, Any]]) -> str:
    """Cells: worst group plain, by DFR, and by each way to groups with its share of DFR's gain; the slowest."""
    cells = [f"{np.mean([r['plain'] for r in own]):.3f}", f"{np.mean([r['oracle_dfr']['worst'] for r in own]):.3f}"]
    for way in ("with", "without", "from_finding"):
        some = [r for r in own if way in r]
        won, most = (sum(r[w]["worst"] - r["plain"] for r in some) for w in (way, "oracle_dfr"))
        share = f" ({100 * won / most:.0f} %)" if some and most > 0.02 * len(some) else ""
        cells.append(f"{np.mean([r[way]['worst'] for r in some]):.3f}{share}" if some else "")
    return " | ".join([*cells, f"{max(r['without']['seconds'] for r in own):.1f}"])


def _share(rows: Any) -> str:
    rows = list(rows)
    return f"{100 * np.mean([r['found'] for r in rows]):.0f} %" if rows else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="file of finished plantings: what is in it is not run again")
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    kept = options.keep.read_text(encoding="utf-8").splitlines() if options.keep and options.keep.exists() else []
    rows = [json.loads(line) for line in kept]
    known = {(r["set"], r["seed"], r["step"]) for r in rows}
    for ground in grounds():
        for seed in range(options.seeds):
            for plant in PLANTS:
                step = plant.__name__
                if (ground.name, seed, step) in known:
                    continue
                new = [{"set": ground.name, "seed": seed, "step": step, **row} for row in plant(ground, seed)]
                rows += new
                print(ground.name, seed, *(f"{r['plant']}/{r['kind']}:{r['found']:d}" for r in new), flush=True)
                if options.keep:
                    with options.keep.open("a", encoding="utf-8") as file:
                        file.writelines(json.dumps(row) + "\n" for row in new)
    text = table(rows, f"python -m benchmarks.planted --seeds {options.seeds}")
    print(text)
    if options.write:
        into(options.write, MARK, text)


if __name__ == "__main__":
    main()
