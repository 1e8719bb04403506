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

from benchmarks._data import labelled_pictures, labelled_texts, many_texts, pictures, texts
from benchmarks._measure import cpu

Said = dict[str, Any]
EPOCHS = 3


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


def hf_trainer(rows: int, frozen: bool, **_: Any) -> Said:
    """Trainer with its default arguments for three epochs; `frozen`: only the last layer and the head learn."""
    import torch
    import transformers

    data, y, train, test = labelled_texts(rows)
    folder = _minilm()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    transformers.set_seed(0)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder, num_labels=int(y.max()) + 1)
    if frozen:
        model.bert.requires_grad_(False)
        model.bert.encoder.layer[-1].requires_grad_(True)

    def coded(index: np.ndarray) -> list[dict[str, Any]]:
        said = tokenizer([data[i] for i in index], truncation=True, max_length=256)["input_ids"]
        return [{"input_ids": ids, "label": int(y[i])} for ids, i in zip(said, index, strict=True)]

    with tempfile.TemporaryDirectory() as place:
        arguments = transformers.TrainingArguments(
            place, num_train_epochs=EPOCHS, report_to="none", save_strategy="no", disable_tqdm=True, use_cpu=True,
        )  # fmt: skip
        start = cpu()
        trainer = transformers.Trainer(
            model, arguments, train_dataset=coded(train), processing_class=tokenizer,
            data_collator=transformers.DataCollatorWithPadding(tokenizer),
        )  # fmt: skip
        trainer.train()
        spent = cpu() - start
        told = trainer.predict(coded(test)).predictions.argmax(1)
    assert torch.get_num_threads() > 0
    return {"cpu": cpu() - start, "fit": spent, "accuracy": float((told == y[test]).mean())}


def fastai(rows: int, threads: int, **_: Any) -> Said:
    """`fine_tune(3)` of fastai on the same network with the same weights, 224 pixels, batches of 64."""
    from fastai.vision.all import DataLoaders, Learner, Normalize, Resize, accuracy, set_seed
    from fastai.vision.all import CategoryBlock, DataBlock, ImageBlock, IndexSplitter, aug_transforms  # isort: skip
    import torch
    from torch import nn

    from headstart import backbones

    files, y, train, test = labelled_pictures(rows)
    backbone = backbones.get("efficientnet_lite0")
    body: Any = backbone.model
    body.requires_grad_(True)
    set_seed(0)
    block = DataBlock(
        blocks=(ImageBlock, CategoryBlock), get_x=lambda i: files[i], get_y=lambda i: str(y[i]),
        splitter=IndexSplitter(list(range(len(train), len(train) + len(test)))), item_tfms=Resize(224),
        batch_tfms=[*aug_transforms(), Normalize.from_stats([0.5] * 3, [0.5] * 3)],
    )  # fmt: skip
    start = cpu()
    loaders: DataLoaders = block.dataloaders([*train.tolist(), *test.tolist()], bs=64, num_workers=threads)
    network = nn.Sequential(body, nn.Linear(1280, int(y.max()) + 1))
    learner = Learner(
        loaders, network, metrics=accuracy, splitter=lambda m: [list(m[0].parameters()), list(m[1].parameters())]
    )
    with learner.no_bar(), learner.no_logging():
        learner.fine_tune(EPOCHS)
        told, true = learner.get_preds()
    return {
        "cpu": cpu() - start,
        "accuracy": float((told.argmax(1) == true).float().mean()),
        "torch": torch.__version__,
    }


def technique(
    rows: int,
    name: str,
    modality: str = "text",
    params: dict[str, Any] | None = None,
    precision: str = "auto",
    **_: Any,
) -> Said:
    """Fit and predict of one technique with an empty store: filling it is part of the cost."""
    from headstart import _discover, backbones
    from headstart.activations.store import ActivationStore
    from headstart.data.read import read_rows

    data, y, train, test = labelled_texts(rows) if modality == "text" else labelled_pictures(rows)
    backbone = backbones.get("minilm" if modality == "text" else "efficientnet_lite0")
    order = np.concatenate([train, test])
    dataset = read_rows([data[i] for i in order], modality=modality, inputs=())
    learner = _discover.load("techniques", name)(**(params or {}))
    cut = learner.where(backbone.cuts)
    with tempfile.TemporaryDirectory() as place:
        start = cpu()
        seen = ActivationStore(Path(place)).get(backbone, dataset, {cut}, precision=precision)[cut]
        learner.fit(seen[np.arange(len(train))], y[train])
        told = learner.predict(seen[np.arange(len(train), len(order))])
    return {"cpu": cpu() - start, "accuracy": float((told == y[test]).mean())}


def race(rows: int, modality: str, **_: Any) -> Said:
    """Which technique `headstart run` ships for these rows (its test rows are held out and never seen)."""
    import pandas as pd

    import headstart

    data, y, train, _test = labelled_texts(rows) if modality == "text" else labelled_pictures(rows)
    with tempfile.TemporaryDirectory() as place:
        table = Path(place) / "rows.csv"
        pd.DataFrame({"input": [str(data[i]) for i in train], "target": [f"c{y[i]}" for i in train]}).to_csv(
            table, index=False
        )
        result = headstart.run(
            str(table), target="target", budget=max(120.0, 0.24 * rows), out=str(Path(place) / "run"), cache=place
        )
    able = [t for t in result.trials if t["role"] == "pretrained" and t["status"] == "done"]
    best = max(able, key=lambda t: t["valid"]["value"])
    pick = result.best if result.best["role"] == "pretrained" else best
    return {"cpu": 0.0, "name": pick["technique"], "params": pick["params"]}


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


def _minilm() -> Path:
    from headstart.backbones._weights import PACKAGED

    return PACKAGED["minilm"].path.parent


def _encoder() -> Any:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(_minilm()), device="cpu")


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
    print(json.dumps(globals()[sys.argv[1]](**json.loads(sys.argv[2]))))
