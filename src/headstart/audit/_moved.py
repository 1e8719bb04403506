"""Do a target's rows come from where a model's training rows came from, when only their summary is left?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import stats

from headstart._words import chance, counted
from headstart.adaptation._shared import expected_shares
from headstart.adaptation._source import Source
from headstart.errors import NotApplicable

LEVEL = 0.01
FEWEST = 10
DRAWS = 999
COLUMNS = 512  # more are sampled: the null needs the square of their covariance
FAR = 20


@dataclass(frozen=True)
class Moved:
    """What tells a target from a summary; `far` are positions of target rows, the most foreign first."""

    mean: float
    mean_p: float
    spread: float
    spread_p: float
    kinds: tuple[tuple[str, str], ...]
    is_shift: bool
    far: tuple[int, ...]
    words: str

    def to_json(self) -> dict[str, Any]:
        """As `result.json` shows it."""
        kinds = [{"kind": kind, "words": words} for kind, words in self.kinds]
        return {**asdict(self), "kinds": kinds, "far": list(self.far)}


def moved(source: Source, target: np.ndarray, told: np.ndarray, *, classes: Sequence[str] = (), seed: int = 0) -> Moved:
    """Compare the columns' means and variances of target rows (m, d) with those of the source, told (m, C) the answers.

    Use it where no source row is left; `shift` sees more. Two tests: the mean squared standardised difference of the
    columns' means, against draws from the normal distribution that the summary stands for (a parametric bootstrap), and
    how far rows lie from the source's mean, against the source's own (a z test). A shift is found when either p is at
    most half of 0.01. It is an approximation: it leans on the central limit theorem, takes rows as independent, and
    cannot see a shift that leaves the means and the spread as they were. Raises NotApplicable for fewer than ten rows.

    >>> from headstart.adaptation.source_free._example import moved as made
    >>> [moved(source, target, told).is_shift for target, told, source, _ in (made(0.0), made(1.0))]
    [False, True]
    """
    if len(target) < FEWEST or target.shape[1] != len(source.mean):
        seen = f"the target has {counted(len(target))} of {target.shape[1]} columns"
        expected = f"at least {FEWEST} rows of {len(source.mean)} columns"
        raise NotApplicable(seen, expected=expected, do="collect more rows")
    rng = np.random.default_rng(seed)
    unit, U = source.deviation, (target - source.mean) / source.deviation
    columns = rng.permutation(len(unit))[:COLUMNS]
    factor = np.vstack([source.factor, source.between])[:, columns] / unit[columns]
    own = factor.T @ factor + np.diag(source.rest[columns] / unit[columns] ** 2)
    own += np.diag(np.where(np.diag(own) < 1e-12, 1e-6, 0.0))  # a column that was constant
    both = 1 / source.rows + 1 / len(target)
    mean, mean_p = _against(U[:, columns].mean(0), own * both, rng)
    far = source.far(target)
    spread = float((far.mean() - source.reach[0]) / max(source.reach[1] * np.sqrt(both), 1e-9))
    spread_p = float(2 * stats.norm.sf(abs(spread)))
    is_shift = 2 * min(mean_p, spread_p) <= LEVEL
    numbers = f"means {chance(mean_p)} by a parametric bootstrap, spread {chance(spread_p)}"
    if not is_shift:
        return Moved(mean, mean_p, spread, spread_p, (), False, (), f"No shift was found ({numbers}).")
    many = int((2 * stats.norm.sf(np.abs(U.mean(0)) / np.sqrt(both)) < LEVEL / len(unit)).sum())
    wider = "wider" if spread > 0 else "narrower"
    lie = f"rows lie {wider} by {abs(spread):.1f} standard errors"
    kinds = [("covariate", f"{many} of {len(unit)} columns differ in the mean, and {lie}")]
    shares = expected_shares(told, source.told)
    k = int(np.abs(shares - source.told).argmax())
    name = repr(classes[k]) if classes else k
    change = f"{100 * source.told[k]:.0f} % to {100 * shares[k]:.0f} %"
    kinds.append(("prior", f"if only the shares of classes had changed, class {name} would have gone from {change}"))
    foreign = tuple(int(i) for i in np.argsort(-far, kind="stable")[:FAR])
    words = (
        f"The target differs from the summary of the training rows ({numbers}): {'; '.join(w for _, w in kinds)}."
        " Whether the same features mean other classes there (conditional shift) cannot be seen without labels."
    )
    return Moved(mean, mean_p, spread, spread_p, tuple(kinds), True, foreign, words)


def _against(seen: np.ndarray, covariance: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """The mean square of a vector and how often a normal one with that covariance has as large a one."""
    values = np.maximum(np.linalg.eigvalsh(covariance), 0.0)  # a sum of squares depends on the eigenvalues alone
    null = rng.chisquare(1, (DRAWS, len(values))) @ values / len(values)
    value = float((seen**2).mean())
    return value, (1 + int((null >= value).sum())) / (1 + DRAWS)
