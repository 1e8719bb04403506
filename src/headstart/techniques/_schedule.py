"""How the rate goes over a training: a share of it done, a share of the rate."""

from __future__ import annotations

import math

WARM_UP = 0.1  # share of the training in which the rate rises
FINAL = 0.02  # of the rate, at the end of a cosine
RATIO = 32  # highest over lowest rate of a slanted triangle
SCHEDULES = ("cosine", "slanted", "constant")


def rate(schedule: str, done: float) -> float:
    """Share of the rate at a share of the training: 0 before the first step, 1 at the end.

    "cosine" warms up and falls in half a cosine (Loshchilov and Hutter, SGDR, ICLR 2017); "slanted" rises for a tenth
    and falls linearly to 1/32 (Howard and Ruder, ULMFiT, ACL 2018); "constant" stays.

    >>> [round(rate("slanted", d), 3) for d in (0.0, 0.05, 0.1, 0.55, 1.0)]
    [0.031, 0.516, 1.0, 0.516, 0.031]
    """
    if schedule == "constant":
        return 1.0
    if schedule == "slanted":
        climbed = done / WARM_UP if done < WARM_UP else (1 - done) / (1 - WARM_UP)
        return (1 + climbed * (RATIO - 1)) / RATIO
    if done < WARM_UP:
        return max(done / WARM_UP, 0.05)
    return FINAL + (1 - FINAL) * 0.5 * (1 + math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP)))
