"""GPT and its kin: causal language models as embeddings, layers and a pooling; safetensors or GGUF."""

from __future__ import annotations

import contextlib
import copy
import io
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from headstart.backbones._base import Stage, untraced
from headstart.backbones._huggingface import HuggingFace, Quiet, Slice, normed, pretrained
from headstart.errors import WeightsError


class Gpt(HuggingFace):
    """A causal language model (GPT-2, LLaMA, SmolLM, Qwen, Mistral, ...) from a folder, an id or a `.gguf` file.

    Use it where the task needs knowledge of the world more than likeness of sentences; an encoder of the same size is
    faster and mostly better. Kinds: "ids" at the input, "tokens" (t, d) above the embeddings and each layer, the last
    of which has the last norm, "vector" (d,) at the top: the mean, or with `NAME#last` the last token, the only one
    that has read all. Texts longer than 512 tokens are cut off. GGUF needs the extra `gguf`. (Radford et al., GPT-2,
    2019; Touvron et al., LLaMA, arXiv 2302.13971.)

    >>> Gpt.endings
    ('.gguf',)
    """

    family = "gpt"
    endings = (".gguf",)
    extra = "gguf"

    @classmethod
    def reads(cls, folder: Path, config: dict[str, Any]) -> bool:
        """Whatever transformers knows as a causal language model and not as a masked one."""
        from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as CAUSAL
        from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES as MASKED

        return config.get("model_type") in CAUSAL and config["model_type"] not in MASKED

    @classmethod
    def from_file(cls, path: Path, name: str) -> Self:
        """A GGUF file: weights (dequantised to float32) and tokenizer in one."""
        if find_spec("gguf") is None:
            raise WeightsError(
                f"{path} is a GGUF file", expected="the package gguf", do="pip install gguf (headstart[gguf])"
            )
        import transformers

        with contextlib.redirect_stderr(io.StringIO()):  # a progress bar that no setting turns off
            read, tokenizer = pretrained(path.parent, gguf_file=path.name)
        config = copy.deepcopy(read.config)  # without the note that it was quantised: from here on it is not
        vars(config).pop("quantization_config", None)
        with Quiet():
            model = transformers.AutoModel.from_config(config).float()
        model.load_state_dict(read.state_dict())
        return cls(model, tokenizer, name, folder=path.parent)

    def parts(self, model: Any) -> list[Stage]:
        """Embeddings and layers, the last one with the norm above it."""
        if hasattr(model, "wpe"):
            shape: dict[str, nn.Module | None] = {"wte": None, "wpe": _Nowhere()}
            shape |= {"drop": nn.Identity(), "ln_f": nn.Identity()}  # once, with the embeddings; once, above all
            steps: list[nn.Module] = [_Causal(model, "h", i, **shape) for i in range(len(model.h))]
            embed: _Words = _Positions(model.wte, model.wpe, model.drop)
            norm = model.ln_f
        elif hasattr(model, "embed_tokens") and hasattr(model, "layers") and hasattr(model, "norm"):
            shape = {"embed_tokens": None, "norm": nn.Identity()}
            steps = [_Causal(model, "layers", i, **shape) for i in range(len(model.layers))]
            embed, norm = _Words(model.embed_tokens), model.norm
        else:
            raise WeightsError(
                f"{type(model).__name__} has an unknown layout", expected="a decoder such as GPT-2 or LLaMA"
            )
        return [
            Stage("embeddings", embed.eval(), "tokens"),
            *(Stage(f"layer.{i}", step.eval(), "tokens") for i, step in enumerate(normed(steps, norm))),
        ]


class _Causal(Slice):
    """One layer. Padding stands on the right, so that no token sees it: the causal mask is all that is needed."""

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        untraced(self.inner)
        out: Tensor = self.inner(inputs_embeds=x, use_cache=False).last_hidden_state
        return out


class _Words(nn.Module):
    def __init__(self, words: nn.Module) -> None:
        super().__init__()
        self.words = words

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        out: Tensor = self.words(x.long())
        return out


class _Positions(_Words):
    """Words and learned positions, as in GPT-2."""

    def __init__(self, words: nn.Module, positions: nn.Module, drop: nn.Module) -> None:
        super().__init__(words)
        self.positions, self.drop = positions, drop

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        at = torch.arange(x.shape[1], device=x.device)[None]
        out: Tensor = self.drop(self.words(x.long()) + self.positions(at))
        return out


class _Nowhere(nn.Module):
    """Stands for positions that the stage below has added already."""

    def forward(self, at: Tensor) -> Tensor:
        return torch.zeros(1, 1, 1, device=at.device)
