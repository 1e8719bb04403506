"""Adapters against POT, their papers' formulas, and examples solved by hand."""

from __future__ import annotations

import sys

import numpy as np
import ot
import pytest
import sklearn
from scipy.linalg import eig, sqrtm
from scipy.stats import norm

from headstart.adaptation._base import classifier, covariance
from headstart.adaptation._shared import blocks, expected_shares, held_out, ordered, plan, squared, told_apart
from headstart.adaptation.centring import Centring
from headstart.adaptation.coral import Coral
from headstart.adaptation.density_ratio import DensityRatio
from headstart.adaptation.information_max import InformationMax
from headstart.adaptation.joint_transport import JointTransport
from headstart.adaptation.kernel_mean_matching import KernelMeanMatching, _project
from headstart.adaptation.kliep import Kliep
from headstart.adaptation.label_shift import LabelShift, _bbse
from headstart.adaptation.linear_transport import LinearTransport
from headstart.adaptation.propagation import Propagation, graph_of
from headstart.adaptation.self_training import SelfTraining
from headstart.adaptation.subspace_alignment import SubspaceAlignment
from headstart.adaptation.tca import Tca
from headstart.adaptation.transport import Transport
from headstart.errors import NotApplicable, PlanError


@pytest.fixture
def domains() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    mix = rng.standard_normal((6, 6))
    return rng.standard_normal((120, 6)) @ mix, np.arange(120) % 3, rng.standard_normal((90, 6)) * np.arange(1, 7) + 2


@pytest.mark.parametrize("regular", [0.0, 0.1])
def test_coral_is_the_formula(domains, regular: float):
    source, _, target = domains
    root = np.real(sqrtm(covariance(target, regular)))
    moved = (source - source.mean(0)) @ np.linalg.inv(np.real(sqrtm(covariance(source, regular)))) @ root
    np.testing.assert_allclose(Coral(regular).adapt(*domains).X, moved + target.mean(0), atol=1e-8)


def test_linear_transport_is_that_of_pot(domains):
    source, _, target = domains
    args = source.mean(0), target.mean(0), covariance(source, 0.1), covariance(target, 0.1)
    A, b = ot.gaussian.bures_wasserstein_mapping(*args)
    moved = LinearTransport(0.1).adapt(*domains).X
    np.testing.assert_allclose(moved, source @ A + b, atol=1e-8)
    np.testing.assert_allclose(np.cov(LinearTransport(0.0).adapt(*domains).X.T), np.cov(target.T), atol=1e-8)


def test_transport_is_the_barycentre_of_pots_plan(domains):
    source, _, target = domains
    cost = ot.dist(source, target)
    cost /= np.median(cost)
    mass = ot.sinkhorn([], [], cost, 0.1, method="sinkhorn_log", numItermax=5000, stopThr=1e-9)
    moved = Transport(regular=0.1).adapt(*domains).X
    np.testing.assert_allclose(moved, mass @ target / mass.sum(1, keepdims=True), atol=0.01)
    np.testing.assert_allclose(plan(cost, 0.1), mass, atol=1e-2 / mass.size)


def test_the_class_term_of_a_plan_keeps_classes_apart(domains):
    source, y, target = domains

    def purity(**settings: float) -> float:
        mass = Transport(regular=0.1, **settings)._plan(source, y, target)
        share = np.stack([mass[y == code].sum(0) for code in range(3)])
        return float((share.max(0) / share.sum(0)).mean())

    assert purity(class_regular=1.0) > purity() + 0.1


def test_a_plan_in_blocks_is_nearly_the_plan(domains, monkeypatch):
    rng = np.random.default_rng(0)
    source, target = rng.standard_normal((600, 2)), rng.standard_normal((600, 2)) + 4
    whole = Transport(regular=0.05).adapt(source, np.arange(600) % 2, target).X
    monkeypatch.setattr("headstart.adaptation.transport.BLOCK", 250)
    parts = Transport(regular=0.05).adapt(source, np.arange(600) % 2, target).X
    assert np.abs(parts - whole).mean() < 0.25
    assert not np.allclose(parts, whole)


def test_without_pot_it_says_what_to_install(domains, monkeypatch):
    monkeypatch.setitem(sys.modules, "ot", None)
    for adapter in (Transport(), JointTransport()):
        with pytest.raises(NotApplicable, match=r"headstart\[transport\]"):
            adapter.adapt(*domains)


def test_subspace_alignment_is_the_formula(domains):
    source, _, target = domains
    own = np.linalg.svd(source - source.mean(0))[2][:3].T
    other = np.linalg.svd(target - target.mean(0))[2][:3].T
    moved, read = (source - source.mean(0)) @ own @ own.T @ other, (target - target.mean(0)) @ other
    adapter = SubspaceAlignment(3, alike=0.0)
    adapted = adapter.adapt(*domains)
    sign = np.sign((read * adapter.transform(target)).sum(0))
    np.testing.assert_allclose(adapted.X * sign, moved, atol=1e-8)
    np.testing.assert_allclose(adapter.transform(target) * sign, read, atol=1e-8)


def test_subspace_alignment_leaves_out_what_one_domain_lacks():
    rng = np.random.default_rng(0)
    source, target = (
        rng.standard_normal((200, 6)) * [3, 3, 3, 0, 0, 0],
        rng.standard_normal((200, 6)) * [3, 3, 0, 3, 0, 0],
    )
    adapter = SubspaceAlignment(3)
    adapted = adapter.adapt(source, np.arange(200) % 2, target)
    assert adapted.X.shape == (200, 2)
    np.testing.assert_allclose((adapted.X**2).sum(1), ((source - source.mean(0))[:, :2] ** 2).sum(1), rtol=1e-6)


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_transfer_components_are_the_formula(kernel: str):
    rng = np.random.default_rng(1)
    source, target = rng.standard_normal((12, 3)), rng.standard_normal((10, 3)) + 1
    adapter = Tca(components=2, kernel=kernel, trade=0.5)
    adapted = adapter.adapt(source, np.arange(12) % 2, target)
    both = np.vstack([source, target])
    both = (both - both.mean(0)) / both.std(0)
    K = both @ both.T / 3 if kernel == "linear" else np.exp(-squared(both, both) / np.median(squared(both, both)))
    e = np.r_[np.full(12, 1 / 12), np.full(10, -1 / 10)]
    H = np.eye(22) - 1 / 22
    values, vectors = eig(np.linalg.inv(K @ np.outer(e, e) @ K + 0.5 * np.eye(22)) @ K @ H @ K)
    best = K @ np.real(vectors[:, np.argsort(-np.real(values))[:2]])
    found = np.vstack([adapted.X, adapter.transform(target)])
    for k in range(2):
        assert abs(np.corrcoef(found[:, k], best[:, k])[0, 1]) == pytest.approx(1.0, abs=1e-8)
    with pytest.raises(PlanError, match="no kernel"):
        Tca(kernel="cubic").adapt(source, np.arange(12) % 2, target)


@pytest.mark.parametrize("adapter", [DensityRatio(), Kliep(), KernelMeanMatching()])
@pytest.mark.parametrize("columns", [1, 3])
def test_weights_are_the_ratio_of_two_gaussians(adapter, columns: int):
    rng = np.random.default_rng(0)
    source, target = rng.standard_normal((800, columns)), rng.standard_normal((600, columns)) * 0.8
    target[:, 0] += 0.7
    if isinstance(adapter, DensityRatio):  # log-linear: deviations alike
        target = (target - [0.7, *[0] * (columns - 1)]) / 0.8 + [0.7, *[0] * (columns - 1)]
    wide = 1.0 if isinstance(adapter, DensityRatio) else 0.8
    at = np.r_[0.7, np.zeros(columns - 1)]
    ratio = np.exp((norm.logpdf(source, at, wide) - norm.logpdf(source)).sum(1))
    weight = adapter.adapt(source, np.arange(800) % 2, target).weight
    assert np.corrcoef(weight, ratio)[0, 1] > 0.9
    assert np.abs((weight[:, None] * source).mean(0) - target.mean(0)).max() < 0.15  # was 0.7


def test_the_ratio_is_clipped():
    rng = np.random.default_rng(0)
    source = rng.standard_normal((300, 1))
    loose, tight = (
        DensityRatio(clip).adapt(source, np.arange(300) % 2, rng.standard_normal((300, 1)) + 2.5).weight
        for clip in (1e9, 2.0)
    )
    assert loose.max() / loose.mean() > 4
    assert tight.max() == pytest.approx(2.0, rel=1e-6)
    assert np.isclose(tight, tight.max()).sum() > 10


def test_bounded_weights_are_the_nearest():
    raw = np.array([5.0, 1.0, -3.0, 0.5])
    near = _project(raw, 2.0)
    np.testing.assert_allclose(near, [2.0, 1.25, 0.0, 0.75], atol=1e-9)  # the two inside move by one quarter


def test_matched_weights_are_bounded_and_solve_the_problem():
    rng = np.random.default_rng(0)
    root = rng.standard_normal((30, 30))
    own, pull = root @ root.T / 30 + np.eye(30), rng.standard_normal(30)
    weight = KernelMeanMatching(bound=3.0)._solve(own, pull)
    assert weight.mean() == pytest.approx(1.0)
    assert weight.min() >= 0
    assert weight.max() <= 3
    slope = own @ weight - pull
    inside = (weight > 1e-3) & (weight < 3 - 1e-3)
    assert np.ptp(slope[inside]) < 0.01  # one multiplier for all that are free
    assert slope[weight <= 1e-3].min() > slope[inside].mean() - 0.01


def test_bbse_by_hand():
    """Two classes, half and half, 90 % and 80 % told right; a target with a quarter of the first."""
    confusion = np.array([[0.45, 0.10], [0.05, 0.40]])
    told = np.array([0.9 * 0.25 + 0.2 * 0.75, 0.1 * 0.25 + 0.8 * 0.75])
    np.testing.assert_allclose(_bbse(confusion, told), [0.5, 1.5], atol=1e-12)
    assert (_bbse(confusion, np.array([0.0, 1.0])) >= 0).all()


def test_em_by_hand():
    """Signals of 3:1 either way: half say the first. p = mean of 3p / (3p + 1 - p) and p / (p + 3 - 3p): p = 1/2.

    The signals' likelihood is highest where 3p/4 + (1 - p)/4 is the share of the first; with 5/8 of it: p = 3/4.
    """
    first, second = [0.75, 0.25], [0.25, 0.75]
    even = np.array([0.5, 0.5])
    np.testing.assert_allclose(expected_shares(np.array([first, second]), even), [0.5, 0.5], atol=1e-6)
    np.testing.assert_allclose(expected_shares(np.array([first] * 5 + [second] * 3), even), [0.75, 0.25], atol=1e-5)
    # the same signals from a classifier that knew a prior of 0.6
    turned = np.array([[0.75 * 0.6, 0.25 * 0.4]] * 5 + [[0.25 * 0.6, 0.75 * 0.4]] * 3)
    turned /= turned.sum(1, keepdims=True)
    np.testing.assert_allclose(expected_shares(turned, np.array([0.6, 0.4])), [0.75, 0.25], atol=1e-5)


@pytest.mark.parametrize("how", ["em", "bbse"])
def test_shares_of_the_target_are_found(how: str):
    rng = np.random.default_rng(0)

    def draw(share: list[float]) -> tuple[np.ndarray, np.ndarray]:
        y = rng.choice(3, 3000, p=share)
        return rng.standard_normal((3000, 3)) + 2.5 * np.eye(3)[y], y

    (source, y), (target, truth) = draw([0.6, 0.3, 0.1]), draw([0.2, 0.2, 0.6])
    weight = LabelShift(how).adapt(source, y, target).weight
    share = np.array([weight[y == code].sum() for code in range(3)]) / weight.sum()
    np.testing.assert_allclose(share, np.bincount(truth) / 3000, atol=0.03)
    assert all(len(np.unique(weight[y == code])) == 1 for code in range(3))
    with pytest.raises(PlanError, match="em or bbse"):
        LabelShift("guess").adapt(source, y, target)


def test_the_plain_classifier_takes_weights_with_metadata_routing_as_without():
    rng = np.random.default_rng(0)
    X, y, weight = rng.standard_normal((50, 2)), np.arange(50) % 2, rng.random(50)
    # a program that imports skada has it on
    with sklearn.config_context(enable_metadata_routing=True):
        told = classifier(X, y, weight).predict_proba(X)
    np.testing.assert_array_equal(told, classifier(X, y, weight).predict_proba(X))
    assert not np.allclose(told, classifier(X, y).predict_proba(X))


def test_left_out_predictions_know_nothing_of_their_row():
    """Labels of pure noise in many columns: fits are right on their rows, on others not."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((100, 300)), np.arange(100) % 2
    assert (classifier(X, y).predict(X) == y).mean() > 0.95
    assert (held_out(X, y).argmax(1) == y).mean() < 0.65
    np.testing.assert_allclose(held_out(X, np.r_[2, y[1:]]).sum(1), 1.0)  # a class of one row


def test_joint_transport_labels_moved_blobs_and_doubts_what_lies_between():
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    source = rng.standard_normal((90, 2)) * 0.3 + np.array([[0, 0], [4, 0], [0, 4]])[y]
    target = source + np.array([10.0, -10.0])
    adapted = JointTransport().adapt(source, y + 3, target)
    truth = {tuple(row): code + 3 for row, code in zip(target, y, strict=True)}
    assert len(adapted.X) == 90
    assert [truth[tuple(row)] for row in adapted.X] == adapted.y.tolist()
    target[0] = [12.0, -10.0]  # half way between the first two
    adapted = JointTransport().adapt(source, y, target)
    assert int(adapted.weight.argmin()) == int(np.abs(adapted.X - target[0]).sum(1).argmin())


def test_self_training_takes_the_surest_of_every_class():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [70, 30])
    source, target = (rng.standard_normal((100, 2)) + 3 * y[:, None] for _ in range(2))
    adapted = SelfTraining(threshold=1.0, share=0.5, rounds=1).adapt(source, y, target)
    np.testing.assert_array_equal(adapted.X[:100], source)
    given = classifier(source, y).predict(target)
    taken = adapted.y[100:]
    assert 0 < (given == 1).sum() < 50
    for code in (0, 1):
        assert abs((taken == code).sum() - (given == code).sum() / 2) <= 1
    assert adapted.weight[100:].sum() == pytest.approx(adapted.weight[:100].sum())
    all_ = SelfTraining(threshold=0.5, rounds=1).adapt(source, y, target)
    assert len(all_.X) == 200


def test_propagation_is_the_closed_form():
    rng = np.random.default_rng(0)
    y = np.arange(40) % 2
    source, target = (rng.standard_normal((40, 3)) + 1.5 * y[:, None] for _ in range(2))
    adapted = Propagation(neighbours=5, share=1.0).adapt(source, y, target)
    both = np.vstack([source, ordered(target)])
    graph = graph_of((both - both.mean(0)) / both.std(0), 5).toarray()
    np.testing.assert_allclose(graph, graph.T)
    assert np.linalg.eigvalsh(graph).max() == pytest.approx(1.0)
    start = np.vstack([np.eye(2)[y], np.zeros((40, 2))])
    mass = np.linalg.solve(np.eye(80) - 0.9 * graph, start)[40:]
    np.testing.assert_array_equal(adapted.y[40:], mass.argmax(1))
    sure = mass.max(1) / mass.sum(1)
    np.testing.assert_allclose(adapted.weight[40:] / adapted.weight[40:].sum(), sure / sure.sum(), atol=1e-5)


def test_information_rises_and_a_stiff_classifier_stays():
    rng = np.random.default_rng(0)
    y = np.arange(300) % 3
    X = rng.standard_normal((300, 3)) + 3 * np.eye(3)[y]
    model = classifier(X, y)
    moved = model[0].transform(X + np.array([1.5, 0.0, 0.0]))

    def information(told: np.ndarray) -> float:
        return float((told * (np.log(told) - np.log(told.mean(0)))).sum(1).mean())

    before = model[1].predict_proba(moved)
    stiff = InformationMax(stay=1e6)._inform(moved, model[1].coef_, model[1].intercept_)
    np.testing.assert_allclose(stiff, before, atol=1e-4)
    after = InformationMax()._inform(moved, model[1].coef_, model[1].intercept_)
    assert information(after) > information(before) + 0.2
    assert (after.argmax(1) == y).mean() > (before.argmax(1) == y).mean() + 0.05
    two = classifier(X[y < 2], y[y < 2])
    own = two[0].transform(X[y < 2])
    same = InformationMax(stay=1e6)._inform(own, two[1].coef_, two[1].intercept_)
    np.testing.assert_allclose(same, two[1].predict_proba(own), atol=1e-4)


def test_centring_gives_both_domains_mean_nought_and_deviation_one(domains):
    adapter = Centring()
    adapted = adapter.adapt(*domains)
    for rows in (adapted.X, adapter.transform(domains[2])):
        np.testing.assert_allclose(rows.mean(0), 0, atol=1e-12)
        np.testing.assert_allclose(rows.std(0), 1, atol=1e-12)


def test_helpers():
    X = np.random.default_rng(0).standard_normal((50, 4))
    shuffled = X[np.random.default_rng(1).permutation(50)]
    np.testing.assert_array_equal(ordered(X), ordered(shuffled))
    parts = blocks(10, 4, 0)
    assert sorted(map(len, parts)) == [3, 3, 4]
    assert sorted(np.concatenate(parts).tolist()) == list(range(10))
    np.testing.assert_allclose(squared(X, X[:3])[:, 0], ((X - X[0]) ** 2).sum(1), atol=1e-12)
    assert told_apart(np.array([1, 2])).tolist() == [1, 2]
    with pytest.raises(NotApplicable, match="no target row"):
        told_apart(np.array([], dtype=int))
