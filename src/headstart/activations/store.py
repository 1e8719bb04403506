"""Activations on disk: get or compute; deleting them changes nothing but time."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
from platformdirs import user_cache_path

from headstart.activations import engine
from headstart.activations._disk import digest, write
from headstart.activations.activations import Activations
from headstart.backbones._base import Backbone
from headstart.backbones._featurizer import Featurizer
from headstart.data.dataset import Dataset
from headstart.errors import StoreError

VERSION = 1
SHARD_ROWS, SHARD_BYTES = 1024, 32 << 20  # a shard is what a crash can lose
Stream = Iterable[tuple[np.ndarray, engine.Values]]
RAGGED = ("tokens", "ids")
HALF_MAX = 6e4  # float16 ends at 65504
TIMED = 16  # rows: of fewer, the time says what a call costs, not what a row does
AT_HAND = 256 << 20  # bytes of counts that stay in memory, as they are not kept on disk
LIMIT = 20 << 30  # bytes, or a fifth of the free disk where that is less


class ActivationStore:
    """Keeps the activations of frozen prefixes, keyed by weights, preprocessing, cut and route, rows by content hash.

    Adding 100 rows computes 100 rows. Shards are written under a temporary name, their JSON last, so a crash loses the
    shard in progress and nothing else; a shard whose checksum is wrong is dropped and computed again. Past
    `limit_bytes` the keys used longest ago are removed. Raises StoreError where the disk is full or refuses.
    """

    def __init__(self, folder: Path | None = None, *, limit_bytes: int | None = None) -> None:
        self.folder: Path | None = folder or default_folder()
        self.limit = limit_bytes
        self.speed: dict[str, float] = {}  # rows a second by backbone, as last computed here
        self._shards: dict[Path, dict[str, _Shard]] = {}
        self._counted: dict[str, tuple[dict[str, int], Any]] = {}  # places and counts by the rule that made them

    @classmethod
    def live(cls) -> Self:
        """A store that keeps nothing: every get computes."""
        store = cls()
        store.folder = None
        return store

    def get(
        self, backbone: Backbone, data: Dataset, cuts: Iterable[str], *, precision: str = "auto",
        progress: Callable[[int, int], None] | None = None,
    ) -> dict[str, Activations]:  # fmt: skip
        """Activations of the rows at some cuts, read where they are known and computed where they are not."""
        wanted = sorted(set(cuts), key=backbone.cuts.index)
        tell = progress or (lambda done, total: None)
        if isinstance(backbone, Featurizer) and (backbone.kind_out != "vector" or self.folder is None):
            values = self._features(backbone, data)
            return {c: Activations(values, data.ids, c, backbone.kind_out, backbone) for c in wanted}
        if self.folder is None:
            return self._live(backbone, data, wanted, precision)
        name, route = engine.name_of(backbone, wanted, precision), None
        if name is None:
            name, route = engine.choose(
                backbone, data.rows, wanted, precision, home=partial(self._network, backbone, wanted)
            )
        homes = self._homes(backbone, wanted, name, precision)
        missing = self._missing(data, homes)
        if len(missing):
            self._make_room(set(homes.values()))
            total, known_rows = len(data.ids), len(data.ids) - len(missing)
            new = data.take(missing)
            if route is None:  # nothing is compiled where all rows are known
                _, route = engine.choose(
                    backbone, new.rows, wanted, precision, home=partial(self._network, backbone, wanted)
                )
            start = time.monotonic()
            scaled = engine.scales(backbone, precision)
            stream = _stream(backbone, new, wanted, route, scaled=scaled)
            self._compute(backbone, new, homes, stream, lambda done: tell(known_rows + done, total))
            if len(missing) >= TIMED or backbone.name not in self.speed:
                self.speed[backbone.name] = len(missing) / max(time.monotonic() - start, 1e-6)
        return {cut: self._gather(backbone, cut, homes[cut], data.ids) for cut in wanted}

    def unread(self, backbone: Backbone, data: Dataset, cuts: Iterable[str], *, precision: str = "auto") -> np.ndarray:
        """Positions of rows that `get` would compute for some cuts: none where nothing is ever kept of a backbone.

        All of them where only trying tells the route.
        """
        wanted = sorted(set(cuts), key=backbone.cuts.index)
        name = engine.name_of(backbone, wanted, precision)
        if isinstance(backbone, Featurizer) and backbone.kind_out != "vector":
            return np.arange(0)
        if name is None or self.folder is None:
            return np.arange(len(data.ids))
        return self._missing(data, self._homes(backbone, wanted, name, precision))

    def entries(self) -> list[dict[str, Any]]:
        """What is kept: a row a key with backbone, cut, route, rows, bytes and when it was last used."""
        found = []
        for meta in sorted(self.folder.glob("*/*/meta.json")) if self.folder else []:
            raw = json.loads(meta.read_text(encoding="utf-8"))
            files = [f for f in meta.parent.iterdir() if f.is_file()]
            rows = sum(len(json.loads(f.read_text())["ids"]) for f in meta.parent.glob("shard-*.json"))
            size = sum(f.stat().st_size for f in files)
            found.append({**raw, "rows": rows, "bytes": size, "used": meta.stat().st_mtime, "folder": str(meta.parent)})
        return found

    def clear(self, backbone: str | None = None) -> int:
        """Remove everything, or what one backbone left; returns the bytes freed."""
        freed = 0
        for entry in self.entries():
            if backbone in (None, entry["backbone"]):
                shutil.rmtree(entry["folder"])
                freed += entry["bytes"]
        self._shards.clear()
        return freed

    def _features(self, backbone: Featurizer, data: Dataset) -> Any:
        """What a rule says of rows; counts are looked up among those that it gave last, where all rows are there."""
        if backbone.kind_out != "counts" or self.folder is None:
            return backbone.features(data.rows)
        ids: list[str] = data.ids.tolist()
        place, known = self._counted.get(backbone.fingerprint, ({}, None))
        if known is not None and all(i in place for i in ids):
            return known[[place[i] for i in ids]]
        counts: Any = backbone.features(data.rows)
        if counts.data.nbytes + counts.indices.nbytes <= AT_HAND:
            self._counted[backbone.fingerprint] = {i: row for row, i in enumerate(ids)}, counts
        return counts

    def _homes(self, backbone: Backbone, cuts: list[str], name: str, precision: str) -> dict[str, Path]:
        pixels = "-quick" if engine.scales(backbone, precision) else ""
        return {cut: self._home(backbone, cut, ("exact" if cut == "input" else name) + pixels) for cut in cuts}

    def _missing(self, data: Dataset, homes: dict[str, Path]) -> np.ndarray:
        known = [set(self._open(home)) for home in homes.values()]
        return _first_of_each(data.ids, set.intersection(*known))

    def _home(self, backbone: Backbone, cut: str, route: str, kind: str | None = None) -> Path:
        assert self.folder is not None
        key = hashlib.sha256(json.dumps([VERSION, backbone.fingerprint, route]).encode()).hexdigest()[:24]
        home = self.folder / key / cut
        meta = home / "meta.json"
        if not meta.exists():
            try:
                home.mkdir(parents=True, exist_ok=True)
                said = {"backbone": backbone.name, "cut": cut, "kind": kind or backbone.kind(cut), "route": route}
                write(meta, json.dumps(said).encode())
            except OSError as error:
                raise _refused(home, error) from error
        os.utime(meta)
        return home

    def _network(self, backbone: Backbone, cuts: list[str]) -> Path:
        """Where the network up to some cuts is kept as another engine reads it."""
        return self._home(backbone, "-".join(["network", *cuts]), "convert", kind="network")

    def _open(self, home: Path) -> dict[str, _Shard]:
        """Shards of a key by row id; new ones (of other processes too) are checked once, bad ones removed."""
        table = self._shards.setdefault(home, {})
        seen = {shard.path for shard in table.values()}
        for meta in sorted(home.glob("shard-*.json")):
            if meta.with_suffix(".npy") in seen:
                continue
            shard = _Shard.read(meta)
            if shard is None:  # torn or altered: as if it had never been
                meta.unlink(missing_ok=True)
                meta.with_suffix(".npy").unlink(missing_ok=True)
                continue
            table.update(dict.fromkeys(shard.place, shard))
        return table

    def _compute(
        self, backbone: Backbone, data: Dataset, homes: dict[str, Path], stream: Stream,
        tell: Callable[[int], None],
    ) -> None:  # fmt: skip
        done, cuts = 0, list(homes)
        kinds: dict[str, str] = {cut: backbone.kind(cut) for cut in cuts}
        pending: dict[str, list[np.ndarray]] = {cut: [] for cut in cuts}
        ids: list[str] = []
        for positions, values in stream:
            ids += data.ids[positions].tolist()
            for cut in cuts:
                pending[cut] += values[cut]
            size = max(sum(v.nbytes for v in pending[cut]) for cut in cuts)
            if len(ids) >= SHARD_ROWS or size >= SHARD_BYTES:
                self._flush(homes, pending, ids, kinds)
            done += len(positions)
            tell(done)
        self._flush(homes, pending, ids, kinds)

    def _flush(
        self, homes: dict[str, Path], pending: dict[str, list[np.ndarray]], ids: list[str], kinds: dict[str, str]
    ) -> None:
        if ids:
            for cut, home in homes.items():
                try:
                    shard = _Shard.write(home, pending[cut], ids, kinds[cut])
                except OSError as error:
                    raise _refused(home, error) from error
                self._shards[home].update(dict.fromkeys(shard.place, shard))
                pending[cut].clear()
            ids.clear()

    def _gather(self, backbone: Backbone, cut: str, home: Path, ids: np.ndarray) -> Activations:
        table = self._shards[home]
        lazy = Lazy([table[i] for i in ids], ids)
        values: Any = lazy[np.arange(len(ids))] if backbone.kind(cut) == "vector" else lazy
        return Activations(values, ids, cut, backbone.kind(cut), backbone)

    def _live(self, backbone: Backbone, data: Dataset, cuts: list[str], precision: str) -> dict[str, Activations]:
        _, route = engine.choose(backbone, data.rows, cuts, precision)
        scaled = engine.scales(backbone, precision)
        stream = engine.extract(backbone, data.rows, cuts, route=route, scaled=scaled)
        found = engine.in_order(stream, len(data.ids), cuts)
        packed = {c: _objects(v) if backbone.kind(c) in RAGGED else np.stack(v) for c, v in found.items()}
        return {c: Activations(v, data.ids, c, backbone.kind(c), backbone) for c, v in packed.items()}

    def _make_room(self, using: set[Path]) -> None:
        """Remove the keys used longest ago until the rest fits."""
        assert self.folder is not None
        limit = self.limit if self.limit is not None else min(LIMIT, shutil.disk_usage(self.folder).free // 5)
        entries = sorted(self.entries(), key=lambda e: e["used"])
        total = sum(e["bytes"] for e in entries)
        for entry in entries:
            if total > limit and Path(entry["folder"]) not in using:
                shutil.rmtree(entry["folder"], ignore_errors=True)
                self._shards.pop(Path(entry["folder"]), None)
                total -= entry["bytes"]


def _stream(backbone: Backbone, data: Dataset, cuts: list[str], route: engine.Route | None, *, scaled: bool) -> Stream:
    """(positions, {cut: one array a row}) until all rows are there."""
    if not isinstance(backbone, Featurizer):
        return engine.extract(backbone, data.rows, cuts, route=route, scaled=scaled)
    blocks = (np.arange(s, min(s + 256, len(data.ids))) for s in range(0, len(data.ids), 256))
    return ((b, {cuts[0]: list(backbone.features([data.rows[int(i)] for i in b]))}) for b in blocks)


class _Shard:
    """Some rows of one key: a .npy file, memory-mapped, and a .json that says what is in it."""

    def __init__(self, path: Path, ids: list[str], offsets: list[int] | None) -> None:
        self.path = path
        self.place = {row: i for i, row in enumerate(ids)}
        self.offsets = offsets

    def open(self) -> np.ndarray:
        """The rows, mapped for as long as somebody holds them: pages that were read count as memory of the process."""
        values: np.ndarray = np.load(self.path, mmap_mode="r", allow_pickle=False)
        return values

    def row(self, row: str, values: np.ndarray) -> np.ndarray:
        i = self.place[row]
        return values[i] if self.offsets is None else values[self.offsets[i] : self.offsets[i + 1]]

    def length(self, row: str) -> int:
        i = self.place[row]
        return 1 if self.offsets is None else self.offsets[i + 1] - self.offsets[i]

    @classmethod
    def write(cls, home: Path, rows: list[np.ndarray], ids: list[str], kind: str) -> _Shard:
        ragged = kind in RAGGED
        values = np.concatenate(rows) if ragged else np.stack(rows)
        offsets = np.cumsum([0, *(len(r) for r in rows)]).tolist() if ragged else None
        path = home / f"shard-{time.time_ns():x}-{uuid.uuid4().hex[:8]}.npy"
        temporary = path.with_suffix(".writing")
        with temporary.open("wb") as file:
            np.save(file, _small(values, kind), allow_pickle=False)
        checksum = digest(temporary)
        temporary.rename(path)
        write(path.with_suffix(".json"), json.dumps({"ids": ids, "offsets": offsets, "blake2b": checksum}).encode())
        return cls(path, ids, offsets)

    @classmethod
    def read(cls, meta: Path) -> _Shard | None:
        try:
            raw = json.loads(meta.read_text(encoding="utf-8"))
            path = meta.with_suffix(".npy")
            return cls(path, raw["ids"], raw["offsets"]) if digest(path) == raw["blake2b"] else None
        except (OSError, ValueError, KeyError):
            return None


class Lazy:
    """Rows of several shards, read when they are asked for: `values[index]` is an array, of objects where ragged."""

    def __init__(self, shards: list[_Shard], ids: np.ndarray) -> None:
        self.shards, self.ids = shards, ids

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: np.ndarray) -> np.ndarray:
        values = {shard: shard.open() for shard in {self.shards[i] for i in index}}
        rows = [self.shards[i].row(self.ids[i], values[self.shards[i]]) for i in index]
        return _objects(rows) if self.shards[index[0]].offsets is not None else np.stack(rows)

    def lengths(self, index: np.ndarray) -> np.ndarray:
        """Number of tokens of some rows."""
        return np.array([self.shards[i].length(self.ids[i]) for i in index])


def default_folder() -> Path:
    """The user's cache folder for activations; HEADSTART_CACHE moves it."""
    return Path(os.environ.get("HEADSTART_CACHE") or user_cache_path("headstart")) / "activations"


def _first_of_each(ids: np.ndarray, known: set[str]) -> np.ndarray:
    """Positions of the rows to compute: each unknown id once."""
    _, first = np.unique(ids, return_index=True)
    return np.array(sorted(i for i in first if ids[i] not in known), dtype=np.int64)


def _objects(rows: list[np.ndarray]) -> np.ndarray:
    out = np.empty(len(rows), dtype=object)
    out[:] = rows
    return out


def _small(values: np.ndarray, kind: str) -> np.ndarray:
    """Half the bytes where nothing is lost that matters: tokens and maps as float16, unless they overflow it."""
    if kind == "ids":
        return values.astype(np.int32)
    if kind in ("tokens", "map") and np.abs(values).max(initial=0) < HALF_MAX:
        return values.astype(np.float16)
    return values


def _refused(home: Path, error: OSError) -> StoreError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return StoreError(
        f"cannot write activations to {home}: {'the disk is full' if full else error.strerror or error}",
        expected="a folder with room",
        do="free some space (headstart cache clear) or name another folder with --cache",
    )
