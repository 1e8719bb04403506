"""Near duplicates: found across the split, moved or dropped, and never at the price of the test."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from headstart.data import duplicates
from headstart.data.dataset import SPLITS, Dataset


def made(n: int = 300, d: int = 64, seed: int = 0) -> tuple[Dataset, np.ndarray]:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(n, d)) + 5  # a large common part, as real activations have
    ids = np.array([f"{i:032x}" for i in range(n)])
    split = np.array(SPLITS)[np.arange(n) % 5 // 2]
    data = Dataset("text", [f"text {i}" for i in range(n)], ids, np.arange(n) % 2, "label", ("a", "b"), split)
    return replace(data, names=np.array([f"line {i}" for i in range(n)])), vectors


def of(data: Dataset, split: str, k: int) -> int:
    return int(data.rows_of(split)[k])


def test_rows_that_differ_stay_where_they_are() -> None:
    data, vectors = made()
    out, moved = duplicates.separate(data, vectors)
    assert out is data
    assert moved["moved"] == 0


def test_twins_come_to_the_train_side_and_others_stay() -> None:
    data, vectors = made()
    assert data.split is not None
    train, valid, test = of(data, "train", 3), of(data, "valid", 4), of(data, "test", 5)
    rng = np.random.default_rng(1)
    vectors[test] = vectors[train] + rng.normal(0, 0.01, 64)
    vectors[valid] = vectors[of(data, "test", 7)] + rng.normal(0, 0.01, 64)
    out, moved = duplicates.separate(data, vectors)
    assert out.split is not None
    changed = np.flatnonzero(out.split != data.split)
    assert changed.tolist() == sorted([test, of(data, "test", 7)])
    assert out.split[test] == "train"
    assert out.split[of(data, "test", 7)] == "valid"
    assert moved["moved"] == 2
    assert [f"line {test}", f"line {train}"] in [p[:2] for p in moved["pairs"]]


def test_a_chain_of_twins_moves_as_one() -> None:
    data, vectors = made()
    rows = [of(data, "train", 0), of(data, "test", 1), of(data, "test", 2), of(data, "valid", 3)]
    centred = vectors - vectors.mean(0)
    a, b = centred[rows[0]], centred[rows[1]]
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    b = b - (a @ b) * a
    b /= np.linalg.norm(b)
    for step, row in enumerate(rows):  # neighbours 15 degrees apart (cosine .966), the ends 45
        angle = np.deg2rad(15 * step)
        vectors[row] = vectors.mean(0) + 8 * (np.cos(angle) * a + np.sin(angle) * b)
    out, moved = duplicates.separate(data, vectors, threshold=0.95)
    assert out.split is not None
    assert out.split[rows].tolist() == ["train"] * 4
    assert moved["moved"] == 3


def test_the_users_own_test_stays_and_train_gives_way() -> None:
    data, vectors = made()
    data = replace(data, own_split=True)
    train, test = of(data, "train", 3), of(data, "test", 5)
    vectors[train] = vectors[test]
    out, moved = duplicates.separate(data, vectors)
    assert moved["moved"] == 1
    assert len(out) == len(data) - 1
    assert data.ids[train] not in out.ids
    assert out.where(split="test").ids.tolist() == data.where(split="test").ids.tolist()


def test_blocks_give_what_one_product_gives(monkeypatch: object) -> None:
    data, vectors = made(400)
    rng = np.random.default_rng(2)
    for k in range(20):
        vectors[of(data, "test", k)] = vectors[of(data, "train", 3 * k)] + rng.normal(0, 0.02, 64)
    whole, _ = duplicates.separate(data, vectors)
    monkeypatch.setattr(duplicates, "ROWS", 7)
    monkeypatch.setattr(duplicates, "COLUMNS", 11)
    blocks, _ = duplicates.separate(data, vectors)
    assert whole.split is not None
    assert (whole.split != data.split).sum() == 20
    np.testing.assert_array_equal(whole.split, blocks.split)


def test_rows_that_are_all_alike_do_not_empty_the_test() -> None:
    data, vectors = made()
    vectors[:] = vectors[0]
    vectors[:3] += np.eye(3, 64) * 50  # so that something is left after centring
    out, moved = duplicates.separate(data, vectors)
    assert out is data
    assert moved["moved"] == 0
    assert moved["left"] > 100
    assert "alike" in moved["words"]


def test_table_rows_are_left_alone() -> None:
    data, vectors = made()
    vectors[:] = vectors[0]
    out, moved = duplicates.separate(replace(data, modality="table"), vectors)
    assert moved["moved"] == 0
    assert out.modality == "table"
