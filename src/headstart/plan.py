"""What a run was asked to do: flat, saved; one dial (`budget`), every other choice is derived from it and printed."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Self

from headstart.errors import PlanError

UNITS = {"s": 1, "m": 60, "h": 3600}


def seconds(text: str | float) -> float:
    """A budget such as "90s", "10m", "1h30m" or 600 in seconds.

    >>> seconds("1h30m"), seconds("10m"), seconds(45)
    (5400.0, 600.0, 45.0)
    """
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*([smh]?)", str(text).lower())
    total = sum(float(number) * UNITS[unit or "s"] for number, unit in parts)
    if re.sub(r"[\d.\ssmh]", "", str(text).lower()) or total <= 0:
        raise PlanError(f"budget {text!r}", expected="a time such as 90s, 10m or 1h30m", do="pass --budget 10m")
    return total


@dataclass(frozen=True)
class Plan:
    """Everything that decides a run; `runs/x/plan.toml` holds it, `--resume` reads it back.

    Where things are kept meanwhile (the activation store) decides nothing and is no part of it.

    >>> Plan(data="photos", budget=60.0).to_toml().splitlines()[0]
    'data = "photos"'
    """

    resumes: ClassVar[bool] = True  # what was stopped can be gone on with

    data: str  # a folder, a file, or "sample:reviews"
    target: str | None = None
    inputs: tuple[str, ...] = ()  # columns to learn from; empty: found by looking
    group: str | None = None
    split: str | None = None  # a column that says train, valid or test
    domain: str | None = None  # a column that says of which site, scanner or source a row is
    attributes: tuple[str, ...] = ()  # columns that are audited, and not learnt from unless they are named as inputs
    modality: str | None = None
    out: str = "runs/latest"
    budget: float = 600.0  # seconds of wall clock
    backbones: tuple[str, ...] = ()  # empty: every packaged one that fits
    techniques: tuple[str, ...] = ()  # empty: every one that fits the budget
    precision: str = "auto"  # "auto" | "fp32" | "bf16" | "int8": how prefixes are computed, behind a quality gate
    seed: int = 0
    keep_source: bool = False  # measure how much of the pre-trained network each fine-tuning forgets

    def __post_init__(self) -> None:
        for name in ("target", "group", "split", "domain"):
            if not isinstance(value := getattr(self, name), str | None):
                raise PlanError(
                    f"{name} of type {type(value).__name__}", expected="the name of a column",
                    do="make it a column of the data",
                )  # fmt: skip
        for name in ("inputs", "attributes", "backbones", "techniques"):
            value = getattr(self, name)
            object.__setattr__(self, name, (value,) if isinstance(value, str) else tuple(value))
        object.__setattr__(self, "out", str(self.out))

    def to_toml(self) -> str:
        """TOML with one line a field; unset fields are left out."""
        known = {k: list(v) if isinstance(v, tuple) else v for k, v in self.given().items()}
        return "".join(f"{k} = {json.dumps(v, ensure_ascii=False)}\n" for k, v in known.items())

    def given(self) -> dict[str, Any]:
        """The fields that are set."""
        return {k: v for k, v in asdict(self).items() if v not in (None, ()) and v is not False}

    def command(self) -> str:
        """The line that repeats this run."""
        words = ["headstart", "run", self.data, *self._options("target", "group", "split", "domain")]
        words += ["--keep-source"] if self.keep_source else []
        return shlex.join([*words, "--budget", f"{self.budget:g}s"])

    def _options(self, *names: str) -> list[str]:
        """These fields, and those that every command takes, as options; unchanged ones are left out."""
        words, default = [], type(self)(data=self.data)
        for name in (*names, "modality", "out", "precision", "seed"):
            if getattr(self, name) != getattr(default, name):
                words += [f"--{name}", str(getattr(self, name))]
        several = {
            "input": self.inputs, "attribute": self.attributes, "backbone": self.backbones, "technique": self.techniques
        }  # fmt: skip
        return words + [word for name, values in several.items() for value in values for word in (f"--{name}", value)]

    @classmethod
    def from_toml(cls, path: Path) -> Self:
        """Read `plan.toml` back."""
        try:
            raw: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise PlanError(f"{path} is damaged ({error})", expected="TOML", do="copy the folder again") from error
        unknown = set(raw) - {f.name for f in fields(cls)}
        if unknown:
            raise PlanError(f"unknown {sorted(unknown)} in {path}", expected=f"{[f.name for f in fields(cls)]}")
        known: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in raw.items()}
        return cls(**known)


@dataclass(frozen=True)
class AdaptationPlan(Plan):
    """What an adaptation was asked to do: a run's plan, and the unlabelled rows that it is for."""

    resumes: ClassVar[bool] = False  # it is short, and what takes time is kept in the activation store

    adapt_to: str = ""
    source_free: bool = False  # `data` is a finished run's folder: no source row is read
    target_labels: int = 0  # so many labels of the target may be asked for

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.target_labels < 0:
            raise PlanError(f"{self.target_labels} labels of the target", expected="0 or more", do="a few: 5 to 100")

    @property
    def reads(self) -> str:
        """What is read of the target's labels, in words."""
        if not self.target_labels:
            return "their labels, if there are any, are not read"
        return f"at most {self.target_labels} of their labels are read, drawn with seed {self.seed}"

    def command(self) -> str:
        """The line that repeats this adaptation."""
        words = ["headstart", "adapt", *([] if self.source_free else ["--source"]), self.data]
        words += ["--target", self.adapt_to, *(["--label", self.target] if self.target else [])]
        words += ["--target-labels", str(self.target_labels)] if self.target_labels else []
        return shlex.join([*words, *self._options("group", "domain")])
