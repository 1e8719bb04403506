"""How much likelier a source row is in the target than in the source, by a classifier that tells the domains apart."""

from __future__ import annotations

import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler

from headstart.selection.validators._base import Outlook

FOLDS = 5
MOST = 20.0  # no row counts more than this many times, or less than one such part
COLUMNS = 30


def weights(outlook: Outlook) -> np.ndarray:
    """The density ratio at the held rows; it is the same for all candidates on the same rows."""
    return ratio(outlook.held, outlook.target, outlook.seed) if outlook.odds is None else outlook.odds


def ratio(held: np.ndarray, target: np.ndarray, seed: int = 0) -> np.ndarray:
    """Density ratio target / source at every held source row, from a fit that did not see the row; clipped.

    Logistic regression on the leading principal components, at most one for ten rows.
    """
    X = np.concatenate([held, target]).astype(np.float64)
    domain = np.repeat([0, 1], [len(held), len(target)])
    folds = min(FOLDS, len(held), len(target))
    if folds < 2:
        return np.ones(len(held))
    X = StandardScaler().fit_transform(X)
    k = max(1, min(COLUMNS, X.shape[1], len(X) // 10))
    X = StandardScaler().fit_transform(PCA(k, random_state=seed).fit_transform(X))
    odds = np.zeros(len(X))
    for train, test in StratifiedKFold(folds, shuffle=True, random_state=seed).split(X, domain):
        odds[test] = LogisticRegression(max_iter=1000).fit(X[train], domain[train]).decision_function(X[test])
    odds = odds[: len(held)] + np.log(len(held) / len(target))
    return np.exp(np.clip(odds, -np.log(MOST), np.log(MOST)))
