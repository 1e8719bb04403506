"""How two sides are compared: each in a fresh process, in turns, on the same data, in CPU seconds; peers live apart."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
import venv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

Said = dict[str, Any]
ROOT = Path(__file__).resolve().parents[1]
PEERS = ("sentence-transformers", "accelerate", "fastai", "setfit")
FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_tile", "amx_bf16", "amx_int8")


def cpu() -> float:
    """User and system seconds of this process and of its finished children.

    >>> cpu() > 0
    True
    """
    t = os.times()
    return t.user + t.system + t.children_user + t.children_system


def peers(folder: Path = ROOT / ".bench", names: Sequence[str] = PEERS) -> Path:
    """The Python of an environment that sees this one's packages and holds the peers; made where it is missing.

    Every package that is here is pinned to its version, so that no second torch comes in.
    """
    python = folder / "bin" / "python"
    ready = folder / ".ready"
    if not ready.exists() or ready.read_text(encoding="utf-8") != " ".join(names):
        venv.create(folder, with_pip=True, clear=True)
        site = next((folder / "lib").glob("python3*/site-packages"))
        (site / "project.pth").write_text(sysconfig.get_paths()["purelib"] + "\n", encoding="utf-8")
        pins = folder / "pins.txt"
        pins.write_text("".join(f"{d.name}=={d.version}\n" for d in distributions() if d.name != "headstart"))
        subprocess.run([python, "-m", "pip", "install", "-q", "-c", pins, *names], check=True)
        ready.write_text(" ".join(names), encoding="utf-8")
    return python


def work(side: str, /, *, threads: int, python: Path | str = sys.executable, **options: Any) -> dict[str, Any]:
    """What one side said of itself: `benchmarks/_work.py SIDE` in a process of its own, so many threads for all."""
    count = str(threads)
    kept = {"OMP_NUM_THREADS": count, "MKL_NUM_THREADS": count, "TOKENIZERS_PARALLELISM": "false"}
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    line = [str(python), "-W", "ignore", "-m", "benchmarks._work", side, json.dumps({"threads": threads, **options})]
    if threads < len(os.sched_getaffinity(0)):
        line = ["taskset", "-c", ",".join(map(str, sorted(os.sched_getaffinity(0))[:threads])), *line]
    env = {**os.environ, **kept, "PYTHONPATH": paths}
    done = subprocess.run(line, env=env, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{side} failed:\n{done.stderr[-2000:]}")
    said: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return said


@dataclass
class Row:
    """One comparison: who, how often cheaper, under which condition, and what was to be reached."""

    what: str
    against: str
    goal: float
    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)
    quality: str = ""
    unit: str = "s"

    def ratios(self) -> list[float]:
        """Their cost over ours, a repetition."""
        return [b / a for a, b in zip(self.ours, self.theirs, strict=True)]

    def line(self) -> str:
        """The row in Markdown.

        >>> Row("a", "b", 2, [1.0, 1.0, 1.0], [3.0, 2.0, 4.0], "same").line()
        '| a | b | 1.0 s | 3.0 s | 3.0 x [2.0, 4.0] | 2 x | yes | same |'
        """
        r = self.ratios()
        middle = statistics.median(r)
        ours, theirs = statistics.median(self.ours), statistics.median(self.theirs)
        return (
            f"| {self.what} | {self.against} | {ours:.1f} {self.unit} | {theirs:.1f} {self.unit} |"
            f" {middle:.1f} x [{min(r):.1f}, {max(r):.1f}] | {self.goal:g} x | {'yes' if middle >= self.goal else 'no'}"
            f" | {self.quality} |"
        )


def in_turns(sides: Sequence[Callable[[], dict[str, Any]]], times: int) -> list[list[dict[str, Any]]]:
    """Every side so many times, alternating, so that a slow minute of the machine meets all of them."""
    rounds = []
    for _ in range(times):
        rounds.append([side() for side in sides])
    return [list(column) for column in zip(*rounds, strict=True)]


def table(rows: Sequence[Row], command: str, threads: int) -> str:
    """Command, machine, and a line a comparison."""
    head = [
        f"Command: `{command}`", "",
        f"CPU: {_cpu_name()}, {threads} threads a side; flags {', '.join(_flags()) or 'unknown'}."
        f" {time.strftime('%Y-%m-%d')}.", "",
        "| what | against | headstart | peer | ratio, median [min, max] | goal | reached | condition |",
        "|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    return "\n".join([*head, *(row.line() for row in rows)])


def into(page: Path, mark: str, text: str) -> None:
    """Put a text between the two marks of a page."""
    before, _, rest = page.read_text(encoding="utf-8").partition(mark)
    page.write_text(f"{before}{mark}\n{text}\n{mark}{rest.partition(mark)[2]}", encoding="utf-8")


class Bench:
    """Options of a run; a table adds a method a group of its lines, and their names in order."""

    groups: tuple[str, ...] = ()

    def __init__(self, threads: int, times: int, scale: float, folder: Path) -> None:
        self.threads, self.times, self.scale, self.folder = threads, times, scale, folder
        self.peer = peers()

    def ours(self, side: str, **options: Any) -> Callable[[], Said]:
        return partial(work, side, threads=self.threads, **options)

    def theirs(self, side: str, **options: Any) -> Callable[[], Said]:
        return partial(work, side, threads=self.threads, python=self.peer, **options)

    def rows(self, n: int) -> int:
        return max(int(n * self.scale), 60)


def row(what: str, against: str, goal: float, own: list[Said], peer: list[Said], quality: str, key: str = "cpu") -> Row:
    """The line of two sides whose cost is under so named a key."""
    return Row(what, against, goal, [s[key] for s in own], [s[key] for s in peer], quality)


def both(own: list[Said], peer: list[Said]) -> str:
    """The condition that two sides are as accurate."""
    a, b = (statistics.median(s["accuracy"] for s in side) for side in (own, peer))
    return f"accuracy {a:.3f} against {b:.3f}"


def write_table(made: type[Bench], module: str, about: str | None, arguments: list[str] | None = None) -> None:
    """The command line of a table: prints it, and puts it between its marks (`<!-- NAME -->`) of a page on request."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of rows; below 1 for a quick look")
    parser.add_argument("--only", nargs="*", choices=made.groups, default=list(made.groups))
    parser.add_argument("--write", type=Path)
    options = parser.parse_args(arguments)
    given = [f"--times {options.times} --threads {options.threads}"]
    given += [f"--scale {options.scale:g}"] if options.scale != 1 else []
    given += [f"--only {' '.join(options.only)}"] if options.only != list(made.groups) else []
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        bench = made(options.threads, options.times, options.scale, Path(folder))
        for name in options.only:
            for line in getattr(bench, name)():
                rows.append(line)
                print(line.line(), file=sys.stderr, flush=True)
    text = table(rows, f"python -m benchmarks.{module} {' '.join(given)}", options.threads)
    print(text)
    if options.write:
        into(options.write, f"<!-- {module} -->", text)


def _cpu_info(key: str) -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "")


def _cpu_name() -> str:
    return _cpu_info("model name") or "unknown"


def _flags() -> list[str]:
    has = _cpu_info("flags").split()
    return [f for f in FLAGS if f in has]
