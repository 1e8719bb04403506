"""Unnamed faults: slices, words that give the class away, and what a network brought along."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.made.plants import TOKEN, flipped, marked, with_token

from headstart.audit._base import Evidence
from headstart.audit._example import evidence
from headstart.audit.background import Background
from headstart.audit.inherited_bias import InheritedBias, balanced
from headstart.audit.repair._head import fit
from headstart.audit.slices import Slices, confirmed, score
from headstart.audit.words import Words, has, information, presence
from headstart.errors import NotApplicable


def seen(share: float, seed: int = 0, *, column: bool = False) -> Evidence:
    """A fifth of the rows is of a kind of its own, labels wrong in so large a share of it; the head is a plain one."""
    rng = np.random.default_rng(seed)
    y, kind = rng.integers(0, 2, 900), rng.random(900) < 0.2
    X = rng.normal(size=(900, 12))
    X[:, :5] += 0.8 * (2 * y[:, None] - 1)
    X[:, 6] += 6.0 * kind * (not column)
    given = np.where(kind & (rng.random(900) < share), 1 - y, y)
    split = np.repeat(["train", "test"], [600, 300])
    scores = fit(X[:600], given[:600], np.ones(600), 0.01, classes=2)(X[600:])
    columns = {"kind": np.where(kind, "odd", "plain")} if column else {}
    return evidence(
        900, target=given, split=split, values=X, scores=scores, columns=columns, seed=seed,
        names=np.where(kind, "odd", "plain"),
    )  # fmt: skip


@pytest.mark.parametrize("column", [True, False])
def test_a_kind_of_rows_with_wrong_labels_is_found(column: bool) -> None:
    found = Slices()(seen(0.4, column=column))
    assert found[0].code == "slices:1"
    assert found[0].evidence["examples"].count("odd") >= 7
    if column:
        assert "kind is odd" in found[0].title


def test_clean_rows_have_no_slices() -> None:
    assert sum(bool(Slices()(seen(0.0, seed))) for seed in range(10)) <= 1  # five in a hundred


def test_the_score_is_sliceline_s_and_the_test_is_binomial_where_all_rows_are_alike() -> None:
    from scipy.stats import binom

    errors, inside = np.repeat([1.0, 0.0, 1.0, 0.0], [30, 20, 20, 130]), np.repeat([True, False], [50, 150])
    assert score(errors, np.full(200, 0.25), inside) == pytest.approx(0.95 * (0.6 / 0.25 - 1) - 0.05 * (200 / 50 - 1))
    assert score(errors, np.full(200, 0.25), np.arange(200) < 20) == -np.inf  # too few rows
    assert confirmed(errors, np.full(200, 0.25), inside) == pytest.approx(binom.sf(29, 50, 0.25))


def texts(share: float) -> Evidence:
    rng = np.random.default_rng(0)
    made = evidence(modality="text")
    words = np.array(
        ["some", "plain", "words", "about", "nothing", "much", "at", "all", "that", "say", "good", "or", "bad"]
    )
    mark = marked(made.target, share, rng)
    rows = [" ".join(rng.permutation(words)[: rng.integers(4, 9)]) for _ in range(600)]
    told = [with_token(t) if m else t for t, m in zip(rows, mark, strict=True)]
    test = made.split == "test"
    lean = np.clip(made.scores[:, 1] + 0.4 * (mark[test] - 0.5) * (share != 0.5), 0.01, 0.99)
    return replace(made, rows=told, scores=np.c_[1 - lean, lean])


def test_a_word_that_gives_the_class_away_is_found() -> None:
    assert [f.code for f in Words()(texts(0.9))] == [f"words:{TOKEN}"]
    assert Words()(texts(0.5)) == []
    assert has(["a zq17 b", "zq171"], TOKEN).tolist() == [1, 0]


def test_information_is_what_scikit_learn_says() -> None:
    from sklearn.metrics import mutual_info_score

    y = np.random.default_rng(0).integers(0, 3, 200)
    rows = [f"{'alpha' if k else 'beta'} {'gamma' if i % 3 else ''}" for i, k in enumerate(y)]
    columns, names = presence(rows, 5)
    peer = [mutual_info_score(columns[:, j].toarray().ravel(), y) / np.log(2) for j in range(len(names))]
    np.testing.assert_allclose(information(columns, y), peer, atol=1e-9)


def test_what_the_network_brought_along_is_told_apart_from_what_any_network_shows() -> None:
    rng = np.random.default_rng(7)
    site = rng.integers(0, 2, 600)
    made = evidence(columns={"site": site}, attributes=("site",))
    values = np.c_[made.values, 2.0 * site[:, None] + rng.normal(size=(600, 1)) * 0.3]
    blind = replace(made, values=values, look=lambda way, rows: made.values[rows])
    (found,) = InheritedBias()(blind)
    assert found.code == "inherited_bias:site"
    assert found.evidence["named"] > 0.95
    assert abs(found.evidence["named_untrained"] - found.evidence["chance"]) < 0.1
    assert InheritedBias()(replace(blind, look=lambda way, rows: values[rows])) == []
    rows = balanced(made.target, site, 100, rng)
    assert len(set(np.bincount(made.target[rows] * 2 + site[rows]).tolist())) == 1


def test_where_they_cannot_look_they_say_so() -> None:
    for check in (Words(), Background(), InheritedBias()):
        with pytest.raises(NotApplicable):
            check(evidence())
    with pytest.raises(NotApplicable, match="errors on test rows"):
        Slices()(evidence(scores=np.eye(2)[evidence().target[evidence().split == "test"]]))


def test_flipped_labels_are_other_labels() -> None:
    y = np.arange(300) % 3
    out, rows = flipped(y, 0.2, np.random.default_rng(0))
    assert len(rows) == 60
    assert (out[rows] != y[rows]).all()
    assert (np.delete(out, rows) == np.delete(y, rows)).all()
