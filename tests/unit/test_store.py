"""The store: what is known is not computed again, what is torn is, and a full disk is said."""

from __future__ import annotations

import errno
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headstart.activations import engine, store
from headstart.activations.store import ActivationStore
from headstart.backbones import get
from headstart.backbones._base import Backbone
from headstart.cli.cache import cache
from headstart.data.dataset import Dataset
from headstart.data.raw import content_id
from headstart.errors import PlanError, StoreError


def texts(rows: int, first: int = 0) -> Dataset:
    said = [f"text number {i} " + "word " * (i % 9) for i in range(first, first + rows)]
    return Dataset("text", said, np.array([content_id(t.encode()) for t in said]))


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each pass of the network computed."""
    counted: list[int] = []
    real = engine.extract

    def counting(backbone: Backbone, rows: Any, cuts: Any, **more: Any) -> Iterator[Any]:
        counted.append(len(rows))
        return real(backbone, rows, cuts, **more)

    monkeypatch.setattr(engine, "extract", counting)
    return counted


def test_adding_rows_computes_those_rows(tmp_path: Path, calls: list[int]) -> None:
    keep, minilm = ActivationStore(tmp_path), get("minilm")
    first = keep.get(minilm, texts(10), {"pooled"})["pooled"]
    again = ActivationStore(tmp_path).get(minilm, texts(13), {"pooled"})["pooled"]
    assert calls == [10, 3]
    np.testing.assert_array_equal(np.asarray(again)[:10], np.asarray(first))


def test_words_are_counted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And looked up for any of the rows, unless they would fill the memory; a store that keeps nothing keeps none."""
    ngrams, counted = get("ngrams"), []
    real = type(ngrams).features
    monkeypatch.setattr(type(ngrams), "features", lambda self, rows: counted.append(len(rows)) or real(self, rows))
    keep, some = ActivationStore(tmp_path), np.array([7, 2, 2, 11])
    for rows in (texts(10), texts(13), texts(13), texts(13).take(some)):
        last = keep.get(ngrams, rows, {"pooled"})["pooled"].values
    assert counted == [10, 13]
    assert (last != real(ngrams, texts(13).rows)[some]).nnz == 0
    monkeypatch.setattr(store, "AT_HAND", 100)
    for other in (ActivationStore(tmp_path), ActivationStore.live()):
        counted.clear()
        for _ in range(2):
            other.get(ngrams, texts(5), {"pooled"})
        assert counted == [5, 5]


def test_what_is_not_known_yet_can_be_asked_for(tmp_path: Path, calls: list[int]) -> None:
    keep, minilm = ActivationStore(tmp_path), get("minilm")
    keep.get(minilm, texts(10), {"pooled"})
    some = texts(13)
    assert keep.unread(minilm, some, {"pooled"}).tolist() == [10, 11, 12]
    assert len(keep.unread(minilm, some, {"pooled", "layer.2"})) == 13
    # of int8 only trying tells which route it will be
    assert len(keep.unread(minilm, some, {"pooled"}, precision="int8")) == 13
    assert len(ActivationStore.live().unread(minilm, some, {"pooled"})) == 13
    assert len(keep.unread(get("ngrams", some), some, {"pooled"})) == 0  # counts are never kept
    assert calls == [10]


def test_stored_is_live_is_exact(tmp_path: Path) -> None:
    minilm, data = get("minilm"), texts(12)
    exact = minilm.prefix(minilm.prepare(data.rows), ["layer.2", "pooled"])
    for keep in (ActivationStore(tmp_path), ActivationStore.live()):
        seen = keep.get(minilm, data, {"input", "layer.2", "pooled"})
        np.testing.assert_allclose(np.asarray(seen["pooled"]), exact["pooled"].numpy(), atol=2e-5)
        values, mask = seen["layer.2"].batch()
        assert mask is not None
        np.testing.assert_allclose(values[mask], exact["layer.2"].numpy()[mask], atol=4e-3)
        np.testing.assert_array_equal(seen["layer.2"].lengths(), mask.sum(1))
        ids, _ = seen["input"].batch()
        np.testing.assert_array_equal(ids, minilm.prepare(data.rows).values.numpy())


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="only Linux lists what a process has mapped")
def test_nothing_stays_mapped_once_it_was_read(tmp_path: Path) -> None:
    seen = ActivationStore(tmp_path).get(get("minilm"), texts(60), ["embeddings"])["embeddings"]
    rows = seen.values[np.arange(3)]
    maps = Path("/proc/self/maps")
    assert str(tmp_path) in maps.read_text()
    del rows
    assert str(tmp_path) not in maps.read_text()


def test_equal_rows_are_computed_once(tmp_path: Path, calls: list[int]) -> None:
    data = texts(5).take(np.array([0, 1, 0, 1, 4]))
    seen = np.asarray(ActivationStore(tmp_path).get(get("minilm"), data, {"pooled"})["pooled"])
    assert calls == [3]
    np.testing.assert_array_equal(seen[0], seen[2])


def test_a_torn_or_altered_shard_is_computed_again(tmp_path: Path, calls: list[int]) -> None:
    minilm, data = get("minilm"), texts(6)
    good = np.asarray(ActivationStore(tmp_path).get(minilm, data, {"pooled"})["pooled"])
    (shard,) = tmp_path.rglob("shard-*.npy")
    raw = bytearray(shard.read_bytes())
    raw[-1] ^= 0xFF
    shard.write_bytes(raw)
    np.testing.assert_array_equal(np.asarray(ActivationStore(tmp_path).get(minilm, data, {"pooled"})["pooled"]), good)
    (shard,) = tmp_path.rglob("shard-*.npy")
    shard.write_bytes(shard.read_bytes()[:100])
    np.testing.assert_array_equal(np.asarray(ActivationStore(tmp_path).get(minilm, data, {"pooled"})["pooled"]), good)
    assert calls == [6, 6, 6]


def test_a_full_disk_is_said_and_harms_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    minilm = get("minilm")
    keep = ActivationStore(tmp_path)
    keep.get(minilm, texts(4), {"pooled"})

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(store.np, "save", full)
        with pytest.raises(StoreError, match="the disk is full") as caught:
            keep.get(minilm, texts(6), {"pooled"})
    assert "headstart cache clear" in str(caught.value)
    assert len(ActivationStore(tmp_path).get(minilm, texts(6), {"pooled"})["pooled"]) == 6


def test_the_oldest_key_makes_room_and_the_one_in_use_stays(tmp_path: Path) -> None:
    minilm = get("minilm")
    ActivationStore(tmp_path).get(minilm, texts(4), {"layer.1"})
    time.sleep(0.02)
    keep = ActivationStore(tmp_path, limit_bytes=1)
    keep.get(minilm, texts(4), {"pooled"})
    assert [e["cut"] for e in keep.entries()] == ["pooled"]
    with pytest.raises(PlanError, match=r"nothing of a backbone 'minilmm'.*Expected: minilm"):
        cache("clear", "minilmm", tmp_path)
    assert keep.clear() > 0
    assert keep.entries() == []


def test_a_killed_extraction_goes_on_where_it_was(tmp_path: Path, calls: list[int]) -> None:
    """A process is killed while it fills the store; its finished shards are whole and are not computed again."""
    script = f"""
import numpy as np, sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
from headstart.activations import store
store.SHARD_ROWS = 64
from test_store import texts
from headstart.backbones import get
store.ActivationStore(Path({str(tmp_path)!r})).get(get("minilm"), texts(20000), {{"pooled"}})
"""
    job = subprocess.Popen([sys.executable, "-c", script])
    deadline = time.monotonic() + 120
    while len(list(tmp_path.rglob("shard-*.json"))) < 2 and time.monotonic() < deadline:
        assert job.poll() is None
        time.sleep(0.02)
    job.kill()
    job.wait()
    left = sum(e["rows"] for e in ActivationStore(tmp_path).entries())
    assert 128 <= left < 20000
    minilm, data = get("minilm"), texts(20000)
    known = set().union(*(store._Shard.read(m).place for m in tmp_path.rglob("shard-*.json")))
    some = data.take(np.array([i for i, row in enumerate(data.ids) if row in known][:100]))
    ActivationStore(tmp_path).get(minilm, some, {"pooled"})
    assert calls == []


def test_the_converted_network_is_an_entry_that_can_be_cleared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_chosen", {})
    keep, minilm = ActivationStore(tmp_path), get("minilm")
    keep.get(minilm, texts(engine.FEW * engine.ANEW), {"pooled"})
    by_kind = {e["kind"]: e for e in keep.entries()}
    assert set(by_kind) == {"vector", "network"}
    assert by_kind["network"]["bytes"] > by_kind["vector"]["bytes"]
    keep.clear()
    assert keep.entries() == []
