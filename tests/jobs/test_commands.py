"""The commands as a person types them, in a folder of their own: run, predict, report, and a stop with Ctrl-C."""

from __future__ import annotations

import csv
import io
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from headstart import cli

pytestmark = pytest.mark.usefixtures("brief")

COLOURS = ("red", "green", "blue")


def picture(colour: int, seed: int) -> Image.Image:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 150, (40, 50, 3), dtype=np.uint8)
    pixels[10:30, 10:30, colour] = 220
    return Image.fromarray(pixels)


def command(*words: str) -> int:
    """The exit code of a command line."""
    try:
        cli.main(words)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `photos/`, one broken picture among them, and a finished run on it in `runs/photos`."""
    folder = tmp_path_factory.mktemp("place")
    for k, colour in enumerate(COLOURS):
        (folder / "photos" / colour).mkdir(parents=True)
        for i in range(20):
            picture(k, 100 * k + i).save(folder / "photos" / colour / f"{i}.png")
    (folder / "photos" / "red" / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("HEADSTART_CACHE", str(folder / "cache"))
        assert command("run", "photos/", "--budget", "10m", "--technique", "ridge") == 0
    return folder


@pytest.fixture
def here(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(place)
    monkeypatch.setenv("HEADSTART_CACHE", str(place / "cache"))
    return place


def test_a_run_says_what_it_skipped_and_where_the_report_is(here: Path) -> None:
    result = json.loads((here / "runs" / "photos" / "result.json").read_text())
    assert [name for name, _ in result["data"]["skipped"]] == ["red/broken.jpg"]
    assert result["data"]["rows"] == 60
    assert {t["technique"] for t in result["trials"] if t["role"] == "pretrained"} == {"ridge", "linear_probe"}
    assert "red/broken.jpg" in (here / "runs" / "photos" / "report.html").read_text()


def test_predictions_keep_the_order_of_the_folder_and_leave_no_file_out(
    here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for i in range(6):
        picture(i % 3, 900 + i).save(tmp_path / f"{i}.png")
    (tmp_path / "2b.png").write_bytes(b"no picture")
    (tmp_path / "scan.heic").write_bytes(b"of another kind")
    assert command("predict", "runs/photos", str(tmp_path)) == 0
    out, err = capsys.readouterr()
    assert "1 files that are no pictures were passed over (1 .heic)" in err
    rows = list(csv.DictReader(out.splitlines()))
    assert [r["row"] for r in rows] == ["0.png", "1.png", "2.png", "2b.png", "3.png", "4.png", "5.png"]
    assert [r["prediction"] for r in rows] == ["red", "green", "blue", "", "red", "green", "blue"]
    assert sum(float(rows[0][f"p:{c}"]) for c in COLOURS) == pytest.approx(1, abs=1e-5)
    assert "not read, and without a prediction: 1 row, the first: 2b.png" in err
    assert "2b.png" in err
    assert command("predict", "runs/photos", str(tmp_path), "--out", str(tmp_path / "said.jsonl")) == 0
    said = [json.loads(line) for line in (tmp_path / "said.jsonl").read_text().splitlines()]
    assert [r["prediction"] or "" for r in said] == [r["prediction"] for r in rows]
    assert [r["p:red"] for r in said[:2]] == pytest.approx([float(r["p:red"]) for r in rows[:2]], abs=1e-6)


def test_rows_on_standard_input_are_answered_as_those_of_a_file(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paths of pictures start at the folder where one is."""
    text = "name\nphotos/red/1.png\nphotos/gone.png\n" + "photos/blue/2.png\n" * 30
    (here / "rows.csv").write_text(text)
    assert command("predict", "runs/photos", "rows.csv") == 0
    of_file = capsys.readouterr()
    lines = "".join(json.dumps({"name": cell}) + "\n" for cell in text.split()[1:])
    for piped in (text, lines):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(piped.encode())))
        assert command("predict", "runs/photos", "-") == 0
        told = capsys.readouterr()
        assert [r["prediction"] for r in csv.DictReader(told.out.splitlines())] == ["red", "", *["blue"] * 30]
        if piped == text:
            assert told == of_file
    monkeypatch.setattr(sys, "stdin", None)
    assert command("predict", "runs/photos", "-") == 2
    assert "nothing came in on standard input" in capsys.readouterr().err


def test_a_folder_of_broken_files_alone_is_refused(
    here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    assert command("predict", "runs/photos", str(tmp_path)) == 2
    assert "1 of 1 rows are broken" in capsys.readouterr().err


def test_report_is_drawn_again(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = here / "runs" / "photos" / "report.html"
    before = page.read_text()
    page.unlink()
    assert command("report", "runs/photos") == 0
    assert Path(capsys.readouterr().out.strip()) == page
    assert page.read_text() == before


def test_new_rows_are_explained_by_the_place_that_tells_their_class(
    here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "new").mkdir()
    for i in range(3):
        picture(i, 900 + i).save(tmp_path / "new" / f"{i}.png")
    words = ("explain", "runs/photos", str(tmp_path / "new"), "--rows", "2", "--out", str(tmp_path / "why"), "--json")
    assert command(*words) == 0
    told = json.loads(capsys.readouterr().out)
    assert [r["predicted"] for r in told["rows"]] == ["red", "green"]
    assert [r["explanation"]["way"] for r in told["rows"]] == ["grad_cam"] * 2
    assert [n["label"] for n in told["rows"][0]["neighbours"]] == ["red"] * 3
    assert told["notes"] == ["the first 2 of 3 rows are explained; --rows asks for more"]
    page = (tmp_path / "why" / "explain.html").read_text()
    assert page.count("data:image/jpeg") >= 4
    assert "http" not in page.replace("http-equiv", "")


def test_the_mistakes_of_a_run_are_explained(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("explain", "runs/photos") == 0
    out = capsys.readouterr().out
    evidence = json.loads((here / "runs" / "photos" / "evidence.json").read_text())
    told = json.loads((here / "runs" / "photos" / "explain.json").read_text())
    assert [r["row"] for r in told["rows"]] == [m["row"] for m in evidence["mistakes"]]
    assert told["rows"] or "no mistake" in out


def test_a_second_run_takes_another_folder(here: Path) -> None:
    from headstart.cli.run import unused

    assert unused(Path("runs/photos"), resume=False) == Path("runs/photos-2")


def test_json_is_all_that_is_printed(here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    tags = ("cheap", "fast", "red")
    rows = [[t for t in tags if rng.random() < 0.5] or ["red"] for _ in range(90)]
    notes = [f"Thing {i} is {' and '.join(r)}, so they say." for i, r in enumerate(rows)]
    pd.DataFrame({"note": notes, "tags": ["|".join(r) for r in rows]}).to_csv(tmp_path / "x.csv", index=False)
    words = ("run", str(tmp_path / "x.csv"), "--target", "tags", "--budget", "30s", "--technique", "ridge", "--json")
    assert command(*words, "--out", str(tmp_path / "run")) == 0
    out, err = capsys.readouterr()
    result = json.loads(out)
    assert result["data"]["target_kind"] == "labels"
    assert result["test"]["metric"] == "macro_f1"
    assert result == json.loads((tmp_path / "run" / "result.json").read_text())
    assert err == ""
    assert command("predict", str(tmp_path / "run"), str(tmp_path / "x.csv"), "--out", str(tmp_path / "y.csv")) == 0
    said = pd.read_csv(tmp_path / "y.csv", keep_default_na=False)
    assert len(said) == 90
    assert (said["prediction"] == ["|".join(r) for r in rows]).mean() > 0.8


def test_rows_of_a_table_and_a_number_to_predict(here: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"size": rng.normal(50, 9, 150).round(1), "town": rng.choice(["Rome", "Oslo"], 150)})
    frame["price"] = (3 * frame["size"] + 40 * (frame["town"] == "Rome") + rng.normal(0, 3, 150)).round(2)
    frame["house"] = [f"house {i // 3}" for i in range(150)]
    frame.to_csv(tmp_path / "x.csv", index=False)
    words = ("run", str(tmp_path / "x.csv"), "--target", "price", "--group", "house", "--budget", "15s")
    assert command(*words, "--out", str(tmp_path / "run")) == 0
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["test"]["metric"] == "r2"
    assert result["test"]["low"] > 0.5
    assert sum(result["data"]["counts"].values()) == result["data"]["rows"]


def test_ctrl_c_says_how_to_go_on(here: Path, tmp_path: Path) -> None:
    line = [sys.executable, "-m", "headstart", "run", "photos", "--budget", "60s", "--out", str(tmp_path / "run")]
    job = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (tmp_path / "run" / "state").exists() and time.monotonic() < deadline:
        assert job.poll() is None
        time.sleep(0.02)
    job.send_signal(signal.SIGINT)
    _, err = job.communicate(timeout=60)
    assert job.returncode == 130
    assert err.rstrip().endswith("stopped; go on with --resume")
    assert "Traceback" not in err
    assert not (tmp_path / "run" / "result.json").exists()
