"""A model that follows its input while it answers: within bounds, in memory alone, and from the start with each use."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from headstart.adaptation._source import Source

BLOCK = 64  # rows that are answered alike
PRIOR = 500  # rows of the source that its mean and deviation count as, beside the rows that came since
LEAST_SHRUNK = 0.05  # a column's variance counts as at least this share of what it was
CERTAIN = 0.4  # of the largest entropy: rows above it steer nothing
ALIKE = 0.95  # cosine with what steered lately: rows above it bring nothing new
DRAWN = 500  # made rows that say how much each column matters to the answers
MOST_CHANGED = 0.2  # share of answers that may differ from the model's own


class Online:
    """Answers for a stream of rows, their columns re-centred and, for linear heads, pushed towards sure answers.

    Use it where rows come from another place than the training rows and there is no time to adapt properly; not where
    the model is mostly wrong there, or where each row must be answered by itself: the answers depend on the rows that
    came before. Each block counts, beside PRIOR rows of the source, in how far columns lie from the mean of the class
    that rows are given, and how widely; rows are brought back to where the source's lay. With a `step` above 0, scale
    and shift of the columns also go down the entropy of the rows that are reliable and not redundant, held back by the
    Fisher information of made source rows: that gained nothing in the benchmark, and 0 is the default.
    At most `most` of all answers so far may differ from the model's own: the block that would break that, and all
    later ones, are answered without adaptation. (Schneider et al., Improving robustness against common corruptions by
    covariate shift adaptation, NeurIPS 2020; Wang et al., Tent, ICLR 2021; Niu et al., Efficient test-time model
    adaptation without forgetting, ICML 2022.)

    `tell` gives probabilities (n, C) of rows (n, d); `slopes` (d, C) says how the logits change with the columns, None
    for a head that is not linear.

    >>> from headstart.adaptation.source_free._example import moved
    >>> target, told, source, right = moved(1.0)
    >>> tell = lambda X: np.c_[1 / (1 + np.exp(2 * X[:, 0])), 1 / (1 + np.exp(-2 * X[:, 0]))]
    >>> online = Online(source, tell)
    >>> bool((online(target).argmax(1) == right).mean() > (told.argmax(1) == right).mean()), online.stopped
    (True, None)
    """

    def __init__(
        self, source: Source, tell: Callable[[np.ndarray], np.ndarray], slopes: np.ndarray | None = None, *,
        step: float = 0.0, most: float = MOST_CHANGED,
    ) -> None:  # fmt: skip
        self.source, self.tell, self.step, self.most = source, tell, step, most
        self.rows = self.changed = 0
        self.stopped: int | None = None  # the row from which on nothing is adapted
        self._mean, self._unit = source.mean, source.deviation
        self._slopes = None if slopes is None else slopes * self._unit[:, None]  # of standardised columns
        self._classes = np.nan_to_num((source.means - self._mean) / self._unit)
        self._within = np.maximum(((source.factor**2).sum(0) + source.rest) / self._unit**2, 1e-9)
        d = len(self._mean)
        self._moved, self._wide = np.zeros(d), np.ones(d)
        self._count, self._sum, self._squares = 0, np.zeros(d), np.zeros(d)
        self._scale, self._shift, self._lately = np.ones(d), np.zeros(d), np.zeros(0)
        self._hold = np.zeros((2, d)) if self._slopes is None else self._fisher(self._slopes)

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """(n, C) probabilities of the next rows (n, d)."""
        parts = [self._block(rows[i : i + BLOCK]) for i in range(0, len(rows), BLOCK)]
        return np.concatenate(parts) if parts else self.tell(rows)

    @property
    def words(self) -> str:
        """What was done, in one line."""
        said = f"adapted while predicting: {self.changed:,} of {self.rows:,} answers differ from the model's own"
        if self.stopped is None:
            return f"{said}; the bound of {self.most:.0%} was not reached"
        return f"{said}; from row {self.stopped:,} on more than {self.most:.0%} would have, and nothing was adapted"

    def _block(self, rows: np.ndarray) -> np.ndarray:
        own = self.tell(rows)
        self.rows += len(rows)
        if self.stopped is not None:
            return own
        X = np.where(np.isnan(rows), self._mean, np.asarray(rows, dtype=np.float64))
        told = self._adapted((X - self._mean) / self._unit)
        differ = int((told.argmax(1) != own.argmax(1)).sum())
        if self.changed + differ > self.most * self.rows:
            self.stopped = self.rows - len(X)
            return own
        self.changed += differ
        return told

    def _adapted(self, U: np.ndarray) -> np.ndarray:
        """Answers for standardised rows, which then count: by how they differ from the class that they are given.

        Counted without their class, a file sorted by classes would drag the mean after each of them in turn.
        """
        given = self.tell(self._placed(U)).argmax(1)
        rest = U - self._classes[given]
        self._count += len(U)
        self._sum, self._squares = self._sum + rest.sum(0), self._squares + (rest**2).sum(0)
        total = self._count + PRIOR
        self._moved = self._sum / total
        variance = (self._squares + PRIOR * self._within) / total - self._moved**2
        self._wide = np.sqrt(np.maximum(variance / self._within, LEAST_SHRUNK))
        told = self.tell(self._placed(U))
        if self._slopes is not None and self.step:
            self._learn((U - self._moved) / self._wide, told)
        return told

    def _placed(self, U: np.ndarray) -> np.ndarray:
        """Standardised rows where the head expects them."""
        return ((U - self._moved) / self._wide * self._scale + self._shift) * self._unit + self._mean

    def _learn(self, U: np.ndarray, told: np.ndarray) -> None:
        """One step on scale and shift."""
        least = CERTAIN * np.log(told.shape[1])
        use = entropies(told) < least
        if len(self._lately):
            length = np.linalg.norm(told, axis=1) * np.linalg.norm(self._lately)
            use &= told @ self._lately < ALIKE * length
        if not use.any():
            return
        told, U = told[use], U[use]
        assert self._slopes is not None
        weight = np.exp(least - entropies(told))[:, None] / len(told)
        slope = weight * (steepest(told) @ self._slopes.T)
        held = 2 * self._hold * np.stack([self._scale - 1, self._shift])
        self._scale = self._scale - self.step * ((slope * U).sum(0) + held[0])
        self._shift = self._shift - self.step * (slope.sum(0) + held[1])
        mean = told.mean(0)
        self._lately = 0.9 * self._lately + 0.1 * mean if len(self._lately) else mean

    def _fisher(self, slopes: np.ndarray) -> np.ndarray:
        """(2, d) how much scale and shift of each column matter to the answers on rows like the source's."""
        X, _ = self.source.draw(DRAWN)
        told, U = self.tell(X), (X - self._mean) / self._unit
        slope = (np.eye(told.shape[1])[told.argmax(1)] - told) @ slopes.T
        return np.stack([((slope * U) ** 2).mean(0), (slope**2).mean(0)])


def entropies(told: np.ndarray) -> np.ndarray:
    """(n,) entropy, in nats, of each row of probabilities."""
    return np.asarray(-(told * np.log(np.maximum(told, 1e-12))).sum(1))


def steepest(told: np.ndarray) -> np.ndarray:
    """(n, C) gradient of each row's entropy with respect to its logits."""
    return np.asarray(-told * (np.log(np.maximum(told, 1e-12)) + entropies(told)[:, None]))
