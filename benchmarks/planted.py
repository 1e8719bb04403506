"""Faults planted in real data: how many are found, how often clean data are accused, what a repair wins back.

    python -m benchmarks.planted --seeds 3 --keep benchmarks/planted.jsonl --write docs/benchmarks.md

A planting marks rows of a real set (a word in texts, a red corner in pictures, the hospital of patients) so that the
mark goes with the class in 80, 90 or 97 % of the rows, and trains a head on them; a clean control marks as many rows
at random. Rows are drawn anew for each seed. A planted slice is a fifth of the rows, marked, whose labels are wrong in
25, 35 or 50 %; it counts as found where eight of ten of the most typical rows of a slice that is told are of it. What a
repair wins back is measured on other rows, marked at random. "Groups by what was found" are of marks that nobody named:
the word, or the class for which a corner or the border speaks alone; where nothing was found, nothing is won back.
Labels of 5, 10 or 20 % of the rows are flipped; 5, 10 or 20 % of the patients come twice (clean: strangers of one
name); a group keeps 30, 10 or 3 % of its labels to learn from, and all of its test rows (clean: a group by chance that
keeps them all).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from tests.made.plants import STRENGTHS

from benchmarks._measure import into
from benchmarks._planted import Ground, heart, joined, pictures, texts
from benchmarks._plantings import groups, labels, owners, shortcuts, slices

MARK = "<!-- planted -->"
WAYS = ("with", "without", "from_finding")  # to the groups: marks known, guessed, or as a check found them
Plant = Callable[[Ground, int], Iterator[dict[str, Any]]]


def grounds() -> Iterator[tuple[Ground, tuple[Plant, ...]]]:
    """The real sets, and what is planted in them."""
    reviews, tweets = texts("reviews"), texts("tweets")
    alone = (shortcuts, slices, labels, owners)
    yield reviews, alone
    yield tweets, alone
    yield pictures("emoji", ("animals-nature",), ("food-drink", "objects")), alone
    yield pictures("fashion", ("pullover",), ("shirt",)), alone
    yield heart(), (*alone, groups)
    yield joined(reviews, tweets), (groups,)
    yield joined(tweets, reviews), (groups,)


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
    told = [{**r, "found": r.get("told", r["found"])} for r in rows]
    lines.append(f"| shortcut, found or not ruled out | {_found([r for r in told if 'told' in r])} |")
    behind = [{**r, "found": "group_gaps:group" in r["codes"]} for r in rows if "gap" in r]
    lines.append(f"| group with fewer labels, said to fare worse or otherwise | {_found(behind)} |")
    apart = [r for r in behind if r["kind"] == "clean" or r["gap"] >= 0.1]
    lines.append(f"| group with fewer labels, ten points behind, said to fare so | {_found(apart)} |")
    whole = [r for r in told if "slice" not in r["plant"]]
    lines.append(f"| all but slices, shortcuts found or not ruled out | {_found(whole)} |")
    lines += [
        "",
        "| set | mark goes with the class | plain | DFR, marks known | best, marks known | best, groups guessed |"
        " best, groups by what was found | CPU s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    mended = [r for r in rows if "oracle_dfr" in r and r["kind"] != "clean"]
    for name in [*dict.fromkeys(r["set"] for r in mended), "all"]:
        for kind, share in {**STRENGTHS, "all": None}.items():
            own = [r for r in mended if name in (r["set"], "all") and kind in (r["kind"], "all")]
            if own and (name == "all") == (kind == "all"):
                lines.append(f"| {name} | {'all' if share is None else f'{100 * share:.0f} %'} | {_won(own)} |")
    clean = [r for r in rows if "oracle_dfr" in r and r["kind"] == "clean"]
    taken, blind, own = (sum(bool(r[way]["method"]) for r in clean if way in r) for way in WAYS)
    change = 100 * np.mean([r["with"]["worst"] - r["plain"] for r in clean])
    lines += [
        "",
        f"Clean controls: of {len(clean)} repairs that nothing called for, {taken} were taken with marks known (the"
        f" worst group changed by {change:+.1f} points on average), {blind} with groups guessed, {own} by"
        " what was found.",
    ]
    return "\n".join(lines)


def _costs(row: dict[str, Any]) -> bool:
    """Whether the mark of the other class makes five points of the same rows wrong.

    Where it cannot be exchanged: whether the worst group of rows marked at random is so much worse than where DFR knows
    the marks.
    """
    if "swapped" in row:
        return bool(row["as_usual"] - row["swapped"] >= 0.05)
    return bool(row["oracle_dfr"]["worst"] - row["plain"] >= 0.05)


def _found(own: list[dict[str, Any]]) -> str:
    """Cells: how many, which share was found in all and by strength, clean controls and alarms among them."""
    bad, clean = [r for r in own if r["kind"] != "clean"], [r for r in own if r["kind"] == "clean"]
    by = [_share(r for r in bad if r["kind"] == kind) for kind in STRENGTHS]
    return f"{len(bad)} | {_share(bad)} | {' | '.join(by)} | {len(clean)} | {_share(clean)}"


def _won(own: list[dict[str, Any]]) -> str:
    """Cells: worst group plain, by DFR, and by each way to groups with its share of DFR's gain; the slowest."""
    cells = [f"{np.mean([r['plain'] for r in own]):.3f}", f"{np.mean([r['oracle_dfr']['worst'] for r in own]):.3f}"]
    for way in WAYS:
        some = [r for r in own if way in r]
        won, most = (sum(r[w]["worst"] - r["plain"] for r in some) for w in (way, "oracle_dfr"))
        share = f" ({100 * won / most:.0f} %)" if some and most > 0.02 * len(some) else ""
        cells.append(f"{np.mean([r[way]['worst'] for r in some]):.3f}{share}" if some else "")
    return " | ".join([*cells, f"{max(r[w]['seconds'] for r in own for w in WAYS if w in r):.1f}"])


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
    for ground, plants in grounds():
        for seed in range(options.seeds):
            for plant in plants:
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
