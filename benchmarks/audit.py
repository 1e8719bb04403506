"""How often each check speaks where nothing is wrong, and where a fault of three strengths was planted; and its time.

python -m benchmarks.audit [DATA SETS]
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

from tests.made import faults

from headstart.audit._base import Evidence, audit

CLEAN = ({"rows": 200, "dims": 10}, {"rows": 600, "classes": 4, "dims": 20}, {"rows": 300, "dims": 384})
FOUND = 20  # data sets a strength
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


if __name__ == "__main__":
    for line in lines(int(sys.argv[1]) if len(sys.argv) > 1 else 200):
        print(line, flush=True)
