"""What all families share whose networks are transformers': tokenizer, pooling, saving; a family lists its stages."""

from __future__ import annotations

import copy
import json
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from headstart.backbones._base import Backbone, Batch, Stage
from headstart.backbones._pool import Pool
from headstart.errors import NotApplicable, WeightsError

LONGEST = 512  # tokens, where the weights' own configuration sets no limit
POOLING_KEYS = {"pooling_mode_cls_token": "cls", "pooling_mode_max_tokens": "max", "pooling_mode_lasttoken": "last"}


class HuggingFace(Backbone):
    """A network of transformers for texts, and table rows as texts."""

    modalities = frozenset({"text", "table"})
    input_kind = "ids"
    family: ClassVar[str]

    def __init__(self, model: Any, tokenizer: Any, name: str, *, licence: str = "unknown", folder: Path) -> None:
        self.model, self.tokenizer, self.name, self.licence = model.eval(), tokenizer, name, licence
        self.model.requires_grad_(False)
        own = read_json(folder / "headstart.json").get("preprocessing", {})
        self.pooling, self.above = _modules(folder)
        limit = own.get("longest") or read_json(folder / "sentence_bert_config.json").get("max_seq_length")
        config = self.model.config
        known = (getattr(config, k, None) for k in ("max_position_embeddings", "sliding_window"))
        self.longest = int(limit or min(self.tokenizer.model_max_length, LONGEST, *(k for k in known if k)))
        self._prove()

    @classmethod
    def read(cls, folder: Path, card: dict[str, Any]) -> Self:
        """A Hugging Face folder, or one that `save` wrote."""
        name, licence = card.get("name") or f"local-dir:{folder}", card.get("licence", "unknown")
        if not any(folder.glob("*.safetensors")):
            raise WeightsError(f"no .safetensors in {folder}", expected="weights without pickle", do="convert them")
        return cls(*pretrained(folder, use_safetensors=True), name, licence=licence, folder=folder)

    @property
    def preprocessing(self) -> dict[str, Any]:
        """Longest input, pooling and vocabulary."""
        return {"longest": self.longest, "pooling": self.pooling, "vocabulary": len(self.tokenizer)}

    def prepare(self, rows: Sequence[Any]) -> Batch:
        """Token ids (n, t) and their mask; a table row (dict) is read as "column: value; ..."."""
        return padded(self.tokens(rows))

    def tokens(self, rows: Sequence[Any]) -> list[list[int]]:
        """Token ids of each row, without padding; at least one."""
        texts = [row if isinstance(row, str) else sentence(row) for row in rows]
        coded: list[list[int]] = self.tokenizer(texts, truncation=True, max_length=self.longest)["input_ids"]
        return [ids or [self.tokenizer.eos_token_id or 0] for ids in coded]

    @property
    def blank(self) -> int:  # type: ignore[override]  # it is only read, and the tokenizer comes later
        """The mask where the tokenizer has one, else what stands for padding, unknown words or the end."""
        known = (getattr(self.tokenizer, f"{name}_token_id", None) for name in ("mask", "pad", "unk", "eos"))
        return next((int(k) for k in known if k is not None), 0)

    def spans(self, text: str) -> list[tuple[int, int]]:
        """As the tokenizer says."""
        if not self.tokenizer.is_fast:
            raise NotApplicable(f"the tokenizer of {self.name} does not say where its tokens stand in a text")
        options = {"truncation": True, "max_length": self.longest, "return_offsets_mapping": True}
        return [(int(a), int(b)) for a, b in self.tokenizer(text, **options)["offset_mapping"]] or [(0, 0)]

    def stages(self) -> list[Stage]:
        """Embeddings, one stage a layer, pooling."""
        return self._staged(self.model, self.above)

    def fresh(self) -> list[Stage]:
        """The same network with weights drawn as its family draws them."""
        import transformers

        with Quiet():
            model = transformers.AutoModel.from_config(copy.deepcopy(self.model.config)).float()
        above = copy.deepcopy(self.above)
        for module in above.modules():
            if isinstance(module, nn.Linear):
                module.reset_parameters()
        return self._staged(model.eval(), above)

    def _staged(self, model: Any, above: nn.Sequential) -> list[Stage]:
        return [*self.parts(model), Stage("pooled", _Top(Pool(self.pooling), above).eval(), "vector")]

    @abstractmethod
    def parts(self, model: Any) -> list[Stage]:
        """The stages below the pooling; WeightsError for a layout that is not known."""

    @torch.no_grad()
    def _prove(self) -> None:
        """Refuse a network that is not the composition of its stages: silently wrong features would be worse."""
        ids = torch.arange(5)[None] % self.model.config.vocab_size
        short = ids[:, :3]
        whole = self.model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
        alone = self.model(input_ids=short, attention_mask=torch.ones_like(short)).last_hidden_state
        x: Tensor = ids.repeat(2, 1)
        mask = torch.arange(5) < torch.tensor([[5], [3]])
        for stage in self.parts(self.model):
            x = stage.module(x, mask)
        same = (torch.allclose(a, b, atol=1e-4, rtol=1e-3) for a, b in ((x[:1], whole), (x[1:, :3], alone)))
        if not all(same):  # the second row is padded: what else is in a batch must change nothing
            raise WeightsError(
                f"{type(self.model).__name__} is more than its layers in order",
                expected=f"a network such as {self.family}",
            )

    def save(self, folder: Path) -> None:
        """A Hugging Face folder: safetensors, tokenizer, the pooling as sentence-transformers has it, and a card."""
        folder.mkdir(parents=True, exist_ok=True)
        with Quiet():
            self.model.save_pretrained(folder, safe_serialization=True)
        self.tokenizer.save_pretrained(folder)
        _write_modules(folder, self.pooling, self.above)
        card = {"family": self.family, "name": self.name, "licence": self.licence, "preprocessing": self.preprocessing}
        (folder / "headstart.json").write_text(json.dumps(card, indent=1), encoding="utf-8")


class _Top(nn.Module):
    """Pooling, and what a sentence model has above it."""

    def __init__(self, pool: nn.Module, above: nn.Sequential) -> None:
        super().__init__()
        self.pool, self.above = pool, above

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        out: Tensor = self.above(self.pool(x, mask))
        return out


class Normalize(nn.Module):
    """Vectors of length one."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.normalize(x, dim=-1)


class Slice(nn.Module):
    """One layer of a network inside a shallow copy of the whole, which knows masks, positions and rotations itself."""

    def __init__(self, whole: Any, layers: str, at: int, **changed: nn.Module | None) -> None:
        super().__init__()
        inner = copy.copy(whole)
        inner._modules = dict(whole._modules)
        setattr(inner, layers, nn.ModuleList([getattr(whole, layers)[at]]))
        for name, module in changed.items():
            inner._modules[name] = module
        if hasattr(inner, "config"):
            inner.config = copy.copy(whole.config)
            kinds = getattr(whole.config, "layer_types", None)
            inner.config.num_hidden_layers = 1
            if kinds:
                inner.config.layer_types = [kinds[at]]
        self.inner = inner

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        raise NotImplementedError


class _Normed(nn.Module):
    """A layer and the norm above it: what a network says at last, and one layer of those that are counted."""

    def __init__(self, layer: nn.Module, norm: nn.Module) -> None:
        super().__init__()
        self.layer, self.norm = layer, norm

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        out: Tensor = self.norm(self.layer(x, mask))
        return out


def normed(layers: Sequence[nn.Module], norm: nn.Module) -> list[nn.Module]:
    """The layers, the last one with the network's last norm."""
    return [*layers[:-1], _Normed(layers[-1], norm)]


def pretrained(folder: Path, **options: Any) -> tuple[Any, Any]:
    """Network in float32 and tokenizer of a folder."""
    import transformers

    tokens = {k: v for k, v in options.items() if k == "gguf_file"}
    with Quiet():
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True, **tokens)
        config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, **tokens)
        for key in ("attention_probs_dropout_prob", "attention_dropout", "hidden_dropout_prob"):
            if hasattr(config, key):  # torch has a fast attention for CPUs, but none that drops anything
                setattr(config, key, 0.0)
        model = transformers.AutoModel.from_pretrained(
            folder, config=config, local_files_only=True, dtype=torch.float32, **options
        )
    if len(tokenizer) <= len(tokenizer.all_special_ids):  # made up by transformers where no file holds one
        raise WeightsError(
            f"the tokenizer in {folder} knows no word", expected="tokenizer.json, or the vocabulary it is made of",
            do="copy the folder whole",
        )  # fmt: skip
    return model, tokenizer


def padded(coded: list[list[int]]) -> Batch:
    """Rows of different lengths as one batch, padded on the right."""
    values = torch.zeros(len(coded), max(map(len, coded)), dtype=torch.long)
    mask = torch.zeros_like(values, dtype=torch.bool)
    for i, ids in enumerate(coded):
        values[i, : len(ids)], mask[i, : len(ids)] = torch.as_tensor(ids), True
    return Batch(values, mask)


def sentence(row: dict[str, Any]) -> str:
    """A table row as a sentence that a text model can read.

    >>> sentence({"age": 63.0, "sex": "male", "chol": None})
    'age: 63; sex: male'
    """
    known = ((k, f"{v:g}" if isinstance(v, float) else str(v)) for k, v in row.items() if v is not None)
    return "; ".join(f"{k}: {v}" for k, v in known)


def _modules(folder: Path) -> tuple[str, nn.Sequential]:
    """The pooling of a sentence-transformers folder and the modules above it; the mean where it is no such folder."""
    from safetensors.torch import load_file

    how = "mean"
    above: list[nn.Module] = []
    for step in read_list(folder / "modules.json"):
        kind, own = step["type"].rpartition(".")[2], folder / step["path"]
        config = read_json(own / "config.json")
        if kind == "Pooling":
            said = config.get("pooling_mode") or next((v for k, v in POOLING_KEYS.items() if config.get(k)), "mean")
            how = {"lasttoken": "last"}.get(said, said)
            if how not in ("mean", "cls", "max", "last"):
                raise WeightsError(f"{own} pools by {said}", expected="mean, cls, max or lasttoken")
        elif kind == "Normalize":
            above.append(Normalize())
        elif kind == "Dense":
            dense = nn.Linear(config["in_features"], config["out_features"], bias=config.get("bias", True))
            state = load_file(own / "model.safetensors")
            dense.load_state_dict({k.removeprefix("linear."): v for k, v in state.items()})
            act = str(config.get("activation_function", "torch.nn.modules.activation.Tanh")).rpartition(".")[2]
            above += [dense, getattr(nn, act)()]
        elif kind not in ("Transformer", "Dropout"):
            raise WeightsError(f"{folder} has a module of kind {kind}", expected="Pooling, Dense or Normalize")
    return how, nn.Sequential(*above).eval().requires_grad_(False)


def _write_modules(folder: Path, how: str, above: nn.Sequential) -> None:
    from safetensors.torch import save_file

    prefix = "sentence_transformers.models"
    steps, modules = [{"idx": 0, "name": "0", "path": "", "type": f"{prefix}.Transformer"}], list(above)
    pooling = {"pooling_mode": {"last": "lasttoken"}.get(how, how)}
    parts: list[tuple[str, dict[str, Any], nn.Module | None]] = [("Pooling", pooling, None)]
    for module, after in zip(modules, [*modules[1:], None], strict=False):
        if isinstance(module, nn.Linear):
            size = {
                "in_features": module.in_features,
                "out_features": module.out_features,
                "bias": module.bias is not None,
            }
            parts.append(
                ("Dense", size | {"activation_function": f"{type(after).__module__}.{type(after).__name__}"}, module)
            )
        elif isinstance(module, Normalize):
            parts.append(("Normalize", {}, None))
    for i, (kind, config, dense) in enumerate(parts, 1):
        own = folder / f"{i}_{kind}"
        own.mkdir(exist_ok=True)
        (own / "config.json").write_text(json.dumps(config), encoding="utf-8")
        if dense is not None:
            save_file({f"linear.{k}": v.contiguous() for k, v in dense.state_dict().items()}, own / "model.safetensors")
        steps.append({"idx": i, "name": str(i), "path": own.name, "type": f"{prefix}.{kind}"})
    (folder / "modules.json").write_text(json.dumps(steps, indent=1), encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """An object, empty where there is no file."""
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def read_list(path: Path) -> list[dict[str, Any]]:
    """A list of objects, empty where there is no file."""
    return list(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else []


class Quiet:
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
