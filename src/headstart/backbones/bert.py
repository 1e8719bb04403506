"""BERT and its kin: any Hugging Face text encoder, as embeddings, layers and a pooling."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from headstart.backbones._base import Backbone, Batch, Stage
from headstart.backbones._weights import PACKAGED, find, verify
from headstart.errors import WeightsError

LONGEST = 512  # tokens, where the weights' own configuration sets no limit
PACKAGE = PACKAGED["minilm"]


class Bert(Backbone):
    """A Hugging Face encoder (BERT, RoBERTa, DistilBERT, ELECTRA, MiniLM, ...) for texts, and table rows as texts.

    Use it for sentences and paragraphs; what lies beyond the model's longest input (256 tokens for MiniLM) is not
    read. Kinds: "ids" at the input, "tokens" (t, d) above the embeddings and each layer, "vector" (d,) at the top.
    Raises WeightsError for folders without safetensors or of a layout without a list of layers.
    (Devlin et al., BERT, NAACL 2019; Wang et al., MiniLM, NeurIPS 2020.)

    >>> backbone = Bert.packaged("minilm")
    >>> backbone.cuts[0], backbone.cuts[-1]
    ('input', 'pooled')
    """

    modalities = frozenset({"text", "table"})
    input_kind = "ids"

    def __init__(self, folder: Path, name: str, licence: str = "unknown") -> None:
        import transformers

        if not any(folder.glob("*.safetensors")):
            raise WeightsError(f"no .safetensors in {folder}", expected="weights without pickle", do="convert them")
        self.name, self.licence = name, licence
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
        config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
        for key in ("attention_probs_dropout_prob", "attention_dropout"):
            if hasattr(config, key):  # torch has a fast attention for CPUs, but none that drops anything
                setattr(config, key, 0.0)
        with _Quiet():
            self.model = transformers.AutoModel.from_pretrained(
                folder,
                config=config,
                local_files_only=True,
                use_safetensors=True,
                dtype=torch.float32,
                attn_implementation="sdpa",
            ).eval()
        self.model.requires_grad_(False)
        own = _read(folder / "headstart.json").get("preprocessing", {})
        pooling = _read(folder / "1_Pooling" / "config.json")
        limit = _read(folder / "sentence_bert_config.json").get("max_seq_length")
        self.pooling = own.get("pooling") or ("cls" if pooling.get("pooling_mode_cls_token") else "mean")
        self.longest = int(own.get("longest") or limit or min(self.tokenizer.model_max_length, LONGEST))

    @classmethod
    def packaged(cls, name: str) -> Self:
        """A model that a package carries."""
        return cls(verify(PACKAGE.path, PACKAGE.sha256).parent, name, PACKAGE.licence)

    @classmethod
    def named(cls, name: str) -> Self:
        """A hub id that lies on this machine."""
        return cls(find(name), name)

    @classmethod
    def read(cls, folder: Path, card: dict[str, Any]) -> Self:
        """A Hugging Face folder, or one that `save` wrote."""
        return cls(folder, card.get("name") or f"local-dir:{folder}", card.get("licence", "unknown"))

    @property
    def preprocessing(self) -> dict[str, Any]:
        """Longest input, pooling and vocabulary."""
        return {"longest": self.longest, "pooling": self.pooling, "vocabulary": len(self.tokenizer)}

    def prepare(self, rows: Sequence[Any]) -> Batch:
        """Token ids (n, t) and their mask; a table row (dict) is read as "column: value; ..."."""
        coded = self.tokens(rows)
        values = torch.zeros(len(coded), max(map(len, coded)), dtype=torch.long)
        mask = torch.zeros_like(values, dtype=torch.bool)
        for i, ids in enumerate(coded):
            values[i, : len(ids)], mask[i, : len(ids)] = torch.as_tensor(ids), True
        return Batch(values, mask)

    def tokens(self, rows: Sequence[Any]) -> list[list[int]]:
        """Token ids of each row, without padding."""
        texts = [row if isinstance(row, str) else sentence(row) for row in rows]
        coded: list[list[int]] = self.tokenizer(texts, truncation=True, max_length=self.longest)["input_ids"]
        return coded

    def stages(self) -> list[Stage]:
        """Embeddings, one stage a layer, pooling."""
        return _stages(self.model, self.pooling)

    def fresh(self) -> list[Stage]:
        """The same network with weights drawn as its family draws them."""
        import transformers

        with _Quiet():
            model = transformers.AutoModel.from_config(self.model.config, attn_implementation="sdpa")
        return _stages(model.eval(), self.pooling)

    def save(self, folder: Path) -> None:
        """A Hugging Face folder with safetensors, the tokenizer, and headstart.json."""
        folder.mkdir(parents=True, exist_ok=True)
        with _Quiet():
            self.model.save_pretrained(folder, safe_serialization=True)
        self.tokenizer.save_pretrained(folder)
        card = {"family": "bert", "name": self.name, "licence": self.licence, "preprocessing": self.preprocessing}
        (folder / "headstart.json").write_text(json.dumps(card, indent=1), encoding="utf-8")


class _Embed(nn.Module):
    def __init__(self, model: Any) -> None:
        super().__init__()
        self.embeddings = model.embeddings
        self.project = getattr(model, "embeddings_project", None)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        x = self.embeddings(x.long())
        return x if self.project is None else self.project(x)


class _Layer(nn.Module):
    """One transformer layer; padding is hidden from attention, and no mask at all where there is no padding."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        hidden = None if mask is None or bool(mask.all()) else mask[:, None, None, :].expand(-1, 1, x.shape[1], -1)
        out = self.layer(x, hidden)
        return out if isinstance(out, Tensor) else out[0]


class _Pool(nn.Module):
    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        if self.how == "cls":
            return x[:, 0]
        if mask is None:
            return x.mean(1)
        weight = mask.to(x.dtype)[..., None]
        return (x * weight).sum(1) / weight.sum(1).clamp_min(1e-9)

    def extra_repr(self) -> str:
        return self.how


def _stages(model: Any, pooling: str) -> list[Stage]:
    inner = getattr(model, "encoder", None) or getattr(model, "transformer", None)
    layers = getattr(inner, "layer", None)
    if layers is None or not hasattr(model, "embeddings"):
        raise WeightsError(
            f"{type(model).__name__} has no list of layers", expected="an encoder such as BERT or RoBERTa"
        )
    steps = [Stage(f"layer.{i}", _Layer(layer), "tokens") for i, layer in enumerate(layers)]
    return [Stage("embeddings", _Embed(model), "tokens"), *steps, Stage("pooled", _Pool(pooling), "vector")]


def sentence(row: dict[str, Any]) -> str:
    """A table row as a sentence that a text model can read.

    >>> sentence({"age": 63.0, "sex": "male", "chol": None})
    'age: 63; sex: male'
    """
    known = ((k, f"{v:g}" if isinstance(v, float) else str(v)) for k, v in row.items() if v is not None)
    return "; ".join(f"{k}: {v}" for k, v in known)


def _read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


class _Quiet:
    """Keeps transformers' load report and progress bars off the terminal, and puts its settings back."""

    def __enter__(self) -> None:
        from transformers.utils import logging

        self.before = logging.get_verbosity()
        logging.set_verbosity_error()
        logging.disable_progress_bar()

    def __exit__(self, *_: object) -> None:
        from transformers.utils import logging

        logging.set_verbosity(self.before)
        logging.enable_progress_bar()
