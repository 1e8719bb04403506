"""One battery over every technique that is discovered."""

from __future__ import annotations

import json
import time
from functools import cache
from inspect import signature
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix
from sklearn.base import clone
from torch import Tensor, nn

from headstart import _discover
from headstart.activations.activations import Activations
from headstart.errors import NotApplicable, PlanError
from headstart.model import load_state, save_state
from headstart.selection.contender import make
from headstart.techniques._base import Technique
from headstart.techniques._forgetting import forgetting
from headstart.techniques._network import Trained
from headstart.techniques.lora import Lora
from headstart.techniques.ridge import Ridge

NAMES = _discover.names("techniques")
TRAINED = {n for n in NAMES if issubclass(_discover.load("techniques", n), Trained)}
OF_DOMAINS = [n for n in NAMES if _discover.load("techniques", n).uses_domains]
BESIDE = {n for n in NAMES if _discover.load("techniques", n).needs_target}
WORKING = [n for n in NAMES if n != "majority"]
ROWS, CLASSES = 110, 3
TRAIN, TEST = np.arange(60), np.arange(60, ROWS)


class Tiny(nn.Module):
    """A network above a cut: normalise, mix, pool; of maps, or of tokens."""

    def __init__(self, seed: int, kind: str = "map") -> None:
        super().__init__()
        torch.manual_seed(seed)
        if kind == "map":
            body = Step(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())
            pool = Step(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        else:
            body = Step(nn.LayerNorm(6), Mixer(6), nn.Linear(6, 8), nn.GELU())
            pool = Step(Mean())
        self.steps = nn.ModuleDict({"body": body, "pooled": pool})

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        x = x.float()
        for step in self.steps.values():
            x = step(x, mask)
        return x


class Step(nn.Sequential):
    """A stage: called with a mask as well."""

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        out: Tensor = super().forward(x)
        return out


class Mixer(nn.Module):
    """Every token hears the mean of all: what a prompt says reaches the others."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.hear = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.hear(x.mean(1, keepdim=True))


class Mean(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean(1)


class Source:
    """Stands for a backbone: hands out suffixes."""

    name, pretrained, fingerprint, cuts = "made", True, "made", ("input", "stem", "layer", "pooled")

    def __init__(self, kind: str = "map") -> None:
        self.kind = kind

    def suffix(self, cut: str, *, fresh: bool = False) -> nn.Module:
        return Tiny(seed=7 if fresh else 3, kind=self.kind)

    def source_head(self) -> nn.Module | None:
        torch.manual_seed(5)
        return nn.Linear(8, 4)


def kind_of(name: str) -> str:
    return "map" if "map" in _discover.load("techniques", name).accepts else "tokens"


def world(name: str, kind: str = "label", rows: int = ROWS, seed: int = 0) -> tuple[Activations, np.ndarray]:
    """Rows whose first features say the class; in the form that the technique reads."""
    rng = np.random.default_rng(seed)
    code = rng.integers(0, CLASSES, rows)
    code[:CLASSES] = np.arange(CLASSES)
    accepts = _discover.load("techniques", name).accepts
    ids = np.arange(rows).astype(str)
    if name in TRAINED and kind_of(name) == "tokens":
        X = rng.normal(0, 0.3, (rows, 5, 6)).astype(np.float32)
        X[np.arange(rows), :, code] += 1.5
        seen = Activations(X, ids, "layer", "tokens", Source("tokens"))
    elif name in TRAINED:
        X = rng.normal(0, 0.3, (rows, 3, 6, 6)).astype(np.float32)
        X[np.arange(rows), code] += 1.5
        seen = Activations(X, ids, "layer", "map", Source())
    else:
        X = rng.normal(0, 1, (rows, 8))
        X[np.arange(rows), code] += 3
        if "counts" in accepts:
            seen = Activations(csr_matrix(np.maximum(np.round(X), 0)), ids, "pooled", "counts", Source())
        else:
            seen = Activations(X, ids, "pooled", "vector" if "vector" in accepts else "frame", Source())
    if kind == "number":
        return seen, code + rng.normal(0, 0.1, rows)
    return seen, np.eye(CLASSES, dtype=np.int64)[code] if kind == "labels" else code


def build(name: str, **settings: Any) -> Technique:
    technique = _discover.load("techniques", name)(**settings)
    if name in TRAINED:
        longer = {
            "epochs": 8 if name in BESIDE else 15,
            "lr": 3e-2 if name == "scratch" else 3e-3,
            "training": {"least": 1},
        }
        technique.set_params(**{k: v for k, v in longer.items() if k in technique.get_params()})
    return technique


def fitted(technique: Technique, X: Activations, y: np.ndarray, **words: Any) -> Technique:
    """Fitted; one that needs rows of a target domain is given the source's own."""
    return technique.fit(X, y, **({"target": X} if technique.needs_target else {}), **words)


def kinds(name: str) -> list[str]:
    return sorted(_discover.load("techniques", name).learns)


@cache
def learnt(name: str, kind: str) -> tuple[Technique, Activations, np.ndarray]:
    """Fitted once for all tests that only look at it, and the training rows."""
    X, y = world(name, kind)
    return fitted(build(name), X[TRAIN], y[TRAIN]), X[TRAIN], y[TRAIN]


def score(told: np.ndarray, y: np.ndarray, kind: str) -> float:
    if kind == "label":
        return float((told.argmax(1) == y).mean())
    if kind == "labels":
        return float(((told >= 0.5) == y).mean())
    return float(1 - ((told[:, 0] - y) ** 2).mean() / y.var())


PAIRS = [(n, k) for n in NAMES for k in kinds(n)]


def test_how_many_there_are() -> None:
    assert len(NAMES) == 34
    assert set(NAMES) > TRAINED


def test_the_page_of_techniques_names_each() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "techniques.md").read_text(encoding="utf-8")
    assert not [n for n in NAMES if f"| `{n}` |" not in page]


@pytest.mark.parametrize("name", NAMES)
def test_settings_that_cannot_be_are_refused_before_anything_is_read(name: str) -> None:
    own = {k: p.default for k, p in signature(type(make(name))).parameters.items() if k in make(name).get_params()}
    for key in own.keys() - {"training"}:
        for value in ("x", "true", "-1") if not isinstance(own[key], bool | str) else ("-1",):
            with pytest.raises(PlanError, match=f"'{name}:{key}={value}': .*Expected: "):
                make(f"{name}:{key}={value}")
    with pytest.raises(PlanError, match="no setting 'wings'"):
        make(f"{name}:wings=2")
    for word in ("batch=0", "ema=1", "epochs=x", "norm_learns=3", "views=-1") if "training" in own else ():
        with pytest.raises(PlanError, match=f"{word}. Expected"):
            make(f"{name}:{word}")


def test_settings_given_in_python_are_looked_at_too() -> None:
    X, y = world("lora", "map")
    with pytest.raises(NotApplicable, match=r"variant=lore\. Expected: one of lora, rslora, dora"):
        Lora(variant="lore").fit(X[TRAIN], y[TRAIN])


def test_what_means_nothing_for_a_kind_of_target_is_refused() -> None:
    for spec, kind in (
        ("full:loss=focal", "number"), ("full:loss=class_balanced", "labels"), ("full:stop_on=macro_f1", "number"),
        ("contrastive:loss=focal", "label"), ("contrastive:mix=cutmix", "label"), ("stoch_norm:p=2", "label"),
    ):  # fmt: skip
        with pytest.raises(NotApplicable, match=f"{spec.partition(':')[2].partition('=')[0]}"):
            make(spec).suited(kind)
    for spec, kind in (("full:loss=focal", "labels"), ("full:stop_on=macro_f1", "label"), ("full", "number")):
        make(spec).suited(kind)


def test_a_number_is_enough_where_several_can_be_tried() -> None:
    assert make("knn:neighbours=5").neighbours == (5,)
    assert make("linear_probe:strengths=0.3").strengths == (0.3,)


@pytest.mark.parametrize(("name", "kind"), [p for p in PAIRS if p[0] != "majority"])
def test_it_beats_majority_where_majority_fails(name: str, kind: str) -> None:
    X, y = world(name, kind)
    floor = score(fitted(build("majority"), X[TRAIN], y[TRAIN]).predict_proba(X[TEST]), y[TEST], kind)
    told = learnt(name, kind)[0].predict_proba(X[TEST])
    assert floor < {"label": 0.55, "labels": 0.75, "number": 0.1}[kind]
    assert score(told, y[TEST], kind) > floor + 0.15


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_shapes_and_probabilities(name: str, kind: str) -> None:
    technique, X, _ = learnt(name, kind)
    told = technique.predict_proba(X)
    assert told.shape == (60, 1 if kind == "number" else CLASSES)
    assert np.isfinite(told).all()
    if kind == "label":
        np.testing.assert_allclose(told.sum(1), 1, atol=1e-5)
    if kind != "number":
        assert told.min() >= 0
        assert told.max() <= 1
    assert technique.predict(X).shape == ((60, CLASSES) if kind == "labels" else (60,))


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_kept_and_restored_it_says_the_same_bit_for_bit(name: str, kind: str, tmp_path: Path) -> None:
    technique, X, _ = learnt(name, kind)
    save_state(technique.state(), tmp_path / "state")
    json.loads((tmp_path / "state.json").read_text())
    again = build(name).restore(load_state(tmp_path / "state"), lambda: Tiny(99, kind_of(name)))
    np.testing.assert_array_equal(again.predict_proba(X), technique.predict_proba(X))


@pytest.mark.parametrize("name", sorted(TRAINED - BESIDE))
def test_what_its_last_layer_reads_is_enough_and_another_head_can_stand_on_it(name: str) -> None:
    technique, X, y = learnt(name, "label")
    inner = Activations(technique.vectors(X), X.ids, "pooled", "vector")
    np.testing.assert_allclose(technique.predict_proba(inner), technique.predict_proba(X), atol=1e-5)
    head = Ridge().fit(inner[y < 2], y[y < 2])  # knows two classes of three
    told = technique.headed(head).predict_proba(X)
    np.testing.assert_allclose(told[:, :2], head.predict_proba(inner), atol=1e-4)
    assert not told[:, 2].any()


@pytest.mark.parametrize("name", NAMES)
def test_one_seed_one_answer_and_clones(name: str) -> None:
    first, X, y = learnt(name, "label")
    second = fitted(clone(build(name)), X, y)
    np.testing.assert_array_equal(first.predict_proba(X), second.predict_proba(X))


@pytest.mark.parametrize("name", [n for n in WORKING if n not in BESIDE - {"dann"} | {"knn"}])
def test_sample_weight_counts(name: str) -> None:
    plain, X, y = learnt(name, "label")
    weighed = fitted(build(name), X, y, sample_weight=np.where(y == 0, 20.0, 0.05))
    assert not np.allclose(plain.predict_proba(X), weighed.predict_proba(X), atol=1e-4)


@pytest.mark.parametrize("name", ["ridge", "linear_probe", "knn", "prototypes"])
def test_nan_and_infinity(name: str) -> None:
    X, y = world(name, rows=60)
    values = np.array(X)
    values[3, 2] = np.inf
    with pytest.raises(NotApplicable, match="NaN or infinite features in 1 row"):
        fitted(build(name), Activations(values, X.ids, "pooled", "vector"), y)


@pytest.mark.parametrize("name", ["ridge", "linear_probe", "tfidf", "boosting", "top_layers"])
def test_a_rare_class_is_not_ignored(name: str) -> None:
    """Balanced accuracy with the default weights is above that with equal ones on an overlapping, unbalanced set."""
    rng = np.random.default_rng(1)
    y = (rng.random(600) < 0.06).astype(np.int64)
    X, _ = world(name, rows=600, seed=1)
    values: Any = X.batch()[0]
    if name == "top_layers":
        values = rng.normal(0, 1, (600, 3, 6, 6)).astype(np.float32)
        values[:, 0] += 0.25 * y[:, None, None]
    else:
        values = rng.normal(0, 1, (600, 8))
        values[:, 0] += 1.2 * y
        values = csr_matrix(np.maximum(np.round(values + 1), 0)) if name == "tfidf" else values
    seen = Activations(values, X.ids, X.cut, X.kind, X.source)
    train, test = np.arange(400), np.arange(400, 600)

    def balanced(technique: Technique) -> float:
        said = technique.predict(seen[test])
        return float(np.mean([(said[y[test] == c] == c).mean() for c in (0, 1)]))

    plain = fitted(build(name), seen[train], y[train], sample_weight=np.ones(400))
    assert balanced(fitted(build(name), seen[train], y[train])) > balanced(plain) + 0.03


@pytest.mark.parametrize("name", sorted(TRAINED - BESIDE | {"dann"}))
def test_seconds_are_kept_and_frozen_statistics_stay(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = world(name, rows=60)
    made = build(name)
    limit = 1.0 * getattr(made, "runs", 1)  # each of several trainings begins with a probe
    clock = count()
    monkeypatch.setattr(time, "monotonic", lambda: next(clock) / 100)  # a look takes a hundredth, whatever the machine
    technique = made.set_params(seconds=limit, training={"least": 10_000_000})
    technique = fitted(technique, X, y)
    assert limit / 2 < technique.done_["seconds"] < limit + 0.1  # a step or two beyond the limit
    buffers = dict(Tiny(3, kind_of(name)).named_buffers())
    assert buffers or kind_of(name) == "tokens"
    after = {k: v for k, v in technique.network_.suffix.named_buffers() if "running" in k}
    same = all(torch.equal(after[k.replace(".stage", "")], v) for k, v in buffers.items() if k in after)
    assert same == (name != "scratch")


@pytest.mark.parametrize("name", sorted(TRAINED))
def test_forgetting_is_nothing_without_training_and_something_after(name: str) -> None:
    technique, X, _ = learnt(name, "label")
    told = technique.forgetting(X)
    if name == "scratch":
        assert told is None
        return
    assert told is not None
    assert set(told) == {"cosine", "cka", "agreement"}
    assert told["cka"] <= 1 + 1e-6
    assert forgetting(X, X.suffix()) == pytest.approx({"cosine": 1, "cka": 1, "agreement": 1})


def sites(name: str) -> tuple[Activations, np.ndarray, np.ndarray]:
    """Rows of two sites of different size; the second is moved and stretched, and its last column tells the class."""
    X, y = world(name, rows=150)
    site = np.where(np.arange(150) < 110, "a", "b")
    values = np.array(X)
    values[site == "b"] = 3 * values[site == "b"] + 20
    values[site == "b", -1] = 40 * y[site == "b"]
    return Activations(values, X.ids, X.cut, X.kind, X.source), y, site


def test_how_many_know_of_domains() -> None:
    assert OF_DOMAINS == ["domain_normalised", "group_dro"]


@pytest.mark.parametrize("name", OF_DOMAINS)
def test_domains_change_what_is_learnt_and_are_kept(name: str, tmp_path: Path) -> None:
    X, y, site = sites(name)
    plain, aware = build(name).fit(X, y), build(name).fit(X, y, domains=site)
    one = X[site == "a"]
    assert not np.allclose(plain.predict_proba(one), aware.predict_proba(one), atol=1e-3)
    save_state(aware.state(), tmp_path / "state")
    again = build(name).restore(load_state(tmp_path / "state"))
    np.testing.assert_array_equal(again.predict_proba(one), aware.predict_proba(one))


@pytest.mark.parametrize("name", OF_DOMAINS)
def test_whether_a_row_depends_on_those_given_with_it_is_declared(name: str) -> None:
    X, y, site = sites(name)
    technique = build(name).fit(X, y, domains=site)
    some = np.arange(40)
    among, apart = technique.predict_proba(X)[some], technique.predict_proba(X[some])
    assert np.allclose(among, apart, atol=1e-9) != technique.together
    if technique.together:
        with pytest.raises(NotApplicable, match="3 rows: too few to say enough"):
            technique.predict_proba(X[np.arange(3)])
