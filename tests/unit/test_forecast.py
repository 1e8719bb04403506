"""The forecast of the verdict, and which classes a verdict holds for, against draws and other computations."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

from headstart.activations.activations import Activations
from headstart.audit._forecast import COMMONEST, HEADS, RIGHT, early, forecast, outcomes
from headstart.audit._verdict import Arm, by_class, class_words
from headstart.selection.contender import contenders


def made(strength: float, plain: float, kind: str = "label") -> tuple[dict[str, Activations], np.ndarray]:
    """Vectors of a network, and plain ones, that show two classes, or a number, so clearly."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 200)
    ids = np.arange(200).astype(str)
    seen = {
        name: Activations(rng.normal(size=(200, 8)) + s * np.eye(8)[0] * (2 * y[:, None] - 1), ids, "pooled", "vector")
        for name, s in (("net", strength), ("plain", plain))
    }
    return seen, y if kind == "label" else y + rng.normal(0, 0.1, 200)


def told(seen: dict[str, Activations], y: np.ndarray, kind: str = "label", tests: int = 400) -> dict[str, Any]:
    entries = contenders((*HEADS, "majority"), "net", "plain", kind=kind, floor=("ridge",))
    return forecast(early(seen, y, entries, kind), y, kind, (266, tests))


@pytest.mark.parametrize("kind", ["label", "number"])
def test_it_says_helped_hurt_and_do_not_know(kind: str) -> None:
    assert told(*made(1.5, 0.2, kind), kind)["helped"] is True
    assert told(*made(0.2, 1.5, kind), kind)["helped"] is False
    seen, y = made(1.0, 1.0, kind)
    blurred = np.asarray(seen["net"]) + 0.3 * np.random.default_rng(1).normal(size=(200, 8))
    assert told({**seen, "plain": replace(seen["net"], values=blurred)}, y, kind)["helped"] is None


def test_labels_that_were_exchanged_promise_no_help() -> None:
    seen, y = made(1.5, 0.2)
    rng = np.random.default_rng(1)
    assert told(seen, y)["helped"] is True
    assert [told(seen, rng.permutation(y))["helped"] for _ in range(4)].count(True) == 0


def test_few_test_rows_can_prove_less() -> None:
    few, many = (told(*made(1.0, 0.5), tests=n) for n in (20, 2000))
    assert few["gain"] == many["gain"]
    assert few["chances"]["no evidence"] > many["chances"]["no evidence"] + 0.2


def test_nothing_is_told_without_a_rival() -> None:
    seen, y = made(1.0, 1.0)
    entries = contenders(HEADS, "net", "plain", kind="label", floor=())
    assert forecast(early(seen, y, entries, "label"), y, "label", (266, 400)) == {}


def test_the_chances_are_those_of_drawn_verdicts() -> None:
    rng = np.random.default_rng(0)
    true = 4.0 + 3.0 * rng.normal(size=200_000)
    seen = true + 2.0 * rng.normal(size=len(true))
    drawn = {"helped": (seen > 3.92).mean(), "hurt": (seen < -3.92).mean()}
    said = outcomes(4.0, 3.0, 2.0)
    assert sum(said.values()) == pytest.approx(1)
    for name, share in drawn.items():
        assert said[name] == pytest.approx(share, abs=0.004)


def test_the_class_that_gains_is_named_and_no_other() -> None:
    y = np.repeat([0, 1, 2], 30)
    rival = np.eye(3)[np.where((y == 1) & (np.arange(90) % 3 > 0), 0, y)]
    arms = [
        Arm("pretrained", "a", 0.9, np.eye(3)[y]),
        Arm("classical", "b", 0.8, rival),
        Arm("majority", "m", 0.3, rival),
    ]
    said = by_class(arms, y, ("cat", "dog", "owl"))
    assert [(t["class"], t["rows"], round(t["gain"])) for t in said] == [
        ("dog", 30, 67),
        ("cat", 30, 0),
        ("owl", 30, 0),
    ]
    assert said[0]["p"] == pytest.approx(3 * binomtest(20, 20).pvalue)
    assert class_words(said) == "Clearly helped: dog (+67 points of 30 rows)."
    back = by_class(
        [Arm("pretrained", "a", 0.9, rival), Arm("classical", "b", 0.8, np.eye(3)[y])], y, ("cat", "dog", "owl")
    )
    assert class_words(back) == "Clearly hurt: dog (-67 points of 30 rows)."


def test_what_a_forecast_says_of_forecasts_is_what_the_benchmark_printed() -> None:
    table = (Path(__file__).parents[2] / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    for who, share in (("forecast", RIGHT), ("always the commonest verdict", COMMONEST)):
        (line,) = [row for row in table.splitlines() if row.startswith(f"| {who} |")]
        assert line.split("|")[3].split()[0] == f"{share:.0%}"
