"""The contract of an adapter: labelled source rows and unlabelled target rows in, rows to train a head on out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from headstart._words import counted
from headstart.errors import NotApplicable

LEAST = 10  # rows of a domain: fewer tell nothing about it
COST = 0.01  # inverse strength of the inner classifier on standardised features


@dataclass(frozen=True, eq=False)
class Adapted:
    """What a head is trained on instead of the source rows: X (n, d), codes y (n,), weight (n,), mean one."""

    X: np.ndarray
    y: np.ndarray
    weight: np.ndarray


class Served(BaseEstimator):
    """What a model keeps of a way of adaptation: how target rows come to its head, and what its answers become.

    Settings are the keywords of `__init__`; what is needed later is kept in attributes that end in an underscore.
    `fill_`, the source's mean, is for numbers that are missing in rows to come.
    """

    fill_: np.ndarray

    def transform(self, target: Any) -> np.ndarray:
        """Target rows (m, d) as the head reads them."""
        return np.asarray(target, dtype=np.float64)

    def answers(self, told: Any) -> np.ndarray:
        """The head's calibrated probabilities (m, C) as they are told."""
        return np.asarray(told)

    def rows(self, X: Any, domain: str) -> np.ndarray:
        """(n, d) finite float64, at least LEAST rows."""
        values = np.asarray(X, dtype=np.float64)
        if values.ndim != 2 or len(values) < LEAST:
            raise NotApplicable(
                f"the {domain} domain has {counted(len(values))}", expected=f"a matrix of at least {LEAST} rows"
            )
        if not np.isfinite(values).all():
            bad = int((~np.isfinite(values)).any(1).sum())
            raise NotApplicable(f"NaN or infinite features in {counted(bad, domain)}", expected="finite numbers")
        return values


class Adapter(Served, ABC):
    """One way from a labelled source domain to an unlabelled target domain, on vectors.

    `adapt` gives the rows that a head is trained on; `transform` brings target rows to where that head reads them.
    There is no argument through which a label of the target could enter.
    """

    shifts: ClassVar[frozenset[str]]  # of {"covariate", "prior", "subspace", "conditional"}: what it is made for
    extra: ClassVar[str] = ""  # of headstart's, that brings what it imports
    maps: ClassVar[bool] = False  # moves features alone; nothing that is answered on the target flows back

    def adapt(self, source: Any, y: np.ndarray, target: Any) -> Adapted:
        """Source (n, d), codes y (n,) 0..C-1, target (m, d); raises NotApplicable for rows that cannot be used."""
        source, target = self.rows(source, "source"), self.rows(target, "target")
        if source.shape[1] != target.shape[1]:
            raise NotApplicable(
                f"source rows have {source.shape[1]} columns, target rows {target.shape[1]}",
                expected="both domains read by one network",
            )
        if len(np.unique(y)) < 2:
            raise NotApplicable("the source domain has one class only", expected="two or more")
        if len(y) != len(source):
            raise NotApplicable(f"{len(y)} labels for {len(source)} source rows", expected="one a row")
        self.fill_ = source.mean(0)
        X, codes, weight = self._adapt(source, np.asarray(y), target)
        return Adapted(X, codes, weight / weight.mean())

    @abstractmethod
    def _adapt(
        self, source: np.ndarray, y: np.ndarray, target: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """X, y and weight of what a head is to be trained on; inputs are checked float64 arrays."""


def classifier(X: np.ndarray, y: np.ndarray, weight: np.ndarray | None = None) -> Pipeline:
    """The plain classifier that adapters reason with: standardised features, logistic regression."""
    scaler = StandardScaler().fit(X)  # step by step: a pipeline passes no weights once metadata routing is switched on
    logistic = LogisticRegression(C=COST, max_iter=200).fit(scaler.transform(X), y, sample_weight=weight)
    return make_pipeline(scaler, logistic)


def covariance(X: np.ndarray, regular: float) -> np.ndarray:
    """(d, d) covariance plus `regular` times its mean variance on the diagonal, so that it has an inverse."""
    own = np.atleast_2d(np.cov(X, rowvar=False))
    return np.asarray(own + regular * np.trace(own) / len(own) * np.eye(len(own)))


def power(matrix: np.ndarray, exponent: float) -> np.ndarray:
    """A symmetric positive matrix to a power."""
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.maximum(values, 1e-12) ** exponent) @ vectors.T)
