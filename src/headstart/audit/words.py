"""Does one word, or the mere length, give the class of a text away?"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import rankdata

from headstart.audit._base import Check, Evidence, Finding
from headstart.audit._held_out import left_out
from headstart.audit._lean import lean, usual
from headstart.audit._levels import levels
from headstart.errors import NotApplicable

TOGETHER = 0.6  # words whose rows overlap by more (Jaccard) count as one


class Words(Check):
    """A word that alone tells a class far better than every other word does, and lengths that tell it.

    Use it for texts: signatures, templates, shop names and markup give classes away without meaning anything. A word
    is told of when its mutual information with the class is at least `bits` and `times` that of the next word that does
    not come with it; a word that rightly matters is one of many and stays below. Lengths are told of when they alone
    order the classes with an AUC of `auc`. Both must also move the answers: of the served model on test rows or, as
    these are few, together with those of a ridge head on other rows that it was fitted without (permutation tests at
    `level` in all).
    Words are runs of letters and digits, in lower case, of at least `least` training texts. (Gururangan et al.,
    Annotation artifacts in natural language inference data, NAACL 2018.)

    >>> from headstart.audit._example import evidence
    >>> from dataclasses import replace
    >>> made = evidence(modality="text")
    >>> texts = [f"row {i} {'signed' if k else 'closed'}" for i, k in enumerate(made.target)]
    >>> [f.code for f in Words()(replace(made, rows=texts))]
    ['words:closed']
    >>> Words()(replace(made, rows=[f"row {i}" for i in range(600)]))
    []
    """

    def __init__(
        self, bits: float = 0.1, times: float = 3.0, auc: float = 0.85, least: int = 10, level: float = 0.01
    ) -> None:
        self.bits = bits
        self.times = times
        self.auc = auc
        self.least = least
        self.level = level

    def __call__(self, evidence: Evidence) -> list[Finding]:
        if evidence.modality != "text" or evidence.kind != "label":
            raise NotApplicable("words are looked at in texts of one class each")
        return [*self._word(evidence), *self._length(evidence)]

    def _word(self, evidence: Evidence) -> list[Finding]:
        train, y = evidence.of("train"), evidence.target
        seen, names = presence([evidence.rows[i] for i in train], self.least)
        if len(names) < 1:
            return []
        worth = information(seen, y[train])
        order = np.argsort(-worth, kind="stable")
        first = order[0]
        own = set(seen[:, first].indices)
        apart = [j for j in order[1:50] if _alike(own, set(seen[:, j].indices), len(train)) < TOGETHER]
        second = float(worth[apart[0]]) if apart else 0.0
        if worth[first] < self.bits or worth[first] < self.times * second:
            return []
        word = str(names[first])
        codes = has(evidence.rows, word)
        told = self._leans(evidence, codes)
        if told is None:
            return []
        return [
            Finding(
                code=f"words:{word}",
                title=f"The word {word!r} alone tells the class ({worth[first]:.2f} bits; the next word {second:.2f})",
                severity="serious",
                do=f"If {word!r} will not be in new texts, remove it from these; or headstart repair --finding"
                f" words:{word}.",
                evidence={"word": word, "bits": round(float(worth[first]), 4), "next": round(second, 4), **told},
            )
        ]

    def _length(self, evidence: Evidence) -> list[Finding]:
        train, y = evidence.of("train"), evidence.target
        size = np.array([len(str(r)) for r in evidence.rows])
        worst = max((_auc(size[train], y[train] == c) for c in np.unique(y[train])), default=0.5)
        if worst < self.auc:
            return []
        told = self._leans(evidence, levels(size.astype(float))[0])
        if told is None:
            return []
        return [
            Finding(
                code="words:length",
                title=f"The length of a text alone tells the class (AUC {worst:.2f})",
                severity="warning",
                do="Make sure that lengths will differ in the same way in new texts, or cut texts to one length.",
                evidence={"auc": round(worst, 4), **told},
            )
        ]

    def _leans(self, evidence: Evidence, codes: np.ndarray) -> dict[str, Any] | None:
        """How far answers go with the mark among rows of one class; None where they do not.

        A mark that never differs among rows of one class cannot be told from the class: nothing is to be said of it.
        """
        train, test, y = evidence.of("train"), evidence.of("test"), evidence.target
        if all(len(np.unique(codes[test][y[test] == c])) < 2 for c in np.unique(y[test])):
            return {"lean": None, "lean_p": None}
        pull = usual(codes[train], y[train], len(evidence.classes))
        rng = np.random.default_rng(evidence.seed)
        size, p = lean(evidence.scores, y[test], codes[test], pull, rng)
        if evidence.values.shape[1]:
            told, known = left_out(evidence)
            both = np.concatenate([test, known])
            part = y[both] + len(evidence.classes) * (np.arange(len(both)) >= len(test))  # exchanged within each
            p_both = lean(np.concatenate([evidence.scores, told]), part, codes[both], pull, rng)[1]
            p = min(1.0, 2 * min(p, p_both)) if size > 0 else 1.0  # the served model may read more than the ridge head
        return {"lean": round(size, 4), "lean_p": p} if p <= self.level else None


def presence(texts: list[str], least: int) -> tuple[Any, np.ndarray]:
    """(texts x words sparse columns of 0 and 1, words) of the words that enough texts have."""
    from sklearn.feature_extraction.text import CountVectorizer

    reader = CountVectorizer(binary=True, token_pattern=r"(?u)\b\w\w+\b", min_df=1)
    try:
        counts = reader.fit_transform(texts).tocsc()
    except ValueError:  # texts without a single word
        return np.zeros((len(texts), 0)), np.array([])
    kept = np.flatnonzero(np.diff(counts.indptr) >= least)
    return counts[:, kept], reader.get_feature_names_out()[kept]


def has(texts: Any, word: str) -> np.ndarray:
    """(n,) 1 where a text has the word."""
    from sklearn.feature_extraction.text import CountVectorizer

    reader = CountVectorizer(binary=True, token_pattern=r"(?u)\b\w\w+\b", vocabulary=[word])
    return np.asarray(reader.transform([str(t) for t in texts]).toarray()[:, 0])


def information(seen: Any, y: np.ndarray) -> np.ndarray:
    """(words,) mutual information of a word's presence with the class, in bits.

    >>> from scipy.sparse import csc_matrix
    >>> information(csc_matrix(np.array([[1], [1], [0], [0]])), np.array([0, 0, 1, 1])).tolist()
    [1.0]
    """
    hot = np.eye(int(y.max()) + 1)[y]
    with_word = np.asarray(seen.T @ hot)  # (words, classes)
    total = hot.sum(0)
    out = _entropy(total[None] / len(y))[0]
    for part in (with_word, total - with_word):
        size = part.sum(1, keepdims=True)
        out = out - size[:, 0] / len(y) * _entropy(part / np.maximum(size, 1))
    return np.asarray(out)


def _entropy(p: np.ndarray) -> np.ndarray:
    return np.asarray(-(p * np.log2(np.where(p > 0, p, 1.0))).sum(1))


def _alike(a: set[int], b: set[int], n: int) -> float:
    """Jaccard index of two sets of rows, or of the first and the rest of the n rows, whichever is larger."""
    rest = set(range(n)) - b
    return max(len(a & other) / max(len(a | other), 1) for other in (b, rest))


def _auc(values: np.ndarray, positive: np.ndarray) -> float:
    """Area under the curve, whichever way round."""
    ones = int(positive.sum())
    pairs = ones * (len(values) - ones)
    if not pairs:
        return 0.5
    area = (rankdata(values)[positive].sum() - ones * (ones + 1) / 2) / pairs
    return float(max(area, 1 - area))
