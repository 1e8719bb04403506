"""Where a training writes what it did while it runs: nowhere by default."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from headstart.errors import NotApplicable

TRACKERS = ("tensorboard", "mlflow")


class Tracker(Protocol):
    """Receives numbers by step."""

    def log(self, step: int, values: dict[str, float]) -> None:
        """Numbers by name, at a step."""

    def close(self) -> None:
        """The training is over."""


class _Nowhere:
    def log(self, step: int, values: dict[str, float]) -> None: ...

    def close(self) -> None: ...


class _Tensorboard:
    def __init__(self, folder: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.writer: Any = SummaryWriter(str(folder))

    def log(self, step: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            self.writer.add_scalar(name, value, step)

    def close(self) -> None:
        self.writer.close()


class _Mlflow:
    def __init__(self, name: str) -> None:
        import mlflow

        self.mlflow: Any = mlflow
        if mlflow.active_run() is None:
            mlflow.start_run(run_name=name)
            self.own = True
        else:
            self.own = False

    def log(self, step: int, values: dict[str, float]) -> None:
        self.mlflow.log_metrics(values, step=step)

    def close(self) -> None:
        if self.own:
            self.mlflow.end_run()


def tracker(name: str | None, folder: Path | None, what: str) -> Tracker:
    """The tracker of a name: TensorBoard's writes to `folder`/track, MLflow's, called `what`, to where it is set to.

    `headstart run` moves the former to `track` in its own folder when the training is over.
    """
    if name is None:
        return _Nowhere()
    try:
        return _Tensorboard((folder or Path("runs")) / "track") if name == "tensorboard" else _Mlflow(what)
    except ImportError as error:
        raise NotApplicable(f"{name} is not installed", do=f"pip install {name}") from error
