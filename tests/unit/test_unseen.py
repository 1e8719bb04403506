"""Domains: who is learnt from and who is predicted, the worst group's optimum, and what the race then chooses."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from headstart import _discover
from headstart.activations.activations import Activations
from headstart.data.sites import domains_of, unlabelled
from headstart.errors import DataError
from headstart.selection._unseen import pretraining, unseen
from headstart.selection.contender import Contender
from headstart.selection.metrics import metric_for
from headstart.selection.race import Clock, Field, best, race
from headstart.selection.unseen import Domains, away, evenly, some
from headstart.techniques._group_dro import group_dro
from headstart.techniques._linear import softmax
from headstart.techniques.domain_normalised import DomainNormalised
from headstart.techniques.linear_probe import LinearProbe
from headstart.techniques.ridge import Ridge


def rows(X: np.ndarray) -> Activations:
    return Activations(X, np.arange(len(X)).astype(str), "pooled", "vector")


def loss(coef: np.ndarray, intercept: np.ndarray, X: np.ndarray, y: np.ndarray, groups: np.ndarray) -> np.ndarray:
    told = -np.log(softmax(X @ coef + intercept)[np.arange(len(y)), y])
    return np.array([told[groups == g].mean() for g in np.unique(groups)])


def disagreeing(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two groups, 90 and 20 rows, of three classes; what tells the classes in one misleads in the other."""
    rng = np.random.default_rng(seed)
    y, groups = rng.integers(0, 3, 110), np.repeat([0, 1], [90, 20])
    X = rng.normal(size=(110, 3)) + np.eye(3)[np.where(groups == 0, y, (y + 1) % 3)]
    X[:, 2] += 0.7 * y
    return X, y, groups


def test_group_dro_reaches_the_exact_minimum_of_the_worst_loss() -> None:
    """Against the same problem as a smooth one with constraints: least t with every group's loss below t."""
    X, y, groups = disagreeing()
    strength = 0.05

    def parts(v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return v[:9].reshape(3, 3), v[9:12]

    def pull(v: np.ndarray) -> float:
        return float((v[:9] ** 2).sum() / (2 * strength * len(y)))

    exact = minimize(
        lambda v: v[12] + pull(v), np.r_[np.zeros(12), 2.0], method="SLSQP", options={"maxiter": 500, "ftol": 1e-12},
        constraints={"type": "ineq", "fun": lambda v: v[12] - loss(*parts(v), X, y, groups)},
    )  # fmt: skip
    assert exact.success
    coef, intercept, q = group_dro(X, y, groups, strength=strength)
    reached = loss(coef, intercept, X, y, groups).max() + (coef**2).sum() / (2 * strength * len(y))
    assert reached - exact.fun < 0.01 * np.log(2) + 1e-4  # what the soft maximum may cost
    assert reached > exact.fun - 1e-6
    assert q.sum() == pytest.approx(1)


def test_the_worst_group_gains_on_plain_training() -> None:
    X, y, groups = disagreeing()
    alike, _, _ = group_dro(X, y, np.zeros(len(y)), strength=1.0)
    plain = group_dro(X, y, np.zeros(len(y)), strength=1.0)
    fair = group_dro(X, y, groups, strength=1.0)
    assert loss(*fair[:2], X, y, groups).max() < loss(*plain[:2], X, y, groups).max() - 0.1
    assert fair[2][1] > 0.3  # of the weight for a sixth of the rows
    reference = LinearProbe(strengths=(1.0,)).fit(rows(X), y, sample_weight=np.ones(len(y)))
    scale = X.std(0)
    own, _, _ = group_dro((X - X.mean(0)) / scale, y, np.zeros(len(y)), strength=1.0)
    np.testing.assert_allclose(own / scale[:, None], reference.coef_, atol=0.02)  # one group: logistic regression
    assert alike.shape == (3, 3)


def test_per_domain_normalisation_is_ridge_on_what_each_domain_left_over() -> None:
    rng = np.random.default_rng(0)
    y, site = rng.integers(0, 2, 90), np.repeat(["a", "b", "few"], [40, 45, 5])
    X = (rng.normal(size=(90, 4)) + y[:, None]) * np.where(site == "b", 9, 1)[:, None] + np.where(site == "b", 50, 0)[
        :, None
    ]
    own = (X - X.mean(0)) / X.std(0)  # those of few rows are standardised with all others
    for name in ("a", "b"):
        own[site == name] = (X[site == name] - X[site == name].mean(0)) / X[site == name].std(0)
    new = rng.normal(size=(30, 4)) * 7 - 3
    told = DomainNormalised().fit(rows(X), y, domains=site).predict_proba(rows(new))
    expected = Ridge().fit(rows(own), y).predict_proba(rows((new - new.mean(0)) / new.std(0)))
    np.testing.assert_allclose(told, expected, atol=1e-9)


NAMES = np.repeat(["a", "b", "c", "tiny"], [30, 40, 50, 4])
Y = np.arange(len(NAMES)) % 2


def test_a_held_out_domain_is_not_learnt_from_and_a_small_one_always_is() -> None:
    known = np.arange(0, len(NAMES), 2)
    where = Domains.of(NAMES, Y, np.arange(len(Y)))
    pairs = list(where.splits(known))
    assert where.why == {"tiny": "4 rows, fewer than 10"}
    assert [set(NAMES[held]) for _, held in pairs] == [{"a"}, {"b"}, {"c"}]
    for fit, held in pairs:
        assert set(fit) <= set(known)
        assert set(NAMES[fit]) == {"a", "b", "c", "tiny"} - set(NAMES[held])
        assert len(held) == (NAMES[held[0]] == NAMES).sum()


@pytest.mark.parametrize("shared", [3, 28])
def test_kin_is_never_on_both_sides_and_every_row_is_predicted_once(shared: int) -> None:
    """A few rows (they leave the training) or nearly all (part after part) are of patients whom two domains know."""
    kin = np.arange(len(NAMES))
    kin[30 : 30 + shared] = kin[:shared]
    known = np.arange(len(NAMES))
    pairs = list(Domains.of(NAMES, Y, known, kin).splits(known))
    assert len(pairs) == 3 if shared == 3 else len(pairs) > 3
    for fit, held in pairs:
        assert not set(kin[fit]) & set(kin[held])
        assert not set(NAMES[fit]) & set(NAMES[held])
        assert len(fit) > 40
    assert sorted(np.concatenate([held for _, held in pairs])) == np.flatnonzero(NAMES != "tiny").tolist()


def test_very_many_domains_are_held_out_in_folds() -> None:
    names = np.repeat([f"site {k}" for k in range(45)], 10)
    pairs = list(Domains.of(names, np.arange(450) % 2).splits(np.arange(450)))
    assert len(pairs) == 10
    assert sorted(np.concatenate([held for _, held in pairs])) == list(range(450))


@pytest.mark.parametrize(
    ("names", "y", "words"),
    [
        (np.repeat(["a"], 40), np.arange(40) % 2, "there is one domain, 'a'"),
        (np.repeat(["a", "b"], [36, 4]), np.arange(40) % 2, r"1 of 2 domains.*'b': 4 rows, fewer than 10"),
        (np.arange(40).astype(str), np.arange(40) % 2, r"0 of 40 domains .*fewer than 10; and 35 more\)"),
        (np.repeat(["a", "b"], 20), np.r_[np.arange(20) % 2, np.ones(20, int)], "'b': one target only"),
    ],
)
def test_domains_that_cannot_be_held_out_say_why(names: np.ndarray, y: np.ndarray, words: str) -> None:
    with pytest.raises(DataError, match=words):
        Domains.of(names, y)


def test_targets_of_test_rows_decide_nothing() -> None:
    y = np.where(np.arange(len(NAMES)) < 30, 0, Y)
    y[25:30] = 1  # domain a has its second class among the test rows alone
    assert Domains.of(NAMES, y, np.arange(len(NAMES))[np.r_[0:25, 30 : len(NAMES)]]).why["a"] == "one target only"


def test_each_domain_counts_the_same() -> None:
    rng = np.random.default_rng(0)
    y, told = rng.integers(0, 2, 124), rng.random((124, 2))
    accuracy = metric_for(np.array([0, 1]), "label")
    own = [accuracy(y[n == NAMES], told[n == NAMES]) for n in np.unique(NAMES)]
    assert evenly(accuracy, NAMES)(y, told) == pytest.approx(np.mean(own))


def test_a_score_stands_on_a_bounded_number_of_rows() -> None:
    rows = np.arange(100, 12_000)
    assert len(some(rows)) == 5000
    assert set(some(rows)) < set(rows)
    np.testing.assert_array_equal(some(rows[:300]), rows[:300])


def shortcut(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Three sites: column 0 tells the class weakly at each, columns 1 to 3 strongly at one, and wrongly elsewhere."""
    rng = np.random.default_rng(seed)
    site = np.tile(np.arange(3), 80)
    y = rng.integers(0, 2, 240)
    X = rng.normal(size=(240, 4))
    X[:, 0] += 1.6 * y
    X[:, 1:] += (5.0 * np.eye(3)[site] - 1.0) * (2 * y - 1)[:, None]
    return X, y, np.array(["x", "y", "z"])[site]


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> dict[str, type]:
    class First(Ridge):
        """Sees the one column that holds everywhere."""

        def fit(self, X: Activations, y: np.ndarray, **more: object) -> First:
            super().fit(rows(np.asarray(X)[:, :1]), y)
            return self

        def predict_proba(self, X: Activations) -> np.ndarray:
            return super().predict_proba(rows(np.asarray(X)[:, :1]))

    found: dict[str, type] = {"first": First}
    real = _discover.load
    monkeypatch.setattr(_discover, "load", lambda floor, name: found.get(name) or real(floor, name))
    return found


def ground(domains: bool) -> Field:
    X, y, site = shortcut()
    part = np.arange(240) % 5
    train, valid, test = np.flatnonzero(part < 3), np.flatnonzero(part == 3), np.flatnonzero(part == 4)
    where = Domains.of(site, y, np.sort(np.r_[train, valid])) if domains else None
    return Field(lambda c, t: rows(X), y, train, valid, test, metric_for(y, "label"), domains=where)


ENTRIES = [Contender("made", "majority", "majority"), Contender("made", "ridge", "classical"),
           Contender("made", "first", "pretrained")]  # fmt: skip


def test_with_domains_the_race_is_won_by_what_holds_on_unseen_ones(known: dict[str, type]) -> None:
    plain, aware = ground(domains=False), ground(domains=True)
    assert best(race(ENTRIES, plain, Clock(100)), plain).contender.technique == "ridge"
    trials = race(ENTRIES, aware, Clock(100))
    winner = best(trials, aware)
    assert winner.contender.technique == "first"
    assert winner.valid is not None
    assert winner.valid["metric"] == "accuracy_of_unseen_domains"

    told = unseen(trials[1], aware, "site")  # what ridge would bring
    X, y, site = shortcut()
    fit = aware.known[site[aware.known] != "y"]
    expected = (Ridge().fit(rows(X[fit]), y[fit]).predict(rows(X[site == "y"])) == y[site == "y"]).mean()
    row = told["each"][1]
    assert (row["name"], row["rows"]) == ("y", 80)
    assert row["away"]["value"] == pytest.approx(expected)
    assert row["home"]["value"] > expected + 0.1
    assert row["gap"]["high"] < 0
    values = [d["away"]["value"] for d in told["each"]]
    assert told["worst"] == told["each"][int(np.argmin(values))]["name"]
    assert told["unseen"]["value"] == pytest.approx(np.mean(values))
    assert "3 domains say little about another one" in told["words"]
    said = pretraining(trials, aware)
    assert said is not None
    assert said["helped"] is True
    assert said["words"].startswith("On domains not seen in training, pre-training helped as well")
    assert pretraining(trials[:2], aware) is None


def test_a_dear_technique_is_trained_once_more_for_each_domain_or_not_at_all(known: dict[str, type]) -> None:
    fits: list[int] = []

    class Dear(Ridge):
        cost = 3

        def __init__(self, seconds: float | None = None) -> None:
            self.seconds = seconds

        def fit(self, X: Activations, y: np.ndarray, **more: object) -> Dear:
            fits.append(len(y))
            super().fit(X, y)
            return self

    known["dear"] = Dear
    aware = ground(domains=True)
    entry = [*ENTRIES, Contender("made", "dear", "pretrained")]
    trials = race(entry, aware, Clock(100))
    assert trials[-1].status == "done"
    assert len(fits) == 4
    assert best(trials, aware).contender.technique == "first"
    short = race(entry, aware, Clock(7))[-1]
    assert short.status == "skipped"
    assert "too few to train it once more without each domain" in short.why


def test_away_says_nothing_of_rows_whose_domain_was_never_held_out() -> None:
    X = np.random.default_rng(0).normal(size=(len(NAMES), 2))
    told = away(Ridge, rows(X), Y, np.arange(len(Y)), Domains.of(NAMES, Y), outputs=2)
    np.testing.assert_array_equal(np.isnan(told[:, 0]), NAMES == "tiny")


def test_a_row_without_a_domain_and_a_domain_without_labels_are_refused(tmp_path: object) -> None:
    with pytest.raises(DataError, match="2 of 3 rows name no 'site'"):
        domains_of(np.array(["a", None, " "], dtype=object), "site")
    table = [{"x": k, "site": "ab"[k % 2], "label": None if k % 2 else k % 3} for k in range(40)]
    with pytest.raises(DataError, match=r"no row of site 'b' has a 'label' \(20 rows\).*headstart adapt"):
        unlabelled(table, "site", "label")
    with pytest.raises(DataError, match="did you mean 'site'"):
        unlabelled(table, "sites", "label")
