"""TF-IDF and logistic regression: the classical baseline of text."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from scipy.sparse import csr_matrix, diags

from headstart.activations.activations import Activations
from headstart.techniques._base import Technique
from headstart.techniques._linear import class_weights, logistic, logits_to_probability, ridge_path, targets


class Tfidf(Technique):
    """Log counts weighted by rarity, rows of length one, then logistic regression (ridge for numbers).

    Use it as the rival that a pre-trained text model must beat; with thousands of labels it often wins. Not for meaning
    beyond the words seen in training. `X` holds a (n, d) CSR matrix of counts; columns seen in fewer than two training
    rows are left out. (Salton and Buckley, Term-weighting approaches in automatic text retrieval, 1988.)

    >>> counts = csr_matrix(np.repeat(np.eye(2), 5, axis=0))
    >>> X = Activations(counts, np.arange(10).astype(str), "pooled", "counts")
    >>> Tfidf().fit(X, np.repeat([0, 1], 5)).predict(X).sum()
    np.int64(5)
    """

    accepts = frozenset({"counts"})
    learns = frozenset({"label", "labels", "number"})

    def __init__(self, strengths: tuple[float, ...] = (1.0, 10.0, 100.0), seed: int = 0) -> None:
        self.strengths = strengths
        self.seed = seed

    def fit(
        self, X: Activations, y: np.ndarray, *, sample_weight: np.ndarray | None = None, target: Any = None
    ) -> Self:
        """Choose columns, weigh them, fit the head."""
        kind = self._check(y)
        counts = _matrix(X)
        rows_with = np.asarray((counts > 0).sum(0)).ravel()
        self.columns_ = np.flatnonzero(rows_with >= min(2, len(y)))
        self.idf_ = np.log((1 + len(y)) / (1 + rows_with[self.columns_])) + 1
        weight = class_weights(y) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        weighed = self.weigh(counts)
        if kind == "number":
            _, vectors = np.linalg.eigh((weighed @ weighed.T).toarray())
            small = weighed.T @ vectors  # the rows' own space: ridge needs no other
            basis, _ = np.linalg.qr(small)
            fit = ridge_path(weighed @ basis, targets(y), weight)
            self.coef_, self.intercept_, self.strength_ = basis @ fit.coef, fit.intercept, fit.strength
        else:
            self.coef_, self.intercept_, self.strength_ = logistic(weighed, y, weight, self.strengths, self.seed)
        return self

    def settled(self) -> dict[str, Any]:
        """The strength."""
        return {"strengths": (self.strength_,)}

    def predict_proba(self, X: Activations) -> np.ndarray:
        """Probabilities, or (n, 1) numbers."""
        scores = np.asarray(self.weigh(_matrix(X)) @ self.coef_) + self.intercept_
        return scores if self.target_kind_ == "number" else logits_to_probability(scores, self.target_kind_)

    def weigh(self, counts: csr_matrix) -> csr_matrix:
        """(n, columns kept) what the head reads of counts (n, d)."""
        some = csr_matrix(counts[:, self.columns_], dtype=np.float64)
        some.data = 1 + np.log(some.data)
        some = csr_matrix(some.multiply(self.idf_[None, :]))
        length = np.sqrt(np.asarray(some.multiply(some).sum(1)).ravel())
        return csr_matrix(diags(1 / np.maximum(length, 1e-12)) @ some)


def _matrix(X: Activations) -> csr_matrix:
    values: Any = X.batch()[0]
    return csr_matrix(values)
