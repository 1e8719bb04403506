"""Splits: the same rows go to the same side, classes and groups are respected, copies never straddle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.data.raw import content_id
from headstart.data.splits import assign, by_user
from headstart.errors import DataError


def ids(n: int, start: int = 0) -> np.ndarray:
    return np.array([content_id(str(i).encode()) for i in range(start, start + n)])


def test_order_does_not_matter_and_the_seed_does() -> None:
    rows, target = ids(500), np.arange(500) % 3
    split = assign(rows, target, "label")
    order = np.random.default_rng(0).permutation(500)
    np.testing.assert_array_equal(assign(rows[order], target[order], "label"), split[order])
    assert (assign(rows, target, "label", seed=1) != split).mean() > 0.3


def test_more_rows_move_no_old_ones() -> None:
    rows, target = ids(1000), np.arange(1000) % 4
    first = assign(rows[:800], target[:800], "label")
    for n in (801, 900, 1000):
        np.testing.assert_array_equal(assign(rows[:n], target[:n], "label")[:800], first)


def test_small_classes_get_their_exact_share_and_hardly_move() -> None:
    rows, target = ids(160), np.arange(160) % 2
    split = assign(rows, target, "label")
    for k in (0, 1):
        assert [int((split[target == k] == s).sum()) for s in ("train", "valid", "test")] == [48, 16, 16]
    more = assign(ids(170), np.arange(170) % 2, "label")
    assert (more[:160] != split).sum() <= 8


def test_shares_are_near_to_what_was_asked_for_in_every_class() -> None:
    rows, target = ids(4000), (np.arange(4000) % 10 == 0).astype(int)
    split = assign(rows, target, "label")
    for k in (0, 1):
        shares = [(split[target == k] == s).mean() for s in ("train", "valid", "test")]
        np.testing.assert_allclose(shares, [0.6, 0.2, 0.2], atol=0.06)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=2, max_size=6), st.integers(0, 5))
def test_every_class_is_learnt_and_small_ones_are_spread(sizes: list[int], seed: int) -> None:
    target = np.repeat(np.arange(len(sizes)), sizes)
    if len(target) < 3:
        return
    split = assign(ids(len(target)), target, "label", seed=seed)
    for k, size in enumerate(sizes):
        here = split[target == k]
        assert "train" in here
        if size >= 3:
            assert set(here) == {"train", "valid", "test"}


def test_copies_stay_together() -> None:
    rows = np.concatenate([ids(300), ids(300)])
    split = assign(rows, np.arange(600) % 2, "label")
    np.testing.assert_array_equal(split[:300], split[300:])


def test_groups_stay_whole_and_their_rows_do_not_decide() -> None:
    rows, target = ids(600), np.arange(600) % 2
    groups = np.array([f"patient {i // 6}" for i in range(600)])
    split = assign(rows, target, "label", groups)
    assert all(len(set(split[groups == g])) == 1 for g in set(groups))
    assert {"train", "valid", "test"} == set(split)
    other = assign(ids(600, start=5000), 1 - target, "number", groups)
    np.testing.assert_array_equal(other, assign(rows, target, "number", groups))


@pytest.mark.parametrize("seed", range(8))
def test_a_class_that_is_rare_in_every_group_is_learnt_all_the_same(seed: int) -> None:
    groups = np.arange(200) // 5
    target = groups % 2
    target[[3, 98]] = 2  # one row each in two groups of other classes
    split = assign(ids(200), target, "label", groups, seed=seed)
    assert "train" in split[target == 2]
    assert all(len(set(split[groups == g])) == 1 for g in groups)


def test_a_copy_in_two_groups_ties_them() -> None:
    rows = ids(200)
    groups = np.array([f"g{i // 4}" for i in range(200)])
    rows[40] = rows[0]  # the same picture of two patients
    split = assign(rows, np.arange(200) % 2, "label", groups)
    assert len(set(split[(groups == "g0") | (groups == "g10")])) == 1


def test_several_labels_all_reach_train() -> None:
    target = np.zeros((60, 4), dtype=int)
    target[:, 0] = 1
    target[:10, 1] = target[3:5, 2] = target[7, 3] = 1
    split = assign(ids(60), target, "labels")
    assert (target[split == "train"].sum(0) > 0).all()
    assert {*split[target[:, 1] == 1]} == {"train", "valid", "test"}


def test_numbers_are_split_too() -> None:
    split = assign(ids(50), np.linspace(0, 1, 50), "number")
    assert {"train", "valid", "test"} == set(split)


def test_too_few_say_so() -> None:
    with pytest.raises(DataError, match="only 1 different rows"):
        assign(np.repeat(ids(1), 9), np.arange(9) % 2, "label")
    with pytest.raises(DataError, match="only 2 groups"):
        assign(ids(9), np.arange(9) % 2, "label", np.arange(9) % 2)


def test_the_users_test_is_never_touched_and_valid_comes_from_train() -> None:
    cells = np.array(["training"] * 80 + ["Test"] * 20, dtype=object)
    notes: list[str] = []
    split, keep = by_user(cells, ids(100), np.arange(100) % 2, "label", None, notes=notes, seed=0)
    assert keep.all()
    assert (split[80:] == "test").all()
    assert (split[:80] == "valid").sum() == 20
    assert any("valid is carved" in n for n in notes)


def test_train_rows_that_are_also_in_the_users_test_are_dropped() -> None:
    rows = ids(100)
    rows[3] = rows[90]
    notes: list[str] = []
    _, keep = by_user(
        np.array(["train"] * 80 + ["test"] * 20, dtype=object),
        rows,
        np.arange(100) % 2,
        "label",
        None,
        notes=notes,
        seed=0,
    )
    assert np.flatnonzero(~keep).tolist() == [3]
    assert any("also in test, and dropped from train: 1 row" in n for n in notes)


def test_a_users_group_on_both_sides_is_dropped_from_train() -> None:
    groups = np.arange(100) // 10
    groups[85] = 0
    _, keep = by_user(
        np.array(["train"] * 80 + ["test"] * 20, dtype=object),
        ids(100),
        np.arange(100) % 2,
        "label",
        groups,
        notes=[],
        seed=0,
    )
    assert np.flatnonzero(~keep).tolist() == list(range(10))


def test_an_unknown_side_is_named() -> None:
    with pytest.raises(DataError, match="'later'"):
        by_user(
            np.array(["train", "later", "test"], dtype=object), ids(3), np.arange(3), "label", None, notes=[], seed=0
        )
    with pytest.raises(DataError, match="train only"):
        by_user(np.array(["train"] * 3, dtype=object), ids(3), np.arange(3), "label", None, notes=[], seed=0)


def test_a_rare_class_of_the_users_train_stays_in_train() -> None:
    cells = np.array(["train"] * 80 + ["test"] * 20, dtype=object)
    for rare in range(20):
        target = (np.arange(100) == rare).astype(int)
        split, _ = by_user(cells, ids(100), target, "label", None, notes=[], seed=0)
        assert split[rare] == "train"
