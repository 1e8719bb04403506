"""Files as strangers have them: amounts, dates, nested objects, forgotten headers, lists made text, other pictures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.made.data import image_folder, texts, write_csv

from headstart.backbones.columns import Columns
from headstart.data.read import read, read_known, read_rows
from headstart.data.targets import as_number
from headstart.errors import DataError

KINDS = ["a", "b"]


def said(data: object, words: str) -> bool:
    return any(words in note for note in data.notes)


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("$1,200", 1200.0), ("-$3.50", -3.5), ("1,234,567.5", 1234567.5), ("12.5 %", 12.5), ("1.200,50 €", 1200.5),
        ("1 200,5", 1200.5), ("0,125", 0.125), ("3,14", 3.14), ("1'200", 1200.0), ("1.200", 1.2),
        ("P12", None), ("12 kg", None), ("1,200,5", None), ("192.168.100.200", None), ("12.03.2021", None), ("%", None),
    ],
)  # fmt: skip
def test_amounts_as_people_write_them(cell: str, number: float | None) -> None:
    assert as_number(cell) == number


def test_amounts_are_numbers_and_said_to_be(tmp_path: Path) -> None:
    rows = [[f"${900 + 37 * (7 * i % 60):,}", f"{i}.5%", f"{i % 9},{i % 7}5", KINDS[i % 2]] for i in range(60)]
    path = write_csv(tmp_path / "a.csv", ["income", "rate", "dose", "label"], rows)
    data = read(path)
    assert data.rows[3] == {"income": 1677.0, "rate": 3.5, "dose": 3.35}
    assert said(data, "'income' holds amounts: '$900' was read as 900")
    assert read(path, target="income").target_kind == "number"
    narrow = write_csv(
        tmp_path / "b.csv", ["dose", "n", "label"], [[f"{i},{i:03d}", i * i, KINDS[i % 2]] for i in range(40)]
    )
    assert read(narrow).rows[25]["dose"] == 25.025  # "0,000" tells that commas stand before decimals


def test_a_word_is_known_however_a_program_wrote_it() -> None:
    known = Columns.of([{"flag": "True", "code": c, "m": m} for c, m in (("1", "m"), ("2", "M"), ("x", "m"))])
    told = known.features([{"flag": "TRUE", "code": 1.0, "m": "M"}, {"flag": "maybe", "code": "X", "m": "m"}])
    heads = known.headings
    assert [heads[k] for k in np.flatnonzero(told[0])] == ["flag=True", "code=1", "m=M"]
    assert [heads[k] for k in np.flatnonzero(told[1])] == ["flag=(other)", "code=x", "m=m"]
    assert Columns.of([{"n": 1.0}]).features([{"n": "1,200"}]).tolist() == [[1200.0]]


def test_dates_are_left_out_and_named(tmp_path: Path) -> None:
    days = pd.date_range("2021-01-30", periods=60, freq="9h")
    rows = [[d.strftime("%d/%m/%Y %H:%M"), d.date(), i % 7, KINDS[i % 2]] for i, d in enumerate(days)]
    path = write_csv(tmp_path / "a.csv", ["seen", "born", "n", "label"], [[*r, i % 5] for i, r in enumerate(rows)][:60])
    frame = pd.DataFrame(rows, columns=["seen", "born", "n", "label"]).assign(m=[i % 9 for i in range(60)])
    frame.to_csv(path, index=False)
    for source in (path, frame):
        data = read(source)
        assert data.inputs == ("n", "m")
        assert said(data, "column 'seen' holds dates: left out")
        assert said(data, "column 'born' holds dates: left out")
    assert "born" in read(path, inputs=("born", "n")).inputs


def test_nested_objects_become_columns(tmp_path: Path) -> None:
    records = [{"review": {"text": t, "by": {"n": i}}, "label": y} for i, (t, y) in enumerate(texts())]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(map(json.dumps, records)))
    data = read(path)
    assert (data.modality, data.inputs) == ("text", ("review.text",))
    assert data.rows[0] == records[0]["review"]["text"]
    assert data.columns["review.by.n"][7] == 7
    pd.DataFrame(records).to_parquet(tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet").rows == data.rows
    assert read_rows(records[:2], modality="text", inputs=("review.text",)).rows == data.rows[:2]


@pytest.mark.parametrize("orient", ["columns", "split"])
def test_json_of_columns_is_refused_in_few_words(tmp_path: Path, orient: str) -> None:
    frame = pd.DataFrame(texts(), columns=["text", "label"])
    frame.to_json(tmp_path / "a.json", orient=orient)
    with pytest.raises(DataError, match=r"one object of .*orient='records'") as caught:
        read(tmp_path / "a.json")
    assert len(str(caught.value)) < 300


def test_headers_that_are_rows_and_rows_that_are_headers(tmp_path: Path) -> None:
    rows = texts()
    bare = write_csv(tmp_path / "a.csv", rows[0], rows[1:])
    assert said(read(bare), "the first line was read as names of columns")
    twice = write_csv(tmp_path / "b.csv", ["text", "label"], [*rows[:30], ("text", "label"), *rows[30:]])
    data = read(twice)
    assert data.skipped == (("line 32", "the header once more"),)
    assert data.classes == tuple(sorted({y for _, y in rows}))
    assert not said(data, "the first line")
    named = write_csv(
        tmp_path / "c.csv", ["yes", "n", "m", "label"], [["yes", i % 7, i % 9, KINDS[i % 2]] for i in range(40)]
    )
    assert not said(read(named), "the first line")  # one column may be called as one of its values


def test_lists_made_text_are_lists_and_look_alikes_are_named(tmp_path: Path) -> None:
    tags = [["x"], ["x", "y"], ["y", "z"]]
    rows = [(t, str(tags[i % 3])) for i, (t, _) in enumerate(texts())]
    data = read(write_csv(tmp_path / "a.csv", ["text", "tags"], rows))
    assert (data.target_kind, data.classes) == ("labels", ("x", "y", "z"))
    like = read_known(write_csv(tmp_path / "b.csv", ["text", "tags"], rows[:6]), like=data)
    assert (like.target == data.target[:6]).all()
    commas = [(t, ",".join(tags[i % 3]) if i % 4 else "z") for i, (t, _) in enumerate(texts())]
    assert said(read(write_csv(tmp_path / "c.csv", ["text", "tags"], commas)), "some hold ','")
    capitals = [(t, y.upper() if i % 3 else y) for i, (t, y) in enumerate(texts())]
    assert said(read(write_csv(tmp_path / "d.csv", ["text", "tags"], capitals)), "differ in capitals or blanks only")
    assert not said(read(write_csv(tmp_path / "e.csv", ["text", "label"], texts())), "write")


@pytest.mark.parametrize(
    ("asked", "kind", "classes"),
    [
        ("stars", "label", ("1", "2", "3", "4", "5")),
        ("stars:number", "number", ()),
        ("area:label", "label", tuple(str(1000 + i) for i in range(25))),
        ("tag:labels", "labels", ("a", "b")),
    ],
)
def test_the_kind_of_target_can_be_said(tmp_path: Path, asked: str, kind: str, classes: tuple[str, ...]) -> None:
    rows = [text for text, _ in texts(100)]
    frame = pd.DataFrame({"text": rows, "stars": np.arange(100) % 5 + 1, "area": np.arange(100) % 25 + 1000})
    frame["tag"] = np.where(frame.stars > 2, "a", "b")
    frame.to_csv(tmp_path / "x.csv", index=False)
    data = read(tmp_path / "x.csv", target=asked, inputs=("text",))
    assert (data.target_kind, data.classes) == (kind, classes)
    again = read_known(tmp_path / "x.csv", like=data, target=asked)  # as an audit of the saved model does
    assert sorted(again.target.tolist()) == sorted(data.target.tolist())


def test_what_is_no_number_where_one_was_asked_for_is_named(tmp_path: Path) -> None:
    cells = ["five" if i == 7 else str(i % 5) for i in range(100)]
    rows = [text for text, _ in texts(100)]
    frame = pd.DataFrame({"text": rows, "stars": cells, "a:label": ["x", "y"] * 50})
    frame.to_csv(tmp_path / "x.csv", index=False)
    data = read(tmp_path / "x.csv", target="stars:number", inputs=("text",))
    assert data.skipped == (("line 9", "the target 'five' is no number"),)
    assert read(tmp_path / "x.csv", target="a:label", inputs=("text",)).classes == ("x", "y")  # a column of that name
    with pytest.raises(DataError, match=r"no column 'stars:colour' for the target"):
        read(tmp_path / "x.csv", target="stars:colour")


def test_a_folder_of_numbers_can_be_a_number(tmp_path: Path) -> None:
    folder = image_folder(tmp_path, per_class=20, classes=("20", "30", "45"))
    assert read(folder).target_kind == "label"
    assert set(read(folder, target="label:number").target) == {20.0, 30.0, 45.0}


def test_folders_within_classes_and_other_kinds_of_pictures(tmp_path: Path) -> None:
    pets = image_folder(tmp_path / "pets", 12)
    for place in sorted(pets.glob("*/*.png")):
        (place.parent / f"p{int(place.stem) % 4}").mkdir(exist_ok=True)
        place.rename(place.parent / f"p{int(place.stem) % 4}" / place.name)
    (pets / "cat" / "p1" / "phone.heic").write_bytes(b"x")
    data = read(pets)
    assert said(data, "pass --group folder")
    assert said(data, "1 .heic")
    grouped = read(pets, group="folder")
    assert said(grouped, f"test 6 of {len(set(grouped.groups[grouped.split == 'test']))} groups")
    assert {len(set(grouped.split[grouped.groups == g])) for g in set(grouped.groups)} == {1}
    (tmp_path / "scans" / "a").mkdir(parents=True)
    (tmp_path / "scans" / "a" / "1.dcm").write_bytes(b"x")
    with pytest.raises(DataError, match=r"1 \.dcm.*to PNG or JPEG"):
        read(tmp_path / "scans")
    (tmp_path / "a.xlsx").write_bytes(b"PK")
    with pytest.raises(DataError, match="save the sheet as CSV"):
        read(tmp_path / "a.xlsx")


def test_picture_paths_of_windows(tmp_path: Path) -> None:
    image_folder(tmp_path / "files", 15)
    rows = [[rf"files\{c}\{i:03d}.png", c] for c in ("cat", "dog") for i in range(15)]
    write_csv(tmp_path / "list.csv", ["file", "kind"], rows)
    assert len(read(tmp_path / "list.csv", target="kind")) == 30
    assert read(tmp_path, target="kind").inputs == ("file",)  # found beside the pictures


def test_numbers_with_a_unit_are_named(tmp_path: Path) -> None:
    rows = [[f"{60 + i % 30 / 2} kg", f"{i % 5}{'m' if i % 2 else 'f'}", i % 8, KINDS[i % 2]] for i in range(60)]
    data = read(write_csv(tmp_path / "a.csv", ["weight", "bed", "n", "label"], rows))
    assert said(data, "column 'weight' holds numbers with 'kg' behind them")
    assert not said(data, "'bed' holds numbers")
