"""Where torch computes and with how many threads: the one place that decides it."""

from __future__ import annotations

import os
from functools import cache

import torch


def threads() -> int:
    """Cores this process may use; more threads than cores make small linear algebra many times slower."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def device() -> torch.device:
    """CUDA, then Apple's MPS, then the CPU; HEADSTART_DEVICE overrides."""
    if chosen := os.environ.get("HEADSTART_DEVICE"):
        return torch.device(chosen)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


@cache
def has_native_bf16() -> bool:
    """Whether bfloat16 arithmetic is native here (emulated bfloat16 is slower than float32)."""
    if device().type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device().type == "cpu" and bool(torch.backends.cpu.get_cpu_capability().startswith("AVX512")) and _flag()


def _flag() -> bool:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return "avx512_bf16" in file.read()
    except OSError:
        return False
