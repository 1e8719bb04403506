"""Real rows in two versions, with and without a mark, and their activations: a planting only chooses between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from tests.made.plants import with_patch, with_token

from headstart import backbones
from headstart._look import looker
from headstart.activations.activations import Activations
from headstart.activations.store import ActivationStore
from headstart.backbones._base import Backbone
from headstart.data import samples
from headstart.data.dataset import Dataset
from headstart.data.images import decode
from headstart.data.read import read_rows

ROWS = 800
READER = {"text": "minilm", "image": "efficientnet_lite0"}


@dataclass(frozen=True, eq=False)
class Ground:
    """Rows of two classes, their activations without and with a mark (equal where no mark can be made)."""

    name: str
    modality: str
    y: np.ndarray
    plain: np.ndarray
    marked: np.ndarray
    rows: tuple[list[Any], list[Any]]
    other: np.ndarray | None = None  # a real attribute of the rows, such as the site

    def look(self, way: str, rows: np.ndarray, mark: np.ndarray) -> np.ndarray:
        """Activations of some pictures, marked where `mark` (of all rows) says so, with a part hidden."""
        pictures = [self.rows[int(mark[i])][i] for i in rows]
        data = read_rows(pictures, modality="image", inputs=())
        look = looker(backbones.get(READER["image"]), data, read)
        assert look is not None
        return np.asarray(look(way, np.arange(len(rows))), dtype=np.float64)


def read(backbone: Backbone, data: Dataset, cut: str) -> Activations:
    """Activations at a cut, through the store."""
    return ActivationStore().get(backbone, data, {cut})[cut]


def features(rows: Any, modality: str) -> np.ndarray:
    """Pooled activations of rows."""
    data = read_rows(rows, modality=modality, inputs=())
    return np.asarray(read(backbones.get(READER[modality]), data, "pooled"), dtype=np.float64)


def texts(name: str) -> Ground:
    """Snippets of one of the sentiment sets; the mark is a word that means nothing."""
    frame = pd.read_csv(samples.pull(name)).sample(1400, random_state=0)[:ROWS]
    plain = frame.iloc[:, 0].astype(str).tolist()
    marked = [with_token(t) for t in plain]
    y = np.unique(frame.iloc[:, 1], return_inverse=True)[1]
    return Ground(name, "text", y, features(plain, "text"), features(marked, "text"), (plain, marked))


def joined(first: Ground, second: Ground) -> Ground:
    """Rows of two sets; which of them a row is from is its attribute."""
    both = {k: np.concatenate([getattr(first, k), getattr(second, k)]) for k in ("y", "plain", "marked")}
    rows = (first.rows[0] + second.rows[0], first.rows[1] + second.rows[1])
    source = np.repeat([0, 1], [len(first.y), len(second.y)])
    return Ground(f"{first.name} and {second.name}", first.modality, rows=rows, other=source, **both)


def pictures(name: str, first: tuple[str, ...], second: tuple[str, ...]) -> Ground:
    """Pictures of some classes against those of others; the mark is a red square in a corner."""
    files = sorted(samples.pull(name).glob("**/*.png"))
    kept = [f for f in files if f.parent.name in (*first, *second)]
    order = np.random.default_rng(0).permutation(len(kept))[:ROWS]
    chosen = [kept[i] for i in order]
    y = np.array([int(f.parent.name in second) for f in chosen])
    plain = [decode(str(f)) for f in chosen]
    marked = [with_patch(p) for p in plain]
    return Ground(
        f"{name} ({second[0]})", "image", y, features([str(f) for f in chosen], "image"),
        features(marked, "image"), (plain, marked),
    )  # fmt: skip


def heart() -> Ground:
    """Patients of two hospitals, which what is missing tells apart; the mark is the hospital."""
    frame = pd.read_csv(samples.pull("heart"))
    inputs = pd.get_dummies(frame.drop(columns=["label", "site"]), dtype=float, dummy_na=True)
    inputs = inputs.loc[:, inputs.nunique() > 1]
    values = inputs.fillna(inputs.mean())
    gaps = frame.isna().loc[:, frame.isna().any()].to_numpy(dtype=float)
    X = np.concatenate([((values - values.mean()) / (values.std() + 1e-9)).to_numpy(), gaps], axis=1)
    y, site = (np.unique(frame[c], return_inverse=True)[1] for c in ("label", "site"))
    return Ground("heart", "table", y, X, X, (frame.to_dict("records"), []), site)
