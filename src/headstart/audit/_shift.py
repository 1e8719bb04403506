"""Do the target's rows come from where the source's rows come from? And if not, what has changed?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import stats

from headstart._words import chance, counted
from headstart.audit._permutation import classifier_test, kernel_test, spread_scores
from headstart.errors import NotApplicable

LEVEL = 0.01
FEWEST = 10
BOOTSTRAPS = 400
TURN = 20.0  # degrees


@dataclass(frozen=True)
class Shift:
    """What tells target from source. `kinds` holds pairs of a kind (covariate, prior, subspace) and what speaks for it.

    `times` is the MMD over its spread between random halves of the source; `far` are positions of target rows.
    """

    auc: float
    auc_p: float
    mmd: float
    mmd_p: float
    within: float
    times: float
    kinds: tuple[tuple[str, str], ...]
    is_shift: bool
    far: tuple[int, ...]
    words: str

    def to_json(self) -> dict[str, Any]:
        """As `result.json` shows it."""
        kinds = [{"kind": kind, "words": words} for kind, words in self.kinds]
        return {**asdict(self), "kinds": kinds, "far": list(self.far)}


def shift(
    source: np.ndarray,
    target: np.ndarray,
    told: np.ndarray | None = None,
    y: np.ndarray | None = None,
    *,
    classes: Sequence[str] = (),
    seed: int = 0,
) -> Shift:
    """Compare source (n, d) and target (m, d) features; told (m, C): a source model's probabilities on the target.

    Use it before adapting: without a shift there is nothing to gain, and the kind of shift says which family of methods
    fits. Two permutation tests of 499 draws each, a domain classifier and a kernel; a shift is found when either p is
    at most half of 0.01 (Bonferroni), so at most one draw in 100 without any shift is a false alarm. `far` (most
    foreign first, up to 20) is empty without a shift. "prior" needs `told` and the source's codes `y`. Rows that depend
    on each other (one patient, many pictures) make any difference look surer than it is, and whether the same features
    mean another class there (conditional shift) cannot be seen without target labels. (Lopez-Paz and Oquab 2017;
    Gretton et al. 2012; Saerens et al., Adjusting the Outputs of a Classifier to New a Priori Probabilities, 2002.)

    >>> rng = np.random.default_rng(0)
    >>> source, target = rng.normal(size=(200, 5)), rng.normal(size=(200, 5))
    >>> shift(source, target).is_shift, shift(source, target + 1).is_shift
    (False, True)
    """
    _check(source, target, told, y)
    rng = np.random.default_rng(seed)
    n = len(source)
    X = np.concatenate([source, target]).astype(np.float64)
    X = X[:, np.ptp(X, axis=0) > 0]
    if not X.shape[1]:
        raise NotApplicable("every column is constant", expected="features that vary", do="check the backbone")
    X = (X - X.mean(0)) / X.std(0)
    R = X if X.shape[1] <= len(X) else _rotated(X)
    auc, auc_p, scores = classifier_test(R, n, rng)
    mmd, mmd_p, within, spread = kernel_test(R, n, rng)
    times = mmd / max(spread, 1e-12)
    is_shift = 2 * min(auc_p, mmd_p) <= LEVEL
    kinds: list[tuple[str, str]] = []
    far: tuple[int, ...] = ()
    if is_shift:
        prior, explained = (
            _prior(R, n, told, y, mmd, rng, classes) if told is not None and y is not None else ("", False)
        )
        kinds = [("prior", prior)] if prior else []
        kinds = [*kinds, ("covariate", _covariate(X, R, n, auc))] if not explained else kinds
        if turned := _subspace(X, n, rng) if not explained else "":
            kinds.append(("subspace", turned))
        far = tuple(int(i) for i in np.argsort(-scores[n:], kind="stable")[:20])
    words = _words(is_shift, f"domain AUC {auc:.2f}, {chance(auc_p)}; MMD {chance(mmd_p)}", kinds)
    return Shift(auc, auc_p, mmd, mmd_p, within, times, tuple(kinds), is_shift, far, words)


def _check(source: np.ndarray, target: np.ndarray, told: np.ndarray | None, y: np.ndarray | None) -> None:
    """Refuse what cannot be compared."""
    for name, rows in (("source", source), ("target", target)):
        if rows.ndim != 2 or len(rows) < FEWEST:
            seen = counted(len(rows)) if rows.ndim == 2 else f"shape {rows.shape}"
            raise NotApplicable(
                f"the {name} has {seen}", expected=f"at least {FEWEST} rows of features", do="collect more rows"
            )
        if not np.isfinite(rows).all():
            seen = f"the {name} has rows with NaN or infinite features"
            raise NotApplicable(seen, expected="finite numbers", do="fill or leave out these rows")
    if source.shape[1] != target.shape[1]:
        seen = f"the source has {source.shape[1]} columns, the target {target.shape[1]}"
        raise NotApplicable(seen, expected="the same columns", do="embed both with the same backbone and layer")
    if (told is not None and (told.ndim != 2 or len(told) != len(target) or not np.isfinite(told).all())) or (
        y is not None and (y.shape != (len(source),) or (told is not None and int(y.max()) >= told.shape[1]))
    ):
        seen = "told or y does not fit the rows"
        expected = "finite probabilities (m, C) of the target rows and a code below C for each source row"
        raise NotApplicable(seen, expected=expected, do="compute both from the same model and classes")


def _rotated(X: np.ndarray) -> np.ndarray:
    """The rows in as many columns as there are rows, all distances kept."""
    values, vectors = np.linalg.eigh(X @ X.T)
    return vectors * np.sqrt(np.maximum(values, 0))


def _covariate(X: np.ndarray, R: np.ndarray, n: int, auc: float) -> str:
    """Where the two differ, column by column in the mean and direction by direction in the spread."""
    size = np.abs(spread_scores(np.concatenate([R[:n] - R[:n].mean(0), R[n:] - R[n:].mean(0)])))
    counts = []
    for columns in (X, size):
        a, b = columns[:n], columns[n:]
        error = np.sqrt(a.var(0) / len(a) + b.var(0) / len(b))
        z = np.abs(a.mean(0) - b.mean(0)) / np.maximum(error, 1e-12)
        counts.append(f"{int((2 * stats.norm.sf(z) < LEVEL / columns.shape[1]).sum())} of {columns.shape[1]}")
    return (
        f"the features themselves differ: {counts[0]} columns in the mean, {counts[1]} leading directions in the spread"
        f" (domain AUC {auc:.2f})"
    )


def _prior(
    X: np.ndarray, n: int, told: np.ndarray, y: np.ndarray, mmd: float, rng: np.random.Generator, names: Sequence[str]
) -> tuple[str, bool]:
    """What speaks for other class shares in the target, and whether they explain the whole difference.

    Shares by EM on bootstrapped target rows against bootstrapped source shares. They count only when source rows drawn
    with the new shares are much nearer to the target: other shifts mislead EM as well.
    """
    m, classes = told.shape
    told = np.maximum(told, 1e-6)
    seen = (np.bincount(y, minlength=classes) + 0.5) / (n + 0.5 * classes)
    counts = np.concatenate([np.ones((1, m)), rng.multinomial(m, np.full(m, 1 / m), size=BOOTSTRAPS)])
    shares = _em(told / seen, counts, seen)
    gap = shares[1:] - rng.multinomial(n, seen, size=BOOTSTRAPS) / n
    error = np.maximum(gap.std(0), 1e-9)
    z = float(stats.norm.isf(LEVEL / (2 * classes)))
    if not (np.abs(shares[0] - seen) > z * error).any():
        return "", False
    weight = (shares[0] / seen)[y]
    rows = np.flatnonzero(rng.random(n) < weight / weight.max())
    if len(rows) < FEWEST:
        return "", False
    drawn = np.concatenate([X[rows], X[n:]])
    _, auc_p, _ = classifier_test(drawn, len(rows), rng)
    left, mmd_p, _, _ = kernel_test(drawn, len(rows), rng)
    if left > 0.5 * mmd:
        return "", False
    k = int(np.abs(shares[0] - seen).argmax())
    explained = 2 * min(auc_p, mmd_p) > LEVEL
    name = repr(names[k]) if names else k
    rest = "the whole difference" if explained else "a good part of the difference"
    return (
        f"the classes' shares differ (class {name}: {seen[k]:.0%} -> {shares[0, k]:.0%}), which explains {rest}",
        explained,
    )


def _em(relative: np.ndarray, counts: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Class shares (B, C) that make each of B weightings (B, m) of the rows likeliest."""
    shares = np.tile(start, (len(counts), 1))
    for _ in range(100):
        shares = shares * ((counts / (shares @ relative.T)) @ relative) / counts.sum(1, keepdims=True)
    return shares


def _subspace(X: np.ndarray, n: int, rng: np.random.Generator) -> str:
    """Largest principal angle of the leading directions, against that of random halves of the source.

    As many directions as stand before the widest relative gap of the spectrum of the source, whose columns get unit
    variance. The turn must be 20 degrees wider than that of the most different of 50 pairs of halves: without a gap,
    halves stand askew and nothing is said.
    """
    scale = X[:n].std(0)
    both = np.concatenate([X[:n] - X[:n].mean(0), X[n:] - X[n:].mean(0)]) / np.where(scale > 1e-9, scale, 1)
    both = both if both.shape[1] <= len(both) else _rotated(both)
    scores = both @ np.linalg.eigh(both.T @ both)[1][:, -30:]
    a, b = scores[:n], scores[n:]
    values = np.linalg.eigvalsh(np.atleast_2d(np.cov(a.T)))[::-1]
    most = min(10, len(values) - 1, len(a) // 4, len(b) // 4)
    if most < 1:
        return ""
    k = 1 + int(np.argmax(values[:most] / np.maximum(values[1 : most + 1], 1e-12 + 1e-9 * values[0])))
    angle = _angle(a, b, k)
    halves = []
    for _ in range(50):
        mixed = rng.permutation(len(a))
        halves.append(_angle(a[mixed[::2]], a[mixed[1::2]], k))
    if angle <= max(halves) + TURN:
        return ""
    leading = "direction" if k == 1 else f"{k} directions"
    return (
        f"the leading {leading} turned by up to {angle:.0f} degrees, those of random halves of the source by up to"
        f" {max(halves):.0f}"
    )


def _angle(a: np.ndarray, b: np.ndarray, k: int) -> float:
    """Largest principal angle, in degrees, of the k leading directions of two sets of rows."""
    one, two = (np.linalg.eigh(np.cov(rows.T))[1][:, -k:] for rows in (a, b))
    return float(np.degrees(np.arccos(np.clip(np.linalg.svd(one.T @ two, compute_uv=False).min(), 0, 1))))


def _words(is_shift: bool, numbers: str, kinds: list[tuple[str, str]]) -> str:
    """One or two sentences for a person who reads nothing else."""
    if not is_shift:
        return f"No shift was found ({numbers}): adaptation is not needed."
    said = "; ".join(words for _, words in kinds)
    return (
        f"The target differs ({numbers}): {said}. Whether the same features mean other classes there (conditional"
        " shift) cannot be ruled out without target labels."
    )
