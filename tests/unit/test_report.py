"""The report: one file that needs nothing else, draws what was saved, and lets no user text become markup."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from headstart.errors import ModelError
from headstart.report.card import model_card
from headstart.report.page import html, render
from headstart.report.text import summary
from headstart.result import Result

EVIL = '<script>alert(1)</script>" onload="x\' & <b>'
SCORE = {"metric": "accuracy", "value": 0.8, "low": 0.7, "high": 0.9, "rows": 100}


def trial(technique: str, role: str, value: float, **more: Any) -> dict[str, Any]:
    score = {**SCORE, "value": value, "low": value - 0.1, "high": value + 0.1}
    return {
        "backbone": "minilm", "technique": technique, "cut": "pooled", "role": role, "status": "done", "why": "",
        "seconds": 1.0, "fit_seconds": 0.5, "params": {}, "valid": score, "test": score, **more,
    }  # fmt: skip


def finished(words: str = "Pre-training helped: +10.0 points.") -> tuple[Result, dict[str, Any]]:
    result = Result(
        command="headstart run 'my data.csv'", headstart="0", created="2026-01-02T03:04:05", plan={"data": words},
        data={"modality": "text", "rows": 4, "counts": {"train": 60, "valid": 20, "test": 100}, "classes": [words, "b"],
              "notes": [words], "skipped": [[words, words]], "target_kind": "label"},
        shortlist=[{"backbone": words, "score": 1.0, "why": words, "seconds": 1.0, "chosen": True}],
        trials=[trial("ridge", "pretrained", 0.8), trial("tfidf", "classical", 0.7),
                trial("full", "pretrained", 0, status="skipped", why=words, test=None, valid=None)],
        best={"backbone": "minilm", "technique": "ridge", "cut": "pooled", "role": "pretrained", "params": {}},
        test=SCORE, environment={"cpu": words}, stages={"read": 1.0}, seconds=9.0,
        verdict={"helped": True, "gain": 10.0, "low": 5.0, "high": 15.0, "words": words,
                 "against": [{"role": "classical", "name": words, "gain": 10.0, "low": 5.0, "high": 15.0}]},
        domains={"column": words, "technique": "ridge", "backbone": "minilm", "how": "each domain held out alone",
                 "worst": words, "words": words, "together": True,
                 "unseen": {"metric": "accuracy", "value": 0.7, "spread": 0.1, "low": 0.6, "high": 0.8, "domains": 2},
                 "each": [{"name": words, "rows": 50, "home": SCORE, "away": SCORE, "gap": None, "why": ""},
                          {"name": words, "rows": 4, "home": None, "away": None, "gap": None, "why": words}]},
        findings=[{"code": "a:b", "title": words, "severity": "warning", "do": words, "evidence": {}}],
    )  # fmt: skip
    row = {"row": words, "text": words, "picture": None}
    evidence = {
        "version": 1,
        "confusion": {"classes": [words, "b"], "counts": [[50, 5], [15, 30]]},
        "calibration": {"bins": [{"confidence": 0.9, "accuracy": 0.8, "rows": 10}], "ece": 0.1, "ece_before": 0.2,
                        "temperature": 1.0},
        "curve": {"words": words, "points": [{"labels": n, "role": "pretrained", "value": v, "low": v, "high": v}
                                             for n, v in ((10, 0.5), (60, 0.8))]},
        "mistakes": [{"true": words, "predicted": words, "confidence": 0.9, **row,
                      "neighbours": [{"label": words, "similarity": 0.9, **row}]}],
        "map": {"x": [0.0, 1.0], "y": [0.0, 1.0], "label": [words, "b"], "split": ["train", "test"],
                "wrong": [False, True], "name": [words, words]},
    }  # fmt: skip
    return result, evidence


class Elements(HTMLParser):
    """Every element with its attributes, and the text between them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_user_text_never_becomes_markup() -> None:
    plain, evil = (Elements(html(*finished(words))) for words in ("words", EVIL))
    assert [tag for tag, _ in evil.found] == [tag for tag, _ in plain.found]
    assert [sorted(a) for _, a in evil.found] == [sorted(a) for _, a in plain.found]
    assert "<script>alert(1)</script>" in evil.text


def test_a_picture_must_be_a_picture() -> None:
    result, evidence = finished()
    good = "data:image/jpeg;base64,AAAA"
    for picture, shown in ((good, 1), ("javascript:alert(1)", 0), ("https://example.org/x.png", 0)):
        evidence["mistakes"][0]["picture"] = picture
        pictures = [a["src"] for tag, a in Elements(html(result, evidence)).found if tag == "img"]
        assert pictures == [good] * shown


def test_nothing_is_fetched() -> None:
    page = html(*finished())
    assert not re.search(r"""(src|href|action)\s*=\s*["'](?!data:)""", page)
    assert not re.search(r"url\((?!data:)|@import", page)
    assert "default-src 'none'" in page


def test_what_is_said_is_on_the_page_and_what_is_absent_leaves_no_heading(tmp_path: Path) -> None:
    result, evidence = finished()
    result.save(tmp_path)
    (tmp_path / "evidence.json").write_text(json.dumps(evidence), encoding="utf-8")
    page = render(tmp_path).read_text(encoding="utf-8")
    text = Elements(page).text
    for words in (result.verdict["words"], "0.800", "+10.0 [+5.0, +15.0]", result.command, "ridge", "tfidf"):
        assert words in text
    headings = ("Worst mistakes", "Map of the rows", "What is taken for what", "What would more labels buy?")
    assert all(h in text for h in headings)
    (tmp_path / "evidence.json").unlink()
    bare = Elements(render(tmp_path).read_text(encoding="utf-8")).text
    assert not any(h in bare for h in headings)
    assert result.verdict["words"] in bare


def test_the_same_result_gives_the_same_page() -> None:
    assert html(*finished()) == html(*finished())


@pytest.mark.parametrize(("helped", "badge"), [(True, "helped"), (False, "hurt"), (None, "no evidence")])
def test_the_badge_says_what_the_verdict_says(helped: bool | None, badge: str) -> None:
    result, evidence = finished()
    result.verdict["helped"] = helped
    assert badge in Elements(html(result, evidence)).text


def test_an_unfinished_run_has_no_report(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no result\.json"):
        render(tmp_path)


def test_card_and_summary_say_the_number_with_its_interval() -> None:
    result, _ = finished()
    for text in (model_card(result), summary(result)):
        assert result.verdict["words"] in text
        assert "0.8" in text
        assert "0.7" in text
        assert "0.9" in text
    assert "full skipped" in summary(result)


def test_of_very_many_domains_the_worst_are_shown() -> None:
    result, evidence = finished()
    each = [
        {"name": f"site-{k}.", "rows": 50, "home": SCORE, "away": {**SCORE, "value": 0.9 - k / 1000}, "gap": None,
         "why": ""} for k in range(45)
    ]  # fmt: skip
    result.domains["each"] = each
    for text in (summary(result), html(result, evidence)):
        assert "site-44." in text
        assert "site-3." not in text
    assert "and 25 more in result.json" in summary(result)
    assert "25 more are in result.json" in html(result, evidence)
