"""ELMo: a bidirectional language model over characters, whose layers are mixed."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from headstart.backbones._base import Backbone, Batch, Stage
from headstart.backbones._elmo import BOS, CHARACTERS, EOS, Bidirectional, Characters, Mix, State, characters
from headstart.backbones._huggingface import sentence
from headstart.backbones._keras import hdf5
from headstart.errors import WeightsError

LONGEST = 256  # words
WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")


class Elmo(Backbone):
    """ELMo from its official `options.json` and weights (`.hdf5`), or from `headstart pretrain elmo`.

    Use it where words are misspelt or unknown (it reads characters), or to train a language model of your own field
    from raw text; a transformer of the same size is better at nearly everything else. Texts, and table rows as texts.
    Kinds: "ids" (t, 50) characters at the input, "tokens" (t, 2 p k), all k layers so far side by side, above each
    layer, "vector" (2 p,) at the top: the mean over words of a mix of the layers whose shares fine-tuning learns.
    Rows do not remember each other here; `layers` runs as the official model does, which goes on from one batch to the
    next. Official weights need the extra `hdf5`. (Peters et al., Deep contextualized word representations, NAACL 2018.)

    >>> Elmo.endings
    ('.hdf5',)
    """

    modalities = frozenset({"text", "table"})
    input_kind = "ids"
    endings = (".hdf5",)
    extra = "hdf5"
    blank = tuple(characters(""))  # an empty word: a padded place is no word at all, and far from all words

    def __init__(self, options: dict[str, Any], name: str, licence: str = "unknown") -> None:
        self.options, self.name, self.licence = options, name, licence
        self._stages = self._built()
        for stage in self._stages:
            stage.module.requires_grad_(False)

    def _built(self) -> list[Stage]:
        lstm = self.options["lstm"]
        skips = [bool(lstm["use_skip_connections"]) and i > 0 for i in range(lstm["n_layers"])]
        layers = [Bidirectional(self.options, skip) for skip in skips]
        return [
            Stage("words", Characters(self.options).eval(), "tokens"),
            *(Stage(f"layer.{i}", layer.eval(), "tokens") for i, layer in enumerate(layers, 1)),
            Stage("pooled", Mix(len(layers) + 1).eval(), "vector"),
        ]

    @classmethod
    def reads(cls, folder: Path, config: dict[str, Any]) -> bool:
        """A folder with options.json and weights."""
        return (folder / "options.json").exists()

    @classmethod
    def read(cls, folder: Path, card: dict[str, Any]) -> Self:
        """The official two files, or what `save` wrote."""
        from safetensors.torch import load_file

        own, official = folder / "model.safetensors", sorted(folder.glob("*weights*.hdf5"))
        if not own.exists():
            if not official:
                raise WeightsError(f"no weights in {folder}", expected="options.json and weights.hdf5")
            return cls.from_file(official[0], card.get("name") or f"local-dir:{folder}")
        made = cls(_options(folder), card.get("name") or f"local-dir:{folder}", card.get("licence", "unknown"))
        state = load_file(own)
        for stage in made.stages():
            stage.module.load_state_dict(
                {k.partition("/")[2]: v for k, v in state.items() if k.startswith(f"{stage.name}/")}
            )
        return made

    @classmethod
    def from_file(cls, path: Path, name: str) -> Self:
        """The official weights, with options.json beside them."""
        made = cls(_options(path.parent), name)
        try:
            with hdf5(path) as file:
                made._take(file)
        except (KeyError, OSError, RuntimeError) as error:
            raise WeightsError(f"{path} is not ELMo's weights for its options.json ({error})") from error
        return made

    def _take(self, file: Any) -> None:
        def array(name: str) -> Tensor:
            return torch.from_numpy(np.array(file[name], dtype=np.float32))

        words: Any
        words, *layers = (s.module for s in self._stages[:-1])
        state = {"embed.weight": torch.cat([torch.zeros(1, file["char_embed"].shape[1]), array("char_embed")])}
        for i in range(len(words.convolutions)):
            state[f"convolutions.{i}.weight"] = array(f"CNN/W_cnn_{i}")[0].permute(2, 1, 0)
            state[f"convolutions.{i}.bias"] = array(f"CNN/b_cnn_{i}")
        for i in range(len(words.carries)):
            for ours, theirs in (("carries", "carry"), ("transforms", "transform")):
                state[f"{ours}.{i}.weight"] = array(f"CNN_high_{i}/W_{theirs}").T
                state[f"{ours}.{i}.bias"] = array(f"CNN_high_{i}/b_{theirs}")
        state |= {"project.weight": array("CNN_proj/W_proj").T, "project.bias": array("CNN_proj/b_proj")}
        words.load_state_dict(state)
        for i, layer in enumerate(layers):
            for number, direction in enumerate(("ahead", "back")):
                cell = f"RNN_{number}/RNN/MultiRNNCell/Cell{i}/LSTMCell"
                both = array(f"{cell}/W_0").T
                size = both.shape[1] // 2
                own = {"into.weight": both[:, :size], "again.weight": both[:, size:], "into.bias": array(f"{cell}/B")}
                getattr(layer, direction).load_state_dict({**own, "project.weight": array(f"{cell}/W_P_0").T})

    @property
    def preprocessing(self) -> dict[str, Any]:
        """Longest input."""
        return {"longest": LONGEST, "skip": self.options["lstm"]["use_skip_connections"]}

    def prepare(self, rows: Sequence[Any]) -> Batch:
        """Characters (n, t, 50) and the mask of words; a row may also be a list of words."""
        coded = self.tokens(rows)
        values = torch.zeros(len(coded), max(map(len, coded)), CHARACTERS, dtype=torch.long)
        mask = torch.zeros(values.shape[:2], dtype=torch.bool)
        for i, ids in enumerate(coded):
            values[i, : len(ids)], mask[i, : len(ids)] = torch.as_tensor(ids), True
        return Batch(values, mask)

    def tokens(self, rows: Sequence[Any]) -> list[Any]:
        """Characters (t, 50) of each row's words between the marks of a sentence."""
        known: dict[str | int, list[int]] = {}
        found = []
        for row in rows:
            text = sentence(row) if isinstance(row, dict) else row
            words = WORD.findall(text) if isinstance(text, str) else list(text)
            ids = [known.get(w) or known.setdefault(w, characters(w)) for w in (BOS, *words[: LONGEST - 2], EOS)]
            found.append(np.array(ids, dtype=np.int64))
        return found

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Of the words, between the marks of a sentence."""
        words = [m.span() for m in WORD.finditer(text)]
        return [(0, 0), *words[: LONGEST - 2], (0, 0)]

    def stages(self) -> list[Stage]:
        """Words, layers, and the mix with the mean over words."""
        return self._stages

    def fresh(self) -> list[Stage]:
        """The same network untrained."""
        return self._built()

    @torch.no_grad()
    def layers(
        self, batch: Batch, states: list[tuple[State, State]] | None = None
    ) -> tuple[list[Tensor], list[tuple[State, State]]]:
        """Each layer's (n, t, 2 p) with the two marks, and the states to go on from: the official, stateful way."""
        words, *layers = (s.module for s in self._stages[:-1])
        x, after = words(batch.values, batch.mask), []
        for i, layer in enumerate(layers):
            assert isinstance(layer, Bidirectional)
            x, state = layer.remembering(x, batch.mask, states[i] if states else None)
            after.append(state)
        return list(x.chunk(len(layers) + 1, dim=-1)), after

    def save(self, folder: Path) -> None:
        """options.json, model.safetensors and a card."""
        from safetensors.torch import save_file

        folder.mkdir(parents=True, exist_ok=True)
        state = {f"{s.name}/{k}": v.contiguous() for s in self._stages for k, v in s.module.state_dict().items()}
        save_file(state, folder / "model.safetensors")
        card = {"family": "elmo", "name": self.name, "licence": self.licence}
        (folder / "options.json").write_text(json.dumps(self.options, indent=1), encoding="utf-8")
        (folder / "headstart.json").write_text(json.dumps(card, indent=1), encoding="utf-8")


def _options(folder: Path) -> dict[str, Any]:
    path = folder / "options.json"
    if not path.exists():
        raise WeightsError(f"no options.json in {folder}", expected="the sizes of the network, beside its weights")
    return dict(json.loads(path.read_text(encoding="utf-8")))
