"""ELMo against the reference values of the official implementation, and what this house asks of every prefix."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from headstart import _discover, backbones
from headstart.activations import engine
from headstart.activations.store import ActivationStore
from headstart.backbones._elmo import characters
from headstart.data.read import read_rows
from headstart.errors import PlanError, WeightsError
from headstart.selection.contender import make
from headstart.techniques._head import Network
from headstart.techniques._learner import Recipe, layered

FIXTURE = Path(__file__).parents[1] / "fixtures" / "elmo"
OPTIONS: dict[str, Any] = {
    "lstm": {"cell_clip": 3, "use_skip_connections": True, "n_layers": 2, "proj_clip": 3, "projection_dim": 6,
             "dim": 10},
    "char_cnn": {
        "embedding": {"dim": 4}, "filters": [[1, 4], [2, 6]], "n_highway": 1, "n_characters": 262,
        "max_characters_per_token": 50, "activation": "relu",
    },
}  # fmt: skip
TEXTS = ["Tea, please!", "a much longer text about kettles, lamps and other things that one may buy", "no", ""]


def official() -> Any:
    pytest.importorskip("h5py", reason="pip install h5py (headstart[hdf5])")
    return backbones.get(str(FIXTURE / "lm_weights.hdf5"))


def random() -> Any:
    torch.manual_seed(0)
    return _discover.load("backbones", "elmo")(OPTIONS, "tiny")


def test_values_are_those_of_the_official_model() -> None:
    """Three readers with ten sentences each, one sentence of each a batch; every reader goes on where it ended."""
    elmo = official()
    import h5py

    columns = json.loads((FIXTURE / "lm_embeddings_sentences.json").read_text())
    files = [h5py.File(FIXTURE / f"lm_embeddings_{k}.hdf5") for k in range(3)]
    states, worst, alone = None, 0.0, 0.0
    for i in range(10):
        batch = elmo.prepare([column[i].split() for column in columns])
        layers, states = elmo.layers(batch, states)
        stateless, _ = elmo.layers(batch)
        for k, file in enumerate(files):
            truth = np.concatenate(np.array(file[str(i)]), axis=-1)  # both directions of the top layer: (words, 2 p)
            for got, keep in ((layers, True), (stateless, False)):
                seen = got[-1][k, 1 : len(truth) + 1].numpy()
                if keep:
                    worst = max(worst, float(np.abs(seen - truth).max()))
                elif i:
                    alone = max(alone, float(np.abs(seen - truth).max()))
    assert worst < 1.5e-6
    assert alone > 0.1  # without memory the values are others: the comparison would see a forgotten state


def test_the_pure_prefix_does_not_depend_on_batch_or_order() -> None:
    elmo = random()
    together = elmo.prefix(elmo.prepare(TEXTS), ["pooled", "layer.2"])
    turned = elmo.prefix(elmo.prepare(TEXTS[::-1]), ["pooled"])["pooled"].flip(0)
    alone = torch.cat([elmo.prefix(elmo.prepare([t]), ["pooled"])["pooled"] for t in TEXTS])
    torch.testing.assert_close(turned, together["pooled"], atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(alone, together["pooled"], atol=1e-6, rtol=1e-5)


@pytest.mark.filterwarnings("ignore:LSTM with projections")  # oneDNN lacks them; torch itself does not
def test_it_is_an_lstm_where_nothing_is_clipped() -> None:
    """torch's own LSTM with projections, its gates put in the order in which the official weights have them."""
    elmo = random()
    layer = elmo.stages()[1].module.ahead
    layer.cell_clip = layer.projection_clip = 1e9
    dim, size = layer.dim, 6
    lstm = torch.nn.LSTM(size, dim, proj_size=size, batch_first=True)
    order = torch.cat([torch.arange(dim) + k * dim for k in (0, 2, 1, 3)])
    with torch.no_grad():
        lstm.weight_ih_l0.copy_(layer.into.weight[order])
        lstm.weight_hh_l0.copy_(layer.again.weight[order])
        lstm.bias_ih_l0.copy_(layer.into.bias[order])
        lstm.bias_hh_l0.zero_()
        lstm.bias_ih_l0[dim : 2 * dim] += 1
        lstm.weight_hr_l0.copy_(layer.project.weight)
        x = torch.randn(2, 7, size)
        torch.testing.assert_close(layer(x, torch.tensor([7, 7]))[0], lstm(x)[0], atol=1e-6, rtol=1e-5)


def test_words_are_remembered_and_forgotten_when_weights_change() -> None:
    elmo = random()
    words = elmo.stages()[0].module
    batch = elmo.prepare(TEXTS)
    calls = []
    compute, words.compute = words.compute, lambda w: calls.append(len(w)) or compute(w)
    first = elmo.prefix(batch, ["words"])["words"]
    again = elmo.prefix(batch, ["words"])["words"]
    assert len(calls) == 1
    torch.testing.assert_close(first, again, atol=0, rtol=0)
    with torch.no_grad():
        words.project.bias.add_(1)
    torch.testing.assert_close(elmo.prefix(batch, ["words"])["words"], first + 1)
    assert len(calls) == 2
    del words.compute
    assert copy.deepcopy(words)._known == {}


@pytest.mark.parametrize("name", ["full", "contrastive"])
def test_words_are_forgotten_by_a_training(name: str, tmp_path: Path) -> None:
    """The optimiser changes weights in a way that their version does not tell."""
    data, y = read_rows(TEXTS[:3] * 8, modality="text"), np.arange(24) % 3
    elmo = random()
    X = ActivationStore(tmp_path).get(elmo, data, {"input"})["input"]
    technique = make(f"{name}:lr=5e-3").fit(X, y)
    again = type(technique)().restore(technique.state(), lambda: elmo.suffix("input"))
    np.testing.assert_allclose(technique.predict_proba(X), again.predict_proba(X), atol=1e-6)


def test_only_letters_are_convolved_and_nothing_is_lost() -> None:
    """The same words among one of fifty letters, for which nothing is left out, and an absent word."""
    words = random().stages()[0].module
    few = torch.tensor([characters("a"), characters("kettle"), [0] * 50])
    widths = []
    words.embed.register_forward_hook(lambda module, seen, out: widths.append(out.shape[1]))
    alone = words.compute(few)
    torch.testing.assert_close(words.compute(torch.cat([few, torch.tensor([characters("a" * 60)])]))[:3], alone)
    assert widths == [10, 50]


def test_low_rank_updates_of_a_recurrence_count() -> None:
    """peft's layers stand around all of its matrices: what they say and what is left when they are merged are one."""
    from peft import LoraConfig, inject_adapter_in_model
    from peft.tuners.tuners_utils import BaseTunerLayer

    layer, x, length = random().stages()[1].module.ahead, torch.randn(3, 5, 6), torch.tensor([5, 5, 2])
    before = layer(x, length)[0]
    names = ["into", "again", "project"]
    inject_adapter_in_model(LoraConfig(r=2, target_modules=names, init_lora_weights=False), layer)
    during = layer(x, length)[0]
    during.sum().backward()
    assert all(p.grad.abs().max() > 0 for n, p in layer.named_parameters() if "lora_" in n)
    for name, module in list(layer.named_modules()):
        if isinstance(module, BaseTunerLayer):
            module.merge()
            layer.set_submodule(name, module.get_base_layer())
    torch.testing.assert_close(layer(x, length)[0], during)
    assert float((during - before).detach().abs().max()) > 1e-3


def test_the_mix_is_trained_with_the_rest() -> None:
    elmo = random()
    batch = elmo.prepare(TEXTS)
    lower = elmo.prefix(batch, ["layer.2"])["layer.2"]
    top = elmo.suffix("layer.2")
    top(lower, batch.mask).pow(2).sum().backward()
    assert float(top.steps["pooled"].shares.grad.abs().max()) > 0
    with torch.no_grad():
        top.steps["pooled"].shares[1] = 50.0
        words = lower[1, 1 : int(batch.mask[1].sum()) - 1, 12:24]
        torch.testing.assert_close(top(lower, batch.mask)[1], words.mean(0))


def test_the_mix_learns_as_fast_as_the_head() -> None:
    """It is the task's own; the layers below it were pre-trained."""
    network = Network(random().suffix("layer.1"), 12, 2)
    rate = {id(p): g["lr"] for g in layered(network, Recipe(lr=1e-4, head_lr=1e-2)) for p in g["params"]}
    own = {n: rate[id(p)] for n, p in network.suffix.steps.named_parameters()}
    assert {n for n, r in own.items() if r == 1e-2} == {"pooled.shares", "pooled.scale"}


def test_the_engine_reads_characters_in_batches_of_like_length() -> None:
    elmo = random()
    whole = elmo.prefix(elmo.prepare(TEXTS), ["pooled"])["pooled"].numpy()
    for positions, values in engine.extract(elmo, TEXTS, ["input", "pooled"]):
        for position, ids, vector in zip(positions, values["input"], values["pooled"], strict=True):
            assert ids.shape[1] == 50
            np.testing.assert_allclose(vector, whole[position], atol=1e-6)


def test_long_words_are_cut_by_bytes_and_other_files_are_refused(tmp_path: Path) -> None:
    assert characters("é" * 40)[-1] == 260
    (tmp_path / "weights.hdf5").write_bytes(b"no")
    with pytest.raises(WeightsError, match=r"no options\.json"):
        backbones.get(str(tmp_path / "weights.hdf5"))


def test_a_few_words_stand_for_all() -> None:
    """From many drawn words the loss and its gradient are those of all words; from few the sum is met on average."""
    from headstart.backbones._pretrain_elmo import sampled

    torch.manual_seed(0)
    out, seen, wanted = torch.nn.Linear(5, 30), torch.randn(40, 5), torch.randint(30, (40,))
    whole = torch.nn.functional.cross_entropy(out(seen), wanted)
    many = sampled(seen, wanted, out, 200_000)
    torch.testing.assert_close(many, whole, atol=5e-3, rtol=0)
    slopes = (torch.autograd.grad(loss, out.weight)[0] for loss in (many, whole))
    torch.testing.assert_close(*slopes, atol=5e-3, rtol=0)
    own = out(seen).gather(1, wanted[:, None])[:, 0]
    sums = [(sampled(seen[:1], wanted[:1], out, 8) + own[0]).exp() for _ in range(4000)]
    torch.testing.assert_close(torch.stack(sums).mean(), out(seen[:1]).exp().sum(), atol=0, rtol=0.03)


def test_pre_training_learns_what_follows_what(tmp_path: Path) -> None:
    """Sentences of four words, each of which tells the next: at chance a word is one of eight."""
    from headstart import cli
    from headstart.backbones._pretrain_elmo import pretrain_elmo

    rng = np.random.default_rng(0)
    chains = [["tea", "kettle", "boils", "now"], ["rain", "cloud", "comes", "soon"]]
    lines = [" ".join(chains[rng.integers(2)]) for _ in range(300)]
    sizes = OPTIONS | {"lstm": OPTIONS["lstm"] | {"projection_dim": 24, "dim": 32}}
    done = pretrain_elmo(lines, tmp_path / "own", seconds=600, most=120, options=sizes)
    assert done["steps"] == 120
    assert done["perplexity"] < 4 < done["words"]
    again = backbones.get(f"local-dir:{tmp_path / 'own'}")
    assert again.fingerprint != random().fingerprint
    with pytest.raises(PlanError, match="own already holds a model"):
        pretrain_elmo(lines, tmp_path / "own", seconds=1)
    (tmp_path / "corpus.txt").write_text("\n".join(lines[:50]))
    with pytest.raises(SystemExit):
        cli.main(["pretrain", "elmo", str(tmp_path / "corpus.txt"), "--out", str(tmp_path / "no"), "--budget", "1s"])
    assert not (tmp_path / "no").exists()
