"""What turns one file of a package into a folder of safetensors and JSON, once."""

from __future__ import annotations

import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from headstart import _discover
from headstart.backbones import _keras, _onnx
from headstart.backbones._file import from_file, tensors, translate
from headstart.backbones._recipes import RECIPES
from headstart.backbones._weights import PACKAGED
from headstart.data._fetch import fetch
from headstart.errors import WeightsError

IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
CAFFE = {"mean": [v / 255 for v in (123.68, 116.779, 103.939)], "std": [1 / 255] * 3}
HALVES = {"mean": [0.5] * 3, "std": [0.5] * 3}


def make(name: str, folder: Path) -> None:
    """Fetch and convert a model of this table into an empty folder. Raises DataError or WeightsError."""
    recipe = RECIPES[name]
    with tempfile.TemporaryDirectory(prefix="headstart-") as place:
        archive = fetch(recipe.source, Path(place))
        with zipfile.ZipFile(archive) as opened:
            files = [Path(opened.extract(file, Path(place) / "files")) for file in recipe.files]
        globals()[f"_{recipe.convert}"](files, name, folder)
    path = folder / "headstart.json"
    card = json.loads(path.read_text(encoding="utf-8")) | {"name": name, "licence": recipe.licence}
    card["source"] = str(recipe.source)
    path.write_text(json.dumps(card, indent=1), encoding="utf-8")


def _picture(architecture: str, state: dict[str, Tensor], folder: Path, config: dict[str, Any]) -> None:
    """A timm folder of an architecture and its tensors."""
    family = next(
        f for n in _discover.names("backbones")
        if hasattr(f := _discover.load("backbones", n), "knows") and f.knows(architecture)
    )  # fmt: skip
    model = family.build(architecture, pretrained_cfg_overlay=config)
    model.load_state_dict(translate(state, model), strict=False)
    family(model, architecture).save(folder)


def _keep_head(folder: Path, weight: Tensor, bias: Tensor) -> None:
    """The 1,000 ImageNet classes, beside the trunk: (classes, d) and (classes,)."""
    from safetensors.torch import save_file

    save_file({"weight": weight.contiguous(), "bias": bias.contiguous()}, folder / "head.safetensors")


def _lite(files: list[Path], name: str, folder: Path) -> None:
    state = tensors(files[0])
    size = {"efficientnet_lite1": 240, "efficientnet_lite2": 260}[name]
    *_, weight, bias = state.values()
    _picture(f"tf_{name}", state, folder, {**HALVES, "input_size": (3, size, size)})
    _keep_head(folder, weight, bias)


def _mobilenet(files: list[Path], name: str, folder: Path) -> None:
    from_file(files[0], "mobilenet_v2").save(folder)
    *_, weight, bias = tensors(files[0]).values()
    _keep_head(folder, weight, bias)


def _densenet(files: list[Path], name: str, folder: Path) -> None:
    _picture("densenet121", _keras.densenet121(files[0]), folder, {**IMAGENET, "crop_pct": 0.875})


def _xception(files: list[Path], name: str, folder: Path) -> None:
    _picture("legacy_xception", _keras.xception(files[0]), folder, HALVES)


def _squeezenet(files: list[Path], name: str, folder: Path) -> None:
    state, head = _keras.squeezenet(files[0])
    _picture("squeezenet1_1", state, folder, CAFFE)
    _keep_head(folder, head["weight"], head["bias"])


def _vgg(files: list[Path], name: str, folder: Path) -> None:
    """The convolutions; they were taught with blue first, which the first kernel's channels take up."""
    raw, nodes = _onnx.read(files[0])
    places = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]
    state: dict[str, Tensor] = {}
    for place, node in zip(places, (n for n in nodes if n.kind == "Conv"), strict=True):
        weight, bias = (torch.from_numpy(raw[i].copy()) for i in node.inputs[1:3])
        state |= {f"features.{place}.weight": weight, f"features.{place}.bias": bias}
    state["features.0.weight"] = state["features.0.weight"].flip(1)
    _picture("vgg16_trunk", state, folder, CAFFE)


def _minilm_l3(files: list[Path], name: str, folder: Path) -> None:
    """Matrices of an ONNX file are transposed and nameless: the nodes that use them say which is which."""
    import transformers

    raw, nodes = _onnx.read(files[0])
    prefix = "model.0.auto_model."
    state = {k.removeprefix(prefix): v for k, v in raw.items() if k.startswith(prefix)}
    for node in nodes:
        if node.kind == "MatMul" and node.inputs[1] in raw:
            state[node.name.split("/auto_model/")[1].removesuffix("/MatMul").replace("/", ".") + ".weight"] = raw[
                node.inputs[1]
            ].T
    config = transformers.BertConfig(
        hidden_size=384,
        num_hidden_layers=3,
        num_attention_heads=12,
        intermediate_size=1536,
        max_position_embeddings=512,
    )
    model = transformers.BertModel(config, add_pooling_layer=False)
    model.load_state_dict({k: torch.from_numpy(v.copy()) for k, v in state.items()})
    like = PACKAGED["minilm"].path.parent  # the same vocabulary
    tokenizer = transformers.AutoTokenizer.from_pretrained(like, local_files_only=True)
    tokenizer.model_max_length = 128
    _discover.load("backbones", "bert")(model, tokenizer, name, folder=folder).save(folder)


def _gguf(files: list[Path], name: str, folder: Path) -> None:
    backbone = _discover.load("backbones", "gpt").from_file(files[0], name)
    backbone.model.half()  # four-bit weights lose nothing that counts, and the folder is half as large
    backbone.save(folder)


def _glove(files: list[Path], name: str, folder: Path) -> None:
    import pandas as pd

    words = pd.read_parquet(files[1])["index"].astype(str).tolist()
    vectors = torch.from_numpy(np.load(files[0], allow_pickle=False))
    if len(words) != len(vectors):
        raise WeightsError(f"{len(words)} words and {len(vectors)} vectors", expected="as many")
    _discover.load("backbones", "word_vectors")(vectors, name, words=words).save(folder)


def _wordllama(files: list[Path], name: str, folder: Path) -> None:
    vectors = tensors(files[0])["embedding.weight"]
    tokenizer = files[1].read_text(encoding="utf-8")
    _discover.load("backbones", "word_vectors")(vectors, name, tokenizer=tokenizer).save(folder)
