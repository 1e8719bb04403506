"""What a precision and a way of decoding cost and change: the measurements behind the engine's defaults.

python -m benchmarks.precision
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import numpy as np
import torch

from benchmarks._data import pictures, texts
from benchmarks._measure import cpu
from headstart import backbones
from headstart._threads import threads
from headstart.activations import engine
from headstart.activations._openvino import Converted, OpenvinoRoute
from headstart.backbones._base import Backbone

TEXTS, PICTURES, ALONE = 200, 96, 24


def pooled(backbone: Backbone, rows: Sequence[Any], route: Any, *, scaled: bool = False) -> np.ndarray:
    stream = engine.extract(backbone, rows, ("pooled",), route=route, scaled=scaled)
    return np.stack(engine.in_order(stream, len(rows), ("pooled",))["pooled"])


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(((a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)).min())


def precisions(name: str, rows: list[Any]) -> None:
    """A line a precision: milliseconds a row, least cosine with torch, and how much a row depends on its batch."""
    backbone = backbones.get(name)
    converted = Converted(backbone, ("pooled",))
    start = cpu()
    exact = pooled(backbone, rows, None)
    print(f"| {name} | torch | {1000 * (cpu() - start) / len(rows):.1f} | 1 | |")
    for precision in ("fp32", "bf16", "int8"):
        route = OpenvinoRoute(converted, precision, rows[: engine.GATE_ROWS])
        start = cpu()
        told = pooled(backbone, rows, route)
        spent = 1000 * (cpu() - start) / len(rows)
        alone = np.concatenate([pooled(backbone, [row], route) for row in rows[:ALONE]])
        apart = np.abs(alone - told[:ALONE]).max() / np.abs(exact).max()
        print(f"| {name} | OpenVINO {precision} | {spent:.1f} | {cosine(told, exact):.5f} | {apart:.1e} |")


def decoding(rows: list[str]) -> None:
    """A line a way of decoding: JPEGs whole or scaled, in threads or in processes."""
    backbone = backbones.get("efficientnet_lite0")
    preparation: Any = backbone.preparation
    whole = pooled(backbone, rows, None)
    blocks = [rows[i : i + 16] for i in range(0, len(rows), 16)]
    pools: dict[str, type[Executor]] = {"threads": ThreadPoolExecutor, "processes": ProcessPoolExecutor}
    for scaled in (False, True):
        least = cosine(pooled(backbone, rows, None, scaled=scaled), whole)
        for kind, pool in pools.items():
            start, wall = cpu(), time.monotonic()
            with pool(threads()) as workers:
                list(workers.map(preparation if not scaled else _Scaled(preparation), blocks))
            spent, waited = (1000 * x / len(rows) for x in (cpu() - start, time.monotonic() - wall))
            print(f"| {'scaled' if scaled else 'whole'} | {kind} | {spent:.1f} | {waited:.1f} | {least:.5f} |")


class _Scaled:
    def __init__(self, preparation: Any) -> None:
        self.preparation = preparation

    def __call__(self, rows: Sequence[Any]) -> np.ndarray:
        values: np.ndarray = self.preparation(rows, scaled=True)
        return values


def bound(rows: int) -> str:
    """The least CPU seconds in which MiniLM can read the texts of the speed table, at the best rate of its products."""
    coded = backbones.get("minilm").tokens(texts(rows)[0])
    lengths, width, layers = np.array([len(c) for c in coded]), 384, 6
    work = layers * (2 * lengths.sum() * 12 * width**2 + 4 * width * (lengths**2).sum())
    least = ", ".join(f"{work / 1e9 / rate:.1f} in {name}" for name, rate in products().items())
    return f"{rows} texts, {lengths.sum()} tokens, {work / 1e9:.0f} GFLOP: {least} CPU seconds at least"


def products() -> dict[str, float]:
    """What matrix products of a MiniLM layer reach at best, in GFLOP a CPU second."""
    rates = {}
    for dtype in (torch.float32, torch.bfloat16):
        a, b = torch.ones(1024, 384, dtype=dtype), torch.ones(384, 1536, dtype=dtype)
        best = float("inf")
        for _ in range(50):
            start = time.process_time()
            a @ b
            best = min(best, time.process_time() - start)
        rates[str(dtype).removeprefix("torch.")] = 2 * 1024 * 384 * 1536 / best / 1e9
    return rates


def main() -> None:
    print("Matrix products:", ", ".join(f"{r:.0f} GFLOP a CPU second in {name}" for name, r in products().items()))
    print(bound(1200))
    print(f"{threads()} cores, OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', 'unset')}\n")
    print("| backbone | route | CPU ms a row | least cosine with torch | a row alone and in its batch, apart by |")
    print("|---|---|---|---|---|")
    precisions("minilm", texts(TEXTS)[0])
    precisions("efficientnet_lite0", pictures(PICTURES))
    print("\n| JPEGs decoded | by | CPU ms a picture | ms waited | least cosine with whole |\n|---|---|---|---|---|")
    decoding(pictures(PICTURES))


if __name__ == "__main__":
    main()
