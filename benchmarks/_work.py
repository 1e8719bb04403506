"""One side of one comparison in a process of its own: `python -m benchmarks._work NAME JSON`, prints JSON.

Loading of libraries, weights and data is counted for neither side; the choice and the building of a route is.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import _train_work
from benchmarks._data import many_texts, pictures, texts
from benchmarks._measure import cpu

Said = dict[str, Any]


def texts_sentence_transformers(out: str, rows: int, **_: Any) -> Said:
    model, data = _encoder(), texts(rows)[0]
    model.encode(data[:8])
    return _features(lambda: model.encode(data), out)


def texts_headstart(out: str, rows: int, precision: str, **_: Any) -> Said:
    return _ours("minilm", texts(rows)[0], precision, out)


def images_timm(out: str, rows: int, threads: int, **_: Any) -> Said:
    """As timm's own validate.py reads them: its transform, a DataLoader with workers, batches, inference mode."""
    import torch
    from PIL import Image
    from timm.data import create_transform
    from torch.utils.data import DataLoader

    from headstart import backbones

    backbone, files = backbones.get("efficientnet_lite0"), pictures(rows)
    prepare = create_transform(**backbone.config, is_training=False)
    network = backbone.model

    class Files(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return len(files)

        def __getitem__(self, i: int) -> Any:
            return prepare(Image.open(files[i]).convert("RGB"))

    def go() -> np.ndarray:
        with torch.inference_mode():
            batches = DataLoader(Files(), batch_size=32, num_workers=threads)
            return np.concatenate([network(x).numpy() for x in batches])

    return _features(go, out)


def images_headstart(out: str, rows: int, precision: str, **_: Any) -> Said:
    return _ours("efficientnet_lite0", pictures(rows), precision, out)


def memory_headstart(rows: int, **_: Any) -> Said:
    import headstart

    with tempfile.TemporaryDirectory() as place:
        table = Path(place) / "rows.csv"
        many_texts(rows).to_csv(table, index=False)
        headstart.run(str(table), target="label", budget=rows / 25, out=str(Path(place) / "run"), cache=place)
    return {"cpu": cpu(), "mb": _peak()}


def memory_sentence_transformers(rows: int, **_: Any) -> Said:
    from sklearn.linear_model import LogisticRegression

    frame = many_texts(rows)
    values = _encoder().encode(frame["text"].tolist())
    LogisticRegression(max_iter=200).fit(values, frame["label"])
    return {"cpu": cpu(), "mb": _peak()}


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _encoder() -> Any:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(_train_work.minilm()), device="cpu")


def _features(go: Callable[[], np.ndarray], out: str) -> Said:
    start = cpu()
    values = go()
    spent = cpu() - start
    np.save(out, values)
    return {"cpu": spent}


def _ours(name: str, rows: list[Any], precision: str, out: str) -> Said:
    from headstart import backbones
    from headstart.activations import engine

    backbone, used = backbones.get(name), []
    assert backbone.fingerprint
    home = Path(out).with_suffix(".network")  # empty in the first repetition, which converts the network
    home.mkdir(exist_ok=True)

    def go() -> np.ndarray:
        found, route = engine.choose(backbone, rows, ("pooled",), precision, home=lambda: home)
        used.append(found)
        scaled = engine.scales(backbone, precision)
        stream = engine.extract(backbone, rows, ("pooled",), route=route, scaled=scaled)
        return np.stack(engine.in_order(stream, len(rows), ("pooled",))["pooled"])

    return {**_features(go, out), "route": used[0]}


if __name__ == "__main__":
    sides = {**vars(_train_work), **globals()}
    print(json.dumps(sides[sys.argv[1]](**json.loads(sys.argv[2]))))
