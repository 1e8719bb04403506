"""A run on rows of several sites, from the file to the report; stopped and gone on with; and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.made.data import picture

import headstart
from headstart._listen import Listener
from headstart.data.frames import written
from headstart.errors import DataError, NotApplicable, PlanError
from headstart.job import Job
from headstart.plan import AdaptationPlan, Plan

OPTIONS = {"target": "label", "domain": "site", "modality": "vector", "budget": "60s"}


def table(rows: int = 120) -> pd.DataFrame:
    """Three sites whose columns are moved by far more than the classes differ, and one of four rows."""
    rng = np.random.default_rng(0)
    y, site = rng.integers(0, 2, rows), np.arange(rows) % 3
    X = rng.normal(size=(rows, 4)) + 2.0 * y[:, None] + np.array([0.0, 30.0, -90.0])[site][:, None]
    frame = pd.DataFrame(X, columns=list("pqrs"))
    frame["site"] = np.where(np.arange(rows) < 4, "tiny", np.array(["x", "y", "z"])[site])
    return frame.assign(label=np.where(y, "ill", "well"))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("domains")
    table().to_csv(folder / "sites.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def finished(place: Path) -> Path:
    out = place / "finished"
    headstart.run(place / "sites.csv", out=str(out), cache=str(place / "cache"), **OPTIONS)
    return out


def test_a_run_says_what_a_new_site_will_bring(finished: Path) -> None:
    result = json.loads((finished / "result.json").read_text())
    told = result["domains"]
    assert {t["technique"] for t in result["trials"]} >= {"domain_normalised", "group_dro", "linear_probe"}
    assert result["best"]["technique"] == told["technique"] == "domain_normalised"
    assert [d["name"] for d in told["each"]] == ["tiny", "x", "y", "z"]
    assert told["each"][0]["why"] == "4 rows, fewer than 10"
    assert told["each"][0]["away"] is told["each"][0]["home"] is None
    values = [d["away"]["value"] for d in told["each"][1:]]
    assert [d["away"]["rows"] for d in told["each"][1:]] == [d["rows"] for d in told["each"][1:]]
    assert told["unseen"]["value"] == pytest.approx(np.mean(values))
    assert told["unseen"]["value"] > 0.85
    plain = next(t for t in result["trials"] if t["technique"] == "linear_probe")
    assert plain["valid"]["value"] < 0.7  # it holds where it has been, not elsewhere
    assert result["test"]["value"] > 0.85  # through the served path, a site at a time
    page = (finished / "report.html").read_text()
    assert "And on a site that it has not seen?" in page
    assert "z (held out)" in page


def test_what_ships_reads_a_site_it_has_never_seen_and_refuses_single_rows(finished: Path) -> None:
    new = table().query("site == 'z'")
    model = headstart.load(finished)
    said = model.predict((new[list("pqrs")] + 1000.0).to_numpy())
    assert (said == new["label"]).mean() > 0.85
    with pytest.raises(NotApplicable, match="3 rows: too few to say enough about the domain"):
        model.predict(new[list("pqrs")].to_numpy()[:3])


class Stop(Listener):
    """Ctrl-C when the first trial that knows of domains is over."""

    def say(self, words: str) -> None:
        if words.startswith("domain_normalised"):
            raise KeyboardInterrupt


def test_stopped_and_gone_on_with_it_says_the_same(finished: Path, place: Path, tmp_path: Path) -> None:
    out = tmp_path / "stopped"
    options = {"out": str(out), "cache": str(place / "cache"), **OPTIONS}
    with pytest.raises(KeyboardInterrupt):
        headstart.run(place / "sites.csv", listener=Stop(), **options)
    assert list((out / "state" / "trials").glob("domain_normalised-*/trial.json"))
    headstart.run(Plan.from_toml(out / "plan.toml"), resume=True, cache=str(place / "cache"))
    resumed, whole = (json.loads((f / "result.json").read_text()) for f in (out, finished))
    assert resumed["domains"] == whole["domains"]
    assert resumed["best"] == whole["best"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"site": "x"}, "there is one domain, 'x'"),
        ({"site": None}, "120 of 120 rows name no 'site'"),
        ({"label": lambda t: t["label"].where(t["site"] != "z")}, "no row of site 'z' has a 'label'.*headstart adapt"),
    ],
)
def test_a_column_that_holds_no_domains_is_refused(tmp_path: Path, change: dict[str, object], words: str) -> None:
    table().assign(**change).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(DataError, match=words):
        headstart.run(tmp_path / "t.csv", out=str(tmp_path / "out"), cache=str(tmp_path / "cache"), **OPTIONS)


def test_a_technique_of_domains_needs_them(place: Path, tmp_path: Path) -> None:
    options = {**OPTIONS, "domain": None, "out": str(tmp_path / "out"), "cache": str(place / "cache")}
    with pytest.raises(PlanError, match=r"'group_dro' learns from several domains.*--domain"):
        headstart.run(place / "sites.csv", techniques=("group_dro",), **options)


@pytest.mark.parametrize("form", ["jsonl", "pictures", "frame"])
def test_domains_are_read_from_other_files(tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    table = pd.DataFrame({"site": ["a", "b"] * 15, "label": ["u", "u", "v"] * 10})
    if form == "jsonl":
        table["text"] = [f"this is text number {i} of so many" for i in range(30)]
        table.to_json(tmp_path / "rows.jsonl", orient="records", lines=True)
    else:
        monkeypatch.chdir(tmp_path)
        for i in range(30):
            picture(i).save(tmp_path / f"{i}.png")
        table["path"] = [f"{i}.png" for i in range(30)]
        table.to_csv(tmp_path / "rows.csv", index=False)
    file = written(table, tmp_path / "rows.jsonl") if form == "frame" else next(tmp_path.glob("rows.*"))
    plan = Plan(data=str(file), target="label", domain="site", out=str(tmp_path / "out"))
    data = Job(plan, Listener())._read()
    assert data.modality == ("text" if form == "jsonl" else "image")
    assert data.domain is not None
    assert data.domain.tolist() == table["site"].tolist()
    assert "site" not in data.inputs


def test_adapting_from_several_sites_leaves_their_column_aside(place: Path, tmp_path: Path) -> None:
    options = {k: v for k, v in OPTIONS.items() if k != "budget"}
    plan = AdaptationPlan(data=str(place / "sites.csv"), adapt_to="new.csv", out=str(tmp_path / "out"), **options)
    assert "--domain site" in plan.command()
    data = Job(plan, Listener())._read()
    assert data.inputs == tuple("pqrs")
    assert data.domain is not None
    assert set(data.domain) == {"tiny", "x", "y", "z"}
