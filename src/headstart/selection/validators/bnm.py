"""Are the target predictions both sure and spread over the classes?"""

from __future__ import annotations

import numpy as np

from headstart.selection.validators._base import Outlook


def bnm(outlook: Outlook) -> float:
    """Nuclear norm of the target probabilities over its largest possible value; 0 to 1, higher is better.

    Use it where the target holds all classes in like shares: it rewards sure answers and, other than entropy, punishes
    a collapse into one class. Not where a class is rare or absent in the target. (Cui et al., Towards Discriminability
    and Diversity: Batch Nuclear-norm Maximization, CVPR 2020; as a validator: Musgrave et al., Three New Validators and
    a Large-Scale Benchmark Ranking for Unsupervised Domain Adaptation, 2022.)

    >>> from dataclasses import replace
    >>> from headstart.selection.validators._example import example
    >>> sure = replace(example(), told=np.eye(2)[[0, 0, 1, 1]])
    >>> collapsed = replace(example(), told=np.eye(2)[[0, 0, 0, 0]])
    >>> round(bnm(sure), 4), round(bnm(collapsed), 4)
    (1.0, 0.7071)
    """
    m, classes = outlook.told.shape
    return float(np.linalg.norm(np.asarray(outlook.told, dtype=np.float64), "nuc") / np.sqrt(m * min(m, classes)))
