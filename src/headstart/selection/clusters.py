"""Do predictions follow the clusters that the rows of an unlabelled domain form by themselves?"""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score

WIDE = 40  # principal components: distances in more of them are mostly noise
DRAWS = 40  # bootstrap draws for the spread of a difference


def clusters(rows: np.ndarray, number: int, seed: int = 0) -> np.ndarray:
    """Codes (m,) of at most so many k-means clusters of rows (m, d), on their main directions."""
    if min(rows.shape) > WIDE:
        rows = PCA(WIDE, random_state=seed).fit_transform(rows)
    number = max(1, min(number, len(rows) // 3))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Number of distinct clusters")  # copies: fewer clusters will do
        codes: np.ndarray = KMeans(number, n_init=3, random_state=seed).fit_predict(rows)
    return codes


def agreement(codes: np.ndarray, before: np.ndarray, after: np.ndarray, seed: int = 0) -> tuple[float, float, float]:
    """Adjusted Rand index of clusters with predictions before and after, and the standard error of the difference.

    Use it to judge a candidate that never looked at its own predictions for these rows; one that did (pseudo-labels,
    entropy, propagation) follows clusters because it was made to, and the comparison says nothing. 0 is chance, 1 is
    one and the same grouping; the error is that of a paired bootstrap over rows. (Hubert and Arabie, Comparing
    Partitions, 1985.)

    >>> codes = np.repeat([0, 1], 50)
    >>> said = agreement(codes, np.tile([0, 1], 50), codes)
    >>> said[1], said[1] - said[0] > 2 * said[2]
    (1.0, True)
    """
    rng = np.random.default_rng(seed)
    draws = [rng.integers(0, len(codes), len(codes)) for _ in range(DRAWS)]
    gains = [adjusted_rand_score(codes[d], after[d]) - adjusted_rand_score(codes[d], before[d]) for d in draws]
    first, second = (float(adjusted_rand_score(codes, told)) for told in (before, after))
    return first, second, float(np.std(gains))
