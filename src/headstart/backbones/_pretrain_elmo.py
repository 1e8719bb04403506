"""Trains a small bidirectional language model on raw text: each word is told from those before and those after."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from headstart._compute import device
from headstart.backbones.elmo import WORD, Elmo
from headstart.errors import DataError, PlanError

SMALL: dict[str, Any] = {
    "lstm": {
        "cell_clip": 3, "proj_clip": 3, "dim": 128, "projection_dim": 64, "n_layers": 2, "use_skip_connections": True,
    },
    "char_cnn": {
        "activation": "relu", "embedding": {"dim": 16}, "n_highway": 1, "n_characters": 262,
        "max_characters_per_token": 50, "filters": [[1, 16], [2, 16], [3, 32], [4, 32], [5, 32]],
    },
}  # fmt: skip
VOCABULARY = 4000  # words that are predicted; rarer ones are read, not asked for
SENTENCES, LONGEST = 64, 32  # of a batch; words of a piece of a line
SAMPLED = 400  # words that a step scores beside those asked for
RATE, CLIP = 4e-3, 1.0


class Predictor(nn.Module):
    """The stages of an ELMo below its mix, and a word's score from either side; `counts` of words, falling."""

    def __init__(self, elmo: Elmo, counts: list[int]) -> None:
        super().__init__()
        self.steps = nn.ModuleList(s.module for s in elmo.stages()[:-1])
        self.size = elmo.options["lstm"]["projection_dim"]
        self.drop = nn.Dropout(0.1)
        self.out = nn.Linear(self.size, len(counts))
        with torch.no_grad():  # the shares of words are known: they need not be learnt
            self.out.bias.copy_(torch.tensor(counts).div(sum(counts)).log())

    def forward(self, values: Tensor, mask: Tensor, target: Tensor) -> Tensor:
        """Mean negative log-likelihood of the words (target, -1 where none is asked for) from left and from right."""
        x = values
        for step in self.steps:
            x = step(x, mask)
        ahead, back = x[:, :-1, -2 * self.size : -self.size], x[:, 1:, -self.size :]
        seen, wanted = torch.cat([ahead, back], dim=1), torch.cat([target[:, 1:], target[:, :-1]], dim=1)
        asked = wanted >= 0
        seen, wanted = self.drop(seen[asked]), wanted[asked]
        if self.training:
            return sampled(seen, wanted, self.out, SAMPLED)
        return nn.functional.cross_entropy(self.out(seen), wanted)


def sampled(seen: Tensor, wanted: Tensor, out: nn.Linear, draws: int) -> Tensor:
    """An estimate of cross-entropy over all words from a few, drawn log-uniformly by rank and shared by all places.

    Each drawn word stands for 1 / (its expected number of draws) words: the sum of all exponentials is met on average.
    (Bengio and Senecal, Adaptive importance sampling, 2008; Jean et al., On using very large target vocabulary, 2015.)
    """
    top = np.log(out.out_features + 1)
    rank = ((torch.rand(draws, device=seen.device) * top).exp().long() - 1).clamp_max(out.out_features - 1)
    expected = (1 / (rank + 1)).log1p() / top * draws
    others = nn.functional.linear(seen, out.weight[rank], out.bias[rank] - expected.log())
    others = others.masked_fill(rank == wanted[:, None], -torch.inf)
    own = (seen * nn.functional.embedding(wanted, out.weight)).sum(1, keepdim=True) + out.bias[wanted][:, None]
    return nn.functional.cross_entropy(torch.cat([own, others], dim=1), torch.zeros_like(wanted))


def pretrain_elmo(
    lines: list[str], folder: Path, *, seconds: float, most: int | None = None, options: dict[str, Any] | None = None,
    seed: int = 0, tell: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:  # fmt: skip
    """Train on lines of text until the time is up, or `most` steps are done, and save an ELMo folder.

    `options` are the sizes of the network, as in options.json. Returns {words, steps, loss, perplexity}.

    The loss is that of lines held out (a twentieth). Raises DataError for fewer than a hundred lines with words, and
    PlanError for a folder that holds a model.
    """
    if (folder / "options.json").exists():
        raise PlanError(f"{folder} already holds a model", expected="a new folder", do="name another --out")
    texts = [p for line in lines for p in _pieces(WORD.findall(line)) if len(p) > 1]
    if len(texts) < 100:
        raise DataError(f"lines with two words or more: {len(texts)}", expected="a hundred at least, better 100,000")
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(texts))
    held = [texts[i] for i in order[: len(texts) // 20]]
    kept = sorted((texts[i] for i in order[len(texts) // 20 :]), key=len)
    common = Counter(w.lower() for words in kept for w in words).most_common(VOCABULARY)
    place = {word: i for i, (word, _) in enumerate(common)}
    elmo = Elmo(options or SMALL, folder.name)
    model = Predictor(elmo, [n for _, n in common]).to(device()).requires_grad_(True)
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.01)
    start, steps, said = time.monotonic(), 0, 0.0
    while (part := max((time.monotonic() - start) / seconds, steps / most if most else 0.0)) < 1:
        for group in optimiser.param_groups:  # warm up, then fall in a line to zero with what is left
            group["lr"] = RATE * min(1.0, (steps + 1) / 50) * max(0.02, 1 - part)
        model.train()
        at = int(rng.integers(0, max(1, len(kept) - SENTENCES)))  # neighbours are of one length: nothing is padded
        loss = model(*_batch(elmo, kept[at : at + SENTENCES], place))
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimiser.step()
        steps += 1
        if part - said > 0.1:
            said = part
            tell(f"{part:.0%}, step {steps}: loss {_loss(model, elmo, held, place):.3f} on lines held out")
    last = _loss(model, elmo, held, place)
    for stage in elmo.stages():
        stage.module.cpu().eval().requires_grad_(False)
    elmo.save(folder)
    return {"words": len(place), "steps": steps, "loss": last, "perplexity": float(np.exp(last))}


def _pieces(words: list[str]) -> list[list[str]]:
    return [words[i : i + LONGEST] for i in range(0, len(words), LONGEST)]


def _batch(elmo: Elmo, rows: list[list[str]], place: dict[str, int]) -> tuple[Tensor, Tensor, Tensor]:
    """Characters, mask, and the word to be told at each place; the marks of a sentence are not asked for."""
    batch = elmo.prepare(rows)
    assert batch.mask is not None
    target = torch.full(batch.mask.shape, -1)
    for i, words in enumerate(rows):
        target[i, 1 : len(words) + 1] = torch.tensor([place.get(w.lower(), -1) for w in words])
    return batch.values.to(device()), batch.mask.to(device()), target.to(device())


@torch.no_grad()
def _loss(model: Predictor, elmo: Elmo, rows: list[list[str]], place: dict[str, int]) -> float:
    model.eval()
    starts = range(0, min(len(rows), 4 * SENTENCES), SENTENCES)
    found = [float(model(*_batch(elmo, rows[s : s + SENTENCES], place))) for s in starts]
    return float(np.nanmean(found))
