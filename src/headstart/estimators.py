"""The scikit-learn face: fit, predict, clone, grid search and pipelines over texts, pictures, tables and matrices."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self, cast

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, check_X_y, column_or_1d, validate_data

from headstart.activations.activations import Activations
from headstart.data.raw import is_missing
from headstart.errors import NotApplicable
from headstart.selection.calibration import apply
from headstart.selection.contender import make

TRY = ("ridge", "linear_probe", "knn")  # what technique="auto" chooses from, by cross-validation
FOLDS = 5


class _Transfer(BaseEstimator):
    """What classifier and regressor share: rows to activations, a technique on top."""

    _inputs: tuple[str, ...]

    def __init__(
        self, backbone: str = "auto", technique: str = "auto", *, precision: str = "auto", cache: str | None = None,
        random_state: int | None = None,
    ) -> None:  # fmt: skip
        self.backbone = backbone
        self.technique = technique
        self.precision = precision
        self.cache = cache
        self.random_state = random_state

    def _learn(self, X: Any, y: np.ndarray, groups: Any) -> Self:
        """`y` is coded as techniques read it: class codes, 0/1 columns or numbers."""
        check_consistent_length(X, y, groups)
        seen = self._see(X, fitting=True)
        names = TRY if self.technique == "auto" else (self.technique,)
        fits = [n for n in names if seen.kind in make(n).accepts]
        if self.technique != "auto" and not fits:
            giver = getattr(self, "backbone_", "a matrix")
            raise NotApplicable(
                f"{self.technique} does not read {seen.kind}, which is what {giver} gives of these rows",
                expected=f"what it reads: {' or '.join(sorted(make(self.technique).accepts))}",
                do="leave technique at 'auto', or name another backbone, such as 'ngrams' for tfidf",
            )  # fmt: skip
        fits = fits or ["tfidf" if seen.kind == "counts" else names[0]]
        chosen = fits[0] if len(fits) == 1 else self._choose(fits, seen, y, groups)
        self.technique_ = self._build(chosen).fit(seen, y)
        return self

    def _choose(self, names: list[str], seen: Activations, y: np.ndarray, groups: Any) -> str:
        """The technique with the best out-of-fold score; the first (closed form) where there are too few rows."""
        from sklearn.model_selection import GroupKFold, KFold

        from headstart.selection.metrics import metric_for

        if len(y) < 2 * FOLDS:
            return names[0]
        metric = metric_for(y, "label" if np.issubdtype(y.dtype, np.integer) else "number")
        if groups is None:
            folds = KFold(FOLDS, shuffle=True, random_state=self.random_state or 0)
        else:
            folds = GroupKFold(min(FOLDS, len(np.unique(groups))))
        outputs = int(y.max()) + 1 if np.issubdtype(y.dtype, np.integer) else 1
        worth = {}
        for name in names:
            told = np.zeros((len(y), outputs))
            for fit, held in folds.split(np.zeros(len(y)), y, groups):
                part = self._build(name).fit(seen[fit], y[fit]).predict_proba(seen[held])
                told[held, : part.shape[1]] = part
            worth[name] = metric(y, told)
        return max(names, key=lambda n: worth[n])

    def _build(self, name: str) -> Any:
        technique = make(name)
        return technique.set_params(seed=self.random_state or 0) if "seed" in technique.get_params() else technique

    def _see(self, X: Any, *, fitting: bool = False) -> Activations:
        """Rows to activations: a numeric matrix directly, anything else through a backbone and the store."""
        if fitting:
            self.modality_ = None if _is_matrix(X) else "raw"
        if self.modality_ is None:
            X = validate_data(self, X, reset=fitting, dtype=np.float64, ensure_min_samples=1)
            return Activations(X, np.arange(len(X)).astype(str), "pooled", "vector")
        from headstart import backbones
        from headstart.activations.store import ActivationStore
        from headstart.data.read import read_rows

        modality = _modality(X) if fitting else self.modality_
        data = read_rows(X, modality=modality, inputs=() if fitting else self._inputs)
        if fitting:
            self.modality_, self._inputs = modality, data.inputs  # new rows may look otherwise than these
            name = self.backbone
            if name == "auto":
                name = "columns" if modality == "table" else backbones.candidates(modality)[0]
            self.backbone_ = name
            self._schema = backbones.get("columns", data) if name == "columns" else None
        backbone = self._schema or backbones.get(self.backbone_)
        cut = "pooled" if fitting and self.technique == "auto" else self._cut(backbone.cuts)
        store = ActivationStore(Path(self.cache) if self.cache else None)
        return store.get(backbone, data, {cut}, precision=self.precision)[cut]

    def _cut(self, cuts: tuple[str, ...]) -> str:
        name = self.technique if self.technique != "auto" else None
        technique = self._build(name) if name else self.technique_
        return cast(str, technique.where(cuts))


class TransferClassifier(ClassifierMixin, _Transfer):
    """A pre-trained network and the technique that suits the rows, as a scikit-learn classifier.

    Use it inside pipelines, grid searches and notebooks; use `headstart.run` for a verdict and a report. `X` is a list
    of texts, picture paths, PIL images or arrays (n, h, w, 3), a DataFrame, or a numeric matrix (n, d), on which no
    network is loaded. Raises DataError for rows that cannot be read, ValueError for targets that are no classes.

    >>> model = TransferClassifier().fit(np.repeat(np.eye(2), 6, axis=0), ["a"] * 6 + ["b"] * 6)
    >>> model.predict([[1.0, 0.0]])
    array(['a'], dtype='<U1')
    """

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Learn; `groups` keeps rows together where techniques are compared."""
        if _is_matrix(X):
            X, y = check_X_y(X, y, dtype=None, ensure_all_finite=False)
        self.classes_, codes = _codes(y)
        if len(self.classes_) < 2:
            raise ValueError("Classifier can't train when only one class is present.")
        return self._learn(X, codes, groups)

    def predict_proba(self, X: Any) -> np.ndarray:
        """(n, C) probabilities, columns as in `classes_`."""
        check_is_fitted(self)
        return np.asarray(self.technique_.predict_proba(self._see(X)))

    def predict(self, X: Any) -> np.ndarray:
        """Class names."""
        told = self.predict_proba(X).argmax(1)
        return np.asarray(self.classes_[told])


class TransferRegressor(RegressorMixin, _Transfer):
    """A pre-trained network and the technique that suits the rows, as a scikit-learn regressor.

    Use and rows as `TransferClassifier`; targets are numbers.

    >>> X = np.arange(20.0)[:, None]
    >>> model = TransferRegressor(technique="ridge").fit(X, 2 * X[:, 0])
    >>> bool(abs(model.predict([[4.0]])[0] - 8) < 0.01)
    True
    """

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Learn; `groups` keeps rows together where techniques are compared."""
        if _is_matrix(X):
            X, y = check_X_y(X, y, dtype=None, y_numeric=True, ensure_all_finite=False)
        y = np.asarray(y, dtype=np.float64)
        if y.ndim == 2 and y.shape[1] == 1:
            y = y[:, 0]
        if not np.isfinite(y).all():
            raise ValueError("Input y contains NaN or infinity.")
        return self._learn(X, y, groups)

    def predict(self, X: Any) -> np.ndarray:
        """(n,) numbers."""
        check_is_fitted(self)
        return np.asarray(self.technique_.predict_proba(self._see(X))[:, 0])


class DomainAdaptationClassifier(ClassifierMixin, _Transfer):
    """A classifier learnt on labelled source rows for unlabelled target rows, adapted where that is safe.

    Use it where rows of another site or style are to be predicted and none of them is labelled. There is no argument
    through which a label of the target could enter; `method` names one way of `headstart list adaptation`, "auto"
    leaves it to the guard: the target's clusters or most validators must speak for a method beyond noise, or nothing is
    adapted. Rows as `TransferClassifier` takes them. After `fit`, `method_` is what was used (None: nothing),
    `decision_` the votes, `shift_` what differs.

    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.normal(size=(80, 2)) + np.repeat([[0, 0], [4, 4]], 40, axis=0), np.repeat(["a", "b"], 40)
    >>> model = DomainAdaptationClassifier().fit(X, y, rng.permutation(X))
    >>> model.method_ is None, model.predict([[4, 4]]).tolist()
    (True, ['b'])
    """

    technique = "ridge"

    def __init__(
        self, backbone: str = "auto", method: str = "auto", *, precision: str = "auto", cache: str | None = None,
        random_state: int | None = None,
    ) -> None:  # fmt: skip
        self.backbone = backbone
        self.method = method
        self.precision = precision
        self.cache = cache
        self.random_state = random_state

    def fit(self, X_source: Any, y_source: Any, X_target: Any) -> Self:
        """Learn from the source's rows and labels and from the target's rows."""
        from sklearn.model_selection import train_test_split

        from headstart._methods import FLOOR, candidates, finite, guess, sharpness
        from headstart.audit._shift import shift
        from headstart.selection.guard import Decision, guard

        check_consistent_length(X_source, y_source)
        self.classes_, y = _codes(y_source)
        if len(rare := self.classes_[np.bincount(y) < 2]):
            raise ValueError(f"Class {rare[0]} has one row only: two or more of each are needed.")
        ours, theirs = (self._see(rows, fitting=k == 0) for k, rows in enumerate((X_source, X_target)))
        seed = self.random_state or 0
        train, held = train_test_split(np.arange(len(y)), test_size=0.25, random_state=seed, stratify=y)
        X, Z = finite(ours, theirs, train)
        names = () if self.method == "auto" else (self.method,)
        menu = candidates(X[train], y[train], X[held], y[held], Z, names=names, seed=seed)
        floor = menu[FLOOR]
        self.shift_ = shift(X[train], Z, floor.outlook.told, y[train], seed=seed)
        if names:
            self.decision_ = Decision(self.method, "as asked", ())
        elif self.shift_.is_shift:
            self.decision_ = guard(floor.outlook, {n: c.outlook for n, c in menu.items() if n != FLOOR})
        else:
            self.decision_ = Decision(None, "no shift was found", ())
        self.method_ = self.decision_.method
        chosen = menu[self.method_ or FLOOR]
        self.fitted_ = chosen.fitted
        self.temperature_ = sharpness(chosen, guess(chosen, floor, menu, seed)["estimate"])
        self.technique_ = self.fitted_.head
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """(n, C) probabilities for rows of the target domain, columns as in `classes_`."""
        check_is_fitted(self)
        rows = np.asarray(self._see(X))
        told = self.fitted_(np.where(np.isnan(rows), self.fitted_.adapter.fill_, rows))
        return apply(told, self.temperature_)

    def predict(self, X: Any) -> np.ndarray:
        """Class names for rows of the target domain."""
        told = self.predict_proba(X).argmax(1)
        return np.asarray(self.classes_[told])


def _codes(y: Any) -> tuple[np.ndarray, np.ndarray]:
    """The classes, and the code of each row; a ValueError for what are no classes."""
    names = np.asarray(column_or_1d(y))
    if names.dtype == object and any(is_missing(name) and not isinstance(name, str) for name in names):
        raise ValueError("Input y contains NaN.")
    check_classification_targets(names)
    classes, codes = np.unique(names, return_inverse=True)
    return classes, codes.astype(np.int64)


def _is_matrix(X: Any) -> bool:
    """Numbers in rows and columns, or something so odd that scikit-learn's own checks should complain about it."""
    if hasattr(X, "dtypes"):
        return all(isinstance(t, np.dtype) and t.kind in "biuf" for t in np.atleast_1d(X.dtypes))
    if isinstance(X, np.ndarray) and X.dtype != object:
        return X.ndim <= 2 and X.dtype.kind != "U"
    first: Any = next(iter(X), None) if isinstance(X, list | tuple | np.ndarray) else None
    is_row = isinstance(first, str | bytes | Path | dict) or hasattr(first, "getbands") or np.ndim(first) in (2, 3)
    return not is_row


def _modality(X: Any) -> str:
    """What rows that are no numeric matrix are."""
    from headstart.data.images import is_picture
    from headstart.data.roles import inputs_of
    from headstart.data.sources import open_source

    if hasattr(X, "columns"):
        raw = open_source(X)
        return inputs_of(raw, list(raw.columns), None, [], given=False)[0]
    first = next(iter(X))
    if isinstance(first, dict):
        return "table"
    if isinstance(first, str):
        return "image" if is_picture(first) and Path(first).exists() else "text"
    return "image"
