"""Real rows of two classes with a fault planted at three strengths, or none: what the checks say of each."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from tests.made.plants import STRENGTHS, TOKEN, flipped, marked, owned, thinned

from benchmarks._planted import Ground
from headstart import _discover
from headstart.audit._base import Evidence, audit
from headstart.audit.repair._base import Task
from headstart.audit.repair._compete import by_group, compete
from headstart.audit.repair._found import suspected
from headstart.audit.repair._head import Space
from headstart.techniques._linear import Scaler, class_weights, logistic, softmax

FREE = 0.3  # rows that no planting touches: marked at random, to measure repairs on
OWN = {  # what finds a mark that nobody named: the check, its finding, the name of the planting
    "text": ("words", f"words:{TOKEN}", "word"), "image": ("background", "background:corner", "corner"),
}  # fmt: skip


def plain_head(X: np.ndarray, y: np.ndarray, ask: np.ndarray) -> np.ndarray:
    """What the linear probe says of other rows."""
    scaler = Scaler.of(X)
    coef, intercept, _ = logistic(scaler(X), y, class_weights(y), (3e-4, 3e-3, 3e-2, 0.3), 0)
    logits = scaler(ask) @ coef + intercept
    return softmax(np.c_[np.zeros(len(logits)), logits] if logits.shape[1] == 1 else logits)


def planted(ground: Ground, share: float, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """(rows, X, marks) of a planting; a real attribute goes with the class after rows were dropped."""
    order = rng.permutation(len(ground.y))
    if ground.other is None:
        mark = marked(ground.y, share, rng)
        X = np.where(mark[:, None] == 1, ground.marked, ground.plain)
        return order, X, mark
    agree = ground.other == ground.y
    most = min(agree.sum() / share, (~agree).sum() / (1 - share))
    kept = [rng.permutation(np.flatnonzero(s))[: round(most * w)] for s, w in ((agree, share), (~agree, 1 - share))]
    order = rng.permutation(np.concatenate(kept))
    return order, ground.plain, ground.other


def evidence(
    ground: Ground, X: np.ndarray, mark: np.ndarray, y: np.ndarray, order: np.ndarray, *, named: bool = True
) -> Evidence:
    """The rows in `order` as a run would show them to the checks, with a plain head's answers."""
    train, test = order[: int(0.7 * len(order))], order[int(0.7 * len(order)) :]
    split = np.repeat(["train", "test"], [len(train), len(test)])
    split[int(0.8 * len(train)) : len(train)] = "valid"
    scores = plain_head(X[train], y[train], X[test])
    rows: list[Any] = []
    if ground.modality == "text":
        rows = [ground.rows[int(mark[i])][i] for i in order]
    return Evidence(
        modality=ground.modality, kind="label", classes=("no", "yes"), target=y[order], split=split, values=X[order],
        scores=scores, columns={"mark": mark[order].astype(str)} if named else {},
        attributes=("mark",) if named else (), rows=rows, names=order.astype(str),
        look=(lambda way, some: ground.look(way, order[some], mark))
        if ground.modality == "image" else None,
    )  # fmt: skip


def shortcuts(ground: Ground, seed: int) -> Iterator[dict[str, Any]]:
    """Marks at all strengths, and marks that say nothing; named to the checks, and not."""
    for kind, share in {"clean": 0.5, **STRENGTHS}.items():
        rng = np.random.default_rng([seed, int(1000 * share)])
        order, X, mark = planted(ground, share, rng)
        free, order = order[: int(FREE * len(order))], order[int(FREE * len(order)) :]
        if ground.other is not None:
            free = np.setdiff1d(np.arange(len(ground.y)), order)
        found, _ = audit(evidence(ground, X, mark, ground.y, order), ("shortcut",))
        leans = any(f.severity != "info" for f in found)
        row = {"plant": "shortcut", "kind": kind, "found": leans, "told": bool(found), "codes": [f.code for f in found]}
        row |= swapped(ground, X, order, free) if ground.other is None else {}
        hidden = evidence(ground, X, mark, ground.y, order, named=False)
        own = OWN.get(ground.modality)
        told, _ = audit(hidden, (own[0],)) if own else ([], [])
        yield row | _repaired(ground, hidden, mark, free, rng, told if own else None)
        if own:
            codes = [f.code for f in told]
            hit = own[1] in codes if kind != "clean" else bool(codes)
            yield {"plant": own[2], "kind": kind, "found": hit, "codes": codes}
        said, _ = audit(hidden, ("slices",))
        true = mark[order] != ground.y[order]
        hit = any(_hits(f, hidden, true) for f in said) if kind != "clean" else bool(said)
        yield {"plant": "shortcut as a slice", "kind": kind, "found": hit, "codes": [f.code for f in said]}


def swapped(ground: Ground, X: np.ndarray, order: np.ndarray, free: np.ndarray) -> dict[str, float]:
    """What the plain head gets right of the same rows with the mark as usual, and with the mark of the other class."""
    train = order[: int(0.7 * len(order))]
    y = ground.y[free]
    bare, marked_ = (plain_head(X[train], ground.y[train], v[free]).argmax(1) for v in (ground.plain, ground.marked))
    as_usual, swapped_ = np.where(y == 1, marked_, bare), np.where(y == 1, bare, marked_)
    return {"as_usual": float((as_usual == y).mean()), "swapped": float((swapped_ == y).mean())}


def slices(ground: Ground, seed: int) -> Iterator[dict[str, Any]]:
    """A kind of rows, a fifth of all and marked but not named, many of whose labels are wrong."""
    for kind, share in {"clean": 0.0, "weak": 0.25, "middle": 0.35, "strong": 0.5}.items():
        rng = np.random.default_rng([seed, int(1000 * share), 1])
        mark = (rng.random(len(ground.y)) < 0.2).astype(int) if ground.other is None else ground.other
        X = np.where(mark[:, None] == 1, ground.marked, ground.plain)
        y = np.where((mark == 1) & (rng.random(len(mark)) < share), 1 - ground.y, ground.y)
        order = rng.permutation(len(y))
        seen = evidence(ground, X, mark, y, order, named=False)
        said, _ = audit(seen, ("slices",))
        hit = any(_hits(f, seen, mark[order] == 1) for f in said) if share else bool(said)
        yield {"plant": "slice", "kind": kind, "found": hit, "codes": [f.code for f in said]}


def labels(ground: Ground, seed: int) -> Iterator[dict[str, Any]]:
    """Flipped labels."""
    for kind, share in {"clean": 0.0, "weak": 0.05, "middle": 0.1, "strong": 0.2}.items():
        rng = np.random.default_rng([seed, int(1000 * share)])
        y, _ = flipped(ground.y, share, rng)
        order = rng.permutation(len(y))
        found, _ = audit(evidence(ground, ground.plain, ground.y * 0, y, order, named=False), ("label_errors",))
        yield {"plant": "flipped labels", "kind": kind, "found": bool(found), "codes": [f.code for f in found]}


def owners(ground: Ground, seed: int) -> Iterator[dict[str, Any]]:
    """Patients of whom a row comes twice, on whatever side of the split; clean: strangers of one name."""
    for kind, share in {"clean": 0.1, "weak": 0.05, "middle": 0.1, "strong": 0.2}.items():
        rng = np.random.default_rng([seed, int(1000 * share), 2])
        rows, owner = owned(len(ground.y), share, rng, copies=kind != "clean")
        order = rng.permutation(len(rows))
        seen = evidence(ground, ground.plain, ground.y * 0, ground.y, rows[order], named=False)
        seen = replace(seen, columns={"patient": owner[order].astype(str)}, owners=("patient",))
        codes = [f.code for f in audit(seen, ("leakage",))[0]]
        hit = "leakage:owners" in codes if kind != "clean" else bool(codes)
        yield {"plant": "patients twice", "kind": kind, "found": hit, "codes": codes}


def groups(ground: Ground, seed: int) -> Iterator[dict[str, Any]]:
    """A group, a real one, that keeps few of its labels to learn from; clean: groups by chance that keep theirs."""
    if ground.other is None:
        return
    for kind, share in {"clean": 1.0, "weak": 0.3, "middle": 0.1, "strong": 0.03}.items():
        rng = np.random.default_rng([seed, int(1000 * share), 3])
        level = ground.other if kind != "clean" else rng.permutation(ground.other)
        order = rng.permutation(len(level))
        known, test = order[: len(order) // 2], order[len(order) // 2 :]
        known = known[thinned(level[known], share, rng)]
        scores = plain_head(ground.plain[known], ground.y[known], ground.plain[test])
        shown = np.r_[known, test]
        seen = Evidence(
            modality=ground.modality, kind="label", classes=("no", "yes"), target=ground.y[shown],
            split=np.repeat(["train", "test"], [len(known), len(test)]), values=ground.plain[shown], scores=scores,
            columns={"group": level[shown].astype(str)}, attributes=("group",), own_split=True,
        )  # fmt: skip
        codes = [f.code for f in audit(seen, ("group_gaps", "imbalance"))[0]]
        right = scores.argmax(1) == ground.y[test]
        gap = float(right[level[test] == 0].mean() - right[level[test] == 1].mean())
        yield {
            "plant": "group with fewer labels", "kind": kind, "codes": codes, "gap": gap,
            "found": not {"group_gaps:group", "imbalance:group"}.isdisjoint(codes),
        }  # fmt: skip


def _hits(finding: Any, seen: Evidence, true: np.ndarray) -> bool:
    """Whether at least eight in ten of the most typical test rows of a slice are of the planted one."""
    assert seen.names is not None
    place = {name: i for i, name in enumerate(seen.names)}
    return float(np.mean([true[place[name]] for name in finding.evidence["examples"]])) >= 0.8


def _repaired(
    ground: Ground, seen: Evidence, mark: np.ndarray, free: np.ndarray, rng: np.random.Generator, told: Any
) -> dict[str, Any]:
    """Worst group on rows marked at random: plain, DFR that knows the marks, and what each way to groups ships.

    Where a check can find the mark by itself, `told` is what it found: groups come from the first finding, and where
    there is none the plain head stays.
    """
    X, y, own = seen.values, seen.target, mark[np.asarray(seen.names, dtype=int)]
    if ground.other is None:
        new = rng.integers(0, 2, len(free))
        Z = np.where(new[:, None] == 1, ground.marked[free], ground.plain[free])
    else:
        new, Z = ground.other[free], ground.plain[free]

    def worst(said: np.ndarray) -> float:
        return float(by_group((said.argmax(1) == ground.y[free]).astype(float), ground.y[free] * 2 + new)[0][0])

    space = Space.of(X)
    dfr = _discover.load("audit.repair", "dfr")()(Task(space(X), y, own, 2, seed=0))
    out: dict[str, Any] = {"plain": worst(plain_head(X, y, Z)), "oracle_dfr": {"worst": worst(dfr(space(Z)))}}
    if told is not None:
        out["from_finding"] = {"worst": out["plain"], "method": None, "seconds": 0.0}
    for name in ("with", "without", *(["from_finding"] if told else [])):
        start = time.process_time()
        levels = own if name == "with" else None
        if name == "from_finding" and (found := suspected(seen, told[0].evidence)) is not None:
            levels = np.unique(found[1], return_inverse=True)[1]
        decision = compete(X, y, levels)
        won = worst(decision.head(decision.space(Z))) if decision.head is not None else out["plain"]
        out[name] = {"worst": won, "method": decision.method, "seconds": time.process_time() - start}
    return out
