"""An unfinished training on disk, so that it goes on where it was: the same bits on the same device."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from headstart._compute import device

EVERY = 30.0  # seconds between two checkpoints


class Checkpoint:
    """Writes what a training is made of at most every so many seconds; `None` as folder writes nothing."""

    def __init__(self, folder: Path | None, key: str, every: float = EVERY) -> None:
        self.path = None if folder is None else folder / "checkpoint.pt"
        self.key, self.every = key, every
        self.last = time.monotonic()

    def due(self) -> bool:
        """Whether it is time."""
        return self.path is not None and time.monotonic() - self.last >= self.every

    def write(self, parts: dict[str, Any]) -> None:
        """Whole or not at all."""
        assert self.path is not None
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        torch.save({"key": self.key, "chance": chance(), **parts}, temporary)
        os.replace(temporary, self.path)
        self.last = time.monotonic()

    def read(self) -> dict[str, Any] | None:
        """What was written for the same key, or None; torch's random state is put back."""
        if self.path is None or not self.path.exists():
            return None
        parts: dict[str, Any] = torch.load(self.path, map_location=device(), weights_only=True)
        if parts["key"] != self.key:
            return None
        for name, state in parts["chance"].items():
            (torch if name == "cpu" else torch.cuda).set_rng_state(state.cpu())
        return parts

    def done(self) -> None:
        """The training is over: nothing is left to go on with."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def chance() -> dict[str, torch.Tensor]:
    """State of torch's generators."""
    state = {"cpu": torch.get_rng_state()}
    return state | {"cuda": torch.cuda.get_rng_state()} if device().type == "cuda" else state


def generator(state: dict[str, Any] | None, seed: int) -> np.random.Generator:
    """A numpy generator in a state that was kept, or a new one."""
    rng = np.random.default_rng(seed)
    if state is not None:
        rng.bit_generator.state = state
    return rng
