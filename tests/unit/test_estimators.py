"""The scikit-learn face on everything that is not a numeric matrix."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tests.made.domains import clusters

import headstart
from headstart import DomainAdaptationClassifier, TransferClassifier, TransferRegressor
from headstart._methods import FLOOR, candidates, guess
from headstart.errors import DataError, PlanError

TEXTS = [
    f"{'a lovely' if i % 2 else 'an awful'} {thing} number {i}"
    for i, thing in enumerate(["kettle", "lamp", "book"] * 10)
]
MOODS = np.array(["bad", "good"] * 15)


def pictures(rows: int = 24) -> np.ndarray:
    rng = np.random.default_rng(0)
    base = np.where(np.arange(rows) % 2, 200, 50)[:, None, None, None]
    return (base + rng.integers(0, 40, (rows, 32, 32, 3))).astype(np.uint8)


def test_texts(tmp_path: Path) -> None:
    model = TransferClassifier(technique="ridge", cache=str(tmp_path)).fit(TEXTS[:24], MOODS[:24])
    assert model.score(TEXTS[24:], MOODS[24:]) == 1.0
    assert model.predict_proba(TEXTS[:3]).shape == (3, 2)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(TEXTS), model.predict(TEXTS))


@pytest.mark.parametrize("form", ["array", "pil", "paths"])
def test_pictures_in_every_form(tmp_path: Path, form: str) -> None:
    X: list[object] | np.ndarray = pictures()
    if form == "pil":
        X = [Image.fromarray(p) for p in pictures()]
    elif form == "paths":
        X = []
        for i, p in enumerate(pictures()):
            Image.fromarray(p).save(tmp_path / f"{i}.png")
            X.append(str(tmp_path / f"{i}.png"))
    y = np.arange(24) % 2
    model = TransferClassifier(technique="prototypes", cache=str(tmp_path / "cache")).fit(X[:16], y[:16])
    assert model.score(X[16:], y[16:]) == 1.0


def test_a_table_with_words_and_holes() -> None:
    rng = np.random.default_rng(0)
    size = rng.normal(size=60)
    table = pd.DataFrame({"size": size, "colour": np.where(size > 0, "red", "blue"), "noise": rng.normal(size=60)})
    table.loc[3, "noise"] = np.nan
    model = TransferClassifier().fit(table[:40], (size > 0)[:40])
    assert model.score(table[40:], (size > 0)[40:]) > 0.9
    numbers = TransferRegressor(technique="ridge").fit(table[:40], size[:40])
    assert numbers.score(table[40:], size[40:]) > 0.9


def test_grid_search_pipelines_and_clones() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    y = (X[:, 0] > 0).astype(int)
    search = GridSearchCV(TransferClassifier(), {"technique": ["knn", "ridge"]}, cv=3).fit(X, y)
    assert search.best_score_ > 0.8
    assert clone(search.best_estimator_).get_params()["technique"] == search.best_params_["technique"]
    assert make_pipeline(StandardScaler(), TransferClassifier("auto", "ridge")).fit(X, y).score(X, y) > 0.8


def test_groups_are_kept_together_while_choosing() -> None:
    rng = np.random.default_rng(0)
    who = np.repeat(np.arange(12), 5)
    X = rng.normal(size=(12, 6))[who] + 0.01 * rng.normal(size=(60, 6))  # a row says who, not what
    y = rng.integers(0, 2, 12)[who]
    model = TransferClassifier().fit(X, y, groups=who)
    assert model.predict(X).shape == (60,)


def test_frames_and_series_of_texts(tmp_path: Path) -> None:
    told = TransferClassifier(technique="ridge", cache=str(tmp_path)).fit(TEXTS[:24], MOODS[:24]).predict(TEXTS[24:])
    series = pd.Series(TEXTS, index=[f"r{i}" for i in range(30)])
    for X in (series, series.to_frame("review"), pd.DataFrame({"review": TEXTS, "n": range(30)})):
        model = TransferClassifier(technique="ridge", cache=str(tmp_path)).fit(X[:24], MOODS[:24])
        assert model.predict(X[24:]).tolist() == told.tolist()


def test_a_row_is_read_as_the_training_rows_were(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    site, size = rng.choice(["north", "south"], 80), rng.normal(size=80)
    table = pd.DataFrame({"site": site, "size": size, "room": rng.integers(0, 5, 80)})
    model = TransferClassifier(technique="ridge").fit(table, site == "north")
    whole = model.predict_proba(table)
    north = np.flatnonzero(site == "north")[:12]  # one value only: in itself such a column says nothing
    np.testing.assert_allclose(model.predict_proba(table.iloc[north]), whole[north])
    np.testing.assert_allclose(model.predict_proba(table.iloc[north, ::-1]), whole[north])
    with pytest.raises(DataError, match="no column 'site', which the model learnt from"):
        model.predict(table.drop(columns="site"))


def test_adapted_answers_are_as_sure_as_they_are_guessed_to_be_right() -> None:
    """As what `headstart adapt` ships: held-out source rows say nothing of what a moved target is told."""
    X, y, Z, _ = clusters(160, 160, move=1.0, stretch=1.3)
    train, held = train_test_split(np.arange(len(y)), test_size=0.25, random_state=0, stratify=y)
    menu = candidates(X[train], y[train], X[held], y[held], Z, names=("coral",))
    right = guess(menu["coral"], menu[FLOOR], menu)["estimate"]
    model = DomainAdaptationClassifier(method="coral").fit(X, y, Z)
    assert abs(menu["coral"].outlook.told.max(1).mean() - right) > 0.1
    assert model.predict_proba(Z).max(1).mean() == pytest.approx(right, abs=0.01)


def test_targets_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        TransferClassifier().fit(TEXTS, MOODS[:5])


def test_adapting_takes_gaps_and_refuses_what_is_no_labelled_source() -> None:
    """Cells that are missing count as the source's mean, in fit and afterwards."""
    X, y, Z, _ = clusters(80, 60, move=1.0, stretch=1.0)
    ours, theirs = (pd.DataFrame(rows).add_prefix("x").assign(sex="f") for rows in (X, Z))
    ours.loc[:5, "x1"] = np.nan
    model = DomainAdaptationClassifier(method="source_only").fit(ours, y, theirs.assign(x0=np.nan))
    filled = theirs.assign(x0=float(model.fitted_.adapter.fill_[0]))
    np.testing.assert_allclose(model.predict_proba(theirs.assign(x0=np.nan)), model.predict_proba(filled))
    assert DomainAdaptationClassifier(method="coral").fit(X, y[:, None], Z).predict(Z).shape == (60,)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        DomainAdaptationClassifier().fit(X, y[:-2], Z)
    with pytest.raises(ValueError, match="contains NaN"):
        DomainAdaptationClassifier().fit(X, pd.Series(np.array(["a", "b"])[y]).where(y > 0), Z)
    with pytest.raises(ValueError, match="Class c has one row only"):
        DomainAdaptationClassifier().fit(X, np.r_[["c"], np.array(["a", "b"])[y[1:]]], Z)
    with pytest.raises(NotFittedError):
        DomainAdaptationClassifier().predict(Z)
    with pytest.raises(PlanError, match="no adaptation 'corall'"):
        DomainAdaptationClassifier(method="corall").fit(X, y, Z)
    with pytest.raises(PlanError, match="no target"):
        headstart.adapt("a.csv")
