"""Every family: the split network is the whole network, rows do not depend on their batch, saving loses nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from headstart import _discover, backbones
from headstart.activations import engine
from headstart.backbones._base import Backbone
from headstart.backbones._timm import Pixels, Preparation
from headstart.errors import WeightsError
from headstart.techniques.top_layers import TopLayers

TIMM = {
    "resnet": "resnet10t",
    "regnet": "regnetx_002",
    "vgg": "vgg11_trunk",
    "inception": "inception_v3",
    "densenet": "densenet121",
    "convnext": "convnext_atto",
    "vit": "vit_tiny_patch16_224",
    "efficientnet": "tf_efficientnet_lite0",
    "mobilenet": "mobilenetv3_small_050",
    "squeezenet": "squeezenet1_1",
}
KIN = (  # other networks of the same families, whose parts have other names
    "resnext50_32x4d", "wide_resnet50_2", "regnety_002", "inception_v4",
    "inception_resnet_v2", "legacy_xception", "xception41", "mobilenetv2_035", "efficientnet_b0", "convnextv2_atto",
    "deit_tiny_distilled_patch16_224", "deit3_small_patch16_224", "vit_small_patch14_dinov2",
    "vit_small_patch14_reg4_dinov2", "vit_base_patch16_siglip_224", "vit_base_patch16_siglip_gap_224",
)  # fmt: skip
ENCODERS = ("bert", "roberta", "distilbert", "electra", "deberta", "deberta-v2", "modernbert", "mpnet")
DECODERS = ("gpt2", "llama", "qwen2", "qwen3", "mistral", "gemma3_text")
HUGGING_FACE = (*ENCODERS, *DECODERS)
Made = tuple[Backbone, list[Any], Callable[[Backbone], torch.Tensor]]
TEXTS = ["hello world", "a much longer text about kettles, lamps and other things that one may buy", "no", "yes it is"]


def tiny_encoder(kind: str, folder: Path) -> Backbone:
    """A random network of two layers with a word-level tokenizer, as a Hugging Face folder."""
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    vocabulary = {
        w: i for i, w in enumerate(["[PAD]", "[CLS]", "[SEP]", "[UNK]", *sorted({w for t in TEXTS for w in t.split()})])
    }
    raw = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    raw.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=raw,
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        unk_token="[UNK]",
        model_max_length=32,
    )
    size: dict[str, Any] = {"vocab_size": len(vocabulary), "max_position_embeddings": 40, "pad_token_id": 0}
    size |= {"bos_token_id": 1, "eos_token_id": 2}
    usual = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    relative = {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "max_relative_positions": 8}
    own: dict[str, dict[str, Any]] = {
        "distilbert": {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32},
        "gpt2": {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 40},
        "electra": usual | {"embedding_size": 8},
        "deberta": usual | relative,
        "deberta-v2": usual | relative | {"position_buckets": 4, "norm_rel_ebd": "layer_norm", "conv_kernel_size": 3},
        "modernbert": usual | {"num_hidden_layers": 4, "local_attention": 4, "global_attn_every_n_layers": 3},
        **dict.fromkeys(("llama", "qwen2", "qwen3", "mistral"), usual | {"num_key_value_heads": 1, "head_dim": 8}),
        "gemma3_text": usual
        | {"num_key_value_heads": 1, "head_dim": 8, "layer_types": ["sliding_attention", "full_attention"]},
    }
    config = transformers.AutoConfig.for_model(kind, **size, **own.get(kind, usual))
    torch.manual_seed(0)
    model = transformers.AutoModel.from_config(config)
    with torch.no_grad():  # as drawn, norms and biases do nothing and an error in them would not be seen
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return backbones.get(f"local-dir:{folder}")


def pictures(size: int, rows: int = 3) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (size + 20 * i, size + 7, 3), dtype=np.uint8) for i in range(rows)]


def make(name: str, folder: Path) -> Made:
    """A backbone, rows, and what the library's own whole network says of them."""
    if name in TIMM:
        family = _discover.load("backbones", name)
        torch.manual_seed(0)
        backbone = family(family.build(TIMM[name]), TIMM[name])
        rows: list[Any] = pictures(backbone.preparation.size)

        def whole(b: Any) -> torch.Tensor:
            x = Pixels(b.config["mean"], b.config["std"])(b.prepare(rows).values)
            out: torch.Tensor = b.model(x)
            return out

        return backbone, rows, whole
    if name == "word_vectors":
        torch.manual_seed(0)
        words = sorted({w for t in TEXTS for w in t.replace(",", " ,").split()})
        table = torch.randn(len(words), 6)
        rows = [[words.index(w) for w in t.replace(",", " ,").split()] for t in TEXTS]
        made = _discover.load("backbones", name)(table, name, words=words)
        return (
            made,
            list(TEXTS),
            lambda b: torch.stack([b.stages()[0].module.words.weight[1:][r].mean(0) for r in rows]),
        )
    if name == "elmo":
        return tiny_elmo(), list(TEXTS), mixed
    backbone = backbones.get("minilm") if name == "minilm" else tiny_encoder(name, folder)

    def encode(b: Any) -> torch.Tensor:
        batch = b.prepare(TEXTS)
        assert batch.mask is not None
        tokens = b.model(input_ids=batch.values, attention_mask=batch.mask.long()).last_hidden_state
        weight = batch.mask[..., None].float()
        mean = (tokens * weight).sum(1) / weight.sum(1)
        return torch.nn.functional.normalize(mean) if name == "minilm" else mean

    return backbone, list(TEXTS), encode


def tiny_elmo() -> Backbone:
    lstm = {"cell_clip": 3, "use_skip_connections": True, "n_layers": 2, "proj_clip": 3, "projection_dim": 6, "dim": 10}
    cnn = {"embedding": {"dim": 4}, "filters": [[1, 4], [2, 6]], "n_highway": 1, "activation": "relu"}
    torch.manual_seed(0)
    made: Backbone = _discover.load("backbones", "elmo")({"lstm": lstm, "char_cnn": cnn}, "tiny")
    return made


def mixed(b: Any) -> torch.Tensor:
    """All layers in equal shares, averaged over each row's words alone."""
    batch = b.prepare(TEXTS)
    mean = torch.stack(b.layers(batch)[0]).mean(0)
    return torch.stack([row[1 : n - 1].mean(0) for row, n in zip(mean, batch.mask.sum(1).tolist(), strict=True)])


@pytest.fixture(scope="module", params=[*TIMM, *HUGGING_FACE, "minilm", "word_vectors", "elmo"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Built once for all tests of a network, none of which changes it."""
    return make(request.param, tmp_path_factory.mktemp("network"))


def test_every_family_is_here() -> None:
    known = set(_discover.names("backbones"))
    assert known == {*TIMM, "bert", "gpt", "elmo", "word_vectors", "ngrams", "colour_hog", "columns", "scratch"}


@pytest.mark.parametrize("architecture", KIN)
@torch.no_grad()
def test_other_networks_of_the_families_are_split_rightly_too(architecture: str) -> None:
    known = [f for n in TIMM if (f := _discover.load("backbones", n)).knows(architecture)]
    assert len(known) == 1
    small: dict[str, Any] = {"depth": 2} if "patch" in architecture else {}
    if "dinov2" in architecture:
        small |= {"img_size": 56}
    torch.manual_seed(0)
    tiny = Preparation(56, 56, "bicubic") if "img_size" in small else None
    backbone = known[0](known[0].build(architecture, **small), architecture, preparation=tiny)
    batch = backbone.prepare(pictures(backbone.preparation.size, rows=1))
    x = Pixels(backbone.config["mean"], backbone.config["std"])(batch.values)
    expected = backbone.model(x)
    assert expected.ndim == 2
    seen = backbone.prefix(batch, backbone.cuts)
    for cut in backbone.cuts[1:-1:2]:
        torch.testing.assert_close(backbone.suffix(cut)(seen[cut]), expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(seen["pooled"], expected, atol=1e-5, rtol=1e-4)


def test_no_two_families_claim_a_network_and_the_usual_ones_are_claimed() -> None:
    import timm

    families = [_discover.load("backbones", n) for n in TIMM]
    claims = {name: sum(f.knows(name) for f in families) for name in timm.list_models()}
    assert max(claims.values()) == 1
    for name in (
        *TIMM.values(),
        *KIN,
        "vit_large_patch14_clip_224",
        "regnety_320",
        "mobilenetv4_conv_small",
        "xception71",
    ):
        assert sum(f.knows(name) for f in families) == 1


@torch.no_grad()
def test_split_network_is_the_whole_network_at_every_cut(made: Made) -> None:
    backbone, rows, whole = made
    expected = whole(backbone)
    batch = backbone.prepare(rows)
    seen = backbone.prefix(batch, backbone.cuts)
    assert list(seen) == list(backbone.cuts)
    torch.testing.assert_close(seen["pooled"], expected, atol=1e-6, rtol=1e-5)
    for cut in backbone.cuts[:-1]:
        torch.testing.assert_close(backbone.suffix(cut)(seen[cut], batch.mask), expected, atol=1e-6, rtol=1e-5)


def test_the_last_layer_is_more_than_a_norm(made: Made) -> None:
    """So that training the last layers trains layers; a norm above them all belongs to the last."""
    backbone = made[0]
    learns = backbone.suffix(TopLayers(layers=1).where(backbone.cuts)).parameters()
    assert sum(p.numel() for p in learns if p.ndim > 1) > 0


@torch.no_grad()
def test_the_stages_drop_out_as_often_as_the_whole(made: Made) -> None:
    backbone, rows, whole = made
    calls: list[str] = []
    for name, module in backbone.model.named_modules() if hasattr(backbone, "model") else ():
        if isinstance(module, torch.nn.Dropout) and module.p:
            module.register_forward_hook(lambda *_, name=name: calls.append(name))
    whole(backbone)
    once, calls[:] = sorted(calls), []
    backbone.prefix(backbone.prepare(rows), ["pooled"])
    assert sorted(calls) == once


def test_a_row_does_not_depend_on_its_batch(made: Made) -> None:
    backbone, rows, _ = made
    together = backbone.prefix(backbone.prepare(rows), ["pooled"])["pooled"]
    alone = torch.cat([backbone.prefix(backbone.prepare([row]), ["pooled"])["pooled"] for row in rows])
    torch.testing.assert_close(alone, together, atol=1e-5, rtol=1e-4)


def test_saved_and_read_back_it_is_the_same(made: Made, tmp_path: Path) -> None:
    backbone, rows, _ = made
    backbone.save(tmp_path / "copy")
    assert not [p for p in (tmp_path / "copy").rglob("*") if p.suffix in (".bin", ".pt", ".pth", ".pkl")]
    again = backbones.get(f"local-dir:{tmp_path / 'copy'}")
    assert again.fingerprint == backbone.fingerprint
    first, second = (b.prefix(b.prepare(rows), ["pooled"])["pooled"] for b in (backbone, again))
    torch.testing.assert_close(first, second, atol=0, rtol=0)


def test_fresh_networks_have_the_shape_and_not_the_weights(made: Made) -> None:
    backbone, rows, _ = made
    batch = backbone.prepare(rows)
    torch.manual_seed(1)
    fresh = backbone.suffix("input", fresh=True)
    known = backbone.suffix("input")
    assert {k: v.shape for k, v in fresh.state_dict().items()} == {k: v.shape for k, v in known.state_dict().items()}
    with torch.no_grad():
        assert not torch.allclose(fresh.eval()(batch.values, batch.mask), known.eval()(batch.values, batch.mask))
    assert all(p.requires_grad for p in known.parameters())
    assert not any(p.requires_grad for s in backbone.stages() for p in s.module.parameters())


def test_minilm_pools_as_sentence_transformers_does() -> None:
    from sentence_transformers import SentenceTransformer

    from headstart.backbones._weights import PACKAGED

    backbone = backbones.get("minilm")
    theirs = SentenceTransformer(str(PACKAGED["minilm"].path.parent), device="cpu")
    pooled = backbone.prefix(backbone.prepare(TEXTS), ["pooled"])["pooled"]
    torch.testing.assert_close(pooled, torch.from_numpy(theirs.encode(TEXTS)), atol=1e-5, rtol=1e-4)


def test_the_packaged_picture_network_knows_what_it_was_taught() -> None:
    """Strong features: two kinds of pattern that differ in texture alone are far apart, two of one kind are not."""
    backbone = backbones.get("efficientnet_lite0")
    rng = np.random.default_rng(0)
    stripes = [
        np.repeat((rng.random((1, 224)) > 0.5)[:, :, None] * 255, 224, 0).repeat(3, 2).astype(np.uint8)
        for _ in range(4)
    ]
    noise = [rng.integers(0, 256, (224, 224, 3), dtype=np.uint8) for _ in range(4)]
    v = backbone.prefix(backbone.prepare(stripes + noise), ["pooled"])["pooled"].numpy()
    v = (v - v.mean(0)) / np.linalg.norm(v - v.mean(0), axis=1, keepdims=True)
    within, across = (v[:4] @ v[:4].T).mean(), (v[:4] @ v[4:].T).mean()
    assert within > across + 0.5


def test_untrained_twin_is_another_network_of_the_same_shape() -> None:
    twin, real = backbones.get("scratch:minilm"), backbones.get("minilm")
    assert twin.cuts == real.cuts
    assert not twin.pretrained
    assert twin.fingerprint != real.fingerprint
    for name, rows in (
        ("scratch:minilm", TEXTS),
        ("scratch:efficientnet_lite0", pictures(80)),
        ("minilm#layer.0", TEXTS),
    ):
        found = [len(v["pooled"]) for _, v in engine.extract(backbones.get(name), rows, ["pooled"])]
        assert sum(found) == len(rows)
    again = _discover.load("backbones", "scratch")(real)
    assert again.fingerprint == twin.fingerprint


def test_unknown_names_say_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADSTART_MODELS", str(tmp_path / "none"))
    with pytest.raises(WeightsError, match=r"headstart models pull resnet50\.a1_in1k"):
        backbones.get("resnet50.a1_in1k")
    with pytest.raises(WeightsError, match="no folder"):
        backbones.get(f"local-dir:{tmp_path / 'nowhere'}")


def test_a_network_that_reads_padding_is_refused(tmp_path: Path) -> None:
    """Its convolutions go on into the padding: a row would have another answer in each batch."""
    with pytest.raises(WeightsError, match="more than its layers in order"):
        tiny_encoder("convbert", tmp_path)


def test_a_table_row_is_read_as_a_sentence() -> None:
    backbone = backbones.get("minilm")
    as_row = backbone.tokens([{"age": 63.0, "sex": "male", "chol": None}])
    assert as_row == backbone.tokens(["age: 63; sex: male"])


def test_classical_features() -> None:
    columns = _discover.load("backbones", "columns").of([{"n": 1.0, "c": "a"}, {"n": None, "c": "b"}])
    seen = columns.features([{"n": 2.0, "c": "b"}, {"n": None, "c": "new"}, {"n": 1.0, "c": None}])
    np.testing.assert_array_equal(seen[:, 1:], [[0, 1, 0], [0, 0, 1], [0, 0, 0]])
    assert np.isnan(seen[1, 0])
    assert columns.headings == ["n", "c=a", "c=b", "c=(other)"]
    words = backbones.get("ngrams").features(["good good", "bad"])
    assert words.sum() > 0
    assert (words[0] != words[1]).nnz > 0
    hog = backbones.get("colour_hog")
    black, white = np.zeros((30, 40, 3), np.uint8), np.full((30, 40, 3), 255, np.uint8)
    assert not np.allclose(*hog.features([black, white]))
    np.testing.assert_allclose(hog.features([black, white])[1], hog.features([white])[0])


def test_the_chain_of_a_sentence_model_survives_saving(tmp_path: Path) -> None:
    """Pooling by the first token, a dense layer, length one: as the folder of a sentence model says."""
    import json

    from safetensors.torch import save_file

    tiny_encoder("bert", tmp_path / "source")
    steps = ("Transformer", "Pooling", "Dense", "Normalize")
    listed = [
        {"idx": i, "name": str(i), "path": f"{i}_{k}" if i else "", "type": f"x.{k}"} for i, k in enumerate(steps)
    ]
    for step in listed[1:]:
        (tmp_path / "source" / step["path"]).mkdir()
    (tmp_path / "source" / "modules.json").write_text(json.dumps(listed))
    (tmp_path / "source" / "1_Pooling" / "config.json").write_text('{"pooling_mode_cls_token": true}')
    size = {
        "in_features": 16,
        "out_features": 4,
        "bias": True,
        "activation_function": "torch.nn.modules.activation.Tanh",
    }
    (tmp_path / "source" / "2_Dense" / "config.json").write_text(json.dumps(size))
    weight, bias = torch.randn(4, 16), torch.randn(4)
    save_file({"linear.weight": weight, "linear.bias": bias}, tmp_path / "source" / "2_Dense" / "model.safetensors")
    (tmp_path / "source" / "headstart.json").unlink(missing_ok=True)
    backbone = _discover.load("backbones", "bert").read(tmp_path / "source", {})
    batch = backbone.prepare(TEXTS)
    seen = backbone.prefix(batch, backbone.cuts)
    expected = torch.nn.functional.normalize(torch.tanh(seen["layer.1"][:, 0] @ weight.T + bias))
    torch.testing.assert_close(seen["pooled"], expected)
    backbone.save(tmp_path / "copy")
    again = backbones.get(f"local-dir:{tmp_path / 'copy'}")
    assert again.fingerprint == backbone.fingerprint
    torch.testing.assert_close(again.prefix(batch, ["pooled"])["pooled"], expected)
