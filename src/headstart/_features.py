"""Which rows' features a run can afford, and reading them; what it cannot afford, it reads of fewer rows."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field

import numpy as np

from headstart import backbones
from headstart._entries import FLOOR, asked
from headstart._journal import Journal
from headstart._listen import Listener
from headstart.activations.activations import Activations
from headstart.activations.store import ActivationStore
from headstart.backbones._base import Backbone
from headstart.backbones._featurizer import Featurizer
from headstart.data.dataset import Dataset
from headstart.plan import Plan
from headstart.selection.contender import make
from headstart.selection.race import Clock

PILOT = 32  # rows whose time is taken first
LIGHT = 2 << 30  # bytes of one cut's activations that are kept without being asked for
LEAST_ROWS = 200  # rather none of a pre-trained model's features than those of so few rows
SHARE = 0.45  # up to this share of the budget, or of what is left of it, is for the features of all rows
MOST = 0.8  # of what is left, for the first rows, without which nothing is learnt; and for more, should the pace fall
PARTS = 8  # one of so many is read first, then as many rows again each time
WORTH = 1.25  # times the rows that have been read: fewer more are not worth another part


@dataclass
class Features:
    """Reads activations for a run, through its store and within its clock; `tail` is the share kept for the end."""

    plan: Plan
    listener: Listener
    journal: Journal
    clock: Clock
    store: ActivationStore
    tail: float
    _bytes: dict[str, dict[str, float]] = field(default_factory=dict)  # of a row, by backbone and cut

    def get(self, backbone: Backbone, data: Dataset, cut: str, *besides: str) -> Activations:
        """Activations at one cut; those at other cuts come out of the same pass and stay in the store."""
        progress, precision = self.listener.progress, self.plan.precision
        return self.store.get(backbone, data, {cut, *besides}, precision=precision, progress=progress)[cut]

    def cuts(self, reader: Backbone, data: Dataset) -> set[str]:
        """The pooled one, and those that techniques in question read and whose activations of all rows are small."""
        if isinstance(reader, Featurizer):
            return {"pooled"}
        names = asked(self.plan, data)
        wanted = {make(n).where(reader.cuts) for n in (*names, *FLOOR)} & set(reader.cuts) - {"pooled"}
        size = self._bytes.setdefault(reader.name, {})
        if new := wanted - set(size):
            some = reader.prefix(reader.prepare(data.rows[:4]), new)
            size |= {cut: value.nbytes / 4 for cut, value in some.items()}
        return {"pooled", *(cut for cut in wanted if size[cut] * len(data) <= LIGHT)}

    def unread(self, reader: Backbone, data: Dataset) -> np.ndarray:
        """Positions of rows that are not in the store."""
        return self.store.unread(reader, data, self.cuts(reader, data), precision=self.plan.precision)

    def pilot(self, reader: Backbone, data: Dataset, cuts: set[str], most: int) -> int:
        """How many training rows to look at, of so many, until some are new and can be timed; all where too few are."""
        some = data.take(data.sample("train", most))
        new = self.store.unread(reader, some, cuts, precision=self.plan.precision)
        is_new = np.isin(np.argsort(some.ids, kind="stable"), new)  # in the order in which `sample` takes them
        return min(int(np.searchsorted(is_new.cumsum(), PILOT)) + 1, len(some))

    def seconds(self, data: Dataset, backbone: Backbone | None) -> float | None:
        """Seconds until the features of these rows have been read, as far as they are not known."""
        if backbone is None or backbone.name not in self.store.speed:
            return None
        return len(self.unread(backbone, data)) / self.store.speed[backbone.name]

    def afford(self, data: Dataset, backbone: Backbone | None) -> tuple[Dataset, Backbone | None]:
        """Fewer rows where reading all of them would eat the budget, by hash, so always the same ones; if that leaves
        next to none, no pre-trained model, and as many rows as the classical features allow.
        """
        reader = backbone or backbones.get(backbones.classical(data.modality), data)
        new = self.unread(reader, data)
        if len(new) and reader.name not in self.store.speed:
            self.get(reader, data.take(new[: 2 * PILOT]), "pooled", *self.cuts(reader, data))
        rate = self.store.speed.get(reader.name)  # of what is never kept, none is known: it is read in no time
        left, least = max(self.clock.left(keep=self.tail), 0.0), min(LEAST_ROWS, len(data) // 2)
        usual = max(SHARE * self.plan.budget - self.clock.elapsed(), SHARE * left)  # loading took much
        able = _able(data, new, rate, usual)
        if backbone and able < least:
            able = min(least, _able(data, new, rate, MOST * left))
        fits = self.journal.once("rows" if backbone else "rows-classical", lambda: able)
        if fits >= len(data):
            return data, backbone
        if backbone and fits < least:
            self.listener.say(
                f"the budget does not allow reading features of {min(LEAST_ROWS, len(data)):,} rows"
                f" ({rate:.0f} a second): no pre-trained model takes part; raise --budget to let one"
            )
            return self.afford(data, None)
        self.listener.say(
            f"the budget allows reading features of about {fits:,} of {len(data):,} rows in its share of the time:"
            " a fixed sample is used; raise --budget to use all"
        )
        return data.take(data.some(fits)), backbone

    def read(self, data: Dataset, reader: Backbone) -> tuple[Dataset, Activations]:
        """The rows and their pooled activations; fewer where the pace has fallen and the budget is in danger."""
        fits = self.journal.once("rows-read", lambda: self._grown(data, reader))
        if fits < len(data):
            self.listener.say(
                f"reading became slower than it was: {fits:,} of {len(data):,} rows are used; raise --budget to use all"
            )
            data = data.take(data.some(fits))
        return data, self.get(reader, data, "pooled", *self.cuts(reader, data))

    def _grown(self, data: Dataset, reader: Backbone) -> int:
        """How many rows were read in growing parts, when the pace of each says how much more there is time for."""
        cuts, total = self.cuts(reader, data), len(self.unread(reader, data))
        rows = min(len(data), max(LEAST_ROWS, len(data) // PARTS)) if total else len(data)
        while rows < len(data):
            part = data.take(data.some(rows))
            known = total - len(self.unread(reader, data))

            def progress(done: int, _: int, known: int = known) -> None:
                self.listener.progress(known + done, total)

            self.store.get(reader, part, {"pooled", *cuts}, precision=self.plan.precision, progress=progress)
            more = self.store.speed.get(reader.name, np.inf) * MOST * self.clock.left(keep=self.tail)
            if rows + more < min(WORTH * rows, len(data)):
                break
            rows = int(min(2 * rows, rows + more, len(data)))
        return rows


def _able(data: Dataset, new: np.ndarray, rate: float | None, time_for_it: float) -> int:
    """How many rows can be had in so many seconds, at `rate` a second for those that are `new`."""
    if rate is None or len(new) <= rate * time_for_it:
        return len(data)
    fits = bisect_right(range(len(data)), rate * time_for_it, key=lambda n: np.isin(data.some(n), new).sum())
    return max(fits - 1, 0)  # even 0 stands for the least sample, some rows of each part
