"""What it costs to adapt: every shallow method, the tests of a shift, the guard's votes and the guess, stage by stage.

    python -m benchmarks.adaptation_cost --write docs/benchmarks.md

2,000 labelled tweets and as many movie reviews without labels, 384 columns of MiniLM each; 500 more tweets are held
out. The features are read before the clock starts, as they are in a run.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks._measure import into
from benchmarks.adaptation import features
from headstart._methods import FLOOR, candidates, guess
from headstart._threads import threads
from headstart.audit._shift import shift
from headstart.data import samples
from headstart.selection.guard import guard

ROWS, HELD = 2000, 500
MARK = "<!-- adaptation cost -->"


def domain(name: str, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, 384) and codes of a sentiment set."""
    frame = pd.read_csv(samples.pull(name)).sample(rows, random_state=0)
    codes = np.unique(frame.iloc[:, 1], return_inverse=True)[1]
    return features("minilm", frame.iloc[:, 0].astype(str).tolist(), "text"), codes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    (X, y), (Z, _) = domain("tweets", ROWS + HELD), domain("movies", ROWS)
    clocks = [(time.monotonic(), time.process_time())]

    def lap() -> None:
        clocks.append((time.monotonic(), time.process_time()))

    menu = candidates(X[HELD:], y[HELD:], X[:HELD], y[:HELD], Z)
    lap()
    floor = menu[FLOOR]
    shift(X[HELD:], Z, floor.outlook.told, y[HELD:])
    lap()
    decision = guard(floor.outlook, {n: c.outlook for n, c in menu.items() if n != FLOOR})
    lap()
    guess(menu[decision.method or FLOOR], floor, menu)
    lap()
    stages = (f"{len(menu)} candidates fitted", "is there a shift?", "the guard", "the guess of the accuracy", "all")
    laps = np.vstack([np.diff(clocks, axis=0), np.subtract(clocks[-1], clocks[0])])
    lines = [
        f"Command: `python -m benchmarks.adaptation_cost`, {threads()} threads", "",
        "| stage | seconds | CPU seconds |", "|---|---|---|",
        *(f"| {words} | {wall:.1f} | {spent:.1f} |" for words, (wall, spent) in zip(stages, laps, strict=True)),
    ]  # fmt: skip
    print("\n".join(lines))
    if options.write:
        into(options.write, MARK, "\n".join(lines))


if __name__ == "__main__":
    main()
