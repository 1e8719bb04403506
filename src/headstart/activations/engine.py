"""How a frozen prefix is run fast: what is batched together, on which route, and whether that route can be trusted."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch

from headstart._compute import device
from headstart._threads import threads
from headstart.activations._openvino import Converted, OpenvinoRoute, is_converted
from headstart.activations._torch import TorchRoute
from headstart.backbones._base import Backbone
from headstart.backbones._featurizer import Featurizer

log = logging.getLogger("headstart")

TOKENS = 1024  # of a batch of texts: more does not fill two cores better, and pads more
PICTURES, ON_CARDS = 4, 64  # of a batch of pictures: what more of them pass on leaves the caches of a CPU
CHUNK = 4096  # rows whose tokens are sorted by length together
GATE_ROWS = 24  # of the user's own rows on which a fast route is held against the exact one
FEW, ANEW = 48, 5  # rows: fewer are read by torch before OpenVINO is ready; times as many where it converts first
GATE = {"bf16": 0.9999, "fp32": 0.99999, "int8": 0.99}  # least cosine of a row with the exact route's
ROUTES = {"auto": ("fp32",), "fp32": ("fp32",), "bf16": ("bf16", "fp32"), "int8": ("int8", "bf16", "fp32")}

Values = dict[str, list[np.ndarray]]
Route = Callable[[torch.Tensor, torch.Tensor | None], dict[str, np.ndarray]]
_chosen: dict[tuple[str, str, tuple[str, ...]], tuple[str, Route]] = {}


def extract(
    backbone: Backbone, rows: Sequence[Any], cuts: Sequence[str], *, route: Route | None = None, scaled: bool = False
) -> Iterator[tuple[np.ndarray, Values]]:
    """Values of some cuts for all rows, in the order that is cheapest: (positions, {cut: one array a row}).

    Texts are sorted by length and batched by number of tokens, so that almost nothing is padded; pictures are decoded
    in threads while the network works on those before (`scaled`: large JPEGs at a fraction of their size, which is
    quicker and changes pixels slightly). Each row's answer depends on that row alone.
    """
    if isinstance(backbone, Featurizer):
        raise TypeError("a classical backbone has no network to run")
    if tuple(cuts) == ("input",):
        route = _nothing
    elif route is None:
        route = TorchRoute(backbone, tuple(cuts))
    batches = _texts(backbone, rows) if backbone.input_kind == "ids" else _pictures(backbone, rows, scaled=scaled)
    for positions, values, mask in batches:
        out = route(values, mask)
        if "input" in cuts:
            out["input"] = values.numpy()
        lengths = None if mask is None else mask.sum(1).tolist()
        yield (
            positions,
            {cut: _rows(out[cut], lengths if backbone.kind(cut) in ("tokens", "ids") else None) for cut in cuts},
        )


def in_order(stream: Iterable[tuple[np.ndarray, Values]], rows: int, cuts: Sequence[str]) -> Values:
    """What `extract` yields, each row at its place."""
    found: Values = {cut: [np.empty(0)] * rows for cut in cuts}
    for positions, values in stream:
        for cut in cuts:
            for position, value in zip(positions, values[cut], strict=True):
                found[cut][position] = value
    return found


def choose(
    backbone: Backbone,
    rows: Sequence[Any],
    cuts: Sequence[str],
    precision: str,
    *,
    home: Callable[[], Path] | None = None,
) -> tuple[str, Route | None]:
    """The fastest route that may be used: its name (part of the store's key) and the route itself.

    "fp32" gives the exact numbers of the network; "bf16" and "int8" are tried on some of the user's own rows and
    refused, with a word in the log, where a cosine falls below the gate; "auto" is the fastest exact one. `home`
    names the folder where a converted network is kept for the next time.
    """
    above = tuple(c for c in cuts if c != "input")
    if not above or isinstance(backbone, Featurizer):
        return "exact", None
    key = (backbone.fingerprint, precision, above)
    if "fp32" in ROUTES[precision][:1] and (
        len(rows) < FEW or (len(rows) < FEW * ANEW and key not in _chosen and not is_converted(home and home()))
    ):
        return "fp32", TorchRoute(backbone, above)  # both routes are exact, and this one is ready
    if key not in _chosen:
        for other in [k for k in _chosen if k[0] == key[0]]:  # one compiled copy of a network is enough
            del _chosen[other]
        _chosen[key] = _choose(backbone, rows, above, precision, home)
    return _chosen[key]


def forget() -> None:
    """Let go of compiled exact networks: what they will read later is rare, and compiled again in half a second.

    Those of other precisions stay, for only trying tells their names.
    """
    for key in [k for k in _chosen if ROUTES[k[1]][0] == "fp32"]:
        del _chosen[key]


def name_of(backbone: Backbone, cuts: Sequence[str], precision: str) -> str | None:
    """The name that `choose` will give where it is known without trying: exact routes all give the same numbers."""
    if isinstance(backbone, Featurizer) or set(cuts) <= {"input"}:
        return "exact"
    return "fp32" if ROUTES[precision][0] == "fp32" else None


def scales(backbone: Backbone, precision: str) -> bool:
    """Whether large JPEGs are read at a fraction of their size: unless exact numbers were asked for."""
    return backbone.input_kind == "pixels" and precision != "fp32"


def _choose(
    backbone: Backbone, rows: Sequence[Any], cuts: tuple[str, ...], precision: str, home: Callable[[], Path] | None
) -> tuple[str, Route]:
    exact = TorchRoute(backbone, cuts)
    if device().type != "cpu":
        return "fp32", exact
    some = [rows[i] for i in np.linspace(0, len(rows) - 1, min(GATE_ROWS, len(rows))).astype(int)]

    def run(route: Route) -> Values:
        return in_order(extract(backbone, some, cuts, route=route), len(some), cuts)

    truth: Values = {}
    converted = Converted(backbone, cuts, home and home())
    for name in ROUTES[precision]:
        try:
            fast = OpenvinoRoute(converted, name, some)
            if name == "fp32" and converted.trusted:
                return name, fast
            told = run(fast)
        except (ImportError, RuntimeError, NotImplementedError) as error:
            log.info("the %s route cannot run %s (%s); trying the next", name, backbone.name, str(error)[:200])
            continue
        truth = truth or run(exact)
        least = min(_cosine(a, b) for cut in cuts for a, b in zip(told[cut], truth[cut], strict=True))
        if least >= GATE[name]:
            if name == "fp32":
                converted.trust()
            return name, fast
        log.warning("the %s route of %s was refused: cosine %.5f, needed %.5f", name, backbone.name, least, GATE[name])
    return "fp32", exact


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a.ravel().astype(np.float64), b.ravel().astype(np.float64)
    return float(a @ b / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-12))


def _nothing(values: torch.Tensor, mask: torch.Tensor | None) -> dict[str, np.ndarray]:
    return {}


def _rows(values: np.ndarray, lengths: list[int] | None) -> list[np.ndarray]:
    return list(values) if lengths is None else [v[:n] for v, n in zip(values, lengths, strict=True)]


def _texts(backbone: Backbone, rows: Sequence[Any]) -> Iterator[tuple[np.ndarray, torch.Tensor, torch.Tensor]]:
    """Batches of texts of about equal length."""
    for start in range(0, len(rows), CHUNK):
        coded = backbone.tokens(rows[start : start + CHUNK])
        lengths = np.array([len(c) for c in coded])
        order = np.argsort(-lengths, kind="stable")  # longest first: memory peaks at once, not at the end
        while len(order):
            n = max(1, TOKENS // int(lengths[order[0]]))
            batch, order = order[:n], order[n:]
            values = np.zeros((len(batch), lengths[batch[0]], *np.shape(coded[batch[0]])[1:]), dtype=np.int64)
            mask = np.zeros(values.shape[:2], dtype=bool)
            for i, position in enumerate(batch):
                values[i, : lengths[position]], mask[i, : lengths[position]] = coded[position], True
            yield batch + start, torch.from_numpy(values), torch.from_numpy(mask)


def _pictures(
    backbone: Backbone, rows: Sequence[Any], *, scaled: bool = False
) -> Iterator[tuple[np.ndarray, torch.Tensor, None]]:
    """Batches of pictures, the next ones being decoded in threads (decoders let go of the interpreter)."""
    prepare = backbone.prepare_quickly if scaled else backbone.prepare
    size = PICTURES if device().type == "cpu" else ON_CARDS
    starts = range(0, len(rows), size)
    with ThreadPoolExecutor(threads()) as pool:
        waiting = [pool.submit(prepare, rows[s : s + size]) for s in starts[:4]]
        for position, start in enumerate(starts):
            batch = waiting.pop(0).result()
            if position + 4 < len(starts):
                following = starts[position + 4]
                waiting.append(pool.submit(prepare, rows[following : following + size]))
            yield np.arange(start, min(start + size, len(rows))), batch.values, None
