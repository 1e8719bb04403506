"""Hugging Face `datasets` folders as `save_to_disk` writes them, read with pyarrow alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from headstart.data.raw import Raw, column
from headstart.errors import DataError


def is_saved(folder: Path) -> bool:
    """Whether a folder was written by `Dataset.save_to_disk` or `DatasetDict.save_to_disk`."""
    return (folder / "dataset_dict.json").exists() or (folder / "state.json").exists()


def load_saved(folder: Path) -> Raw:
    """The rows of such a folder; the splits of a DatasetDict become the user's own split."""
    if not (folder / "dataset_dict.json").exists():
        return _one(folder)
    names = _json(folder / "dataset_dict.json")["splits"]
    raws = {name: _one(folder / name) for name in names}
    first = next(iter(raws.values()))
    out = Raw(
        {c: np.concatenate([r.columns[c] for r in raws.values()]) for c in first.columns},
        column(f"{name} {n}" for name, r in raws.items() for n in r.names),
        folder,
        notes=first.notes,
    )
    if len(raws) > 1:
        out.columns["split"] = column(name for name, r in raws.items() for _ in range(len(r)))
        out.split = "split"
    return out


def _one(folder: Path) -> Raw:
    from headstart.data.files import _arrow

    state = _json(folder / "state.json")
    raw = _arrow([folder / entry["filename"] for entry in state["_data_files"]])
    raw.base = folder
    if state.get("_indices_data_files"):
        raise DataError(
            f"{folder} holds a selection of rows",
            expected="the rows themselves",
            do="call .flatten_indices() before save_to_disk",
        )
    name_classes(raw, _json(folder / "dataset_info.json").get("features") or {})
    return raw


def name_classes(raw: Raw, features: dict[str, Any]) -> None:
    """Class numbers become class names, lists of classes become `a|b`; a lone column of classes is the target."""
    for name, feature in features.items():
        if name in raw.columns:
            raw.columns[name] = _named(raw.columns[name], feature)
    classes = [n for n, f in features.items() if isinstance(f, dict) and f.get("_type") == "ClassLabel"]
    if len(classes) == 1:
        raw.target = classes[0]


def _named(values: np.ndarray, feature: Any) -> np.ndarray:
    kind = feature.get("_type") if isinstance(feature, dict) else None
    if kind == "ClassLabel":
        return column(None if v is None or v < 0 else feature["names"][v] for v in values)
    inner = (
        feature[0]
        if isinstance(feature, list)
        else (feature or {}).get("feature")
        if kind in ("Sequence", "List")
        else None
    )
    if isinstance(inner, dict) and inner.get("_type") == "ClassLabel":
        return column(None if v is None else "|".join(inner["names"][k] for k in v) for v in values)
    return values


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({error})", expected="a folder that save_to_disk wrote") from error
