"""Reading: what is found by looking, what is said about it, and what stops a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from tests.made.data import image_folder, people, picture, texts, write_csv

from headstart.data.read import read, read_rows
from headstart.errors import DataError, PlanError

PEOPLE = ["id", "age", "town", "income", "label"]


def said(data: object, words: str) -> bool:
    return any(words in note for note in data.notes)


# ---------------------------------------------------------------- pictures


def test_class_folders(tmp_path: Path) -> None:
    data = read(image_folder(tmp_path / "pets", 20))
    assert (data.modality, data.target_kind, data.classes) == ("image", "label", ("cat", "dog"))
    assert len(data) == 40
    assert data.names is not None
    assert data.names[0] == "cat/000.png"
    assert data.inputs == ()
    assert set(data.split) == {"train", "valid", "test"}


def test_train_and_test_folders_are_the_users_split(tmp_path: Path) -> None:
    image_folder(tmp_path / "train", 20)
    image_folder(tmp_path / "test", 5, seed=50)
    data = read(tmp_path)
    assert data.own_split
    assert data.classes == ("cat", "dog")
    test = data.where(split="test")
    assert len(test) == 10
    assert all("/test/" in row for row in test.rows)


def test_litter_links_and_folders_around_are_no_trouble(tmp_path: Path) -> None:
    pets = image_folder(tmp_path / "outer" / "inner", 10, ("chat é", "犬"))
    (pets / ".DS_Store").write_bytes(b"x")
    (pets / "chat é" / "Thumbs.db").write_bytes(b"x")
    (pets / "__MACOSX").mkdir()
    (pets / "__MACOSX" / "._1.png").write_bytes(b"x")
    (pets / "犬" / "loop").symlink_to(tmp_path / "outer", target_is_directory=True)
    data = read(tmp_path / "outer")
    assert data.classes == ("chat é", "犬")
    assert len(data) == 20
    assert not said(data, "no pictures were passed over")


def test_broken_files_are_listed_and_many_stop_the_run(tmp_path: Path) -> None:
    pets = image_folder(tmp_path / "pets", 30)
    (pets / "cat" / "000.png").write_bytes(b"")
    picture(99, (300, 300)).save(pets / "dog" / "cut.jpg")
    whole = (pets / "dog" / "cut.jpg").read_bytes()
    (pets / "dog" / "cut.jpg").write_bytes(whole[:-5000])
    data = read(pets)
    assert len(data) == 59
    assert [name for name, _ in data.skipped] == ["cat/000.png", "dog/cut.jpg"]
    assert "0 bytes" in data.skipped[0][1]
    assert "truncated" in data.skipped[1][1]
    for i in range(1, 4):
        (pets / "cat" / f"00{i}.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"5 of 61 rows are broken.*cat/001\.png"):
        read(pets)


def test_a_folder_without_pictures_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no pictures in .* \(nothing\)"):
        read(tmp_path)
    (tmp_path / "notes.md").write_text("x")
    with pytest.raises(DataError, match="1 other files"):
        read(tmp_path)


def test_pictures_named_in_a_table(tmp_path: Path) -> None:
    image_folder(tmp_path / "files", 20)
    rows = [[f"files/{c}/{i:03d}.png", c, i % 4] for c in ("cat", "dog") for i in range(20)]
    rows.append(["files/gone.png", "cat", 0])
    path = write_csv(tmp_path / "list.csv", ["file", "kind", "owner"], rows)
    data = read(path, target="kind", group="owner")
    assert data.modality == "image"
    assert data.inputs == ("file",)
    assert data.skipped == (("line 42", "the file does not exist"),)
    assert data.groups is not None
    assert said(data, "'owner' stay together")
    assert read(tmp_path, target="kind").modality == "image"  # the table beside the pictures is found
    new = read_rows(image_folder(tmp_path / "new", 2), modality="image", inputs=("file",))
    assert len(new) == 4


def test_pictures_in_memory() -> None:
    images = [picture(i) for i in range(30)]
    labels = [i % 2 for i in range(30)]
    arrays = np.stack([np.asarray(i) for i in images])
    assert read(images, target=labels).modality == "image"
    assert read(arrays, target=labels).modality == "image"
    assert read(arrays[..., 0], target=labels).modality == "image"
    with pytest.raises(DataError, match="row 1: "):
        read_rows([images[0], np.zeros((2, 2, 9))], modality="image")


# ---------------------------------------------------------------- texts


def test_texts_are_joined_and_the_rest_is_kept(tmp_path: Path) -> None:
    rows = [[f"title of number {i}", t, i % 3, label] for i, (t, label) in enumerate(texts())]
    data = read(write_csv(tmp_path / "a.csv", ["title", "body", "shop", "stars"], rows))
    assert data.modality == "text"
    assert data.inputs == ("title", "body")
    assert data.rows[0] == f"{rows[0][0]}\n{rows[0][1]}"
    assert list(data.columns) == ["shop"]
    assert said(data, "target is column 'stars'")
    assert said(data, "columns 'title', 'body', joined")
    again = read_rows(tmp_path / "a.csv", modality="text", inputs=data.inputs)
    assert again.ids.tolist() == data.ids.tolist()


def test_what_is_text_and_what_is_a_table() -> None:
    n = 60
    labels = ["a", "b"] * 30
    chinese = pd.DataFrame(
        {"评论": [f"这个产品非常好用我很喜欢第{i}次购买" for i in range(n)], "n": range(n), "label": labels}
    )
    assert read(chinese).modality == "text"
    short = pd.DataFrame({"text": [f"ok{i}" for i in range(n)], "n": [i % 7 for i in range(n)], "label": labels})
    assert read(short).inputs == ("text",)
    houses = pd.DataFrame({f"room {k}": [(i * k) % 11 for i in range(n)] for k in range(1, 7)} | {"label": labels})
    houses["where"] = [f"{i} long road of the small town" for i in range(n)]
    data = read(houses)
    assert data.modality == "table"
    assert "where" not in data.inputs
    assert said(data, "'where' looks like an id")
    assert read(houses, inputs=("where",)).modality == "text"
    assert read(houses, modality="text").inputs == ("where",)


def test_empty_texts_and_missing_targets_are_skipped() -> None:
    rows = texts(100)
    frame = pd.DataFrame(rows, columns=["text", "label"])
    frame.loc[3, "text"] = "  "
    frame.loc[5, "label"] = None
    data = read(frame)
    assert sorted(data.skipped) == [("3", "the text is empty"), ("5", "the target is missing")]
    assert len(data) == 98


def test_texts_in_a_list_may_be_short_or_empty_when_predicted() -> None:
    data = read([f"w{i}" for i in range(20)], target=["a", "b"] * 10)
    assert data.modality == "text"
    assert read_rows(["", "x"], modality="text").rows == ["", "x"]
    assert read(np.array([f"w{i}" for i in range(20)]), target=np.arange(20) % 2).modality == "text"
    assert read(pd.Series([f"w{i}" for i in range(20)]), target=pd.Series([0, 1] * 10)).modality == "text"


def test_copies_are_counted_and_conflicts_named() -> None:
    rows = [*texts(40), (texts()[0][0], "no"), (texts()[1][0], "no")]
    data = read(pd.DataFrame(rows, columns=["text", "label"]))
    assert said(data, "repeat an earlier one exactly: 2; 1 of them with another target")
    assert data.split is not None
    assert data.split[0] == data.split[40]


# ---------------------------------------------------------------- tables


def test_table_rows_without_the_id(tmp_path: Path) -> None:
    data = read(write_csv(tmp_path / "a.csv", PEOPLE, people()))
    assert data.modality == "table"
    assert data.inputs == ("age", "town", "income")
    assert said(data, "'id' looks like an id")
    row = people()[7]
    assert data.rows[7] == {"age": float(row[1]), "town": row[2], "income": row[3]}


def test_missing_and_strange_numbers_are_missing(tmp_path: Path) -> None:
    rows = people(120)
    for i, cell in enumerate(("", "NaN", "n/a", "?", "inf")):
        rows[i][1] = cell
    data = read(write_csv(tmp_path / "a.csv", PEOPLE, rows))
    assert [data.rows[i]["age"] for i in range(5)] == [None] * 5
    assert said(data, "column 'age' holds numbers; 2 cells are none (?, inf)")
    assert len(data) == 120


def test_a_column_that_tells_the_target_is_named() -> None:
    frame = pd.DataFrame(people(), columns=PEOPLE)
    frame["code"] = frame["label"].map({"a": "A1", "b": "B2"})
    assert said(read(frame, target="label"), "'code' tells the target 'label' one to one")
    assert not said(read(frame.drop(columns="code"), target="label"), "one to one")


def test_an_owner_that_recurs_is_suggested_as_group() -> None:
    frame = pd.DataFrame(people(), columns=PEOPLE)
    frame["patient"] = np.arange(80) // 3
    assert said(read(frame, target="label"), "pass --group")
    data = read(frame, target="label", group="patient")
    assert not said(data, "pass --group")
    assert "patient" not in data.inputs
    assert data.split is not None
    assert all(len(set(data.split[data.groups == g])) == 1 for g in set(data.groups))


def test_a_matrix_is_vectors_and_fits_a_model_of_columns() -> None:
    X = np.random.default_rng(0).normal(size=(40, 3))
    X[2, 1] = np.nan
    data = read(X, target=np.arange(40) % 2)
    assert data.modality == "vector"
    np.testing.assert_array_equal(np.asarray(data.rows), X)
    rows = read_rows(X[:2], modality="table", inputs=("a", "b", "c")).rows
    assert rows[1] == {"a": X[1, 0], "b": X[1, 1], "c": X[1, 2]}
    with pytest.raises(DataError, match="rows of 3 numbers"):
        read_rows(X, modality="table", inputs=("a",))


# ---------------------------------------------------------------- targets


@pytest.mark.parametrize(
    ("cells", "kind", "classes"),
    [
        ([1, 2, 3, 4, 5] * 8, "label", ("1", "2", "3", "4", "5")),
        (["yes", "no"] * 20, "label", ("no", "yes")),
        ([True, False] * 20, "label", ("False", "True")),
        ([1.0, 0.0] * 20, "label", ("0", "1")),
        ([i / 7 for i in range(40)], "number", ()),
        (list(range(40)), "number", ()),
        (["a|b", "b", "c", "a"] * 10, "labels", ("a", "b", "c")),
        ([["a"], [], ["a", "b"], ["b"]] * 10, "labels", ("a", "b")),
    ],
)
def test_kinds_of_target_are_found_and_said(cells: list[object], kind: str, classes: tuple[str, ...]) -> None:
    data = read([t for t, _ in texts(40)], target=pd.Series(cells))
    assert data.target_kind == kind
    assert data.classes == classes
    assert said(data, "a number to predict" if kind == "number" else "label")


def test_many_whole_numbers_are_a_number_and_few_are_classes() -> None:
    rows = [t for t, _ in texts(200)]
    assert read(rows, target=[i % 21 for i in range(200)]).target_kind == "number"
    assert read(rows, target=[i % 20 for i in range(200)]).target_kind == "label"


def test_names_of_classes_may_look_like_anything(tmp_path: Path) -> None:
    names = ("01", "1", "2", "10", "NA", "a|b")
    assert read(image_folder(tmp_path / "codes", 5, names)).classes == names
    rows = [t for t, _ in texts(60)]
    assert read(rows, target=["007", "7", "10"] * 20).classes == ("007", "10", "7")
    many = read(image_folder(tmp_path / "many", 3, [str(k) for k in range(25)]))
    assert many.target_kind == "label"
    assert many.classes[:3] == ("0", "1", "2")


def test_several_labels_are_a_matrix() -> None:
    data = read([t for t, _ in texts(40)], target=["a|b", "b", " c ", "a"] * 10)
    assert data.target is not None
    assert data.target[:4].tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]]
    given = np.array([[1, 1], [0, 1], [0, 0], [1, 0]] * 10)
    np.testing.assert_array_equal(read([t for t, _ in texts(40)], target=given).target, given)


def test_targets_that_are_not_finite_are_skipped() -> None:
    values = [i / 7 for i in range(60)]
    values[3], values[4] = float("nan"), float("inf")
    data = read([t for t, _ in texts(60)], target=values)
    assert sorted(data.skipped) == [("3", "the target is missing"), ("4", "the target is infinite")]
    values[:10] = [float("nan")] * 10
    with pytest.raises(DataError, match=r"10 of 60 rows are broken.*target is missing"):
        read([t for t, _ in texts(60)], target=values)


def test_one_class_and_too_many_classes_stop_the_run() -> None:
    rows = [t for t, _ in texts(60)]
    with pytest.raises(DataError, match=r"only one value \(yes\)"):
        read(rows, target=["yes"] * 60)
    with pytest.raises(DataError, match="60 different values in 60 rows"):
        read(rows, target=[f"name {i}" for i in range(60)])


def test_rare_classes_are_noted_and_learnt() -> None:
    data = read([t for t, _ in texts(60)], target=["rare"] + ["a", "b"] * 29 + ["a"])
    assert said(data, "fewer than 3 rows of rare")
    assert data.split is not None
    assert data.split[0] == "train"


# ---------------------------------------------------------------- options


def test_an_unknown_column_names_the_closest() -> None:
    frame = pd.DataFrame(people(), columns=PEOPLE)
    with pytest.raises(DataError, match=r"no column 'Labl' for the target; there are: id, age.*did you mean 'label'"):
        read(frame, target="Labl")
    with pytest.raises(DataError, match="for the group"):
        read(frame, target="label", group="family")
    with pytest.raises(DataError, match="for the input"):
        read(frame, target="label", inputs=("agee",))
    with pytest.raises(PlanError, match="the target and an input"):
        read(frame, target="label", inputs=("label",))
    with pytest.raises(PlanError, match="no modality 'sound'"):
        read(frame, target="label", modality="sound")


def test_no_plain_target_lists_the_columns() -> None:
    frame = pd.DataFrame(people(), columns=["a", "b", "c", "d", "e"])
    with pytest.raises(DataError, match=r"there are: a, b, c, d, e.*--target"):
        read(frame)
    two = frame.rename(columns={"d": "stars", "e": "rating"})
    with pytest.raises(DataError, match="several columns could be the target: stars, rating"):
        read(two)
    with pytest.raises(DataError, match="3 values of the target for 80 rows"):
        read(frame, target=[1, 2, 3])


def test_odd_sources_say_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="data of type int"):
        read(5)
    with pytest.raises(DataError, match="no rows"):
        read(pd.DataFrame({"text": [], "label": []}))
    with pytest.raises(DataError, match="nothing says what each row is"):
        read(["a text", "another"])
    for i in range(3):
        picture(i).save(tmp_path / f"{i}.png")
    with pytest.raises(DataError, match="one folder a class"):
        read(tmp_path)
    assert len(read_rows(tmp_path, modality="image")) == 3
    words = np.array([["a", str(i)] for i in range(40)])
    assert read(words, target=np.arange(40) % 2, modality="table", inputs=("0", "1")).rows[3] == {"0": "a", "1": 3.0}
    with pytest.raises(DataError, match="no column 'text'"):
        read_rows(pd.DataFrame({"x": ["a"]}), modality="text", inputs=("text",))


def test_a_split_column_is_obeyed() -> None:
    frame = pd.DataFrame(texts(60), columns=["text", "label"])
    frame["part"] = ["train"] * 40 + ["dev"] * 10 + ["test"] * 10
    data = read(frame, split="part")
    assert data.own_split
    assert data.split is not None
    assert data.split.tolist() == ["train"] * 40 + ["valid"] * 10 + ["test"] * 10
    data = read(frame.rename(columns={"part": "split"}))
    assert data.own_split
    assert said(data, "'split' says which rows are for what")


def test_the_same_rows_get_the_same_split_wherever_they_lie(tmp_path: Path) -> None:
    rows = texts(100)
    first = read(pd.DataFrame(rows, columns=["text", "label"]))
    write_csv(tmp_path / "a.csv", ["label", "text"], [(b, a) for a, b in reversed(rows)])
    second = read(tmp_path / "a.csv")
    assert dict(zip(first.ids, first.split, strict=True)) == dict(zip(second.ids, second.split, strict=True))


def test_one_picture_is_rows_to_predict(tmp_path: Path) -> None:
    Image.new("RGB", (5, 5)).save(tmp_path / "x.png")
    data = read_rows(tmp_path / "x.png", modality="image")
    assert data.names is not None
    assert data.names.tolist() == ["x.png"]
    with pytest.raises(DataError, match="Expected: image rows"):
        read_rows(["a text"], modality="image")
