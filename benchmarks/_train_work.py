"""Sides of comparisons that train: what `_work.py` runs in a process of its own. Fitting and predicting is counted."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._data import labelled_pictures, labelled_texts
from benchmarks._measure import cpu
from benchmarks.fewshot import draw

Said = dict[str, Any]
EPOCHS = 3


def minilm() -> Path:
    """The folder of the packaged encoder, as its own library reads it."""
    from headstart.backbones._weights import PACKAGED

    return PACKAGED["minilm"].path.parent


def hf_trainer(rows: int, learns: str, **_: Any) -> Said:
    """Trainer with its default arguments for three epochs; what learns: "all", "last" layer and head, "lora"."""
    import torch
    import transformers

    data, y, train, test = labelled_texts(rows)
    folder = minilm()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    transformers.set_seed(0)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder, num_labels=int(y.max()) + 1)
    rate: dict[str, Any] = {}
    if learns == "last":
        model.bert.requires_grad_(False)
        model.bert.encoder.layer[-1].requires_grad_(True)
    elif learns == "lora":
        import peft

        linear = ["query", "key", "value", "dense"]  # all linear layers, as the technique adapts them
        config = peft.LoraConfig(
            task_type="SEQ_CLS", r=8, lora_alpha=16, target_modules=linear, exclude_modules=".*pooler.*"
        )
        model = peft.get_peft_model(model, config)
        rate = {"learning_rate": 5e-4}  # the technique's; the default is meant for all weights

    def coded(index: np.ndarray) -> list[dict[str, Any]]:
        said = tokenizer([data[i] for i in index], truncation=True, max_length=256)["input_ids"]
        return [{"input_ids": ids, "label": int(y[i])} for ids, i in zip(said, index, strict=True)]

    with tempfile.TemporaryDirectory() as place:
        arguments = transformers.TrainingArguments(
            place,
            num_train_epochs=EPOCHS,
            report_to="none",
            save_strategy="no",
            disable_tqdm=True,
            use_cpu=True,
            **rate,
        )
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
    from headstart import _discover

    return _learn(_discover.load("techniques", name)(**(params or {})), rows, modality, precision)


def recomputed(rows: int, modality: str, params: dict[str, Any], **_: Any) -> Said:
    """The training of `top_layers` from the input: the frozen stages answer anew in every step."""
    from torch import nn

    from headstart.techniques.top_layers import TopLayers

    class Recomputed(TopLayers):
        def where(self, cuts: Any) -> str:
            return str(cuts[0])

        def begin(self, network: Any, X: Any, y: Any) -> None:
            for stage in list(network.suffix.steps.children())[: -1 - (self.layers or 1)]:
                stage.requires_grad_(False)
                for module in stage.modules():
                    if isinstance(module, nn.Dropout):
                        module.p = 0.0  # what is stored was computed without it

    return _learn(Recomputed(**params), rows, modality, "auto")


def _learn(learner: Any, rows: int, modality: str, precision: str) -> Said:
    from headstart import backbones
    from headstart.activations.store import ActivationStore
    from headstart.data.read import read_rows

    data, y, train, test = labelled_texts(rows) if modality == "text" else labelled_pictures(rows)
    backbone = backbones.get("minilm" if modality == "text" else "efficientnet_lite0")
    order = np.concatenate([train, test])
    dataset = read_rows([data[i] for i in order], modality=modality, inputs=())
    cut = learner.where(backbone.cuts)
    with tempfile.TemporaryDirectory() as place:
        start = cpu()
        store = ActivationStore(Path(place))
        learner.fit(store.get(backbone, dataset.take(np.arange(len(train))), {cut}, precision=precision)[cut], y[train])
        spent = cpu() - start
        rest = dataset.take(np.arange(len(train), len(order)))
        told = learner.predict(store.get(backbone, rest, {cut}, precision=precision)[cut])
    return {"cpu": cpu() - start, "fit": spent, "accuracy": float((told == y[test]).mean())}


def contrastive(name: str, each: int, seed: int, pairs: int | None, **_: Any) -> Said:
    """Contrastive tuning on so many rows a class; `pairs`: other than usual for a row."""
    from headstart import backbones
    from headstart.activations.store import ActivationStore
    from headstart.techniques.contrastive import Contrastive

    data, y, train, test = _few(name, each, seed)
    backbone = backbones.get("minilm")
    learner = Contrastive(seed=seed) if pairs is None else Contrastive(pairs, seed=seed)
    with tempfile.TemporaryDirectory() as place:
        store, start = ActivationStore(Path(place)), cpu()
        learner.fit(store.get(backbone, data.take(train), {"input"})["input"], y[train])
        spent = cpu() - start
        told = learner.predict(store.get(backbone, data.take(test), {"input"})["input"])
    return {"fit": spent, "accuracy": _balanced(y[test], told)}


def setfit(name: str, each: int, seed: int, pairs: int, **_: Any) -> Said:
    """SetFit's Trainer with its default arguments, but so many pairs: each of its iterations gives a row two."""
    import setfit
    from datasets import Dataset

    data, y, train, test = _few(name, each, seed)
    model = setfit.SetFitModel.from_pretrained(str(minilm()), local_files_only=True, device="cpu")
    with tempfile.TemporaryDirectory() as place:
        arguments = setfit.TrainingArguments(
            place, num_iterations=pairs // 2, report_to="none", save_strategy="no", seed=seed, show_progress_bar=False
        )
        rows = Dataset.from_dict({"text": [data.rows[i] for i in train], "label": y[train].tolist()})
        trainer = setfit.Trainer(model=model, args=arguments, train_dataset=rows)
        start = cpu()
        trainer.train()
        spent = cpu() - start
    told = np.asarray(model.predict([data.rows[i] for i in test]))
    return {"fit": spent, "accuracy": _balanced(y[test], told)}


def _few(name: str, each: int, seed: int) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray]:
    """A set of texts with its classes, and positions to train and to test on, as `fewshot` draws them."""
    from headstart.data.read import read

    data = read(f"sample:{name}")
    return (data, data.target, *draw(data.target, each, seed))


def _balanced(true: np.ndarray, told: np.ndarray) -> float:
    from sklearn.metrics import balanced_accuracy_score

    return float(balanced_accuracy_score(true, told))


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
