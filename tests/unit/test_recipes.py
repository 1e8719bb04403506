"""Real weights out of packages. What was pulled (`headstart models pull NAME`) is tested, the rest is skipped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from headstart import backbones
from headstart.backbones import _onnx
from headstart.backbones._recipes import RECIPES
from headstart.backbones._weights import PACKAGED, local

# ImageNet's numbers of what is to be seen
PALACE, MONASTERY, UNIFORM, SUIT = 698, 663, 652, 834
HEADS = ("mobilenetv2", "efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2", "squeezenet")


def pulled(name: str) -> Path:
    folder = local(name)
    if folder is None:
        pytest.skip(f"{name} is not here: headstart models pull {name}")
    return folder


def photographs() -> list[tuple[np.ndarray, set[int]]]:
    """Real photographs that libraries of ours carry, and classes of ImageNet that name what they show.

    The dahlia of the third one is no class of ImageNet.
    """
    import matplotlib.cbook
    from PIL import Image
    from sklearn.datasets import load_sample_image

    with matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=True) as file:
        officer = np.asarray(Image.open(file).convert("RGB"))
    temple, dahlia = load_sample_image("china.jpg"), load_sample_image("flower.jpg")
    return [(temple, {PALACE, MONASTERY}), (officer, {UNIFORM, SUIT}), (dahlia, set())]


def logits(name: str, pictures: list[Any]) -> torch.Tensor:
    """What the network's own head for ImageNet says."""
    if name == "efficientnet_lite0":
        *_, weight, bias = torch.load(PACKAGED[name].path, weights_only=True, map_location="cpu").values()
    else:
        head = load_file(pulled(name) / "head.safetensors")
        weight, bias = head["weight"], head["bias"]
    backbone = backbones.get(name)
    cut = backbone.cuts[-2] if name == "squeezenet" else "pooled"  # its head stands below the pooling
    seen = backbone.prefix(backbone.prepare(pictures), [cut])[cut]
    if cut == "pooled":
        return seen @ weight.T + bias
    return torch.einsum("nchw,kc->nkhw", seen, weight).add(bias[:, None, None]).relu().mean((2, 3))


@pytest.mark.parametrize("name", HEADS)
def test_networks_with_a_head_name_what_real_photographs_show(name: str) -> None:
    shown = photographs()[:2]
    top = logits(name, [picture for picture, _ in shown]).topk(5).indices
    assert [bool(wanted & set(row.tolist())) for row, (_, wanted) in zip(top, shown, strict=True)] == [True, True]


@pytest.mark.parametrize("name", RECIPES)
def test_what_was_pulled_works(name: str) -> None:
    pulled(name)
    backbone = backbones.get(name)
    assert backbone.name == name
    assert backbone.licence == RECIPES[name].licence
    rows = (
        [p for p, _ in photographs()] if RECIPES[name].modality == "image" else ["Good tea.", "Rain tomorrow?", "Tea."]
    )
    vectors = backbone.prefix(backbone.prepare(rows), ["pooled"])["pooled"]
    assert torch.isfinite(vectors).all()
    cosine = torch.nn.functional.cosine_similarity(vectors, vectors.roll(1, 0))
    assert (cosine < 0.9999).all()
    if name in ("minilm_l3", "glove", "wordllama"):
        assert cosine[0] > cosine[1]  # rows 0 and 2 speak of tea, row 1 does not


def test_a_table_of_static_vectors_knows_likeness() -> None:
    pulled("glove")
    vectors = backbones.get("glove").prefix(backbones.get("glove").prepare(["king", "queen", "cabbage"]), ["pooled"])[
        "pooled"
    ]
    near, far = (torch.nn.functional.cosine_similarity(vectors[0], vectors[i], dim=0) for i in (1, 2))
    assert near > far + 0.3


def test_the_pinned_archives_are_whole_and_each_is_used_once() -> None:
    sums = [recipe.source.sha256 for recipe in RECIPES.values()]
    assert len({*sums}) == len(RECIPES)
    assert all(len(s) == 64 for s in sums)
    assert not {*RECIPES} & {*PACKAGED}


def test_onnx_files_are_read_without_a_runtime(tmp_path: Path) -> None:
    """By hand: a graph of one node and a tensor of two rows, its sizes packed."""

    def field(number: int, content: bytes) -> bytes:
        return bytes([number << 3 | 2, len(content)]) + content

    values = np.array([[1.5, -2, 3], [0, 4, 5]], dtype=np.float32)
    tensor = field(1, bytes([2, 3])) + bytes([2 << 3, 1]) + field(8, b"w") + field(9, values.tobytes())
    node = field(1, b"x") + field(1, b"w") + field(2, b"y") + field(3, b"/dense/MatMul") + field(4, b"MatMul")
    (tmp_path / "m.onnx").write_bytes(bytes([1 << 3, 8]) + field(7, field(1, node) + field(5, tensor)))
    tensors, nodes = _onnx.read(tmp_path / "m.onnx")
    np.testing.assert_array_equal(tensors["w"], values)
    assert nodes == [_onnx.Node("MatMul", "/dense/MatMul", ["x", "w"])]


def test_a_missing_optional_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from headstart.backbones import _keras, gpt
    from headstart.errors import WeightsError

    for module in (_keras, gpt):
        monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(WeightsError, match=r"pip install h5py"):
        _keras.hdf5(tmp_path / "weights.h5")
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    with pytest.raises(WeightsError, match=r"pip install gguf"):
        backbones.get(str(tmp_path / "model.gguf"))


@pytest.mark.parametrize("name", RECIPES)
def test_pull_takes_a_recipe_where_no_mirror_has_the_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without fetching: the archive is asked for with its pin, and what goes wrong leaves nothing behind."""
    from headstart.backbones import _bring, _convert
    from headstart.errors import DataError

    asked = []

    def fetch(source: Any, folder: Path) -> Path:
        asked.append(source)
        raise DataError("no network here")

    monkeypatch.delenv("HEADSTART_MIRROR", raising=False)
    monkeypatch.setattr(_convert, "fetch", fetch)
    monkeypatch.setenv("HEADSTART_MODELS", str(tmp_path))
    with pytest.raises(DataError, match="no network here"):
        _bring.pull(name)
    assert not list(tmp_path.iterdir())
    assert asked == [RECIPES[name].source]
