"""Static word vectors (GloVe, word2vec, fastText, WordLlama): a table and a mean."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from headstart.backbones._base import Backbone, Batch, Stage, untraced
from headstart.backbones._huggingface import padded, sentence
from headstart.backbones._pool import Pool
from headstart.backbones._word_files import read_words
from headstart.errors import WeightsError

LONGEST = 512  # words
WORD = re.compile(r"\w+|[^\w\s]")


class WordVectors(Backbone):
    """Vectors of words, averaged over a text, from a GloVe, word2vec or fastText file, or a pulled name.

    Use it as the floor for speed: tens of times faster than the smallest network, and often nearly as good on plain
    topics. Not where order or negation decide. Words that the table lacks are passed over. Kinds: "ids" at the input,
    "tokens" (t, d) above the table, "vector" (d,) at the top. Raises WeightsError for files of another form.
    (Mikolov et al., NeurIPS 2013; Pennington et al., GloVe, EMNLP 2014; Bojanowski et al., TACL 2017.)

    >>> backbone = WordVectors(torch.eye(2), "tiny", words=["good", "bad"])
    >>> backbone.prefix(backbone.prepare(["Good, good, bad and unknown"]), ["pooled"])["pooled"]
    tensor([[0.6667, 0.3333]])
    """

    modalities = frozenset({"text", "table"})
    input_kind = "ids"
    endings = (".vec", ".txt", ".bin")

    def __init__(
        self, vectors: Tensor, name: str, *, words: Sequence[str] = (), tokenizer: str = "", licence: str = "unknown"
    ) -> None:
        self.name, self.licence, self.words, self.tokenizer = name, licence, list(words), tokenizer
        nothing = torch.zeros(1, vectors.shape[1])  # what a text is that has no known word
        table = torch.cat([nothing, vectors.float()])
        self._stages = [
            Stage("words", _Table(table).eval().requires_grad_(False), "tokens"),
            Stage("pooled", Pool("mean").eval(), "vector"),
        ]

    @classmethod
    def from_file(cls, path: Path, name: str) -> Self:
        """A text or binary file of vectors."""
        words, vectors = read_words(path)
        return cls(torch.from_numpy(vectors), name, words=words)

    @classmethod
    def read(cls, folder: Path, card: dict[str, Any]) -> Self:
        """Undo `save`."""
        from safetensors.torch import load_file

        path, words, tokenizer = folder / "model.safetensors", folder / "vocabulary.txt", folder / "tokenizer.json"
        if not path.exists() or not (words.exists() or tokenizer.exists()):
            raise WeightsError(f"no table of words in {folder}", expected="model.safetensors and vocabulary.txt")
        return cls(
            load_file(path)["vectors"],
            card.get("name") or f"local-dir:{folder}",
            words=words.read_text(encoding="utf-8").split("\n") if words.exists() else (),
            tokenizer=tokenizer.read_text(encoding="utf-8") if tokenizer.exists() else "",
            licence=card.get("licence", "unknown"),
        )

    @cached_property
    def _place(self) -> dict[str, int]:
        return {word: i for i, word in enumerate(self.words, 1)}

    @cached_property
    def _lower(self) -> bool:
        return not any(word != word.lower() for word in self.words)

    @cached_property
    def _pieces(self) -> Any:
        import tokenizers

        made = tokenizers.Tokenizer.from_str(self.tokenizer)
        made.no_padding()
        made.no_truncation()
        return made

    @property
    def preprocessing(self) -> dict[str, Any]:
        """Longest input and a checksum of the vocabulary or tokenizer."""
        known = self.tokenizer or "\n".join(self.words)
        return {"longest": LONGEST, "vocabulary": hashlib.sha256(known.encode()).hexdigest()[:16]}

    def prepare(self, rows: Sequence[Any]) -> Batch:
        """Places in the table (n, t) and their mask."""
        return padded(self.tokens(rows))

    def tokens(self, rows: Sequence[Any]) -> list[list[int]]:
        """Places in the table of the words that it has; 0, which is the zero vector, where it has none."""
        texts = [row if isinstance(row, str) else sentence(row) for row in rows]
        if self.tokenizer:
            coded = self._pieces.encode_batch_fast(texts, add_special_tokens=False)
            return [[i + 1 for i in c.ids[:LONGEST]] or [0] for c in coded]
        place, lower = self._place, self._lower
        split = (WORD.findall(t.lower() if lower else t) for t in texts)
        return [[place[w] for w in words if w in place][:LONGEST] or [0] for words in split]

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Of the words, or pieces, that the table has."""
        if self.tokenizer:
            found = self._pieces.encode(text, add_special_tokens=False).offsets
        else:
            found = [m.span() for m in WORD.finditer(text) if (m[0].lower() if self._lower else m[0]) in self._place]
        return found[:LONGEST] or [(0, 0)]

    def stages(self) -> list[Stage]:
        """The table, and the mean."""
        return self._stages

    def save(self, folder: Path) -> None:
        """The table as safetensors, the vocabulary as text, and a card."""
        from safetensors.torch import save_file

        folder.mkdir(parents=True, exist_ok=True)
        table: Any = self._stages[0].module
        save_file({"vectors": table.words.weight[1:].contiguous()}, folder / "model.safetensors")
        if self.tokenizer:
            (folder / "tokenizer.json").write_text(self.tokenizer, encoding="utf-8")
        else:
            (folder / "vocabulary.txt").write_text("\n".join(self.words), encoding="utf-8")
        card = {"family": "word_vectors", "name": self.name, "licence": self.licence}
        (folder / "headstart.json").write_text(json.dumps(card, indent=1), encoding="utf-8")


class _Table(nn.Module):
    def __init__(self, table: Tensor) -> None:
        super().__init__()
        self.words = nn.Embedding.from_pretrained(table, freeze=False, padding_idx=0)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        untraced(self)  # compiling would take longer than reading
        out: Tensor = self.words(x.long())
        return out
