"""How far a trained network has moved from the one it started as."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from headstart.activations.activations import Activations
from headstart.techniques._forward import outputs

MOST = 256  # rows looked at


def forgetting(X: Activations, suffix: nn.Module) -> dict[str, float]:
    """Before and after on the same rows: "cosine" (mean, of the vectors), "cka" (linear, of their geometry), and where
    the backbone brings the head that it was pre-trained with, "agreement": the share of rows that it calls as before.

    All are 1 where nothing was forgotten. (Kornblith et al., Similarity of Neural Network Representations Revisited,
    ICML 2019.)
    """
    rows = X[np.linspace(0, len(X) - 1, min(MOST, len(X))).astype(int)]
    before, after = outputs(rows.suffix(), rows), outputs(suffix, rows)
    if before.shape != after.shape:
        return {}
    lengths = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
    told = {"cosine": float(((before * after).sum(1) / np.maximum(lengths, 1e-12)).mean()), "cka": cka(before, after)}
    head = X.source_head()
    if head is not None:
        with torch.inference_mode():
            said = [head.cpu().eval()(torch.from_numpy(v.copy())).argmax(1).numpy() for v in (before, after)]
        told["agreement"] = float((said[0] == said[1]).mean())
    return told


def cka(a: np.ndarray, b: np.ndarray) -> float:
    """Linear centred kernel alignment of two sets of vectors of the same rows: 1 where one is the other, rotated.

    >>> x = np.random.default_rng(0).normal(size=(20, 3))
    >>> round(cka(x, 2 * x[:, ::-1]), 6)
    1.0
    """
    a, b = (np.asarray(v, dtype=np.float64) - v.mean(0) for v in (a, b))
    denominator = np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b)
    return float(np.linalg.norm(a.T @ b) ** 2 / denominator) if denominator > 0 else 1.0
