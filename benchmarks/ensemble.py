"""Is the mean of cheap models better than the best of them? The race's own rule on real sets, test rows as the judge.

    python -m benchmarks.ensemble --seeds 5 --write docs/benchmarks.md

A cell is a set and a number of labelled rows, split as in `benchmarks.suite`; cheap contenders of a run race, fitted on
train rows alone. "Winner": the one that is best on rows that no fit had seen. "Mean": of all of them, always. "Ships":
the mean where it is as good as the winner on those rows. Intervals are over cells, each the average of its draws.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks._measure import into
from benchmarks.transfer_forecast import CELLS, drawn
from headstart import backbones
from headstart._entries import CLASSICAL
from headstart.activations.store import ActivationStore
from headstart.selection.calibration import apply, temperature
from headstart.selection.contender import contenders
from headstart.selection.ensemble import ensemble, mean
from headstart.selection.metrics import metric_for
from headstart.selection.race import Clock, Field, best, race

HEADS = ("majority", "knn", "prototypes", "ridge", "linear_probe")
NETWORK = {"image": "efficientnet_lite0", "text": "minilm", "table": "minilm"}
MARK = "<!-- ensemble -->"
SAID = ("linear_probe", "winner", "mean", "ships")


def cell(name: str, n: int, seed: int, store: ActivationStore) -> dict[str, float]:
    """The metric on test rows of each of `SAID`, where it can be had, and whether the mean ships."""
    data = drawn(name, n, seed)
    y, kind = data.target, str(data.target_kind)
    assert y is not None
    plain, network = backbones.classical(data.modality), NETWORK[data.modality]
    seen = {b: store.get(backbones.get(b, data), data, {"pooled"})["pooled"] for b in (plain, network)}
    train, valid, test = (data.rows_of(s) for s in ("train", "valid", "test"))
    metric = metric_for(y[train], kind)
    ground = Field(
        lambda c, _: seen[c.backbone], y, train, valid, test, metric, seed=seed, doubted=data.modality == "table"
    )
    entries = contenders(HEADS, network, plain, kind=kind, floor=CLASSICAL[data.modality])
    trials = [t for t in race(entries, ground, Clock(np.inf)) if t.status == "done" and "known" in t.scores]
    winner, known = best(trials, ground), y[ground.known]
    able = [t for t in trials if t.contender.role in ("pretrained", "classical")]
    told = {"winner": winner.scores["test"], "mean": mean([_judged(t.scores, known) for t in able])}
    told |= {t.contender.technique: t.scores["test"] for t in able if t.contender.role == "pretrained"}
    found = ensemble(winner, trials, ground, seconds=np.inf)
    parts = mean([_judged(t.scores, known) for t in (winner, *found.others)])
    told["ships"] = parts if found.others else told["winner"]
    return {k: metric(y[test], told[k]) for k in SAID if k in told} | {"taken": float(bool(found.others))}


def _judged(scores: dict[str, np.ndarray], known: np.ndarray) -> np.ndarray:
    """What a fit says of test rows at the temperature that the rows it was judged by ask for."""
    if np.issubdtype(known.dtype, np.floating):
        return scores["test"]
    return apply(scores["test"], temperature(scores["known"], known))


def table(rows: dict[tuple[str, int], list[dict[str, float]]], command: str) -> str:
    """Cells, and the gains over always shipping the winner, and over the linear probe."""
    lines = [f"Command: `{command}`", "", "| set | n | linear probe | winner | mean | ships | mean taken |"]
    lines.append("|---|---|---|---|---|---|---|")
    each = {c: {k: np.mean([r.get(k, np.nan) for r in rs]) for k in (*SAID, "taken")} for c, rs in rows.items()}
    for (name, n), said in each.items():
        numbers = ("-" if np.isnan(said[k]) else f"{said[k]:.3f}" for k in SAID)
        lines.append(f"| {name} | {n} | {' | '.join(numbers)} | {said['taken']:.0%} |")
    lines += ["", "| what | against | points over cells | worst cell | cells below -1 |", "|---|---|---|---|---|"]
    for what, against in (
        ("mean", "winner"),
        ("ships", "winner"),
        ("winner", "linear_probe"),
        ("ships", "linear_probe"),
    ):
        gain = 100 * np.array([c[what] - c[against] for c in each.values() if not np.isnan(c[against])])
        half = 1.96 * gain.std(ddof=1) / np.sqrt(len(gain))
        lines.append(
            f"| {what} | {against.replace('_', ' ')} | {gain.mean():+.2f} ± {half:.2f} | {gain.min():+.1f} |"
            f" {int((gain < -1).sum())} of {len(gain)} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--write", type=Path, help="page whose marked table is replaced")
    a = parser.parse_args()
    store, rows = ActivationStore(), {}
    for name, sizes in CELLS.items():
        for n in sizes if not name.startswith("shuffled") else ():
            rows[name, n] = [cell(name, n, seed, store) for seed in range(a.seeds)]
            print(
                name,
                n,
                {k: round(float(np.mean([r.get(k, np.nan) for r in rows[name, n]])), 3) for k in SAID},
                flush=True,
            )
    text = table(rows, f"python -m benchmarks.ensemble --seeds {a.seeds}")
    print(text)
    if a.write:
        into(a.write, MARK, text)


if __name__ == "__main__":
    main()
