"""The shortcut check fires on a planted one, keeps its level on clean data, and says what it cannot tell."""

from __future__ import annotations

import numpy as np
import pytest

from headstart.audit._base import Evidence
from headstart.audit._example import evidence
from headstart.audit._lean import decoded, lean, usual
from headstart.audit._levels import levels
from headstart.audit.repair._example import rows
from headstart.audit.repair._head import fit
from headstart.audit.shortcut import Shortcut, most_lost
from headstart.errors import NotApplicable


def planted(share: float, seed: int = 0, n: int = 700) -> Evidence:
    """A head that learnt from rows with a shortcut, and its answers for test rows."""
    X, y, site = rows(n, seed, share)
    split = np.repeat(["train", "test"], [n - 250, 250])
    scores = fit(X[: n - 250], y[: n - 250], np.ones(n - 250), 0.01, classes=2)(X[n - 250 :])
    names = np.array(["north", "south"])[site]
    return evidence(
        n, target=y, split=split, values=X, scores=scores, columns={"site": names}, attributes=("site",), seed=seed
    )


def harmless(n: int, seed: int = 0) -> Evidence:
    """An attribute that goes with the target and shows, and a model that does not need it."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    site = np.where(rng.random(n) < 0.75, y, 1 - y)
    X = np.c_[6 * y + rng.normal(0, 0.5, n), 2 * site + rng.normal(size=n), rng.normal(size=(n, 8))]
    sure = np.clip(0.05 + 0.9 * y[n // 2 :] + rng.normal(0, 0.02, n - n // 2), 0, 1)
    return evidence(
        n, target=y, split=np.repeat(["train", "test"], [n // 2, n - n // 2]), values=X, scores=np.c_[1 - sure, sure],
        columns={"site": site.astype(str)}, attributes=("site",), seed=seed,
    )  # fmt: skip


@pytest.mark.parametrize("share", [0.75, 0.9])
def test_a_planted_shortcut_is_found(share: float) -> None:
    found = Shortcut()(planted(share))
    assert [f.code for f in found] == ["shortcut:site"]
    told = found[0].evidence
    assert told["with"] > told["against"]
    assert told["erased"]["flips"] > 0.02
    assert told["decoded_r2"] > 0.2


def test_few_rows_do_not_rule_a_lean_out_and_many_do() -> None:
    (found,) = Shortcut()(harmless(160))
    assert found.severity == "info"
    assert found.evidence["lean_p"] > 0.01
    assert found.evidence["most"] > 0.05
    assert Shortcut()(harmless(1200)) == []


def test_without_rows_that_break_the_association_anything_may_be_lost() -> None:
    y = np.array([0, 0, 1, 1])
    assert most_lost(y, y, y, np.array([[1.0, -1.0], [-1.0, 1.0]])) == 1.0


def test_clean_data_are_quiet_at_the_stated_level() -> None:
    assert sum(bool(Shortcut()(planted(0.5, seed))) for seed in range(12)) == 0


def test_the_permutation_tests_are_exact() -> None:
    p_lean, p_shown = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        y, codes = rng.integers(0, 2, 120), rng.integers(0, 3, 120)
        pull = usual(rng.integers(0, 3, 200), rng.integers(0, 2, 200), 2)
        scores = np.c_[1 - (told := rng.random(120)), told]
        p_lean.append(lean(scores, y, codes, pull, rng)[1])
        if seed < 20:
            p_shown.append(decoded(rng.normal(size=(120, 10)) + y[:, None], codes, y, rng)[1])
    assert 0.3 < np.mean(p_lean) < 0.7
    assert np.mean(np.array(p_lean) <= 0.1) < 0.25
    assert 0.25 < np.mean(p_shown) < 0.75


def test_what_cannot_be_told_apart_is_said() -> None:
    found = Shortcut()(planted(1.0))
    assert [f.severity for f in found] == ["serious"]
    assert "nothing tells which" in found[0].title


def test_without_attributes_it_does_not_look() -> None:
    with pytest.raises(NotApplicable, match="--attribute"):
        Shortcut()(evidence())


def test_levels_take_rare_words_together_and_cut_numbers() -> None:
    codes, names = levels(np.array(["x"] * 40 + ["y"] * 40 + [None] * 3 + ["z"] * 2, dtype=object))
    assert names == ("x", "y", "other")
    assert np.bincount(codes).tolist() == [40, 40, 5]
    codes, names = levels(np.array([*range(98), None, float("nan")], dtype=object))
    assert names[-1] == "missing"
    assert np.bincount(codes)[-1] == 2
