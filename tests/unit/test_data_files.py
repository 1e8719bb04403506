"""Files: encodings, separators, quotes, twins among the columns, and the words when a file cannot be used."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.made.data import people, saved_dataset, texts, write_csv

from headstart.data.read import read, read_rows
from headstart.errors import DataError


def test_five_formats_hold_the_same_rows(tmp_path: Path) -> None:
    rows = texts()
    frame = pd.DataFrame(rows, columns=["text", "label"])
    write_csv(tmp_path / "a.csv", ["text", "label"], rows)
    write_csv(tmp_path / "a.tsv", ["text", "label"], rows, delimiter="\t")
    frame.to_json(tmp_path / "a.jsonl", orient="records", lines=True)
    frame.to_json(tmp_path / "a.json", orient="records")
    frame.to_parquet(tmp_path / "a.parquet")
    frame.to_feather(tmp_path / "a.feather")
    sources = [tmp_path / f"a.{e}" for e in ("csv", "tsv", "jsonl", "json", "parquet", "feather")]
    wanted = read(frame)
    assert wanted.modality == "text"
    assert wanted.classes == ("no", "yes")
    for source in sources:
        data = read(source)
        assert data.ids.tolist() == wanted.ids.tolist(), source
        assert data.split is not None
        np.testing.assert_array_equal(data.split, wanted.split)
        np.testing.assert_array_equal(data.target, wanted.target)
    assert read(sources[0]).names is not None
    assert read(sources[0]).names[0] == "line 2"


@pytest.mark.parametrize(
    ("encoding", "said"), [("utf-8-sig", None), ("utf-16", "utf-16"), ("cp1252", "cp1252"), ("utf-8", None)]
)
def test_encodings_are_found_and_said(tmp_path: Path, encoding: str, said: str | None) -> None:
    rows = [(f"{text}, très déçu", label) for text, label in texts()]
    data = read(write_csv(tmp_path / "a.csv", ["text", "label"], rows, encoding=encoding))
    assert data.rows[0] == rows[0][0]
    assert data.inputs == ("text",)
    notes = [n for n in data.notes if "read as" in n]
    assert bool(notes) == (said is not None)
    assert said is None or said in notes[0]


@pytest.mark.parametrize("delimiter", [";", "\t", "|", ","])
def test_separators_are_found(tmp_path: Path, delimiter: str) -> None:
    rows = [(f"well, {text}; or so", label) for text, label in texts()]
    data = read(write_csv(tmp_path / "a.csv", ["text", "label"], rows, delimiter=delimiter))
    assert data.rows[1] == rows[1][0]


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1), min_size=4, max_size=9
    ),
    st.sampled_from(",;\t|"),
)
def test_whatever_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, words: list[str], mark: str
) -> None:
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    cells = [f"{k}{word}." for k, word in enumerate(words)]
    write_csv(path, ["text", "label"], [(c, "ab"[k % 2]) for k, c in enumerate(cells)], delimiter=mark)
    assert read_rows(path, modality="text", inputs=("text",)).rows == cells


def test_decimal_commas(tmp_path: Path) -> None:
    rows = [[f"{i % 7},{i % 10}", i % 3, "ab"[i % 2]] for i in range(40)]
    data = read(write_csv(tmp_path / "a.csv", ["size", "n", "label"], rows, delimiter=";"))
    assert data.rows[13] == {"size": 6.3, "n": 1.0}
    assert any("3,14" in n for n in data.notes)


def test_quoted_line_breaks_and_long_texts(tmp_path: Path) -> None:
    long = "word " * 40_000 + "end"
    rows = [(f"{text}\nand\r\nmore", label) for text, label in texts()] + [(long, "yes")]
    data = read(write_csv(tmp_path / "a.csv", ["text", "label"], rows))
    assert len(data) == 61
    assert "\nand" in data.rows[0]
    assert data.rows[60] == long
    assert len(long) > 100_000
    assert data.names is not None
    assert data.names[1] == "line 5"  # three lines a row, a header before them


def test_rows_of_another_width_are_skipped_and_named(tmp_path: Path) -> None:
    rows = [[*row] for row in texts(100)]
    rows[10] = ["only one"]
    path = write_csv(tmp_path / "a.csv", ["text", "label"], rows)
    data = read(path)
    assert data.skipped == (("line 12", "1 cells where the header has 2"),)
    assert len(data) == 99


def test_what_spreadsheets_and_editors_write(tmp_path: Path) -> None:
    lines = "\n".join(f"{text};{label}" for text, label in texts())
    (tmp_path / "a.csv").write_text(f"sep=;\ntext;label\n{lines}\n")
    assert read(tmp_path / "a.csv").rows[0] == texts()[0][0]
    (tmp_path / "new.txt").write_text('first, of all\n"second\nthird')
    data = read_rows(tmp_path / "new.txt", modality="text", inputs=("text",))
    assert data.rows == ["first, of all", '"second', "third"]


def test_twins_among_the_columns_are_renamed(tmp_path: Path) -> None:
    rows = [[i % 5, i % 7, "ab"[i % 2]] for i in range(40)]
    data = read(write_csv(tmp_path / "a.csv", ["x", "x", "label"], rows))
    assert set(data.rows[0]) == {"x", "x (2)"}
    assert any("several columns are called x" in n for n in data.notes)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", b"", "empty"),
        ("a.csv", b"text,label\n", "holds no rows"),
        ("a.csv", b"text,label\n\x00\x00", "NUL"),
        ("a.jsonl", b"not json\n{}", "broken"),
        ("a.json", b"[1, 2", "no JSON"),
        ("a.parquet", b"PAR1 no", "no readable Parquet"),
        ("a.xlsx", b"x", "not read"),
    ],
)
def test_files_that_cannot_be_used_say_why(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=words):
        read(tmp_path / name)


def test_a_path_that_is_not_there_names_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "reviews.csv").write_text("x")
    with pytest.raises(DataError, match=r"holds reviews\.csv"):
        read(tmp_path / "revews.csv")


def test_hugging_face_folders(tmp_path: Path) -> None:
    words, labels = zip(*texts(40), strict=True)
    codes = [["no", "yes"].index(x) for x in labels]
    features = {"text": {"dtype": "string", "_type": "Value"}, "mood": {"names": ["no", "yes"], "_type": "ClassLabel"}}
    one = saved_dataset(tmp_path / "one", {"text": list(words), "mood": codes}, features)
    data = read(one)
    assert data.classes == ("no", "yes")
    assert data.rows[:2] == list(words[:2])
    assert data.own_split is False
    both = tmp_path / "both"
    saved_dataset(both / "train", {"text": list(words[:30]), "mood": codes[:30]}, features)
    saved_dataset(both / "test", {"text": list(words[30:]), "mood": codes[30:]}, features)
    (both / "dataset_dict.json").write_text(json.dumps({"splits": ["train", "test"]}))
    data = read(both)
    assert data.own_split
    assert data.where(split="test").rows == list(words[30:])
    assert read_rows(one, modality="text", inputs=("text",)).rows[0] == words[0]


def test_hugging_face_pictures(tmp_path: Path) -> None:
    import io

    from tests.made.data import picture

    rows = []
    for i in range(24):
        out = io.BytesIO()
        picture(i).save(out, "PNG")
        rows.append({"bytes": out.getvalue(), "path": None})
    features = {"image": {"_type": "Image"}, "label": {"names": ["a", "b"], "_type": "ClassLabel"}}
    data = read(saved_dataset(tmp_path / "x", {"image": rows, "label": [i % 2 for i in range(24)]}, features))
    assert data.modality == "image"
    assert data.rows[3] == rows[3]["bytes"]


def test_shards_as_the_hub_keeps_them(tmp_path: Path) -> None:
    words, labels = zip(*texts(60), strict=True)
    codes = [["no", "yes"].index(x) for x in labels]
    info = {"info": {"features": {"mood": {"names": ["no", "yes"], "_type": "ClassLabel"}}}}
    table = pa.table({"text": list(words), "mood": codes}).replace_schema_metadata({"huggingface": json.dumps(info)})
    (tmp_path / "data").mkdir()
    (tmp_path / "README.md").write_text("a data set")
    for name, start, stop in (
        ("train-00000-of-00002", 0, 20),
        ("train-00001-of-00002", 20, 45),
        ("test-00000-of-00001", 45, 60),
    ):
        pq.write_table(table.slice(start, stop - start), tmp_path / "data" / f"{name}.parquet")
    data = read(tmp_path)
    assert data.classes == ("no", "yes")
    assert data.own_split
    assert sorted(data.where(split="test").rows) == sorted(words[45:])
    assert len(data) == 60


def test_files_called_train_and_test_are_a_split(tmp_path: Path) -> None:
    rows = texts(60)
    write_csv(tmp_path / "train.csv", ["text", "label"], rows[:45])
    write_csv(tmp_path / "test.csv", ["text", "label"], rows[45:])
    data = read(tmp_path)
    assert data.own_split
    assert data.where(split="test").rows == [t for t, _ in rows[45:]]


def test_a_data_frame_keeps_its_index_and_missing_numbers() -> None:
    frame = pd.DataFrame(people(), columns=["id", "age", "town", "income", "label"]).set_index("id")
    frame.loc[4, "income"] = np.nan
    data = read(frame, target="label")
    assert data.modality == "table"
    assert data.rows[4]["income"] is None
    assert data.rows[5]["age"] == frame.loc[5, "age"]
    assert data.names is not None
    assert data.names[4] == "4"
