"""Without source rows, on real domain pairs: every way, the guard, and following the input while predicting.

    python -m benchmarks.source_free --seed 0

The shifts are those of `benchmarks.adaptation`: at most 600 source rows, a quarter of them held out, and 600 target
rows. A line a shift as JSON, and the tables at the end. Following is also tried on other rows of the source's own
domain, in a random order and sorted by class.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.adaptation import HELD, ROWS, Domain, groups
from headstart import _discover
from headstart._methods import FLOOR, HEAD, vectors
from headstart.adaptation._online import Online
from headstart.adaptation._source import Source
from headstart.audit._moved import moved
from headstart.errors import NotApplicable
from headstart.selection.calibration import temperature
from headstart.selection.contender import make
from headstart.selection.guard import guard
from headstart.selection.validators._base import Outlook
from headstart.source_free import AGREE, FLOORS, VOTERS, Ready, ready, refit
from headstart.techniques._linear import slopes


def split(source: Domain, target: Domain, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions of train and held source rows and of target rows; rows of one key never stand on both sides."""
    rng = np.random.default_rng(seed)
    keys = rng.permutation(np.unique(np.concatenate([source[2], target[2]])))
    shared = bool(set(source[2]) & set(target[2]))
    mine = np.isin(source[2], keys[: len(keys) // 2]) if shared else np.ones(len(source[2]), bool)
    here = rng.permutation(np.flatnonzero(mine))[:ROWS]
    there = rng.permutation(np.flatnonzero(~np.isin(target[2], source[2][here])))[:ROWS]
    held, train = np.split(here, [int(HELD * len(here))])
    return train, held, there


def model(X: np.ndarray, y: np.ndarray, held: np.ndarray, held_y: np.ndarray) -> tuple[Ready, Source]:
    classes = int(max(y.max(), held_y.max())) + 1
    base = Ready(None, make(HEAD).fit(vectors(X), y), 1.0, classes, is_new=False)
    base = Ready(None, base.head, temperature(base(held), held_y), classes, is_new=False)
    source = Source.of(X, y, base(held), held_y, {})
    assert source is not None
    return base, source


def follow(base: Ready, source: Source, Z: np.ndarray, y: np.ndarray) -> float:
    """Points that following the rows gains."""
    online = Online(source, base, slopes(base.head))
    return 100 * float((online(Z).argmax(1) == y).mean() - (base(Z).argmax(1) == y).mean())


def cell(source: Domain, target: Domain, seed: int) -> dict[str, Any]:
    """One shift: gains in points over the model as it is."""
    train, held, there = split(source, target, seed)
    base, summary = model(source[0][train], source[1][train], source[0][held], source[1][held])
    Z, y = target[0][there], target[1][there]
    menu = {}
    for name in _discover.names(FLOORS):
        try:
            menu[name] = ready(name, base, Z, summary)
        except NotApplicable as error:
            print(f"{name}: {error}")
    made, codes = summary.draw(len(Z), seed)
    looks = {
        n: Outlook(made, codes, c(made), made, codes, Z, c(Z), refit(n, base.classes), seed)
        for n, c in (menu | {FLOOR: base}).items()
    }
    floor = looks.pop(FLOOR)
    seen, decision = moved(summary, Z, floor.told, seed=seed), guard(floor, looks, voters=VOTERS, agree=AGREE)
    right = float((floor.told.argmax(1) == y).mean())
    gains = {n: 100 * (float((o.told.argmax(1) == y).mean()) - right) for n, o in looks.items()}
    return {
        "floor": right, "gains": gains, "is_shift": seen.is_shift, "method": decision.method,
        "guard": gains[decision.method] if decision.method and seen.is_shift else 0.0,
        "follow": follow(base, summary, Z, y),
    }  # fmt: skip


def at_home(domain: Domain, seed: int) -> dict[str, float]:
    """What following gains or costs where nothing shifted, in a random order and sorted by class."""
    train, held, there = split(domain, domain, seed)
    base, summary = model(domain[0][train], domain[1][train], domain[0][held], domain[1][held])
    Z, y = domain[0][there], domain[1][there]
    by_class = np.argsort(y, kind="stable")
    return {"at home": follow(base, summary, Z, y), "sorted": follow(base, summary, Z[by_class], y[by_class])}


def results(seed: int) -> Iterator[dict[str, Any]]:
    for task, domains in groups():
        for name, own in domains.items():
            yield {"task": task, "source": name, **at_home(own, seed)}
            for other in (n for n in domains if n != name):
                yield {"task": task, "source": name, "target": other, **cell(own, domains[other], seed)}


def table(rows: list[dict[str, Any]]) -> str:
    """Mean gain, share harmed by more than half a point, and the worst, of everything."""
    shifts, homes = [r for r in rows if "target" in r], [r for r in rows if "target" not in r]
    found = {n: [r["gains"][n] for r in shifts if n in r["gains"]] for n in _discover.names(FLOORS)}
    found |= {
        "guard": [r["guard"] for r in shifts],
        "best in hindsight": [max(0, *r["gains"].values()) for r in shifts],
    }
    found |= {"predict --adapt": [r["follow"] for r in shifts]}
    found |= {f"predict --adapt, {n}": [r[n] for r in homes] for n in ("at home", "sorted")}
    lines = ["| what | over | mean gain | harmed | worst |", "|---|---|---|---|---|"]
    for name, gains in found.items():
        g = np.array(gains)
        lines.append(f"| {name} | {len(g)} | {g.mean():+.1f} | {100 * (g < -0.5).mean():.0f} % | {g.min():+.1f} |")
    adapted = np.mean([bool(r["method"] and r["is_shift"]) for r in shifts])
    return "\n".join([*lines, "", f"The guard adapted in {adapted:.0%} of {len(shifts)} shifts."])


def main() -> None:
    """Measure all, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    rows = []
    for row in results(parser.parse_args().seed):
        rows.append(row)
        print(json.dumps(row), flush=True)
    print(table(rows))


if __name__ == "__main__":
    main()
