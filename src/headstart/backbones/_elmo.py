"""The parts of ELMo: characters to words, recurrent layers with projections and clipping, a learned mix of layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn

from headstart.backbones._base import untraced

CHARACTERS = 50  # of a word, its two marks included
BYTES, BOS, EOS, BEGIN, END, PAD = 256, 256, 257, 258, 259, 260
KEPT_WORDS = 50_000  # of the cache: 100 MB at 512 numbers a word

State = tuple[Tensor, Tensor]  # (n, projection) and (n, dim): what a layer remembers of the sentence before


def characters(word: str | int) -> list[int]:
    """Ids of a word's bytes between its marks, padded to 50 and counted from 1; BOS and EOS are words too.

    >>> characters("a")[:4], len(characters("a"))
    ([259, 98, 260, 261], 50)
    """
    inner = [word] if isinstance(word, int) else list(word.encode("utf-8", "replace")[: CHARACTERS - 2])
    ids = [BEGIN, *inner, END]
    return [i + 1 for i in ids + [PAD] * (CHARACTERS - len(ids))]


class Characters(nn.Module):
    """Words (n, t, 50) as characters to vectors (n, t, 2 p): convolutions, maximum, highways, projection, twice.

    Every distinct word is computed once a batch, and where nothing is trained it is remembered from batch to batch.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__()
        cnn, size = options["char_cnn"], options["lstm"]["projection_dim"]
        dim, filters = cnn["embedding"]["dim"], cnn["filters"]
        self.relu = cnn["activation"] == "relu"
        width, self.widest = sum(n for _, n in filters), max(w for w, _ in filters)
        self.embed = nn.Embedding(262, dim, padding_idx=0)
        self.convolutions = nn.ModuleList(nn.Conv1d(dim, n, w) for w, n in filters)
        self.carries = nn.ModuleList(nn.Linear(width, width) for _ in range(cnn["n_highway"]))
        self.transforms = nn.ModuleList(nn.Linear(width, width) for _ in range(cnn["n_highway"]))
        self.project = nn.Linear(width, size)
        self._known: dict[bytes, Tensor] = {}
        self._stamp: Any = None

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        untraced(self)
        flat = x.reshape(-1, CHARACTERS).long()
        words, place = torch.unique(flat, dim=0, return_inverse=True)
        vectors = self.compute(words) if torch.is_grad_enabled() else self._remembered(words)
        out = vectors[place].view(*x.shape[:2], -1)
        return torch.cat([out, out], dim=-1)

    def compute(self, words: Tensor) -> Tensor:
        """Vectors (m, p) of words (m, 50)."""
        longest = int(((words > 0) & (words <= PAD)).any(0).sum())  # beyond it all windows are alike: one is enough
        letters = self.embed(words[:, : longest + self.widest]).transpose(1, 2)
        found = [conv(letters).amax(-1) for conv in self.convolutions]  # the maximum first, then the activation
        x = torch.cat([f.relu() if self.relu else f.tanh() for f in found], dim=-1)
        for carry, transform in zip(self.carries, self.transforms, strict=True):
            gate = carry(x).sigmoid()  # named so in the weights: it lets the transformed through
            x = gate * transform(x).relu() + (1 - gate) * x
        out: Tensor = self.project(x)
        return out

    def _remembered(self, words: Tensor) -> Tensor:
        stamp = (words.device, [(p.data_ptr(), p._version) for p in self.parameters()])
        if stamp != self._stamp or len(self._known) > KEPT_WORDS:
            self._known, self._stamp = {}, stamp
        keys = [row.tobytes() for row in words.cpu().numpy().astype(np.int16)]
        new = [i for i, key in enumerate(keys) if key not in self._known]
        if new:
            found = self.compute(words[new])
            self._known.update(zip((keys[i] for i in new), found, strict=True))
        return torch.stack([self._known[key] for key in keys])

    def train(self, mode: bool = True) -> Self:
        """Forget the words before each training: an optimiser may change weights without telling their version."""
        if mode:
            self._known, self._stamp = {}, None
        return super().train(mode)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_known": {}, "_stamp": None}


class Recurrence(nn.Module):
    """One direction of one layer: an LSTM whose cell and projected output are clipped."""

    def __init__(self, dim: int, projection: int, cell_clip: float, projection_clip: float) -> None:
        super().__init__()
        self.dim, self.cell_clip, self.projection_clip = dim, cell_clip, projection_clip
        self.into = nn.Linear(projection, 4 * dim)  # gates in TensorFlow's order: in, new, forget, out
        self.again = nn.Linear(projection, 4 * dim, bias=False)
        self.project = nn.Linear(dim, projection, bias=False)

    def forward(self, x: Tensor, length: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """(n, t, p), the number of valid steps of each row, and what was remembered: outputs and the state after."""
        out, (state,) = side_by_side([self], [x], length, [state])
        return out[0], state


def side_by_side(
    cells: Sequence[Recurrence], inputs: Sequence[Tensor], length: Tensor, states: Sequence[State | None]
) -> tuple[Tensor, list[State]]:
    """Recurrences of one size, each on its own input (n, t, p), a step at a time: outputs (cells, n, t, p), states."""
    first, n = cells[0], len(length)
    fed = [cell.into(x.transpose(0, 1)).unbind(0) for cell, x in zip(cells, inputs, strict=True)]
    again, project = (torch.stack([_matrix(getattr(c, name)) for c in cells]) for name in ("again", "project"))
    blank = again.new_zeros(n, project.shape[2]), again.new_zeros(n, first.dim)
    h, c = (torch.stack([(state or blank)[i] for state in states]) for i in (0, 1))
    outputs, shortest = [], int(length.min())
    for step, parts in enumerate(zip(*fed, strict=True)):
        within, new, forget, out = torch.baddbmm(torch.stack(parts), h, again).chunk(4, dim=-1)
        cell = (forget + 1).sigmoid() * c + within.sigmoid() * new.tanh()
        cell = cell.clamp(-first.cell_clip, first.cell_clip)
        shown = torch.bmm(out.sigmoid() * cell.tanh(), project).clamp(-first.projection_clip, first.projection_clip)
        if step < shortest:
            h, c = shown, cell
        else:  # some rows have ended: what they remember stays
            going = (step < length)[:, None]
            h, c = torch.where(going, shown, h), torch.where(going, cell, c)
        outputs.append(shown)
    return torch.stack(outputs, dim=2), list(zip(h, c, strict=True))


def _matrix(linear: Any) -> Tensor:
    """(in, out) of a linear layer without bias, or of what was put around it: LoRA's products count."""
    if type(linear) is nn.Linear:
        return linear.weight.T
    made: Tensor = linear(torch.eye(linear.in_features, device=next(linear.parameters()).device))
    return made


class Bidirectional(nn.Module):
    """A layer: what all layers below said (n, t, 2 p k) to the same with its own two directions behind."""

    def __init__(self, options: dict[str, Any], skip: bool) -> None:
        super().__init__()
        lstm = options["lstm"]
        sizes = (lstm["dim"], lstm["projection_dim"], lstm["cell_clip"], lstm["proj_clip"])
        self.size, self.skip = lstm["projection_dim"], skip
        self.ahead, self.back = Recurrence(*sizes), Recurrence(*sizes)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.remembering(x, mask)[0]

    def remembering(
        self, x: Tensor, mask: Tensor | None, states: tuple[State, State] | None = None
    ) -> tuple[Tensor, tuple[State, State]]:
        """As the official model runs: each row goes on from where that row ended in the batch before."""
        below = x[..., -2 * self.size :]
        n, steps = x.shape[:2]
        length = torch.full((n,), steps, device=x.device) if mask is None else mask.sum(1)
        turn = (length[:, None] - 1 - torch.arange(steps, device=x.device)) % steps  # its own inverse within a row
        turn = torch.where(
            torch.arange(steps, device=x.device) < length[:, None], turn, torch.arange(steps, device=x.device)
        )
        at = turn[..., None].expand(-1, -1, self.size)
        pair = below[..., : self.size], below[..., self.size :].gather(1, at)
        (forward, backward), (ahead, back) = side_by_side((self.ahead, self.back), pair, length, states or (None, None))
        said = torch.cat([forward, backward.gather(1, at)], dim=-1)
        return torch.cat([x, said + below if self.skip else said], dim=-1), (ahead, back)


class Mix(nn.Module):
    """The layers in learnt shares (equal before training), and the mean over the words without the two marks."""

    untrained: ClassVar[bool] = True  # the task's own, no part of what was pre-trained: it learns as fast as a head

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.shares = nn.Parameter(torch.zeros(layers))
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        n, steps = x.shape[:2]
        split = x.view(n, steps, len(self.shares), -1)
        mixed = self.scale * torch.einsum("ntkd,k->ntd", split, self.shares.softmax(0))
        at = torch.arange(steps, device=x.device)
        length = torch.full((n, 1), steps, device=x.device) if mask is None else mask.sum(1, keepdim=True)
        words = ((at > 0) & (at < length - 1))[..., None].to(x.dtype)
        return (mixed * words).sum(1) / words.sum(1).clamp_min(1)

    def reset_parameters(self) -> None:
        nn.init.zeros_(self.shares)
        nn.init.ones_(self.scale)
