"""What the report draws: confusion, calibration, worst mistakes with neighbours, a map. Written as `evidence.json`."""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from headstart.activations.activations import Activations
from headstart.data.dataset import Dataset
from headstart.data.images import decode
from headstart.errors import HeadstartError, NotApplicable
from headstart.explain.confused import EACH, aims, because, explain, pairs
from headstart.explain.explainer import Explainer, Explanation
from headstart.model import Model
from headstart.selection import calibration

MISTAKES = 12
NEIGHBOURS = 3
SUSPECTS = 12  # rows that a finding names and the report shows
TEXT = 600  # characters of a text that are shown
PICTURE = 160  # pixels of a thumbnail's longer side
MAP, FIRST = 1500, 200  # points of the map at most, and those that say how long it takes
PERPLEXITY = 30.0
Left = Callable[[], float]  # seconds


def gather(
    data: Dataset, pooled: Activations, model: Model, scores: np.ndarray, curve: dict[str, Any], *,
    left: Left | None = None, pace: float = 0.0,
) -> dict[str, Any]:  # fmt: skip
    """Everything that report.html draws, from the pooled activations of all rows and the scores of the test rows.

    Mistakes are explained while seconds are `left`, at a `pace` of so many for a row; not at all without `left`. The
    map of the rows has as many as the seconds left then allow.
    """
    assert data.target is not None
    test = data.rows_of("test")
    y = data.target[test]
    vectors = unit(pooled)
    evidence: dict[str, Any] = {"version": 1, "curve": curve} if curve else {"version": 1}
    if data.target_kind == "label":
        counts = np.zeros((len(data.classes),) * 2, dtype=int)
        np.add.at(counts, (y, scores.argmax(1)), 1)
        evidence["confusion"] = {"classes": list(data.classes), "counts": counts.tolist()}
    if data.target_kind == "number":
        evidence["scatter"] = {"true": y.tolist(), "predicted": scores[:, 0].tolist()}
    else:
        evidence["calibration"] = _calibration(scores, y, model.last_temperature)
    evidence |= _mistakes(data, vectors, scores, model, left, pace)
    if vectors is not None:
        evidence["map"] = _map(data, vectors, _loss(scores, y, str(data.target_kind)) >= 0.5, left)
    return evidence


def unit(pooled: Activations) -> np.ndarray | None:
    """Rows of length one, so that a product is a cosine; None where rows are no vectors."""
    if pooled.kind not in ("vector", "frame"):
        return None
    values = np.nan_to_num(np.asarray(pooled, dtype=np.float32))
    if pooled.kind == "frame":  # raw columns differ in unit
        values = (values - values.mean(0)) / (values.std(0) + 1e-9)
    return values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-9)


def _calibration(scores: np.ndarray, y: np.ndarray, temperature: float) -> dict[str, Any]:
    raw = calibration.apply(scores, 1.0 / temperature)
    return {
        "bins": calibration.bins(scores, y),
        "ece": calibration.ece(scores, y),
        "ece_before": calibration.ece(raw, y),
        "temperature": temperature,
    }


def _loss(scores: np.ndarray, y: np.ndarray, kind: str) -> np.ndarray:
    """How wrong each row is: 0 right, 1 surely wrong; for numbers the error over twice the spread of the target."""
    if kind == "label":
        wrong = scores.argmax(1) != y
        return np.asarray(np.where(wrong, scores.max(1), 0.0))
    if kind == "labels":
        return np.asarray(np.abs(scores - y).max(1))
    return np.asarray(np.abs(scores[:, 0] - y) / (2 * y.std() + 1e-12))


def _mistakes(
    data: Dataset, vectors: np.ndarray | None, scores: np.ndarray, model: Model, left: Left | None, pace: float
) -> dict[str, Any]:
    """The worst mistakes and the most confused classes, explained where there is time."""
    explainer, why = None, ""
    if left is not None:
        try:
            explainer = Explainer(model, data.where(split="train"), pace)
        except NotApplicable as error:
            why = str(error)
    shown, missing = mistakes(data, vectors, scores, explainer, left=left)
    found: dict[str, Any] = {"mistakes": shown}
    if explainer is not None and not missing:
        found["confused"], missing = confusions(data, scores, explainer, left=left)
        missing = missing and f"Of the most confused classes {missing}"
    return found | ({"unexplained": why or missing} if why or missing else {})


def mistakes(
    data: Dataset, vectors: np.ndarray | None, scores: np.ndarray, explainer: Explainer | None = None, *,
    most: int = MISTAKES, left: Left | None = None,
) -> tuple[list[dict[str, Any]], str]:  # fmt: skip
    """The test rows on which the model was surest and wrong, with training rows; and why some are not explained."""
    assert data.target is not None
    kind, test = str(data.target_kind), data.rows_of("test")
    y = data.target[test]
    loss = _loss(scores, y, kind)
    worst = [int(i) for i in np.argsort(-loss, kind="stable")[:most] if loss[i] > 0]
    rows = [int(test[i]) for i in worst]
    told: dict[int, Explanation] = {}
    missing = ""
    if explainer is not None:
        told, missing = explain(explainer, data, rows, aims(scores[worst], y[worst], kind), left=left)
    shown = []
    for i, row in zip(worst, rows, strict=True):
        mistake = {
            "true": _say(data, row),
            "predicted": named(data.classes, kind, scores[i]),
            "confidence": float(scores[i].max()) if kind != "number" else None,
            **show(data, row),
            "neighbours": [] if vectors is None else near(data, vectors, row),
        }
        shown.append(mistake | ({"explanation": told[row].to_json()} if row in told else {}))
    return shown, missing


def confusions(
    data: Dataset, scores: np.ndarray, explainer: Explainer, *, left: Left | None = None
) -> tuple[list[dict[str, Any]], str]:
    """The pairs of classes that are most often confused, with what pulls their rows; and why some are missing."""
    if data.target_kind != "label":
        return [], ""
    assert data.target is not None
    test = data.rows_of("test")
    confused = pairs(scores, data.target[test])
    rows = [(i, said, true) for true, said, own in confused for i in own[:EACH]]
    told, missing = explain(
        explainer, data, [int(test[i]) for i, _, _ in rows], [(said, true) for _, said, true in rows], left=left
    )
    by_place = {i: told[int(test[i])] for i, _, _ in rows if int(test[i]) in told}
    return because(confused, by_place, data.classes), missing


def near(data: Dataset, vectors: np.ndarray, row: int) -> list[dict[str, Any]]:
    """The training rows that lie nearest to a row by cosine; `vectors` (m, d) of length one, those of `data` first."""
    train = data.rows_of("train")
    cosine = vectors[train] @ vectors[row]
    return [
        {"label": _say(data, int(train[j])), "similarity": float(cosine[j]), **show(data, int(train[j]))}
        for j in np.argsort(-cosine)[:NEIGHBOURS]
    ]


def _say(data: Dataset, row: int) -> str:
    """The target of a row in words."""
    assert data.target is not None
    value = data.target[row]
    if data.target_kind == "label":
        return data.classes[int(value)]
    if data.target_kind == "labels":
        return ", ".join(c for c, v in zip(data.classes, value, strict=True) if v) or "(none)"
    return f"{value:.4g}"


def named(classes: Sequence[str], kind: str, scores: np.ndarray) -> str:
    """A row of scores in words."""
    if kind == "label":
        return classes[int(scores.argmax())]
    if kind == "labels":
        return ", ".join(c for c, s in zip(classes, scores, strict=True) if s >= 0.5) or "(none)"
    return f"{scores[0]:.4g}"


def show(data: Dataset, row: int) -> dict[str, Any]:
    """A row as a person sees it: its name, its text or a thumbnail."""
    value = data.rows[row]
    name = str(data.names[row]) if data.names is not None else str(row)
    text = picture = None
    if data.modality == "text":
        text = value[:TEXT]
    elif data.modality == "table":
        text = "; ".join(f"{k}: {v}" for k, v in value.items() if v is not None)[:TEXT]
    elif data.modality == "image":
        picture = _thumbnail(value)
    return {"row": name, "text": text, "picture": picture}


def suspects(data: Dataset, findings: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The rows that findings name, as a person sees them, by code of the finding."""
    named = {f["code"]: f["evidence"]["suspects"] for f in findings if f["evidence"].get("suspects")}
    return {code: [{**s, **show(data, s["position"])} for s in some[:SUSPECTS]] for code, some in named.items()}


def both_domains(
    source: np.ndarray, target: np.ndarray, adapted: np.ndarray | None, moved: np.ndarray, far: list[dict[str, Any]]
) -> dict[str, Any]:
    """Both domains on the plane of their two main directions, before and, where adapted, after."""
    evidence: dict[str, Any] = {"version": 1, "far": far, "domains": {"before": _plane(source, target)}}
    if adapted is not None:
        evidence["domains"]["after"] = _plane(adapted, moved)
    return evidence


def _plane(source: np.ndarray, target: np.ndarray) -> dict[str, Any]:
    parts = [rows[:: max(1, 2 * len(rows) // MAP)] for rows in (source, target)]
    points = np.concatenate(parts)
    points = (points - points.mean(0)) / (points.std(0) + 1e-9)
    xy = points @ np.linalg.svd(points, full_matrices=False)[2][:2].T
    label = np.repeat(["source", "target"], [len(p) for p in parts]).tolist()
    return {
        "x": np.round(xy[:, 0], 3).tolist(), "y": np.round(xy[:, 1], 3).tolist(), "label": label,
        "split": label, "wrong": [False] * len(label), "name": label,
    }  # fmt: skip


def _thumbnail(value: Any) -> str | None:
    try:
        image = decode(value, at_least=PICTURE)
    except HeadstartError:
        return None
    image.thumbnail((PICTURE, PICTURE))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode()


def _map(data: Dataset, vectors: np.ndarray, wrong: np.ndarray, left: Left | None) -> dict[str, Any]:
    """Two dimensions in which near rows stay near (t-SNE, van der Maaten and Hinton 2008); all test rows come first."""
    assert data.split is not None
    test, rest = data.rows_of("test"), np.flatnonzero(data.split != "test")
    order = np.argsort(data.ids, kind="stable")
    test_first = np.concatenate([order[np.isin(order, test)], order[np.isin(order, rest)]])
    most = MAP
    if left is not None and len(order) > 2 * FIRST:
        import_module("sklearn.manifold")  # once, so that its time is not taken for theirs
        start = time.monotonic()
        _laid_out(vectors[test_first[:FIRST]])
        most = int(np.clip(FIRST * left() / (time.monotonic() - start), FIRST, MAP))
    rows = np.sort(test_first[:most])
    xy = _laid_out(vectors[rows])
    is_wrong = np.zeros(len(data), dtype=bool)
    is_wrong[test] = wrong
    return {
        "x": np.round(xy[:, 0], 3).tolist(),
        "y": np.round(xy[:, 1], 3).tolist() if xy.shape[1] > 1 else [0.0] * len(rows),
        "label": [_say(data, int(r)) for r in rows],
        "split": data.split[rows].tolist(),
        "wrong": is_wrong[rows].tolist(),
        "name": [str(data.names[r]) if data.names is not None else str(r) for r in rows],
    }


def _laid_out(points: np.ndarray) -> np.ndarray:
    """(n, d) rows in two dimensions: by t-SNE, or the leading two where they are few."""
    from sklearn.manifold import TSNE

    if len(points) > 3 * PERPLEXITY:
        return np.asarray(TSNE(perplexity=PERPLEXITY, init="pca", random_state=0, max_iter=500).fit_transform(points))
    centred = points - points.mean(0)
    return np.asarray(centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T)
