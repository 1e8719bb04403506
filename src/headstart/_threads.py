"""How many threads a process takes: the one place that counts them."""

from __future__ import annotations

import os

import joblib


def threads() -> int:
    """Cores this process may use, by its affinity and its container's share, or fewer where OMP_NUM_THREADS says so.

    More threads than free cores make small linear algebra many times slower: they wait for each other in loops.
    """
    cores = int(joblib.cpu_count())
    asked = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()  # "2,1" is about nested ones
    return min(cores, int(asked)) if asked.isdecimal() and int(asked) else cores
