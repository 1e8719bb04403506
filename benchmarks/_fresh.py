"""Shifts on which nothing of the guard was chosen: tables cut by sex and age, news groups halved in other ways."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from sklearn.datasets import load_diabetes

from benchmarks.adaptation import PAIRS, TOPICS, Domain, features, keyed, tabular
from headstart.data import samples

AGES = [0, 25, 35, 45, 99]
HALVES = ((0, 2), (0, 3))  # which two groups of four make one domain; 0 and 1, 2 and 3 are those of the main table


def groups() -> Iterator[tuple[str, dict[str, Domain]]]:
    """Tasks with their domains."""
    compas = pd.read_csv(samples.pull("compas")).drop(columns="race")
    heart = pd.read_csv(samples.pull("heart")).drop(columns="site")
    sugar = load_diabetes(as_frame=True)
    worse = sugar.data.assign(label=(sugar.target > sugar.target.median()).astype(int))
    yield "rearrest by age", tabular(_banded(compas, AGES), "label", "age")
    for name, frame in (("rearrest", compas), ("heart disease", heart), ("diabetes", worse)):
        yield f"{name} by sex", tabular(frame, "label", "sex")
    for name, frame in (("heart disease", heart), ("diabetes", worse)):
        middle = frame["age"].median()
        yield f"{name} by age", tabular(_banded(frame, [-np.inf, middle, np.inf]), "label", "age")
    posts = pd.read_csv(samples.pull("newsgroups"))
    for a, b in PAIRS:
        kept = [_half(posts, a, b, parts) for parts in (slice(0, 2), slice(2, 4))]
        values = np.concatenate([features("minilm", k["text"].astype(str).tolist(), "text") for k in kept])
        names = pd.concat(kept)["label"].reset_index(drop=True)
        for first in HALVES:
            one = names.isin([TOPICS[topic][k] for topic in (a, b) for k in first]).to_numpy()
            top = names.str.partition(".")[0]
            yield (
                f"{a} or {b} {first}",
                {"first": keyed(values[one], top[one]), "second": keyed(values[~one], top[~one])},
            )


def _banded(frame: pd.DataFrame, edges: list[float]) -> pd.DataFrame:
    return frame.assign(age=pd.cut(frame["age"], edges).astype(str))


def _half(posts: pd.DataFrame, a: str, b: str, parts: slice) -> pd.DataFrame:
    return posts[posts["label"].isin(TOPICS[a][parts] + TOPICS[b][parts])].sample(900, random_state=0)
