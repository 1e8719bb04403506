"""A run as a person follows it: one line a stage, a bar with an honest estimate, and what is left of the budget."""

from __future__ import annotations

import time

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from headstart._listen import Listener

SHORT = 20.0  # seconds; what no budget can cut takes some ten on one core
MOST = "this will take at most that long"


class Quiet(Listener):
    """Says nothing."""


class Terminal(Listener):
    """Prints notes and stages to stderr, so that stdout stays for results."""

    def __init__(self, budget: float | None = None) -> None:
        self.console = Console(stderr=True, highlight=False)
        self.budget, self.start = budget, time.monotonic()
        self.bar = Progress(
            TextColumn("{task.description}"), BarColumn(24), TextColumn("{task.fields[rows]}"), TimeElapsedColumn(),
            TextColumn("left:"), TimeRemainingColumn(), console=self.console, transient=True,
        )  # fmt: skip
        self.task: TaskID | None = None
        if budget is not None:
            least = "loading and testing alone may take longer"
            self.console.print(f"budget {_clock(budget)}: {least if budget < SHORT else MOST}")
        self.bar.start()

    def say(self, text: str) -> None:
        self.bar.console.print(f"  {text}", markup=False, soft_wrap=True)

    def stage(self, name: str, estimate: float | None = None) -> None:
        if self.task is not None:
            self.bar.remove_task(self.task)
        used = time.monotonic() - self.start
        about = f", about {_clock(estimate)}" if estimate else ""
        clock = _clock(used) if self.budget is None else f"{_clock(used)} of {_clock(self.budget)}"
        self.bar.console.print(f"[{clock}] {name}{about}", markup=False, soft_wrap=True)
        self.task = self.bar.add_task(name, total=None, rows="")

    def progress(self, done: int, total: int) -> None:
        if self.task is not None:
            self.bar.update(self.task, completed=done, total=total, rows=f"{done:,}/{total:,} rows")

    def close(self) -> None:
        self.bar.stop()


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"
