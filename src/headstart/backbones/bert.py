"""BERT and its kin: any Hugging Face text encoder, as embeddings, layers and a pooling."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from headstart.backbones._base import Stage, untraced
from headstart.backbones._huggingface import HuggingFace, Slice, normed, pretrained
from headstart.backbones._weights import PACKAGED, verify
from headstart.errors import WeightsError


class Bert(HuggingFace):
    """A Hugging Face encoder (BERT, RoBERTa, DistilBERT, ELECTRA, MiniLM, DeBERTa, ModernBERT, bge, e5, ...).

    Use it for sentences and paragraphs; what lies beyond the model's longest input (256 tokens for MiniLM) is not
    read. Texts, and table rows as texts. Kinds: "ids" at the input, "tokens" (t, d) above the embeddings and each
    layer, "vector" (d,) at the top, as sentence-transformers gives it where the folder is one of its own. Raises
    WeightsError for folders without safetensors or of a layout without a list of layers.
    (Devlin et al., BERT, NAACL 2019; Wang et al., MiniLM, NeurIPS 2020.)

    >>> backbone = Bert.packaged("minilm")
    >>> backbone.cuts[0], backbone.cuts[-1]
    ('input', 'pooled')
    """

    family = "bert"

    @classmethod
    def packaged(cls, name: str) -> Self:
        """A model that a package carries."""
        package = PACKAGED[name]
        folder = verify(package.path, package.sha256).parent
        return cls(*pretrained(folder, use_safetensors=True), name, licence=package.licence, folder=folder)

    @classmethod
    def reads(cls, folder: Path, config: dict[str, Any]) -> bool:
        """Whatever transformers knows and is no causal language model."""
        from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as CAUSAL
        from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES as MASKED

        kind = config.get("model_type")
        return kind is not None and (kind in MASKED or kind not in CAUSAL)

    def parts(self, model: Any) -> list[Stage]:
        """Embeddings and layers."""
        inner: Any = getattr(model, "encoder", None) or getattr(model, "transformer", None)
        if hasattr(model, "layers") and hasattr(model, "final_norm"):  # ModernBERT
            return _modern(model)
        if not hasattr(inner, "layer") or not hasattr(model, "embeddings"):
            raise WeightsError(
                f"{type(model).__name__} has no list of layers", expected="an encoder such as BERT or RoBERTa"
            )
        if hasattr(inner, "rel_embeddings"):
            steps: list[nn.Module] = [_Relative(inner, i) for i in range(len(inner.layer))]
        elif hasattr(inner, "relative_attention_bias"):
            steps = [_Biased(inner, "layer", i) for i in range(len(inner.layer))]
        else:
            steps = [_Layer(layer) for layer in inner.layer]
        return [
            Stage("embeddings", _Embed(model).eval(), "tokens"),
            *(Stage(f"layer.{i}", step.eval(), "tokens") for i, step in enumerate(steps)),
        ]


class _Embed(nn.Module):
    def __init__(self, model: Any) -> None:
        super().__init__()
        self.embeddings = model.embeddings
        self.project = getattr(model, "embeddings_project", None)
        self.masked = "mask" in inspect.signature(model.embeddings.forward).parameters  # DeBERTa's convolution reads on

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        x = self.embeddings(x.long(), **({"mask": mask} if self.masked else {}))
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


class _Relative(Slice):
    """One layer of DeBERTa: relative positions belong to the encoder, and its convolution to the first layer."""

    def __init__(self, encoder: Any, at: int) -> None:
        super().__init__(encoder, "layer", at, **({"conv": None} if at and hasattr(encoder, "conv") else {}))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        untraced(self.inner)
        seen = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device) if mask is None else mask
        out: Tensor = self.inner(x, seen.long(), output_hidden_states=False).last_hidden_state
        return out


class _Biased(Slice):
    """One layer of MPNet: its position bias belongs to the encoder."""

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        hidden = (
            None if mask is None else torch.where(mask, 0.0, torch.finfo(x.dtype).min)[:, None, None, :].to(x.dtype)
        )
        out: Tensor = self.inner(x, hidden)[0]
        return out


class _Rotary(Slice):
    """One layer of ModernBERT: rotations and windows belong to the model."""

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        untraced(self.inner)
        out: Tensor = self.inner(inputs_embeds=x, attention_mask=mask).last_hidden_state
        return out


class _Through(nn.Module):
    def forward(self, input_ids: Tensor | None = None, inputs_embeds: Tensor | None = None) -> Tensor | None:
        return inputs_embeds


def _modern(model: Any) -> list[Stage]:
    layers = range(len(model.layers))
    steps = [_Rotary(model, "layers", i, embeddings=_Through(), final_norm=nn.Identity()) for i in layers]
    return [
        Stage("embeddings", _Embed(model).eval(), "tokens"),
        *(Stage(f"layer.{i}", step.eval(), "tokens") for i, step in enumerate(normed(steps, model.final_norm))),
    ]
