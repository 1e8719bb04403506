"""Terms between domains, each held against its formula computed another way: plain loops, numpy, finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from headstart.techniques._adversary import certain, domain_loss, margin_disparity, reverse
from headstart.techniques._deep import ramp
from headstart.techniques._discrepancy import SCALES, confusion, coral, mmd
from headstart.techniques.cdan import Product


def samples(n: int = 7, m: int = 9, d: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.normal(1.0, 2.0, size=(m, d))


def kernel_loop(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    rows = np.concatenate([A, B])
    n = len(rows)
    far = np.array([[sum((p - q) ** 2 for p, q in zip(a, b, strict=True)) for b in rows] for a in rows])
    mean = sum(far[i, j] for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    return np.array(
        [[np.mean([np.exp(-far[i, j] / (2 * s * mean)) for s in SCALES]) for j in range(n)] for i in range(n)]
    )


def discrepancy_loop(kernel: np.ndarray, n: int) -> float:
    first, second = range(n), range(n, len(kernel))
    within = [np.mean([kernel[i, j] for i in part for j in part if i != j]) for part in (first, second)]
    return float(sum(within) - 2 * np.mean([kernel[i, j] for i in first for j in second]))


def tensors(*arrays: np.ndarray) -> list[torch.Tensor]:
    return [torch.from_numpy(a) for a in arrays]


def test_the_kernel_discrepancy_is_that_of_plain_loops() -> None:
    (A, B), (P, Q) = samples(), samples(d=3, seed=1)
    a, b, p, q = tensors(A, B, P, Q)
    one, two = kernel_loop(A, B), kernel_loop(P, Q)
    assert float(mmd([(a, b)])) == pytest.approx(discrepancy_loop(one, 7), abs=1e-9)
    both = discrepancy_loop(one, 7) + discrepancy_loop(two, 7)
    assert float(mmd([(a, b), (p, q)])) == pytest.approx(both, abs=1e-9)
    joint = discrepancy_loop(one * two, 7)
    assert float(mmd([(a, b), (p, q)], joint=True)) == pytest.approx(joint, abs=1e-9)
    assert joint > 0.05


def test_the_discrepancy_of_one_distribution_is_about_nothing_on_average() -> None:
    rng = np.random.default_rng(0)
    told = [float(mmd([tuple(tensors(rng.normal(size=(16, 3)), rng.normal(size=(16, 3))))])) for _ in range(200)]
    assert abs(np.mean(told)) < 2.5 * np.std(told) / np.sqrt(len(told))
    assert min(told) < 0


def test_the_covariances_distance_is_numpys() -> None:
    A, B = samples()
    expected = ((np.cov(A.T) - np.cov(B.T)) ** 2).sum() / (4 * A.shape[1] ** 2)
    assert float(coral(*tensors(A, B))) == pytest.approx(expected)
    assert float(coral(*tensors(A, A + 3.0))) == pytest.approx(0, abs=1e-12)


def test_class_confusion_is_the_papers_formula_in_numpy() -> None:
    """Jin et al., equations 2 to 5: C = Y' W Y, rows normalised, off-diagonal mean."""
    Z = np.random.default_rng(3).normal(0, 3, size=(11, 4))
    Y = np.exp(Z / 2.5) / np.exp(Z / 2.5).sum(1, keepdims=True)
    H = -(Y * np.log(Y)).sum(1)
    W = len(Z) * (1 + np.exp(-H)) / (1 + np.exp(-H)).sum()
    C = np.zeros((4, 4))
    for i in range(len(Z)):
        C += W[i] * np.outer(Y[i], Y[i])
    C /= C.sum(1, keepdims=True)
    expected = (C.sum() - np.trace(C)) / 4
    assert float(confusion(torch.from_numpy(Z), 2.5)) == pytest.approx(expected)
    assert 0.05 < expected < 0.75


def test_margin_disparity_is_the_papers_formula_in_numpy() -> None:
    """Zhang et al., section 4: -gamma log s_f(source) for agreeing there, -log(1 - s_f(target)) for differing there."""
    rng = np.random.default_rng(4)
    S, T, f, g = rng.normal(size=(6, 3)), rng.normal(size=(8, 3)), rng.integers(0, 3, 6), rng.integers(0, 3, 8)

    def told(Z: np.ndarray, k: np.ndarray) -> np.ndarray:
        p = np.exp(Z) / np.exp(Z).sum(1, keepdims=True)
        return p[np.arange(len(k)), k]

    expected = -4 * np.log(told(S, f)).mean() - np.log(1 - told(T, g)).mean()
    s, t, a, b = tensors(S, T, f, g)
    assert float(margin_disparity(s, a, t, b, 4.0)) == pytest.approx(expected)


def test_domains_count_alike_and_sure_rows_more() -> None:
    rng = np.random.default_rng(5)
    S, T = rng.normal(size=(5, 1)), rng.normal(size=(12, 1))
    P = rng.dirichlet([1, 1, 1], size=12)
    H = -(P * np.log(P)).sum(1)
    w = (1 + np.exp(-H)) / (1 + np.exp(-H)).mean()
    expected = (np.log1p(np.exp(-S[:, 0])).mean() + (w * np.log1p(np.exp(T[:, 0]))).mean()) / 2
    s, t, p = tensors(S, T, P)
    assert float(domain_loss(s, t, None, certain(p))) == pytest.approx(expected)


def test_the_gradient_is_turned_round_and_ramped() -> None:
    x = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
    straight = torch.autograd.grad(x.pow(3).sum(), x)[0]
    turned = torch.autograd.grad(reverse(x, 0.3).pow(3).sum(), x)[0]
    torch.testing.assert_close(turned, -0.3 * straight)
    assert torch.equal(reverse(x, 0.3), x)
    # Ganin et al.: 2 / (1 + exp(-10 p)) - 1 = tanh(5 p)
    assert [ramp(p) for p in (0.0, 0.2, 0.7)] == pytest.approx(np.tanh([0.0, 1.0, 3.5]).tolist())


def test_a_product_that_is_projected_keeps_inner_products_on_average() -> None:
    """Long et al., CDAN, theorem 1: the mean of <T(f, g), T(f', g')> is <f, f'> <g, g'>."""
    f, g = torch.randn(2, 300, generator=torch.Generator().manual_seed(0)), torch.rand(2, 20)
    torch.manual_seed(1)
    drawn = torch.stack([(h := Product(300, 20)(f, g))[0] @ h[1] for _ in range(60)])
    exact = (f[0] @ f[1]) * (g[0] @ g[1])
    assert abs(float(drawn.mean() - exact)) < 3 * float(drawn.std()) / 60**0.5
    small = Product(3, 2)(f[:, :3], g[:, :2])
    torch.testing.assert_close(small[0], torch.outer(f[0, :3], g[0, :2]).ravel())


def test_terms_have_gradients_of_finite_differences() -> None:
    a, b = (t.requires_grad_() for t in tensors(*samples(4, 5, 3)))
    assert torch.autograd.gradcheck(coral, (a, b))
    assert torch.autograd.gradcheck(lambda x, y: margin_disparity(x, x.detach().argmax(1), y, y.argmax(1), 2.0), (a, b))
