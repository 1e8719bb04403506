"""How often each check speaks where nothing is wrong, and where a fault of three strengths was planted; and its time.

python -m benchmarks.audit [DATA SETS]
python -m benchmarks.audit labels     # labels of real sets, a share of them made wrong
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from tests.made import faults

from headstart import backbones
from headstart.activations.store import ActivationStore
from headstart.audit._base import Evidence, audit
from headstart.data.dataset import SPLITS
from headstart.data.read import read

CLEAN = ({"rows": 200, "dims": 10}, {"rows": 600, "classes": 4, "dims": 20}, {"rows": 300, "dims": 384})
FOUND = 20  # data sets a strength
KEPT = (720, 240, 240)  # rows of a real set
PLANTED: dict[str, Callable[[Evidence, str], Evidence]] = {
    "calibration:ece": faults.too_sure,
    "conformal:coverage": faults.moved_scores,
    "drift:shift": faults.moved_test,
    "group_gaps:sex": faults.worse_for_one_group,
    "label_errors:lapses": faults.wrong_labels,
    "leakage:column": faults.told_column,
    "leakage:metadata": faults.longer_texts_of_one_class,
    "leakage:owners": faults.alike_owners,
    "missing_classes:never_said": faults.silent_class,
    "ood:far": faults.moved_test,
    "outliers:rows": faults.strange_rows,
}


def codes(made: Evidence, check: str) -> set[str]:
    return {f.code for f in audit(made, (check,))[0]}


def speaks(code: str, said: str) -> bool:
    """Whether a finding is this one; a gap of any attribute counts, the table of one without a gap does not."""
    return said == code or (code.startswith("group_gaps") and ":none:" not in said)


def lines(sets: int) -> Iterator[str]:
    yield f"Command: `python -m benchmarks.audit {sets}`\n"
    head = "| finding | of clean data sets | weak | plain | blatant | s for 2,000 x 384 |"
    yield f"{head}\n|---|---|---|---|---|---|"
    large = replace(faults.clean(0, 2000, dims=384), own_split=True)
    for code, plant in PLANTED.items():
        check = code.partition(":")[0]
        alarms: Counter[bool] = Counter()
        for seed in range(sets):
            for shape in CLEAN:
                made = replace(faults.clean(seed, **shape), own_split=check == "drift")
                alarms[any(speaks(code, said) for said in codes(made, check))] += 1
        found = [
            sum(code in codes(plant(faults.clean(1000 + seed, 900), strength), check) for seed in range(FOUND))
            for strength in faults.STRENGTHS
        ]
        start = time.process_time()
        codes(large, check)
        took = time.process_time() - start
        shares = " | ".join(f"{n}/{FOUND}" for n in found)
        yield f"| `{code}` | {alarms[True]}/{alarms.total()} | {shares} | {took:.2f} |"


def flipped() -> Iterator[str]:
    yield "Command: `python -m benchmarks.audit labels`\n"
    yield "| set | made wrong | estimated | rows named | wrong among the first 50 |\n|---|---|---|---|---|"
    store = ActivationStore()
    for name in ("cancer", "heart", "compas", "reviews", "emoji", "fashion", "newsgroups"):
        data = read(f"sample:{name}")
        data = data.take(np.sort(np.concatenate([data.sample(s, n) for s, n in zip(SPLITS, KEPT, strict=True)])))
        known = backbones.candidates(data.modality) if data.modality != "table" else []
        backbone = backbones.get(known[0]) if known else backbones.get("columns", data)
        values = np.asarray(store.get(backbone, data, {"pooled"})["pooled"])
        for share in (0.0, 0.05, 0.1, 0.2):
            rng = np.random.default_rng(0)
            wrong = rng.random(len(data)) < share
            other = (data.target + rng.integers(1, len(data.classes), len(data))) % len(data.classes)
            made = Evidence(
                modality=data.modality, kind="label", classes=data.classes, target=np.where(wrong, other, data.target),
                split=data.split, values=values, scores=np.empty((0, len(data.classes))),
            )  # fmt: skip
            found, _ = audit(made, ("label_errors",))
            if not found:
                yield f"| {name} | {share:.0%} | nothing was said | | |"
                continue
            told = found[0].evidence
            right = wrong[[s["position"] for s in told["suspects"]]].mean()
            yield f"| {name} | {share:.0%} | {told['share']:.1%} | {told['rows']} | {right:.0%} |"


if __name__ == "__main__":
    word = sys.argv[1] if len(sys.argv) > 1 else "200"
    for line in flipped() if word == "labels" else lines(int(word)):
        print(line, flush=True)
