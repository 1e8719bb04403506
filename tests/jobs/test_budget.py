"""What of the rows a run reads, and who races, by its budget and the rows there are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.made.data import image_folder, reviews

from headstart import _entries as entries
from headstart import backbones
from headstart._listen import Listener
from headstart.activations.activations import Activations
from headstart.data.dataset import SPLITS, Dataset
from headstart.data.read import read
from headstart.job import Job
from headstart.plan import Plan


def test_only_rows_that_the_budget_allows_are_read(tmp_path: Path) -> None:
    """Also where no pre-trained model takes part, and where the rows that were timed are known from an earlier run."""
    folder = image_folder(tmp_path / "pictures", per_class=150)
    job = Job(
        Plan(str(folder), out=str(tmp_path / "afford"), budget=60), Listener(), cache=str(tmp_path / "afford-cache")
    )
    try:
        data, backbone = job._read(), backbones.get("efficientnet_lite0")
        job.store.speed = {"efficientnet_lite0": 1.0, "colour_hog": 4.0}
        some, reader = job.features.afford(data, backbone)
        assert reader is None
        assert 90 <= len(some) <= 130  # 45 % of 60 s at four rows a second, and 30 rows of a part at least
        job.store.get(backbones.get("colour_hog"), some, {"pooled"})
        job.store.speed = {}
        again, _ = job.features.afford(data, None)  # settled once, and nothing is read for it
        assert set(again.ids) == set(some.ids)
    finally:
        job.stop()


@pytest.mark.parametrize(("rate", "rows"), [(3.0, None), (4.0, 200), (6.0, 222)])
def test_the_first_rows_may_take_most_of_the_time_and_known_ones_take_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rate: float, rows: int | None
) -> None:
    """Of 49 s, 27 are for features; where they bring no 200 rows beside the 60 that are known, 39 are for those."""
    reviews(600).to_csv(tmp_path / "a.csv", index=False)
    job = Job(Plan(str(tmp_path / "a.csv"), target="mood", out=str(tmp_path / "run"), budget=60), Listener())
    try:
        data, backbone = job._read(), backbones.get("minilm")
        known = data.sample("train", 60)
        monkeypatch.setattr(job.store, "unread", lambda *_, **__: np.setdiff1d(np.arange(600), known))
        monkeypatch.setattr(job.clock, "elapsed", lambda: 0.0)
        job.store.speed = {"minilm": rate}
        some, reader = job.features.afford(data, backbone)
        assert (reader is None) == (rows is None)
        assert len(some) == pytest.approx(rows or 600, abs=len(SPLITS))
    finally:
        job.stop()


@pytest.mark.parametrize(("rate", "asked"), [(2.0, [82]), (10.0, [82, 140]), (1000.0, [82, 364])])
def test_known_rows_say_nothing_of_the_pace_of_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rate: float, asked: list[int]
) -> None:
    """The shortlist looks at so many that 32 are new, and then at what fits into 9 of 60 seconds."""
    reviews(600).to_csv(tmp_path / "a.csv", index=False)
    job = Job(Plan(str(tmp_path / "a.csv"), target="mood", out=str(tmp_path / "run"), budget=60), Listener())
    try:
        data, looked = job._read(), []
        known = data.ids[data.sample("train", 50)]

        def get(_: Any, part: Dataset, cuts: Any, **__: Any) -> dict[str, Any]:
            looked.append(len(part))
            job.store.speed["minilm"] = rate
            return {cut: Activations(np.eye(len(part)), part.ids, cut, "vector") for cut in cuts}

        monkeypatch.setattr(job.store, "get", get)
        monkeypatch.setattr(job.store, "unread", lambda _, some, *__, **___: np.flatnonzero(~np.isin(some.ids, known)))
        job._choose(data)
        assert looked == asked
        monkeypatch.setattr(job.clock, "left", lambda **_: -1.0)
        job._choose(data)
        assert looked == [*asked, 82]  # nothing is left: what could not be used is not read
    finally:
        job.stop()


@pytest.mark.parametrize(
    ("left", "rows"), [((50.0, 50.0), 600), ((50.0, 3.0, -1.0), 520), ((50.0, -1.0), 400), ((-1.0,), 200)]
)
def test_reading_stops_where_the_pace_falls_and_is_not_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: tuple[float, ...], rows: int
) -> None:
    """Of 600 rows 200 are read first; how many more may follow is asked of the seconds that are left by then."""
    reviews(600).to_csv(tmp_path / "a.csv", index=False)
    job = Job(Plan(str(tmp_path / "a.csv"), target="mood", out=str(tmp_path / "run"), budget=60), Listener())
    data, backbone = job._read(), backbones.get("ngrams")
    read_so_far, seconds_left = np.zeros(len(data), dtype=bool), iter(left)

    def get(_: Any, part: Dataset, cuts: Any, **__: Any) -> dict[str, Any]:
        read_so_far[np.isin(data.ids, part.ids)] = True
        job.store.speed["ngrams"] = 50.0
        return dict.fromkeys(cuts)

    try:
        monkeypatch.setattr(job.store, "get", get)
        monkeypatch.setattr(job.store, "unread", lambda *_, **__: np.flatnonzero(~read_so_far))
        monkeypatch.setattr(job.clock, "left", lambda **_: next(seconds_left))
        for _ in range(2):  # the second time as after --resume: no clock is asked
            some, _pooled = job.features.read(data, backbone)
            assert len(some) == pytest.approx(rows, abs=len(SPLITS))
            assert read_so_far.sum() == len(some)
    finally:
        job.stop()


def test_who_races_unnamed_is_asked_of_the_rows_to_learn_from(tmp_path: Path) -> None:
    frame = reviews(300)
    for train, full in ((20, False), (60, True)):
        frame["part"] = np.where(np.arange(300) < train, "train", "test")
        frame.to_csv(tmp_path / "a.csv", index=False)
        names = entries.asked(Plan("a.csv"), read(tmp_path / "a.csv", target="mood", split="part"))
        assert ("full" in names, "contrastive" in names) == (full, True)
