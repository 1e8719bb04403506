"""Fast routes: the same answer, or a refusal that is heard."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from headstart._threads import threads
from headstart.activations import engine
from headstart.activations._openvino import CARD, Converted, OpenvinoRoute
from headstart.backbones import get

TEXTS = [f"row {i} " + "and more " * (i % 12) for i in range(40)]
PICTURES = list(np.random.default_rng(0).integers(0, 256, (6, 60, 50, 3), dtype=np.uint8))


def pooled(backbone: Any, rows: list[Any], route: Any) -> np.ndarray:
    stream = engine.extract(backbone, rows, ("pooled",), route=route)
    return np.stack(engine.in_order(stream, len(rows), ("pooled",))["pooled"])


@pytest.mark.parametrize(("name", "rows"), [("minilm", TEXTS), ("efficientnet_lite0", PICTURES)])
def test_every_route_gives_the_answer_of_the_network(
    name: str, rows: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = get(name)
    exact = backbone.prefix(backbone.prepare(rows), ["pooled"])["pooled"].numpy()
    monkeypatch.setattr(engine, "FEW", 0)
    for precision in ("fp32", "auto"):
        _, route = engine.choose(backbone, rows, ("pooled",), precision)
        np.testing.assert_allclose(pooled(backbone, rows, route), exact, atol=1e-3)
    np.testing.assert_allclose(pooled(backbone, rows, None), exact, atol=1e-4)


def test_a_route_that_errs_is_refused_and_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Wrong:
        def __init__(self, converted: Any, precision: str, some: Any) -> None:
            self.cuts = converted.cuts

        def __call__(self, values: torch.Tensor, mask: torch.Tensor | None) -> dict[str, np.ndarray]:
            return {c: np.random.default_rng(0).normal(size=(len(values), 384)) for c in self.cuts}

    monkeypatch.setattr(engine, "OpenvinoRoute", Wrong)
    monkeypatch.setattr(engine, "_chosen", {})
    monkeypatch.setattr(engine.log, "disabled", False)  # import-linter, run by other tests, switches loggers off
    with caplog.at_level(logging.WARNING, "headstart"):
        name, route = engine.choose(get("minilm"), TEXTS, ("pooled",), "int8")
    assert name == "fp32"
    assert "was refused: cosine" in caplog.text
    assert isinstance(route, engine.TorchRoute)


@pytest.mark.parametrize("is_kept", [False, True])
def test_a_network_is_not_converted_for_a_few_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_kept: bool
) -> None:
    """Unless that was done before."""
    monkeypatch.setattr(engine, "_chosen", {})
    monkeypatch.setattr(engine, "_choose", lambda *_: ("fp32", "converted"))
    if is_kept:
        (tmp_path / CARD).write_text("{}")

    def route(rows: int) -> Any:
        return engine.choose(get("minilm"), ["fine"] * rows, ("pooled",), "auto", home=lambda: tmp_path)[1]

    assert (route(engine.FEW) == "converted") == is_kept
    assert route(engine.FEW * engine.ANEW) == "converted"
    assert route(engine.FEW) == "converted"  # it is compiled now
    assert isinstance(route(engine.FEW - 1), engine.TorchRoute)


def test_without_openvino_torch_does_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.setattr(engine, "FEW", 0)
    monkeypatch.setattr(engine, "_chosen", {})
    name, route = engine.choose(get("minilm"), TEXTS, ("pooled",), "auto", home=lambda: tmp_path)
    assert (name, type(route)) == ("fp32", engine.TorchRoute)


def test_a_converted_network_is_kept_and_a_torn_one_converted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = get("minilm")
    first = Converted(backbone, ("layer.0",), tmp_path)
    route = OpenvinoRoute(first, "fp32", TEXTS)
    batch = backbone.prepare(TEXTS)
    told = route(batch.values, batch.mask)["layer.0"]
    assert not first.trusted
    first.trust()

    again = Converted(backbone, ("layer.0",), tmp_path)
    assert again.trusted
    monkeypatch.setattr(again, "_convert", None)  # nothing is converted
    read = OpenvinoRoute(again, "fp32", TEXTS)(batch.values, batch.mask)["layer.0"]
    np.testing.assert_array_equal(read, told)

    weights = tmp_path / "network.bin"
    weights.write_bytes(weights.read_bytes()[:-100])
    torn = Converted(backbone, ("layer.0",), tmp_path)
    assert torn.kept is None
    assert not torn.trusted
    anew = OpenvinoRoute(torn, "fp32", TEXTS)(batch.values, batch.mask)["layer.0"]
    np.testing.assert_array_equal(anew, told)


def test_a_process_takes_the_threads_it_was_given_and_no_more_than_there_are_cores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("joblib.cpu_count", lambda: 4)
    for given, expected in (("1", 1), ("2,1", 2), ("16", 4), ("0", 4), ("many", 4), ("", 4)):
        monkeypatch.setenv("OMP_NUM_THREADS", given)
        assert threads() == expected
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert threads() == 4


def test_a_compiled_network_is_let_go_of_where_its_name_is_known_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = {("print", precision, ("pooled",)): ("name", engine._nothing) for precision in engine.ROUTES}
    monkeypatch.setattr(engine, "_chosen", chosen)
    engine.forget()
    assert {precision for _, precision, _ in chosen} == {"bf16", "int8"}


def test_texts_are_batched_with_next_to_no_padding() -> None:
    rows = [f"word {'more ' * (i % 50)}" for i in range(300)]
    padded = real = 0
    for _, values, mask in engine._texts(get("minilm"), rows):
        assert values.numel() <= engine.TOKENS
        padded, real = padded + values.numel(), real + int(mask.sum())
    assert padded < 1.15 * real


def test_int8_products_are_near_enough_to_be_used() -> None:
    backbone = get("minilm")
    exact = backbone.prefix(backbone.prepare(TEXTS), ["pooled"])["pooled"].numpy()
    route = OpenvinoRoute(Converted(backbone, ("pooled",)), "int8", TEXTS)
    told = pooled(backbone, TEXTS, route)
    cosine = (told * exact).sum(1) / np.linalg.norm(told, axis=1) / np.linalg.norm(exact, axis=1)
    assert cosine.min() > 0.99
    assert np.abs(told - exact).max() > 1e-3  # not float32 under another name


def test_a_large_jpeg_is_read_whole_where_exact_numbers_are_asked_for(tmp_path: Path) -> None:
    backbone, path = get("efficientnet_lite0"), tmp_path / "large.jpg"
    noise = np.random.default_rng(0).integers(0, 256, (1400, 1600, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path, quality=90)
    whole, quick = (p([path]).values.int() for p in (backbone.prepare, backbone.prepare_quickly))
    assert not engine.scales(backbone, "fp32")
    assert engine.scales(backbone, "auto")
    assert 0 < (whole - quick).abs().float().mean() < 8
    small = Image.fromarray(noise[:300, :300])
    whole, quick = (p([small]).values.int() for p in (backbone.prepare, backbone.prepare_quickly))
    assert (whole - quick).abs().max() <= 3  # another resize of the same pixels


@pytest.mark.parametrize("size", [(500, 300), (300, 500), (301, 777), (224, 256), (90, 60)])
def test_only_what_the_crop_keeps_is_resized(size: tuple[int, int]) -> None:
    preparation: Any = get("efficientnet_lite0").preparation
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8))
    short = min(image.size)
    width, height = (int(preparation.resize * side / short) for side in image.size)
    left, top = round((width - 224) / 2), round((height - 224) / 2)
    whole = image.resize((width, height), Image.Resampling.BICUBIC).crop((left, top, left + 224, top + 224))
    apart = np.abs(preparation.one(image).transpose(1, 2, 0).astype(int) - np.asarray(whole))
    assert apart.max() <= 1  # a box is held in single precision
    assert (apart > 0).mean() < 5e-3


@pytest.mark.parametrize("name", ["elmo", "word_vectors"])
def test_families_without_a_fixed_graph_are_run_by_torch(name: str) -> None:
    """They refuse to be traced, and the engine goes on with the exact route."""
    from headstart import _discover

    family = _discover.load("backbones", name)
    if name == "elmo":
        lstm = {
            "cell_clip": 3,
            "use_skip_connections": True,
            "n_layers": 1,
            "proj_clip": 3,
            "projection_dim": 4,
            "dim": 6,
        }
        cnn = {"embedding": {"dim": 4}, "filters": [[1, 4]], "n_highway": 1, "activation": "relu"}
        backbone = family({"lstm": lstm, "char_cnn": cnn}, "tiny")
    else:
        backbone = family(torch.eye(3), "tiny", words=["a", "b", "c"])
    rows = ["a b", "c", "b b a"] * 20
    route, run = engine.choose(backbone, rows, ["pooled"], "auto")
    assert route == "fp32"
    batch = backbone.prepare(rows)
    assert run is not None
    whole = backbone.prefix(batch, ["pooled"])["pooled"].numpy()
    np.testing.assert_allclose(run(batch.values, batch.mask)["pooled"], whole, atol=1e-6)
