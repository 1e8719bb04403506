"""scikit-learn's own battery, in full, on numeric matrices."""

from __future__ import annotations

from typing import Any

from sklearn.utils.estimator_checks import parametrize_with_checks

from headstart import TransferClassifier, TransferRegressor


@parametrize_with_checks(
    [TransferClassifier(), TransferRegressor(), TransferClassifier("auto", "knn"), TransferRegressor("auto", "ridge")]
)
def test_scikit_learn_checks(estimator: Any, check: Any) -> None:
    check(estimator)
