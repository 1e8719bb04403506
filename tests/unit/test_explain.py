"""Explanations against other implementations, against sums that must hold, and against plants whose place is known."""

# Long because one small network and its rows serve every way to explain.

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tests.made.plants import TOKEN, with_patch, with_token
from torch import Tensor, nn

from headstart import _discover, backbones
from headstart.activations.activations import Activations
from headstart.activations.store import ActivationStore
from headstart.backbones._base import Backbone, Batch, Plain, Stage
from headstart.backbones.word_vectors import WordVectors
from headstart.data.dataset import Dataset
from headstart.errors import NotApplicable
from headstart.explain import explainer as explainer_file
from headstart.explain._gradients import grad_cam, integrated
from headstart.explain._network import Whole
from headstart.explain._pictures import ninths
from headstart.explain._score import Score, slopes
from headstart.explain._shapley import shapley
from headstart.explain.confused import because, explain, pairs
from headstart.explain.explainer import Explainer
from headstart.explanations import _off_objects
from headstart.model import Card, Model
from headstart.report.explain import page, why
from headstart.report.text import explained
from headstart.techniques._base import Technique
from headstart.techniques._linear import softmax

ELMO = f"local-dir:{Path(__file__).parents[1] / 'fixtures' / 'elmo'}"


def filled(module: nn.Module) -> nn.Module:
    """Weights that every version of torch has alike."""
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(torch.sin(torch.arange(p.numel(), dtype=torch.float32)).reshape(p.shape) * 0.5)
    return module.eval()


class Made(Backbone):
    name, modalities = "made", frozenset({"image", "text"})

    def __init__(self, stages: list[Stage], kind: Any) -> None:
        self._stages, self.input_kind = stages, kind

    @property
    def preprocessing(self) -> dict[str, Any]:
        return {}

    def prepare(self, rows: Any) -> Batch:
        return Batch(torch.stack(list(rows)))

    def stages(self) -> list[Stage]:
        return self._stages

    def save(self, folder: Path) -> None:
        raise NotImplementedError


class Linear(Technique):
    """The last layer of a small network, in numpy."""

    def __init__(self, layer: nn.Linear) -> None:
        self.layer = layer
        self.target_kind_ = "label"

    def fit(self, X: Any, y: Any, **_: Any) -> Any:
        raise NotImplementedError

    def predict_proba(self, X: Activations) -> np.ndarray:
        weight, bias = (p.detach().double().numpy() for p in (self.layer.weight, self.layer.bias))
        return softmax(np.asarray(X) @ weight.T + bias)


def model_of(backbone: Any, technique: Any, classes: tuple[str, ...] = ("a", "b", "c"), **more: Any) -> Model:
    card = {"cut": "pooled", "modality": "image", "target_kind": "label", "technique": more.pop("name", "made"), **more}
    return Model(Card(backbone="made", params={}, classes=classes, **card), backbone, technique)


class Flat(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(x.flatten(1))


def test_grad_cam_is_that_of_captum_though_the_head_is_numpy() -> None:
    """captum 0.9.0: LayerGradCam of the difference of outputs 1 and 0 at the tanh, relu_attributions=False."""
    conv, head = filled(nn.Conv2d(3, 4, 3, padding=1)), filled(nn.Linear(16, 3))
    stages = [
        Stage("high", Plain(nn.Sequential(conv, nn.Tanh())), "map"),
        Stage("pooled", Plain(nn.Sequential(nn.AdaptiveAvgPool2d(2), Flat())), "vector"),
    ]
    x = torch.cos(torch.arange(3 * 6 * 6, dtype=torch.float32)).reshape(1, 3, 6, 6)
    model = model_of(Made(stages, "pixels"), Linear(head))
    heat, told = grad_cam(Whole(model), x, Score(model, 1, 0))
    third = [-0.01856919, 0.03622442, 0.01772421, -0.00608644, -0.01357153, 0.04996221]
    np.testing.assert_allclose(heat[2], third, atol=1e-7)
    assert heat.sum() == pytest.approx(0.4099422, abs=1e-6)
    with torch.no_grad():
        out = head(stages[1].module(stages[0].module(x, None), None))[0]
    assert told == pytest.approx(float(out[1] - out[0]), abs=1e-5)


class Words(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(7, 5)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.table(x)


class Mixed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Linear(5, 6)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return torch.tanh(self.mix(torch.tanh(2 * x)).mean(1))


def test_integrated_gradients_are_those_of_captum_and_add_up() -> None:
    """captum 0.9.0: LayerIntegratedGradients at the table, 48 Gauss-Legendre points, baseline [1, 0, 0, 0]."""
    stages = [
        Stage("words", filled(Words()).requires_grad_(False), "tokens"),
        Stage("pooled", filled(Mixed()).requires_grad_(False), "vector"),
    ]
    model = model_of(Made(stages, "ids"), Linear(filled(nn.Linear(6, 3))), modality="text")
    ids, blank = torch.tensor([[1, 4, 2, 6]]), torch.tensor([[1, 0, 0, 0]])
    weights, empty, told = integrated(Whole(model), "words", ids, blank, Score(model, 1, 0))
    np.testing.assert_allclose(weights, [0.0, 0.06590325, 0.05663108, -0.00259200], atol=2e-5)
    assert told - empty == pytest.approx(0.1199423, abs=1e-6)
    assert weights.sum() == pytest.approx(told - empty, rel=0.02)


class Sharp(nn.Module):
    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return torch.tanh(400 * (x.mean(1) - 0.13))


def test_integrated_gradients_that_do_not_add_up_are_refused() -> None:
    stages = [Stage("words", filled(Words()).requires_grad_(False), "tokens"), Stage("pooled", Sharp(), "vector")]
    model = model_of(Made(stages, "ids"), Linear(filled(nn.Linear(5, 3))), modality="text")
    with pytest.raises(NotApplicable, match="add up to"):
        integrated(
            Whole(model), "words", torch.tensor([[1, 4, 2, 6]]), torch.tensor([[1, 0, 0, 0]]), Score(model, 1, 0)
        )


SMOOTH = [
    n for n in _discover.names("techniques")
    if (kind := _discover.load("techniques", n)).smooth and "vector" in kind.accepts and "label" in kind.learns
    and not kind.uses_domains and not kind.needs_target and not kind.together
]  # fmt: skip


@pytest.mark.parametrize("name", SMOOTH)
def test_the_slope_of_a_head_says_where_its_score_goes(name: str) -> None:
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    X = Activations(rng.normal(size=(60, 5)) + np.eye(3, 5)[y], np.arange(60).astype(str), "pooled", "vector")
    technique = _discover.load("techniques", name)().fit(X, y)
    score = Score(model_of(None, technique), 2, 0)
    at, step = np.asarray(X)[7].astype(float), 1e-4 * rng.normal(size=5)
    ahead, behind = score.vectors(np.stack([at + step, at - step]))
    assert slopes(score, at) @ (2 * step) == pytest.approx(ahead - behind, rel=1e-3)
    assert np.abs(slopes(score, at)).max() > 1e-3


def test_there_are_smooth_heads_and_those_without_a_gradient_say_so() -> None:
    assert {"ridge", "linear_probe", "prototypes"} <= set(SMOOTH)
    assert not {"knn", "majority"} & set(SMOOTH)


def test_shapley_values_are_those_of_all_orders() -> None:
    rng = np.random.default_rng(1)
    table = rng.normal(size=16)

    def tell(present: np.ndarray, _: np.ndarray) -> np.ndarray:
        return table[present @ (1 << np.arange(4))]

    exact = np.zeros(4)
    for order in permutations(range(4)):
        here = np.zeros(4, dtype=bool)
        for i in order:
            before = tell(here[None], here)[0]
            here[i] = True
            exact[i] += (tell(here[None], here)[0] - before) / 24
    weights, without, whole = shapley(tell, 4, 4000)
    np.testing.assert_allclose(weights, exact, atol=0.08)
    assert weights.sum() == pytest.approx(whole - without, abs=1e-12)
    rough, *_ = shapley(tell, 4, 2)
    assert np.abs(rough - exact).max() > np.abs(weights - exact).max()


def fitted(data: Dataset, backbone: Any, name: str, **settings: Any) -> Model:
    technique = _discover.load("techniques", name)(**settings)
    cut = technique.where(backbone.cuts)
    technique.fit(ActivationStore.live().get(backbone, data, {cut})[cut], data.target)
    return model_of(backbone, technique, data.classes, cut=cut, modality=data.modality, name=name)


def texts() -> Dataset:
    text = "the screen of this small camera works for me and my friends at home with music every day"
    words = text.split()
    rng = np.random.default_rng(0)
    y = np.arange(40) % 2
    rows = [" ".join(rng.permutation(words)[:8]) for _ in y]
    rows = [with_token(r) if k else r for r, k in zip(rows, y, strict=True)]
    return Dataset("text", rows, np.arange(40).astype(str), y, "label", ("plain", "marked"))


@pytest.mark.parametrize(
    ("backbone", "technique", "way"),
    [("ngrams", "tfidf", "weights"), ("minilm", "ridge", "integrated_gradients"),
     ("elmo", "ridge", "integrated_gradients"), ("words", "ridge", "integrated_gradients"),
     ("minilm", "top_layers", "integrated_gradients"), ("minilm", "knn", "shapley")],
)  # fmt: skip
def test_a_planted_word_gets_the_weight_whatever_the_model(backbone: str, technique: str, way: str) -> None:
    data = texts()
    settings = {"layers": 1, "epochs": 3} if technique == "top_layers" else {}
    known = sorted({word for row in data.rows for word in row.split()})
    if backbone == "words":
        network: Any = WordVectors(torch.eye(len(known)), "words", words=known)
    else:
        network = backbones.get(ELMO if backbone == "elmo" else backbone, data)
    model = fitted(data, network, technique, **settings)
    told = Explainer(model)(data, 1, 1, 0)
    assert told.way == way
    assert max(told.words, key=lambda part: part[1])[0] == TOKEN
    assert told.base is not None
    assert sum(w for _, w in told.words) + told.base + told.missed == pytest.approx(told.score)
    assert abs(told.missed) <= 0.06 * abs(told.score - told.base) + 1e-6
    served = model.technique.predict_proba(model.activations(data.take(np.array([1]))))[0]
    assert told.score == pytest.approx(np.log(served[1] / served[0]), rel=0.01)


def pictures() -> Dataset:
    rng = np.random.default_rng(0)
    y = np.arange(40) % 2
    rows = []
    for k in y:
        small = Image.fromarray(rng.integers(40, 200, (6, 6, 3), dtype=np.uint8)).resize((96, 96))
        rows.append(with_patch(small, share=0.3) if k else small)
    return Dataset("image", rows, np.arange(40).astype(str), y, "label", ("plain", "marked"))


def test_a_planted_patch_gets_the_heat_and_an_untrained_network_looks_elsewhere() -> None:
    """Chance is a ninth. (The second half: Adebayo et al., Sanity Checks for Saliency Maps, NeurIPS 2018.)"""
    data = pictures()
    maps = {}
    for name in ("efficientnet_lite0", "scratch:efficientnet_lite0"):
        explainer = Explainer(fitted(data, backbones.get(name), "ridge"))
        maps[name] = [np.array(explainer(data, row, 1, 0).heat) for row in (1, 3, 5)]
    shares = [ninths(heat)[0, 0] for heat in maps["efficientnet_lite0"]]
    assert min(shares) > 0.3
    both = zip(*maps.values(), strict=True)
    alike = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in both]
    assert np.mean(alike) < 0.8


def test_heat_off_the_object_is_told_where_the_ground_is_plain() -> None:
    rng = np.random.default_rng(0)
    y, rows = np.arange(40) % 2, []
    for k in y:
        ground = Image.new("RGB", (96, 96), "white")
        ground.paste(Image.fromarray(rng.integers(40, 200, (6, 6, 3), dtype=np.uint8)).resize((40, 40)), (44, 44))
        rows.append(with_patch(ground, share=0.3) if k else ground)
    data = Dataset("image", rows, np.arange(40).astype(str), y, "label", ("plain", "marked"))
    told = Explainer(fitted(data, backbones.get("efficientnet_lite0"), "ridge"))(data, 1, 1, 0)
    assert told.off > told.around == pytest.approx(1 - (40 / 84) ** 2, abs=0.03)  # of 96 the network sees 84
    off, around = (f"{100 * share:.0f} %" for share in (told.off, told.around))
    assert told.where.endswith(f"; {off} of it lies off the object, as {around} of the picture does")
    grounded, noise = told.to_json(), pictures()
    assert _off_objects([grounded, grounded | {"off": 0.1}]) == (
        "in 1 of 2 pictures the map prefers what lies off the object"
    )
    other = Explainer(fitted(noise, backbones.get("efficientnet_lite0"), "ridge"))(noise, 1, 1, 0)
    assert (other.off, other.around) == (None, None)  # no plain ground
    assert _off_objects([other.to_json()]) == ""


def test_a_patch_is_found_without_a_gradient_too() -> None:
    data = pictures()
    told = Explainer(fitted(data, backbones.get("colour_hog", data), "ridge"))(data, 1, 1, 0)
    assert told.way == "shapley"
    assert "has no gradient" in told.note
    assert ninths(np.array(told.heat)).argmax() == 0


def test_a_text_without_words_says_so() -> None:
    data = texts()
    model = fitted(data, backbones.get("ngrams", data), "tfidf")
    empty = Dataset("text", ["", "  "], np.arange(2).astype(str), None, None, ())
    for row in range(2):
        told = Explainer(model)(empty, row, 1, 0)
        assert (told.words, told.note, told.base) == ([], "the row has no words", told.score)
        shown = {"row": "1", "predicted": "marked", "true": None, "explanation": told.to_json()}
        assert explained([shown], [], []).startswith("1: marked (against plain): the row has no words")


def test_columns_of_a_linear_model_weigh_what_they_differ_from_the_others() -> None:
    rng = np.random.default_rng(0)
    rows = [{"a": float(v), "b": float(w)} for v, w in rng.normal(size=(80, 2))]
    y = (np.array([r["a"] for r in rows]) > 0).astype(int)
    data = Dataset("table", rows, np.arange(80).astype(str), y, "label", ("low", "high"), inputs=("a", "b"))
    model = fitted(data, backbones.get("columns", data), "linear_probe")
    told = Explainer(model, data)(data, 0, 1, 0)
    head: Any = model.technique
    means = np.mean([[r["a"], r["b"]] for r in rows], axis=0)
    exact = (np.array([rows[0]["a"], rows[0]["b"]]) - means) * head.coef_[:, 0]
    by_name = {name: weight for name, _, weight in told.columns}
    np.testing.assert_allclose([by_name["a"], by_name["b"]], exact, atol=0.1 * np.abs(exact).max())


def test_rows_that_read_alike_are_asked_about_once_and_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    rows = [
        {"a": float(v), "b": float(w), "c": 1.0} for v, w in zip(rng.normal(size=60), np.arange(60) % 2, strict=True)
    ]
    y = (np.array([r["a"] + r["b"] for r in rows]) > 0.5).astype(int)
    data = Dataset("table", rows, np.arange(60).astype(str), y, "label", ("low", "high"), inputs=("a", "b", "c"))
    model = fitted(data, backbones.get("columns", data), "linear_probe")
    asked: list[int] = []

    def counted(score: Score, some: Dataset) -> np.ndarray:
        asked.append(len(some))
        return score.of(model.technique.predict_proba(model.activations(some)))

    monkeypatch.setattr(Score, "rows", counted)
    explainer = Explainer(model, data)
    told = explainer(data, 0, 1, 0)
    each = iter(range(10**6))
    monkeypatch.setattr(explainer_file, "_key", lambda _: next(each))
    plain = Explainer(model, data)(data, 0, 1, 0)
    assert told.columns == [[n, v, pytest.approx(w, abs=1e-12)] for n, v, w in plain.columns]
    assert asked[0] < 0.6 * asked[1]
    assert explainer(data, 0, 1, 0) is told
    assert len(asked) == 2


def test_rows_for_which_there_is_no_time_are_counted() -> None:
    data = texts()
    explainer = Explainer(fitted(data, backbones.get("ngrams", data), "tfidf"))
    clock = iter([9.0, 9.0, 0.0])
    found, why = explain(explainer, data, [1, 3, 5], [(1, 0)] * 3, left=lambda: next(clock))
    assert list(found) == [1, 3]
    assert why.startswith("2 of 3 rows are explained here")
    found, why = explain(explainer, data, [1], [(1, 0)], left=lambda: 0.0)
    assert not found
    assert "the budget was used up" in why


@pytest.mark.parametrize(("pace", "explained"), [(0.0, 1), (0.1, 0)])
def test_none_is_explained_that_a_slow_network_would_not_end_in_time(pace: float, explained: int) -> None:
    data = texts()
    explainer = Explainer(fitted(data, backbones.get("minilm"), "ridge"), data, pace)
    found, _ = explain(explainer, data, [1], [(1, 0)], left=lambda: 1.0)
    assert len(found) == explained


def test_pairs_are_explained_by_what_their_rows_share() -> None:
    data = texts()
    explainer = Explainer(fitted(data, backbones.get("ngrams", data), "tfidf"))
    scores = np.tile([0.1, 0.9], (4, 1))
    confused = pairs(scores, np.array([0, 0, 1, 1]))
    assert confused == [(0, 1, [0, 1])]
    told, _ = explain(explainer, data, [1, 3], [(1, 0)] * 2)
    (pair,) = because(confused, {0: told[1], 1: told[3]}, data.classes)
    assert (pair["true"], pair["said"], pair["rows"], pair["explained"]) == ("plain", "marked", 2, 2)
    assert pair["pulls"][0][0] == TOKEN
    assert pair["pulls"][0][2] == 2


def test_one_label_of_several_is_named_and_a_number_has_no_logits() -> None:
    why_ = {"way": "weights", "against": None, "score": 0.052, "base": 0.05, "missed": 0.0, "note": "", "where": ""}
    why_ |= {"words": [["dear", 0.00213], ["old", -0.00013]], "columns": [], "picture": None}
    row = {"row": "7", "predicted": "a, b", "true": "a", "confidence": 0.9, "text": None, "picture": None}
    one, number = ({**row, "explanation": {**why_, "toward": toward}} for toward in ("b", ""))
    assert explained([one], [], []).startswith("7: a, b, labelled a; for b: dear +0.00")
    assert ": dear +0.00213, old -0.00013" in explained([number], [], [])
    drawn = why(number["explanation"])
    assert drawn is not None
    assert drawn["what"] == "Orange speaks for a higher number, blue for a lower one."
    assert drawn["sum"] == "Said 0.052: 0.05 before anything is seen, +0.002 in all."
    told = {"created": "2026-01-02", "notes": [], "confused": [], "ways": {}, "command": "x"}
    assert ("logits" in page({**told, "rows": [one]}), "logits" in page({**told, "rows": [number]})) == (True, False)


def test_no_text_of_a_user_becomes_markup_on_the_page() -> None:
    evil = "<script>alert(1)</script>"
    why = {
        "way": "weights", "toward": evil, "against": evil, "score": 1.0, "base": 0.0, "missed": 0.0, "note": evil,
        "words": [[evil, 1.0]], "columns": [[evil, evil, 1.0]], "picture": "https://x/y.png", "where": evil,
    }  # fmt: skip
    row = {"row": evil, "predicted": evil, "confidence": 0.5, "true": evil, "text": evil, "picture": "https://x/y.png"}
    pair = {
        "true": evil, "said": evil, "rows": 2, "explained": 1, "pulls": [[evil, 1.0, 1]], "picture": "x:y",
        "pictures": ["https://x/y.png"], "where": evil,
    }  # fmt: skip
    told = page({
        "created": "2026-01-02", "notes": [evil], "rows": [{**row, "explanation": why, "neighbours": []}],
        "confused": [pair], "ways": {"weights": evil}, "command": evil,
    })  # fmt: skip
    assert "<script" not in told
    assert "https://" not in told
    assert told.count("&lt;script&gt;") > 10
