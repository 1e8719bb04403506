"""Where torch computes: the one place that decides it."""

from __future__ import annotations

import ctypes
import os
import time
from contextlib import suppress
from functools import cache

import torch


@cache
def device() -> torch.device:
    """CUDA, then Apple's MPS, then the CPU; HEADSTART_DEVICE overrides."""
    if chosen := os.environ.get("HEADSTART_DEVICE"):
        return torch.device(chosen)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def give_back() -> None:
    """Return freed memory to the system: after a training glibc keeps some hundred MB in pieces; nothing elsewhere."""
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


@cache
def bf16_pays() -> bool:
    """Whether bfloat16 products are measured to be faster here than float32 ones: a CPU may list them and be slower."""
    times = {}
    for dtype in (torch.float32, torch.bfloat16):
        a, b = torch.ones(512, 384, dtype=dtype), torch.ones(384, 1536, dtype=dtype)
        rounds = []
        for _ in range(7):
            start = time.perf_counter()
            a @ b
            rounds.append(time.perf_counter() - start)
        times[dtype] = min(rounds)  # the round that nothing disturbed: the rest measure the neighbours
    return times[torch.float32] > 1.2 * times[torch.bfloat16]
