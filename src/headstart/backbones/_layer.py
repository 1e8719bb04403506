"""A backbone that ends lower, or pools in another way: `minilm#layer.4+max`, `minilm#last.3`, `smollm2#last`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from headstart.backbones._around import Around
from headstart.backbones._base import Backbone, Stage
from headstart.backbones._pool import POOLINGS, Concat, Pool
from headstart.errors import WeightsError


class Layer(Around):
    """Another backbone up to one of its cuts, pooled; or the last k of its layers, pooled and side by side."""

    def __init__(self, inner: Backbone, where: str) -> None:
        super().__init__(inner, f"{inner.name}#{where}")
        self.where, self.pretrained = where, inner.pretrained
        first, _, second = where.partition("+")
        cut, how = ("", first) if first in POOLINGS and not second else (first, second or "mean")
        deep = [s.name for s in inner.stages() if s.kind in ("tokens", "map")]
        last = re.fullmatch(r"last\.(\d+)", cut)
        self.count = int(last[1]) if last else 1
        self.cut, self.how = (deep[-1] if deep and (last or not cut) else cut), how
        if not where or how not in POOLINGS or self.cut not in deep or not 0 < self.count <= len(deep):
            raise WeightsError(
                f"{self.name!r} names no place of {inner.name!r}",
                expected=f"CUT, POOLING or CUT+POOLING with a cut of {', '.join(deep)} or last.K,"
                f" and a pooling of {', '.join(POOLINGS)}",
            )
        if inner.kind(self.cut) == "map" and how in ("cls", "last"):
            raise WeightsError(f"{self.name!r}: a map has no {how} token", expected="mean, max or gem")

    @property
    def preprocessing(self) -> dict[str, Any]:
        """That of the whole network, and where it ends."""
        return {**self.inner.preprocessing, "layer": self.where}

    def stages(self) -> list[Stage]:
        """The stages below the cut and a pooling."""
        return self._ended(self.inner.stages())

    def fresh(self) -> list[Stage]:
        """The same, untrained."""
        return self._ended(self.inner.fresh())

    def _ended(self, stages: list[Stage]) -> list[Stage]:
        end = self.inner.cuts.index(self.cut)
        if self.count == 1:
            return [*stages[:end], Stage("pooled", Pool(self.how), "vector")]
        joined = Concat([s.module for s in stages[end - self.count : end]], self.how)
        return [*stages[: end - self.count], Stage("pooled", joined.eval(), "vector")]

    def save(self, folder: Path) -> None:
        """The whole network, and in headstart.json where it ends."""
        self.inner.save(folder)
        path = folder / "headstart.json"
        card = json.loads(path.read_text(encoding="utf-8")) | {"layer": self.where}
        path.write_text(json.dumps(card, indent=1), encoding="utf-8")
