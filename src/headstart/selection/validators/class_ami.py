"""Do the predicted classes follow the clusters that the target forms by itself?"""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_mutual_info_score

from headstart.selection.validators._base import Outlook


def class_ami(outlook: Outlook) -> float:
    """Adjusted mutual information of predicted classes and k-means of the target features; about 0 to 1, higher better.

    Use it where classes are clusters of the features, as in a good embedding. Not where clusters stand for something
    else (writer, camera, hospital), and it says nothing of which class got which name: swapped answers score the same.
    0 when all rows fall to one class. (Musgrave et al., Three New Validators and a Large-Scale Benchmark Ranking for
    Unsupervised Domain Adaptation, 2022.)

    >>> from headstart.selection.validators._example import example
    >>> class_ami(example()) > class_ami(example(blind=True))
    True
    """
    predicted = outlook.told.argmax(1)
    k = min(outlook.told.shape[1], len(np.unique(outlook.target, axis=0)))
    if k < 2 or len(np.unique(predicted)) < 2:
        return 0.0
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The number of unique classes is greater than 50%")  # few rows: fine
        clusters = KMeans(k, n_init=3, random_state=outlook.seed).fit_predict(outlook.target)
        return float(adjusted_mutual_info_score(predicted, clusters))
