"""A trained model as a folder: safetensors and JSON, no pickle; load, predict, and nothing touches the network."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

from headstart import _discover, backbones
from headstart.activations.activations import Activations
from headstart.activations.store import ActivationStore
from headstart.adaptation._online import Online
from headstart.adaptation._source import FLAT, Source
from headstart.audit._familiar import Familiar
from headstart.audit._levels import Levels
from headstart.audit.repair._rule import Rule, coins
from headstart.backbones._base import Backbone
from headstart.data.dataset import Dataset, Modality, TargetKind
from headstart.errors import DataError, ModelError, NotApplicable
from headstart.result import damage, read_json, write_json
from headstart.selection.calibration import apply
from headstart.selection.ensemble import mean
from headstart.techniques._base import State, Technique, state_of
from headstart.techniques._linear import slopes

VERSION = 6  # 2 kept no summary of the source, 3 no thresholds, 4 no models beside it, 5 no `adapted_by`
BATCH = 512  # rows predicted at a time: memory stays flat however long the input is


@dataclass(frozen=True)
class Card:
    """What a model knows about itself; `model.json` holds it."""

    backbone: str  # the name it was trained with
    technique: str
    cut: str
    params: dict[str, Any]
    target_kind: TargetKind
    classes: tuple[str, ...]
    modality: Modality
    inputs: tuple[str, ...] = ()  # columns that a table or CSV must have
    target: str | None = None
    temperature: float = 1.0
    mean_temperature: float = 1.0  # of the mean with the models beside it
    qhat: float | None = None  # classes of probability 1 - qhat or more are the set that is right in 90 %
    precision: str = "fp32"
    adapter: str | None = None  # how rows of the target domain are brought to where the technique learnt
    adapter_params: dict[str, Any] = field(default_factory=dict)
    adapted_by: str | None = None  # a method; the head of `consensus` learnt on target rows, read as they are
    headstart: str = ""
    version: int = VERSION


@dataclass(frozen=True, eq=False)
class ByGroup:
    """Thresholds that go by a column, which then every row must come with."""

    column: str
    levels: Levels
    rule: Rule

    def __call__(self, scores: np.ndarray, data: Dataset) -> np.ndarray:
        """Scores (n, 2) of these rows moved by the thresholds of their groups; unknown groups stay as they are."""
        if self.column not in data.columns:
            raise DataError(
                f"rows without a column {self.column!r}", expected="it, as the model's thresholds go by it",
                do="give a file or data frame that has it",
            )  # fmt: skip
        return self.rule(scores, self.levels(data.columns[self.column]), coins(data.ids))

    def state(self) -> State:
        """As arrays and JSON values."""
        return State({"bars": self.rule.bars, "shares": self.rule.shares}, {"column": self.column} | vars(self.levels))

    @classmethod
    def of(cls, state: State) -> ByGroup:
        """Undo `state`."""
        levels = Levels(**{k: tuple(v) for k, v in state.values.items() if k != "column"})
        return cls(state.values["column"], levels, Rule(**state.arrays))


@dataclass(eq=False)
class Model:
    """A backbone, a cut and a fitted technique: all that is needed to answer for new rows.

    Use `headstart.load(folder)` to get one back; `predict` takes a list of texts, image paths, PIL images, arrays,
    a DataFrame, or anything else that the model was trained on.
    """

    card: Card
    backbone: Backbone
    technique: Technique
    adapter: Any = None
    familiar: Familiar | None = None  # what rows like those learnt from look like; it watches every row that is scored
    source: Source | None = None  # of the rows that it learnt from; older folders and other cuts have none
    by_group: ByGroup | None = None  # thresholds that a repair found
    beside: tuple[Model, ...] = ()  # whose answers are averaged with its own

    @property
    def last_temperature(self) -> float:
        """That which its probabilities went through last."""
        return self.card.mean_temperature if self.beside else self.card.temperature

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the columns of `predict_proba`; none for a number."""
        return self.card.classes

    def activations(self, data: Dataset, store: ActivationStore | None = None) -> Activations:
        """What the technique reads for these rows; computed live, or through a store where one is given."""
        store = store or ActivationStore.live()
        seen = store.get(self.backbone, data, {self.card.cut}, precision=self.card.precision)[self.card.cut]
        if self.adapter is None:
            return seen
        values = self.technique.vectors(seen)
        values = np.where(np.isnan(values), self.adapter.fill_, values)  # as when it was adapted
        return Activations(self.adapter.transform(values), seen.ids, seen.cut, "vector", self.backbone)

    def scores(self, data: Dataset, store: ActivationStore | None = None) -> np.ndarray:
        """(n, C) calibrated probabilities, or (n, 1) numbers, for the rows of a data set."""
        seen = self.activations(data, store)
        if self.familiar is not None:
            self.familiar.watch(seen.pool())
        told = self._with_others(seen, data, store) if self.beside else self.told(seen)
        return told if self.by_group is None else self.by_group(told, data)

    def _with_others(self, seen: Activations, data: Dataset, store: ActivationStore | None) -> np.ndarray:
        """The mean with the models beside it; each network reads the rows once."""
        known, told = {(self.card.backbone, self.card.cut): seen}, [self.told(seen)]
        for other in self.beside:
            reads = other.card.backbone, other.card.cut
            known[reads] = known[reads] if reads in known else other.activations(data, store)
            told.append(other.told(known[reads]))
        return mean(told) if self.card.target_kind == "number" else apply(mean(told), self.card.mean_temperature)

    def told(self, seen: Activations) -> np.ndarray:
        """What its own technique says of what it reads, calibrated: `scores` where no model is beside it."""
        raw = self.technique.predict_proba(seen)
        if self.card.target_kind == "number":
            return raw
        raw = np.pad(raw, ((0, 0), (0, len(self.card.classes) - raw.shape[1])))  # classes that no row was given
        told = apply(raw, self.card.temperature)
        return told if self.adapter is None else np.asarray(self.adapter.answers(told))

    def predict_proba(self, rows: Any, *, adapt: bool = False) -> np.ndarray:
        """(n, C) calibrated probabilities, columns as in `classes`; a ModelError for a model of a number."""
        if self.card.target_kind == "number":
            raise ModelError("this model predicts a number", expected="a model of classes", do="use predict")
        return np.concatenate([scores for _, scores in self.stream(rows, self.online() if adapt else None)])

    def predict(self, rows: Any, *, adapt: bool = False) -> np.ndarray:
        """Class names (n,), numbers (n,), or for several labels a row an object array of tuples of names.

        With `adapt` the model follows the rows while it answers, within bounds, see `online`.
        """
        scores = np.concatenate([scores for _, scores in self.stream(rows, self.online() if adapt else None)])
        return self.decide(scores)

    def decide(self, scores: np.ndarray) -> np.ndarray:
        """Names or numbers for scores."""
        if self.card.target_kind == "number":
            return scores[:, 0]
        names = np.array(self.card.classes, dtype=object)
        if self.card.target_kind == "label":
            return names[scores.argmax(1)]
        out = np.empty(len(scores), dtype=object)
        out[:] = [tuple(names[row >= 0.5]) for row in scores]
        return out

    def read(self, rows: Any) -> Dataset:
        """Rows to predict as this model reads them: a path, or anything that `predict` takes."""
        from headstart.data.read import read_rows

        beside = () if self.by_group is None else (self.by_group.column,)
        return read_rows(rows, modality=self.card.modality, inputs=self.card.inputs, beside=beside)

    def online(self) -> Online:
        """What follows the rows of one `stream` while it answers; nothing of it is kept in the model.

        NotApplicable for a model without a summary of its source, which `kept` explains.
        """
        source = self.kept()

        def tell(X: np.ndarray) -> np.ndarray:
            return self.told(Activations(X, np.arange(len(X)).astype(str), self.card.cut, "vector", self.backbone))

        moved = slopes(self.technique)
        if moved is not None:
            moved = np.pad(moved, ((0, 0), (0, len(self.card.classes) - moved.shape[1]))) / self.card.temperature
        return Online(source, tell, moved)

    def kept(self) -> Source:
        """The summary of what it learnt from; NotApplicable, saying what would work, where it has none."""
        card, own = self.card, self.backbone
        if card.target_kind != "label":
            raise NotApplicable(f"the model answers a {card.target_kind}", expected="classes, one a row")
        if self.adapter is not None or self.technique.needs_target:
            raise NotApplicable(
                "the model was adapted already", expected="the one that it came from",
                do="name the run that was adapted",
            )  # fmt: skip
        if self.by_group is not None:
            raise NotApplicable(
                f"the model's thresholds go by {self.by_group.column!r}", expected="a model without them",
                do="name the run that was repaired",
            )  # fmt: skip
        if self.source is not None:
            return self.source
        kind = own.kind(card.cut) if card.cut in own.cuts else card.cut
        if kind not in FLAT and not self.technique.tunes:
            raise NotApplicable(
                f"{card.technique} reads {kind} of {card.backbone} at its cut {card.cut!r}",
                expected="a technique that reads vectors, such as ridge or boosting, or that tunes a network",
                do="with the source's rows: headstart adapt --source ... --target ..., which learns on vectors",
            )
        raise NotApplicable(
            f"the model folder (version {card.version}) keeps no summary of its training rows",
            expected="version 3 or later, and a class of five rows or more", do="run again with this headstart",
        )  # fmt: skip

    def stream(self, rows: Any, online: Online | None = None) -> Iterator[tuple[Dataset, np.ndarray]]:
        """Scores in blocks of rows, in the order of the input, with flat memory; in one where rows depend on others."""
        data = rows if isinstance(rows, Dataset) else self.read(rows)
        size = max(len(data), 1) if self.technique.together else BATCH
        for start in range(0, len(data), size):
            block = data.take(np.arange(start, min(start + size, len(data))))
            yield block, self.scores(block) if online is None else online(self._vectors(block))

    def _vectors(self, data: Dataset) -> np.ndarray:
        """(n, d) what the technique's last layer reads for these rows, missing numbers as NaN."""
        return np.asarray(self.technique.vectors(self.activations(data)), dtype=np.float64)

    def save(self, folder: Path, *, written: Collection[str] = ()) -> None:
        """Write the folder under a temporary name, then move it in place; checksums are written last.

        Backbones that the folder around this one holds already are `written`.
        """
        temporary = folder.with_name(f".{folder.name}.writing")
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        if self.card.backbone not in written:
            self.backbone.save(temporary / "backbone")
        here = {*written, self.card.backbone}
        for i, other in enumerate(self.beside):
            other.save(temporary / f"beside.{i}", written=here)
            here.add(other.card.backbone)
        save_state(self.technique.state(), temporary / "technique")
        if self.adapter is not None:
            save_state(state_of(self.adapter), temporary / "adapter")
        if self.familiar is not None:
            save_state(state_of(self.familiar), temporary / "familiar")
        if self.by_group is not None:
            save_state(self.by_group.state(), temporary / "by_group")
        if self.source is not None:
            kept = vars(self.source)
            arrays = {k: v for k, v in kept.items() if isinstance(v, np.ndarray)}
            save_state(State(arrays, {k: v for k, v in kept.items() if k not in arrays}), temporary / "source")
        sums = {str(p.relative_to(temporary)): _sha256(p) for p in sorted(temporary.rglob("*")) if p.is_file()}
        write_json(temporary / "model.json", {**asdict(self.card), "sha256": sums})
        shutil.rmtree(folder, ignore_errors=True)
        temporary.rename(folder)

    @classmethod
    def load(cls, folder: Path, *, around: Mapping[str, Backbone] | None = None) -> Self:
        """Read a model folder; every file is checked against its SHA-256 first, and nothing is unpickled.

        The folder `around` this one, where there is one, holds these backbones, by name.
        """
        path = folder / "model.json"
        if not path.exists():
            is_begun = (folder / "plan.toml").exists()
            do = (
                "finish the run in it with --resume, or begin it again" if is_begun else "pass the folder of such a run"
            )
            raise ModelError(f"no model.json in {folder}", expected="the folder of a finished run, or a model's", do=do)
        raw = read_json(path)
        with damage(path):
            sums = raw.pop("sha256")
            version = raw["version"]
        if version > VERSION:
            raise ModelError(f"{path} is of version {version}", expected=f"at most {VERSION}", do="update headstart")
        for name, expected in sums.items():
            file = folder / name
            seen = _sha256(file) if file.exists() else "missing"
            if seen != expected:
                raise ModelError(
                    f"{file} was altered (SHA-256 {seen[:12]})",
                    expected=f"{expected[:12]}",
                    do="copy it again or re-train",
                )
        with damage(path):
            card = Card(**{**raw, "classes": tuple(raw["classes"]), "inputs": tuple(raw["inputs"])})
        networks = dict(around or {})
        if card.backbone not in networks:
            networks[card.backbone] = backbones.get(f"local-dir:{folder / 'backbone'}")
        backbone = networks[card.backbone]
        technique = _discover.load("techniques", card.technique)(**card.params)
        technique.restore(load_state(folder / "technique"), lambda: backbone.suffix(card.cut))
        adapter = familiar = source = by_group = None
        if card.adapter:
            floor, _, name = f"adaptation.{card.adapter}".rpartition(".")
            adapter = _discover.load(floor, name)(**card.adapter_params)
            _fill(adapter, load_state(folder / "adapter"))
        if "familiar.json" in sums:
            familiar = Familiar()
            _fill(familiar, load_state(folder / "familiar"))
        if "source.json" in sums:
            kept = load_state(folder / "source")
            known: dict[str, Any] = {**kept.arrays, **kept.values}
            source = Source(**known)
        if "by_group.json" in sums:
            by_group = ByGroup.of(load_state(folder / "by_group"))
        beside: list[Self] = []
        for i in range(len(list(folder.glob("beside.*")))):
            beside.append(cls.load(folder / f"beside.{i}", around=networks))
            networks[beside[-1].card.backbone] = beside[-1].backbone
        return cls(card, backbone, technique, adapter, familiar, source, by_group, tuple(beside))


def load(path: str | Path) -> Model:
    """The model of a run folder (`runs/scans`) or of a model folder (`runs/scans/model`)."""
    folder = Path(path)
    return Model.load(folder / "model" if (folder / "model" / "model.json").exists() else folder)


def save_state(state: State, stem: Path) -> None:
    """A technique's state as `<stem>.safetensors` and `<stem>.json`."""
    from safetensors.numpy import save_file

    save_file({k: np.ascontiguousarray(v) for k, v in state.arrays.items()}, stem.with_suffix(".safetensors"))
    shapes = {k: list(v.shape) for k, v in state.arrays.items() if v.ndim == 0}
    write_json(stem.with_suffix(".json"), {"values": state.values, "scalars": sorted(shapes)})


def load_state(stem: Path) -> State:
    """Undo `save_state`."""
    from safetensors.numpy import load_file

    raw = json.loads(stem.with_suffix(".json").read_text(encoding="utf-8"))
    return State(load_file(stem.with_suffix(".safetensors")), raw["values"])


def _fill(fitted: Any, state: State) -> None:
    """Undo `state_of`."""
    for key, value in (state.values | state.arrays).items():
        setattr(fitted, key, value)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
