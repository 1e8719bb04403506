"""Each way to fine-tune against its formula."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from tests.made.network import CLASSES, Convolutions, Source, maps
from torch import Tensor, nn

from headstart.errors import NotApplicable
from headstart.selection.contender import make
from headstart.techniques import _network as networks
from headstart.techniques._forgetting import cka
from headstart.techniques._head import Network
from headstart.techniques._learner import Recipe, layered
from headstart.techniques._network import fit_head, standardise
from headstart.techniques._objective import Told, balanced_weights, row_losses
from headstart.techniques.adapters import Adapters
from headstart.techniques.bi_tuning import contrast
from headstart.techniques.bitfit import Bitfit
from headstart.techniques.bss import shrinkage
from headstart.techniques.co_tuning import CoTuning, related
from headstart.techniques.contrastive import Contrastive
from headstart.techniques.full import Full
from headstart.techniques.gradual_unfreezing import GradualUnfreezing
from headstart.techniques.l2_sp import L2Sp
from headstart.techniques.lora import Lora
from headstart.techniques.prompts import Prompts
from headstart.techniques.soup import Soup
from headstart.techniques.stoch_norm import Stochastic, StochNorm
from headstart.techniques.wise import SHARES, Wise

SHORT: dict[str, Any] = {"epochs": 2, "training": {"least": 1}}


def names(technique: Any) -> set[str]:
    """Parameters of the suffix that training moved."""
    X, y = maps()
    before = dict(Convolutions().named_parameters())
    after = dict(technique.fit(X, y).network_.suffix.named_parameters())
    assert set(after) >= set(before)
    return {k for k, v in before.items() if not torch.equal(v, after[k])}


def test_bitfit_moves_biases_and_nothing_else() -> None:
    moved = names(Bitfit(**SHORT))
    assert moved == {k for k, _ in Convolutions().named_parameters() if k.endswith("bias")}


@pytest.mark.parametrize("variant", ["lora", "rslora", "dora"])
def test_lora_moves_matrices_by_a_low_rank_and_leaves_no_trace(variant: str) -> None:
    X, y = maps()
    technique = Lora(rank=2, variant=variant, **SHORT).fit(X, y)
    before = dict(Convolutions().named_parameters())
    after = dict(technique.network_.suffix.named_parameters())
    assert list(after) == list(before)
    moved = {k for k in before if not torch.equal(before[k], after[k])}
    assert moved == {"steps.low.0.weight", "steps.high.1.weight"}  # not the one with groups, no bias, no norm
    if variant != "dora":
        update = (after["steps.high.1.weight"] - before["steps.high.1.weight"]).detach().flatten(1)
        assert np.linalg.matrix_rank(update.numpy(), tol=1e-6) <= 2


def test_an_update_of_lora_is_scaled_as_the_papers_say() -> None:
    """W + (alpha / r) BA, and alpha / root r for rsLoRA; here alpha is 2 r."""
    scale = {}
    for variant in ("lora", "rslora"):
        technique = Lora(rank=4, variant=variant)
        technique.width_ = 8
        network = Network(Convolutions(), 8, CLASSES)
        technique.begin(network, *maps())
        layer: Any = network.suffix.get_submodule("steps.high.1")
        scale[variant] = layer.scaling["default"]
    assert scale == {"lora": pytest.approx(2.0), "rslora": pytest.approx(8 / 4**0.5)}


def test_lora_where_nothing_can_be_adapted_says_what_would() -> None:
    network = Network(Convolutions(), 8, CLASSES)
    network.suffix.steps = nn.ModuleDict({"pooled": nn.ReLU()})
    with pytest.raises(NotApplicable, match="bitfit"):
        Lora().begin(network, *maps())


def test_adapters_leave_every_stage_as_it_was() -> None:
    X, y = maps()
    suffix = Adapters(width=2, **SHORT).fit(X, y).network_.suffix
    before = Convolutions().state_dict()
    after = {k.replace(".stage", ""): v for k, v in suffix.state_dict().items()}
    assert all(torch.equal(after[k], v) for k, v in before.items())
    assert {k for k in after if k not in before} == {
        f"steps.{s}.{w}.{p}" for s in ("low", "high") for w in ("down", "up") for p in ("weight", "bias")
    }


def test_prompts_stand_after_the_first_token_and_are_seen() -> None:
    told: dict[str, Tensor] = {}

    class Look(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.steps = nn.ModuleDict({"layer": nn.Linear(6, 6)})

        def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
            assert mask is not None
            told.update(x=x, mask=mask)
            return x.mean(1)

    network = Network(Look(), 6, 2)
    Prompts(tokens=4).wrap(network)
    x, mask = torch.randn(2, 3, 6), torch.tensor([[True, True, True], [True, True, False]])
    network.features(x, mask)
    assert told["x"].shape == (2, 7, 6)
    torch.testing.assert_close(told["x"][:, 0], x[:, 0])
    torch.testing.assert_close(told["x"][:, 5:], x[:, 1:])
    assert told["mask"].sum(1).tolist() == [7, 6]
    assert {k for k, p in network.suffix.named_parameters() if p.requires_grad} == {"prompt"}


def told_by(network: Network, x: Tensor, y: Tensor) -> Told:
    features = network.features(x)
    outputs = network.told(features)
    return Told(features, outputs, row_losses("label", outputs, y), y, torch.full((len(y),), 1 / len(y)))


def test_l2_sp_is_its_formula() -> None:
    X, y = maps(6)
    network = Network(Convolutions(), 8, CLASSES).eval()
    technique = L2Sp(start=0.3, head=0.2)
    technique.begin(network, X, y)
    with torch.no_grad():
        network.head.weight.add_(0.5)
        for p in network.suffix.parameters():
            p.add_(0.01)
    told = told_by(network, torch.from_numpy(np.asarray(X)), torch.from_numpy(y))
    count = sum(p.numel() for p in network.suffix.parameters())
    away, head = count * 0.01**2, network.head.weight.numel() * 0.5**2
    expected = told.losses.mean().item() + 0.3 / 2 * away + 0.2 / 2 * head
    assert technique.loss(network, told).item() == pytest.approx(expected, rel=1e-4)


def test_l2_sp_stays_nearer_to_the_start_than_full() -> None:
    X, y = maps()
    start = torch.cat([p.flatten() for p in Convolutions().parameters()])

    def away(technique: Any) -> float:
        after = technique.fit(X, y).network_.suffix.parameters()
        return (torch.cat([p.flatten() for p in after]) - start).norm().item()

    words = {"epochs": 20, "lr": 1e-3}
    assert away(L2Sp(start=10.0, **words)) < 0.7 * away(Full(**words))


@pytest.mark.parametrize("shape", [(6, 20), (20, 6)])
def test_shrinkage_is_of_the_smallest_singular_values(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    features = torch.randn(shape, dtype=torch.float64)
    values = torch.linalg.svdvals(features)
    assert float(shrinkage(features, 2)) == pytest.approx(float((values[-2:] ** 2).sum()))


def test_co_tuning_needs_the_old_head_and_keeps_it_out_of_the_model() -> None:
    with pytest.raises(NotApplicable, match="l2_sp"):
        CoTuning().fit(*maps())
    source = Source()
    torch.manual_seed(1)
    source.head = nn.Linear(8, 4)
    X, y = maps(source=source)
    technique = CoTuning(**SHORT).fit(X, y)
    assert not any("old_head" in k for k in technique.network_.state_dict())
    np.testing.assert_allclose(technique._related.sum(1), 1, atol=1e-5)
    with torch.no_grad():
        said = torch.softmax(source.head(Convolutions().eval()(torch.from_numpy(np.asarray(X)))), 1).numpy()
    np.testing.assert_allclose(technique._related, related(said, y, CLASSES), atol=1e-5)


def test_the_old_head_of_lite0_calls_as_timms_whole_network_does() -> None:
    import timm

    from headstart import backbones

    backbone = backbones.get("efficientnet_lite0")
    head = backbone.source_head()
    assert head is not None
    whole = timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()
    whole.load_state_dict(backbone.model.state_dict() | {f"classifier.{k}": v for k, v in head.state_dict().items()})
    x = torch.rand(2, 3, 96, 96) * 2 - 1
    with torch.no_grad():
        torch.testing.assert_close(head(backbone.model(x)), whole(x))
        assert len(whole(x).argmax(1)) == 2


def test_contrast_is_supervised_infonce() -> None:
    torch.manual_seed(0)
    similar, y = torch.randn(5, 5, dtype=torch.float64), torch.tensor([0, 0, 1, 1, 1])
    expected = []
    for i in range(5):
        rest = [j for j in range(5) if j != i]
        total = torch.logsumexp(similar[i, rest], 0)
        expected.append(np.mean([float(total - similar[i, j]) for j in rest if y[j] == y[i]]))
    assert float(contrast(similar, y, y, others=True)) == pytest.approx(np.mean(expected), abs=1e-6)


def test_stochastic_norm_takes_old_statistics_or_the_batchs() -> None:
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(4).eval()
    assert norm.running_mean is not None
    norm.running_mean += 1.0
    x = torch.randn(8, 4, 3, 3)
    fresh = nn.functional.batch_norm(x, None, None, norm.weight, norm.bias, training=True)
    for p, expected in ((1.0, norm(x)), (0.0, fresh)):
        drawing = Stochastic(norm, p).train()
        norm.eval()  # as the loop does
        torch.testing.assert_close(drawing(x), expected)
    torch.testing.assert_close(Stochastic(norm, 0.0).eval()(x), norm(x))
    half = Stochastic(norm, 0.5).train()
    half.norm.eval()
    drawn = torch.stack([torch.isclose(half(x), norm(x)).all(3).all(2).all(0) for _ in range(200)])
    assert 0.4 < float(drawn.float().mean()) < 0.6


def test_stoch_norm_keeps_plain_norms_with_the_old_statistics() -> None:
    X, y = maps()
    after = StochNorm(**SHORT).fit(X, y).network_.suffix
    before = Convolutions()
    assert list(after.state_dict()) == list(before.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(after.buffers(), before.buffers(), strict=True))


def test_stoch_norm_without_norms_says_what_would_fit() -> None:
    network = Network(Convolutions(), 8, CLASSES)
    for name in ("steps.low.1", "steps.high.2"):
        network.suffix.set_submodule(name, nn.Identity())
    with pytest.raises(NotApplicable, match="l2_sp or bss"):
        StochNorm().begin(network, *maps())


def test_timms_norm_with_its_activation_stays_in_one_piece() -> None:
    from timm.layers import BatchNormAct2d

    norm = BatchNormAct2d(4).eval()
    x = torch.randn(8, 4, 3, 3)
    told = Stochastic(norm, 0.0).train()(x).detach()
    assert float(told.min()) == 0  # the activation is there
    expected = torch.relu(nn.functional.batch_norm(x, None, None, norm.weight, norm.bias, training=True))
    torch.testing.assert_close(told, expected)


def test_gradual_unfreezing_thaws_from_the_top() -> None:
    network = Network(Convolutions(), 8, CLASSES)
    technique = GradualUnfreezing()
    seen = []
    for done in (0.0, 0.17, 0.34, 0.6):
        technique.at(network, done)
        seen.append([all(p.requires_grad for p in network.suffix.steps[s].parameters()) for s in ("low", "high")])
    assert seen == [[False, False], [False, True], [True, True], [True, True]]


def test_discriminative_rates_fall_by_2_6_a_stage() -> None:
    technique = GradualUnfreezing(lr=1e-2)
    network = Network(Convolutions(), 8, CLASSES)
    rates = {g["lr"] for g in layered(network, technique.recipe())}
    head = technique.recipe().head_lr
    assert sorted(rates - {head}, reverse=True) == pytest.approx([1e-2 / 2.6, 1e-2 / 2.6**2])


def test_a_stage_called_head_takes_no_head_rate_and_the_head_no_stage_rate() -> None:
    """EfficientNet and its kin have such a stage."""
    network = Network(Convolutions(), 8, CLASSES)
    steps = network.suffix.steps
    network.suffix.steps = nn.ModuleDict({{"high": "head"}.get(k, k): v for k, v in steps.items()})
    rate = {id(p): g["lr"] for g in layered(network, Recipe(lr=1e-3, head_lr=0.5)) for p in g["params"]}
    assert {rate[id(p)] for p in network.head.parameters()} == {0.5}
    assert max(rate[id(p)] for p in network.suffix.parameters()) < 1e-3


def test_what_stands_beside_the_stages_learns_at_their_rate() -> None:
    """The old classifier was pre-trained as well; and the rate of prompts is the one that is set."""
    for name, technique in (("old_head", CoTuning(lr=1e-3)), ("prompt", Prompts(lr=1e-3))):
        network = Network(Convolutions(), 8, CLASSES)
        network.suffix.add_module(name, nn.Linear(8, 4))
        groups = layered(network, technique.recipe())
        rate = {id(p): g["lr"] for g in groups for p in g["params"]}
        assert rate[id(network.suffix.get_submodule(name).weight)] == 1e-3


def test_features_that_hardly_vary_do_not_outweigh_the_others() -> None:
    """As many do behind a ReLU in a few rows, and not in the next."""

    class Uneven(Convolutions):
        def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
            vectors = x.mean((2, 3))
            return torch.cat([vectors, vectors[:, :1] * 1e-3, vectors[:, :1] * 0], 1)

    network = Network(Uneven(), 5, CLASSES)
    standardise(network, maps(40)[0])
    variance = network.scale.running_var
    assert variance is not None
    assert 0.02 * variance.max() < variance.min() < variance.median()


@pytest.mark.parametrize("technique", [Full(**SHORT), Contrastive(pairs=20), Soup(runs=2, **SHORT)])
def test_rows_that_weigh_nothing_teach_nothing(technique: Any) -> None:
    X, y = maps(60)
    weight = np.ones(len(y))
    weight[: len(y) // 2] = 0
    rest = clone(technique).fit(X[weight > 0], y[weight > 0], sample_weight=weight[weight > 0])
    told = technique.fit(X, y, sample_weight=weight).predict_proba(X)
    np.testing.assert_allclose(told, rest.predict_proba(X), atol=1e-6)


@pytest.mark.parametrize("name", ["co_tuning", "bi_tuning", "contrastive"])
def test_a_loss_of_pairs_is_not_told_mixed_rows(name: str) -> None:
    with pytest.raises(NotApplicable, match="no use for them"):
        make(f"{name}:mix=mixup").suited("label")


def test_wise_lies_between_probe_and_fine_tuning() -> None:
    X, y = maps(120)
    technique = Wise(layers=None, epochs=2).fit(X, y)
    assert technique.share_ in SHARES
    start = technique._start
    if technique.share_ == 0:
        assert all(torch.equal(technique.network_.state_dict()[k], v) for k, v in start.items())
    network = Network(Convolutions(), 8, CLASSES)
    standardise(network, X)
    fit_head(network, X, y, np.ones(len(y)), "label", 0)
    assert start["head.weight"].shape == network.head.weight.shape


def test_a_network_that_is_too_slow_is_left_after_a_glance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not after the many rows that its pace is taken of."""
    X, y = maps(300)
    read: list[int] = []
    clock = iter(range(0, 10**6, 50))

    def slow(network: Any, rows: Any, **_: Any) -> np.ndarray:
        read.append(len(rows))
        return np.zeros((len(rows), 8), dtype=np.float32)

    monkeypatch.setattr(networks, "outputs", slow)
    monkeypatch.setattr(networks.time, "monotonic", lambda: next(clock))
    with pytest.raises(NotApplicable, match="are over before anything is trained"):
        Full(**SHORT).set_params(seconds=60).fit(X, y)
    assert sum(read) <= 2 + networks.GLANCE


def test_a_soup_is_the_mean_of_its_runs() -> None:
    X, y = maps()
    words: dict[str, Any] = {"epochs": 1, "training": {"least": 1}}
    from headstart.techniques.soup import _Part

    whole = Soup(runs=2, **words).fit(X, y)
    parts = [_Part(Soup(runs=2, **words), run).fit(X, y).network_.state_dict() for run in (0, 1)]
    assert not torch.equal(parts[0]["head.weight"], parts[1]["head.weight"])
    for key, value in whole.network_.state_dict().items():
        if value.is_floating_point():
            torch.testing.assert_close(value, (parts[0][key] + parts[1][key]) / 2)


def test_class_balanced_weights_are_the_papers() -> None:
    y = np.repeat([0, 1, 2], [400, 40, 4])
    weight = balanced_weights(y)
    raw = np.array([(1 - 0.999) / (1 - 0.999**n) for n in (400, 40, 4)])
    np.testing.assert_allclose(weight[[0, 400, 440]] / weight[0], raw / raw[0])
    assert weight.mean() == pytest.approx(1)


def test_losses_of_labels_and_numbers() -> None:
    logits = torch.tensor([[0.3, -2.0]])
    y = torch.tensor([[1, 0]])
    p = torch.sigmoid(logits)
    own = torch.where(y == 1, p, 1 - p)
    torch.testing.assert_close(row_losses("labels", logits, y), -torch.log(own).mean(1))
    torch.testing.assert_close(row_losses("labels", logits, y, "focal"), (-((1 - own) ** 2) * torch.log(own)).mean(1))
    assert float(row_losses("number", torch.tensor([[2.0]]), torch.tensor([0.5]))[0]) == pytest.approx(2.25)


def test_cka_is_blind_to_rotation_and_scale_and_to_nothing_else() -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(size=(40, 6))
    q, _ = np.linalg.qr(rng.normal(size=(6, 6)))
    assert cka(a, 3 * a @ q + 1) == pytest.approx(1)
    assert cka(a, rng.normal(size=(40, 6))) < 0.5


def test_training_settings_reach_the_recipe() -> None:
    told = Full(epochs=7, training={"loss": "focal", "mix": "cutmix"}).recipe()
    assert (told.epochs, told.loss, told.mix) == (7, "focal", "cutmix")
    assert isinstance(told, Recipe)
    with pytest.raises(NotApplicable, match="Expected: some of"):
        Full(training={"los": "focal"}).recipe()
