"""What a run has finished so far, on disk, so that `--resume` goes on after Ctrl-C, a crash or a power cut."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from safetensors.numpy import load_file, save_file

from headstart.data.frames import written
from headstart.errors import PlanError
from headstart.model import save_state
from headstart.plan import Plan
from headstart.result import write_json
from headstart.selection.contender import Contender
from headstart.selection.race import Trial


def holds(out: Path, kind: type[Plan] = Plan) -> bool:
    """Whether a folder holds a run that is finished or can be gone on with; one without its rows leaves nothing."""
    some = ("result.json", "state/data.json") if kind.resumes else ("result.json",)
    return (out / "plan.toml").exists() and any((out / name).exists() for name in some)


class Journal:
    """The folder `<out>/state`: seconds spent and one folder a finished trial; removed when the run is complete."""

    def __init__(self, plan: Plan, *, resume: bool) -> None:
        self._plan, self.out = plan, Path(plan.out)
        self.folder = self.out / "state"
        begun = self.out / "plan.toml"
        if not resume and holds(self.out, type(plan)):
            finished = (self.out / "result.json").exists()
            raise PlanError(
                f"{self.out} already holds a run",
                expected="a new folder",
                do="name another --out" + (", or go on with --resume" if plan.resumes and not finished else ""),
            )
        if resume and begun.exists() and replace(Plan.from_toml(begun), budget=plan.budget) != plan:
            raise PlanError(
                f"{begun} describes another run",
                expected="the options it was begun with",
                do=f"headstart run --resume --out {self.out}, with no other option",
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(self.folder / "lock", blocking=False)  # the system lets go of it when a process dies
        try:
            self._lock.acquire()
        except Timeout as error:
            do = "wait until it has ended, or name another --out"
            raise PlanError(f"another process is at work on the run in {self.out}", do=do) from error
        except NotImplementedError:
            pass  # a file system without locks: then nobody can tell
        self._own = not resume
        if not resume:  # one that stopped before it had anything to keep
            for left in self.folder.glob("*.json"):
                left.unlink()
        begun.write_text(plan.to_toml(), encoding="utf-8")
        self._spent = self.folder / "spent.json"
        self._rows: list[Path] = []

    def keep_rows(self, frames: Mapping[Path, Any]) -> None:
        """Write data frames into their files beside the run, unless it is gone on with and has its rows."""
        has_them = holds(self.out, type(self._plan))
        for file, frame in frames.items():
            written(frame, file, keep=has_them)
            self._rows.append(file)

    @property
    def spent(self) -> float:
        """Seconds that earlier sessions of this run used."""
        return float(json.loads(self._spent.read_text())["seconds"]) if self._spent.exists() else 0.0

    def spend(self, seconds: float) -> None:
        """Remember the clock."""
        write_json(self._spent, {"seconds": seconds})

    def once(self, name: str, decide: Callable[[], Any]) -> Any:
        """What is settled once (how many rows a measurement said are affordable, ...) and kept for `--resume`."""
        path = self.folder / f"{name}.json"
        if not path.exists():
            write_json(path, decide())
        return json.loads(path.read_text(encoding="utf-8"))

    def finished(self, contender: Contender, data_key: str) -> Trial | None:
        """The trial of this contender on this very data, if an earlier session finished it; else None.

        One that was skipped is none: there may be time for it now.
        """
        folder = self._trial(contender, data_key)
        if not (folder / "trial.json").exists():
            return None
        raw: dict[str, Any] = json.loads((folder / "trial.json").read_text(encoding="utf-8"))
        if raw["status"] == "skipped":
            return None
        scores = load_file(folder / "scores.safetensors") if (folder / "scores.safetensors").exists() else {}
        known = ("cut", "status", "why", "seconds", "fit_seconds", "params", "valid", "source", "duel")
        return Trial(contender, scores=scores, **{k: raw[k] for k in known if k in raw})

    def keep(self, trial: Trial, data_key: str) -> None:
        """Write a finished trial; `trial.json` last, so that half a trial does not count."""
        folder = self._trial(trial.contender, data_key)
        for log in sorted(folder.rglob("track")):  # what a tracker wrote outlives the training
            place = self.out / "track" / folder.name / log.parent.relative_to(folder / "unfinished")
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(log, place)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        if trial.fitted is not None:
            save_state(trial.fitted.state(), folder / "technique")
            save_file({k: np.ascontiguousarray(v) for k, v in trial.scores.items()}, folder / "scores.safetensors")
        write_json(folder / "trial.json", trial.to_json())

    def unfinished(self, contender: Contender, data_key: str) -> Path:
        """Where a training may keep what it needs to go on; `keep` clears it."""
        return self._trial(contender, data_key) / "unfinished"

    def state_of(self, trial: Trial, data_key: str) -> Path:
        """Where the fitted technique of a kept trial lies."""
        return self._trial(trial.contender, data_key) / "technique"

    def leave(self) -> None:
        """Let others go on with the run."""
        self._lock.release()

    def withdraw(self, *, for_good: bool = False) -> None:
        """The run was refused: where it kept nothing to go on with, its folder is free again.

        `for_good` where going on with the same options would be refused as well: then only trainings are worth keeping.
        """
        self.leave()
        if for_good:
            is_useful = any(path.exists() for path in (self.folder / "trials", self.out / "result.json"))
        else:
            is_useful = holds(self.out, type(self._plan))
        if self._own and not is_useful:
            shutil.rmtree(self.folder, ignore_errors=True)
            for file in (*self._rows, self.out / "plan.toml"):
                file.unlink(missing_ok=True)
            if not any(self.out.iterdir()):
                self.out.rmdir()

    def close(self) -> None:
        """The run is complete: what it needed to go on is of no more use."""
        self.leave()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _trial(self, contender: Contender, data_key: str) -> Path:
        name = f"{contender.backbone}|{contender.technique}|{contender.role}|{data_key}"
        return self.folder / "trials" / f"{contender.name}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"
