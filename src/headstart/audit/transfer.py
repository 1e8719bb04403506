"""Is the task far from what the pre-trained network knows?"""

from __future__ import annotations

import numpy as np

from headstart.audit._base import Check, Evidence, Finding
from headstart.audit._held_out import left_out_right
from headstart.errors import NotApplicable

DRAWS = 1000


class Transfer(Check):
    """On training rows alone: does a head on the pre-trained network beat one on it untrained?

    Use it to see whether it is the pre-training, and not the network's shape, that has something to give: held-out
    accuracy of two ridge heads on at most `rows` training rows, one on the network's activations, one on those of the
    same network with random weights. It speaks ("info") where the 95 % interval of the difference does not lie above
    zero. Silent where pre-training plainly helps. What the verdict will be is told before the race by the run's
    forecast, which faces the classical baseline: over many sets, this comparison, LEEP, NCE and centred kernel
    alignment added nothing to it. (The comparison is that of Kornblith et al., Do better ImageNet models transfer
    better?, CVPR 2019, at the price of one more pass over the sample.)

    >>> from headstart.audit._example import evidence
    >>> made = evidence(look=lambda way, rows: np.random.default_rng(0).normal(size=(len(rows), 20)))
    >>> Transfer()(made)
    []
    >>> [f.code for f in Transfer()(evidence(look=lambda way, rows: made.values[rows]))]
    ['transfer:far']
    """

    def __init__(self, rows: int = 200) -> None:
        self.rows = rows

    def __call__(self, evidence: Evidence) -> list[Finding]:
        if evidence.kind != "label" or evidence.look is None:
            raise NotApplicable("this needs a pre-trained network and one class a row")
        some = np.random.default_rng(evidence.seed).permutation(evidence.of("train"))[: self.rows]
        if not len(some):
            raise NotApplicable("no training rows are there to compare on")
        y = np.unique(evidence.target[some], return_inverse=True)[1]
        frozen, untrained = (left_out_right(v, y) for v in (evidence.values[some], evidence.look("untrained", some)))
        gain, low, high = difference(frozen, untrained, evidence.seed)
        if low > 0:
            return []
        return [
            Finding(
                code="transfer:far",
                title=f"On {len(some)} training rows the pre-trained network is not clearly better than the same"
                f" network untrained ({100 * gain:+.1f} points [{100 * low:+.1f}, {100 * high:+.1f}])",
                severity="info",
                do="Expect little from frozen features; see what fine-tuning, another network or plain features give.",
                evidence={"gain": round(gain, 4), "low": round(low, 4), "high": round(high, 4), "rows": len(some)},
            )
        ]


def difference(frozen: np.ndarray, untrained: np.ndarray, seed: int = 0) -> tuple[float, float, float]:
    """Mean difference of two series of right answers to the same rows, and its 95 % bootstrap interval."""
    apart = frozen - untrained
    n = len(apart)
    draws = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=DRAWS) @ apart / n
    low, high = np.percentile(draws, (2.5, 97.5))
    return float(apart.mean()), float(low), float(high)
