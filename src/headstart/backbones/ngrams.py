"""Words and letters, counted: the classical features of text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from scipy.sparse import csr_matrix, hstack

from headstart.backbones._featurizer import Featurizer

WORDS, LETTERS = 2**18, 2**18  # hash buckets: few collisions for a vocabulary of tens of thousands


class Ngrams(Featurizer):
    """Counts of words, word pairs and letter groups of three to five, hashed; nothing is fitted.

    Use it as the honest rival of a pre-trained text model: with many labels and plain vocabulary it often wins. Not
    for meaning beyond the words themselves. `features` gives a (n, 2^19) CSR matrix of counts.
    (Weinberger et al., Feature Hashing for Large Scale Multitask Learning, ICML 2009.)

    >>> Ngrams().features(["good", "good", "bad"]).shape
    (3, 524288)
    """

    modalities = frozenset({"text"})
    input_kind = kind_out = "counts"
    name = "ngrams"

    @property
    def preprocessing(self) -> dict[str, Any]:
        """Sizes and ranges of the hashed counts."""
        return {"words": [1, 2], "letters": [3, 5], "buckets": [WORDS, LETTERS]}

    def features(self, rows: Sequence[Any]) -> csr_matrix:
        """(n, 2^19) counts."""
        from sklearn.feature_extraction.text import HashingVectorizer

        options = {"alternate_sign": False, "norm": None, "dtype": np.float32}
        words = HashingVectorizer(ngram_range=(1, 2), n_features=WORDS, token_pattern=r"(?u)\b\w+\b", **options)
        letters = HashingVectorizer(analyzer="char_wb", ngram_range=(3, 5), n_features=LETTERS, **options)
        return csr_matrix(hstack([words.transform(rows), letters.transform(rows)], format="csr"))

    @classmethod
    def read(cls, folder: Path, card: dict[str, Any]) -> Self:
        """Undo `save`."""
        return cls()
