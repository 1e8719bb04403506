"""One row, one answer: the way of explaining it that suits the model, and what it shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from headstart._compute import device
from headstart.backbones._featurizer import Featurizer
from headstart.data.dataset import Dataset
from headstart.data.images import decode
from headstart.errors import NotApplicable
from headstart.explain._gradients import STEPS, grad_cam
from headstart.explain._network import Whole
from headstart.explain._pictures import Cells, as_seen, drawn, off_object, where
from headstart.explain._pieces import Piece, by_gradient, counted, pieces, without
from headstart.explain._score import Score
from headstart.explain._shapley import shapley
from headstart.model import Model

GRID = 6  # cells on a side of a picture that are hidden and shown
WORDS = 40  # pieces of a text that come in one by one; longer texts are divided into runs of words
CHEAP, DEAR = 1500, 160  # rows that are asked about for one explanation: without a network, and with one
BACKGROUND = 200  # rows whose columns stand for "not this row's"
WAYS = {
    "grad_cam": "where in the last map of the network the score comes from (Grad-CAM)",
    "integrated_gradients": "what each word changes on the way from blanks to the text (integrated gradients)",
    "weights": "what each word adds to the score of this linear model: exact",
    "shapley": "what the score gains when a part comes in, on average over random orders (Shapley values by sampling)",
}


@dataclass
class Explanation:
    """Why one answer and not another: a map of a picture, or the weights of words or columns.

    Weights are in units of the score (logits) and speak for `toward` where positive. Where `base` is known, they add up
    to `score` - `base`, but for `missed`.
    """

    way: str  # of WAYS
    toward: str
    against: str | None
    score: float
    base: float | None = None
    missed: float = 0.0
    heat: list[list[float]] | None = None  # a map, from the upper left
    picture: str | None = None  # the map over the picture, a data: URI
    where: str = ""  # the ninth of the picture that speaks most for `toward`, and its share
    off: float | None = None  # share of what of the map speaks for `toward` that lies off the object, where it is known
    around: float | None = None  # share of the picture that lies off the object
    words: list[list[Any]] = field(default_factory=list)  # [word, weight], in the order of the text
    columns: list[list[Any]] = field(default_factory=list)  # [column, its value, weight], the heaviest first
    note: str = ""  # why not in a better way, or not of the whole model

    def to_json(self) -> dict[str, Any]:
        """As `explain.json` shows it."""
        return asdict(self)


class Explainer:
    """Explains a model's answers, one row at a time.

    Pictures get Grad-CAM, texts integrated gradients, word counts their exact weights. Tables, and what has no gradient
    (nearest neighbours, hand-made features), get Shapley values by sampling, which for pictures is coarser; columns are
    exchanged for those of `background`, which should be training rows; `pace` is how many seconds the network takes for
    a row, where that is known. NotApplicable for models that answer rows only together.
    """

    def __init__(self, model: Model, background: Dataset | None = None, pace: float = 0.0) -> None:
        if model.technique.together:
            raise NotApplicable(f"what {model.card.technique} says of a row depends on the rows beside it")
        self.model = model
        self.background = background
        self.pace = pace
        self._known: dict[tuple[str, int, int | None], Explanation] = {}

    def __call__(self, data: Dataset, row: int, toward: int = 0, against: int | None = None) -> Explanation:
        """Why the row at a position is `toward` (a class code) more than `against`; a number needs neither.

        What was explained before is remembered: the surest mistakes are also the examples of their pair of classes.
        """
        asked = (str(data.ids[row]), toward, against)
        if asked not in self._known:
            self._known[asked] = self._new(data, row, toward, against)
        return self._known[asked]

    def _new(self, data: Dataset, row: int, toward: int, against: int | None) -> Explanation:
        card = self.model.card
        score = Score(self.model, toward, against)
        one = data.take(np.array([row]))
        found = {"text": self._text, "image": self._image}.get(card.modality, self._columns)(one, score)
        if more := len(self.model.beside):
            alone = f"explained is {card.technique} on {card.backbone} alone, whose mean with {more} more is the answer"
            found.note = "; ".join(filter(None, (found.note, alone)))
        if card.classes:
            found.toward = card.classes[toward]
            found.against = None if against is None else card.classes[against]
        return found

    @cached_property
    def whole(self) -> Whole | NotApplicable:
        """The model as a function with a gradient, or why it has none."""
        try:
            return Whole(self.model)
        except NotApplicable as error:
            return error

    def _traced(self, way: Callable[[Whole], Explanation], other: Callable[[], Explanation]) -> Explanation:
        """By gradient where there is one, else in the other way, with the reason."""
        try:
            if isinstance(self.whole, NotApplicable):
                raise self.whole
            return way(self.whole)
        except NotApplicable as error:
            return replace(other(), note=f"not by gradient: {error.seen}")

    def _image(self, one: Dataset, score: Score) -> Explanation:
        row, backbone = one.rows[0], self.model.backbone
        pixels = backbone.prepare([row]).values if backbone.input_kind == "pixels" else None

        def traced(whole: Whole) -> Explanation:
            if pixels is None:
                raise NotApplicable(f"{backbone.name} reads no pixels")
            heat, told = grad_cam(whole, pixels.to(device()), score)
            return Explanation("grad_cam", "", None, told, heat=heat.tolist())

        def hidden() -> Explanation:
            def tell(present: np.ndarray, _: np.ndarray) -> np.ndarray:
                return self._told(one, [Cells(row, p.reshape(GRID, GRID)) for p in present], score)

            weights, base, told = shapley(tell, GRID * GRID, DEAR // (GRID * GRID))
            heat = weights.reshape(GRID, GRID).tolist()
            return Explanation("shapley", "", None, told, base, heat=heat)

        found = self._traced(traced, hidden)
        heat = np.array(found.heat)
        image = decode(row) if pixels is None else as_seen(pixels[0].numpy())
        found.picture, found.where = drawn(image, heat), where(heat)
        if (shares := off_object(image, heat)) is not None:
            found.off, found.around = shares
            off, around = (f"{100 * share:.0f} %" for share in shares)
            found.where += f"; {off} of it lies off the object, as {around} of the picture does"
        return found

    def _text(self, one: Dataset, score: Score) -> Explanation:
        text = one.rows[0]
        if not pieces(text):
            told = float(score.rows(one)[0])
            return Explanation("shapley", "", None, told, told, note="the row has no words")
        if self.model.card.technique == "tfidf":
            return _of_words("weights", *counted(score, text))

        def left_out() -> Explanation:
            parts = pieces(text)
            groups = np.array_split(np.arange(len(parts)), min(WORDS, len(parts)))

            def tell(present: np.ndarray, _: np.ndarray) -> np.ndarray:
                each = np.repeat(present, [len(g) for g in groups], axis=1)
                return self._told(one, [without(text, parts, p) for p in each], score)

            weights, base, told = shapley(tell, len(groups), self._walks(len(groups)))
            runs = [Piece(" ".join(parts[i].name for i in g), 0, 0) for g in groups]
            return _of_words("shapley", runs, weights, base, told)

        return self._traced(lambda whole: _of_words("integrated_gradients", *by_gradient(whole, text, score)), left_out)

    def _columns(self, one: Dataset, score: Score) -> Explanation:
        row, others = one.rows[0], self._others()
        names = list(row) if isinstance(row, dict) else list(range(len(row)))

        def tell(present: np.ndarray, draw: np.ndarray) -> np.ndarray:
            return self._told(one, [_mixed(row, others[d], p) for p, d in zip(present, draw, strict=True)], score)

        weights, base, told = shapley(tell, len(names), self._walks(len(names)))
        order = np.argsort(-np.abs(weights), kind="stable")
        columns = [[str(names[i]), _cell(row[names[i]]), float(weights[i])] for i in order]
        return Explanation("shapley", "", None, told, base, columns=columns)

    @property
    def seconds(self) -> float:
        """What one explanation takes at least, by the pace; a slope costs as much as three rows."""
        if self.cheap or not self.pace:
            return 0.0
        slopes = STEPS[0] if self.model.card.modality == "text" else 1
        return self.pace * (DEAR if isinstance(self.whole, NotApplicable) else 3 * slopes)

    @property
    def cheap(self) -> bool:
        """Whether asking the model about a row costs next to nothing."""
        return isinstance(self.model.backbone, Featurizer)

    def _walks(self, parts: int) -> int:
        return max(2, (CHEAP if self.cheap else DEAR) // (parts + 1) // 2 * 2)

    def _others(self) -> list[Any]:
        """Rows of the background, in a fixed random order, repeated as often as needed."""
        if self.background is None or not len(self.background):
            raise NotApplicable(
                "columns can only be exchanged for those of other rows", expected="the run's own rows, or more rows",
                do="explain within the run's folder, with its data where it was",
            )  # fmt: skip
        rows = np.random.default_rng(0).permutation(len(self.background))[:BACKGROUND]
        return [self.background.rows[int(i)] for i in np.resize(rows, CHEAP)]

    def _told(self, one: Dataset, rows: list[Any], score: Score) -> np.ndarray:
        """(n,) scores of rows; those that read alike are asked about once."""
        first: dict[Any, int] = {}
        place = [first.setdefault(_key(row), len(first)) for row in rows]
        own = [rows[i] for i in np.unique(place, return_index=True)[1]]
        many = one.take(np.zeros(len(own), dtype=int))
        return score.rows(replace(many, rows=own, ids=np.arange(len(own)).astype(str)))[place]


def _mixed(row: Any, other: Any, present: np.ndarray) -> Any:
    if isinstance(row, dict):
        return {k: v if here else other.get(k) for (k, v), here in zip(row.items(), present, strict=True)}
    return np.where(present, row, other)


def _key(row: Any) -> Any:
    """What two rows have in common that read alike: of one picture, the cells that are shown."""
    part = row.shown if isinstance(row, Cells) else row
    return part.tobytes() if isinstance(part, np.ndarray) else repr(part)


def _of_words(way: str, parts: list[Piece], weights: np.ndarray, base: float, told: float) -> Explanation:
    words = [[part.name, float(w)] for part, w in zip(parts, weights, strict=True)]
    return Explanation(way, "", None, told, base, told - base - float(weights.sum()), words=words)


def _cell(value: Any) -> str:
    return "" if value is None else f"{value:g}" if isinstance(value, float | np.floating) else str(value)
