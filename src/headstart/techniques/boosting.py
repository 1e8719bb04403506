"""Gradient-boosted trees: the classical baseline of tables."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from headstart.activations.activations import Activations
from headstart.techniques._base import Technique
from headstart.techniques._linear import class_weights

HELD = 0.2  # share of the training rows on which early stopping looks
ROUNDS, PATIENCE = 400, 30


class Boosting(Technique):
    """LightGBM with early stopping on a share of the training rows, then refitted on all of them.

    Use it for table rows: mixed columns, missing numbers and steps are its ground. Not for a few dozen rows, where a
    linear head is steadier, nor for hundreds of learnt features. Frames or vectors (n, d), NaN = missing.
    (Ke et al., LightGBM, NeurIPS 2017.)

    >>> X = Activations(np.arange(60.0)[:, None], np.arange(60).astype(str), "pooled", "frame")
    >>> Boosting().fit(X, (np.arange(60) > 29).astype(int)).predict(X)[[0, 59]].tolist()
    [0, 1]
    """

    accepts = frozenset({"frame"})
    learns = frozenset({"label", "labels", "number"})
    smooth = False
    cost = 2

    def __init__(self, rate: float = 0.05, leaves: int = 15, least: int = 10, seed: int = 0) -> None:
        self.rate = rate
        self.leaves = leaves
        self.least = least
        self.seed = seed

    def fit(
        self, X: Activations, y: np.ndarray, *, sample_weight: np.ndarray | None = None, target: Any = None
    ) -> Self:
        """Grow; one ensemble a label where rows have several."""
        kind = self._check(y)
        values = np.asarray(X, dtype=np.float64)
        weight = class_weights(y) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        columns = list(y.T) if kind == "labels" else [y]
        self.models_ = [self._grow(values, column, weight) for column in columns]
        return self

    def predict_proba(self, X: Activations) -> np.ndarray:
        """Probabilities, or (n, 1) numbers."""
        import lightgbm

        values = np.asarray(X, dtype=np.float64)
        told = [np.asarray(lightgbm.Booster(model_str=text).predict(values)) for text in self.models_]
        if self.target_kind_ == "label":
            return np.stack([1 - told[0], told[0]], axis=1) if told[0].ndim == 1 else told[0]
        return np.stack(told, axis=1)

    def _grow(self, X: np.ndarray, y: np.ndarray, weight: np.ndarray) -> str:
        import lightgbm

        options = {
            "objective": self._objective(), "learning_rate": self.rate, "num_leaves": self.leaves, "verbosity": -1,
            "min_data_in_leaf": max(1, min(self.least, len(y) // 10)), "feature_fraction": 0.8, "seed": self.seed,
            "deterministic": True, "force_row_wise": True, "lambda_l2": 1.0,
        }  # fmt: skip
        if options["objective"] == "multiclass":
            options["num_class"] = self.n_outputs_
        held = np.random.default_rng(self.seed).random(len(y)) < HELD
        rounds = 60
        if min(held.sum(), (~held).sum()) >= 10:
            inner = lightgbm.Dataset(X[~held], y[~held], weight=weight[~held])
            outer = lightgbm.Dataset(X[held], y[held], weight=weight[held], reference=inner)
            stop = lightgbm.early_stopping(PATIENCE, verbose=False)
            rounds = lightgbm.train(options, inner, ROUNDS, valid_sets=[outer], callbacks=[stop]).best_iteration or 60
        whole = lightgbm.train(options, lightgbm.Dataset(X, y, weight=weight), max(rounds, 5))
        return str(whole.model_to_string())

    def _objective(self) -> str:
        if self.target_kind_ == "number":
            return "regression"
        return "binary" if self.target_kind_ == "labels" or self.n_outputs_ == 2 else "multiclass"
