"""How far two samples of vectors lie apart, as something with a gradient: kernels, covariances, confused classes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from headstart.techniques._adversary import certain

SCALES = (0.125, 0.25, 0.5, 1.0, 2.0)  # of the mean squared distance: the kernels of Long et al.


def kernels(A: Tensor, B: Tensor) -> Tensor:
    """(n + m, n + m) mean of Gaussian kernels of the rows of A and B, exp(-d^2 / (2 s mean d^2)) for each s of SCALES.

    The mean is over pairs of different rows, and no gradient goes through it.
    """
    rows = torch.cat([A, B])
    n, length = len(rows), rows.square().sum(1)
    squared = (length[:, None] + length[None] - 2 * rows @ rows.T).clamp_min(0)
    mean = (squared.detach().sum() / (n * (n - 1))).clamp_min(1e-12)
    return torch.stack([torch.exp(-squared / (2 * s * mean)) for s in SCALES]).mean(0)


def discrepancy(kernel: Tensor, n: int) -> Tensor:
    """Squared maximum mean discrepancy, unbiased, from a kernel matrix whose first n rows are the first sample.

    mean k(a, a') + mean k(b, b') - 2 mean k(a, b) over different rows; about 0 (or below) for one distribution, and 0
    where a sample has one row. (Gretton et al., A Kernel Two-Sample Test, JMLR 2012.)
    """
    m = len(kernel) - n
    if min(n, m) < 2:
        return kernel.sum() * 0
    a, b, between = kernel[:n, :n], kernel[n:, n:], kernel[:n, n:]
    within = (a.sum() - a.trace()) / (n * (n - 1)) + (b.sum() - b.trace()) / (m * (m - 1))
    return within - 2 * between.mean()


def mmd(pairs: Sequence[tuple[Tensor, Tensor]], *, joint: bool = False) -> Tensor:
    """Discrepancy of two samples seen at several layers: summed over them, or (`joint`) of the product of kernels.

    >>> a, b = torch.tensor([[0.0], [1.0]]), torch.tensor([[5.0], [6.0]])
    >>> float(mmd([(a, b)])) > 0.5
    True
    """
    found = [kernels(a, b) for a, b in pairs]
    n = len(pairs[0][0])
    if joint:
        return discrepancy(torch.stack(found).prod(0), n)
    return torch.stack([discrepancy(k, n) for k in found]).sum()


def coral(A: Tensor, B: Tensor) -> Tensor:
    """||cov A - cov B||^2 / (4 d^2), the CORAL loss; 0 where a sample has one row.

    >>> a = torch.tensor([[0.0], [2.0]])
    >>> float(coral(a, 3 * a))  # variances 2 and 18
    64.0
    """
    if min(len(A), len(B)) < 2:
        return (A.sum() + B.sum()) * 0
    return (torch.cov(A.T) - torch.cov(B.T)).square().sum() / (4 * A.shape[1] ** 2)


def confusion(logits: Tensor, temperature: float) -> Tensor:
    """Minimum class confusion of logits (n, C): the mean, over classes, of the share that other classes have in it.

    Softmax at a temperature; rows weighed by 1 + exp(-entropy), mean one; P' diag(w) P, its rows normalised; the sum
    off the diagonal over C.

    >>> round(float(confusion(torch.zeros(4, 2), 2.5)), 4), round(float(confusion(100 * torch.eye(2), 1.0)), 4)
    (0.5, 0.0)
    """
    told = torch.softmax(logits / temperature, 1)
    among = told.T @ (certain(told).detach()[:, None] * told)
    among = among / among.sum(1, keepdim=True)
    return (among.sum() - among.trace()) / logits.shape[1]
