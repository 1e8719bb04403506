"""Who takes part in a run: the techniques that were asked for or are worth their time, on what they can read."""

from __future__ import annotations

from collections.abc import Sequence

from headstart import _discover, backbones
from headstart.audit._base import TOLD
from headstart.backbones._base import Backbone
from headstart.data.dataset import Dataset
from headstart.errors import NotApplicable, PlanError
from headstart.plan import Plan
from headstart.selection.contender import Contender, contenders, make, rows_a_class, unasked

FLOOR = ("majority", "scratch", "linear_probe")  # always run: every other number stands on them
CLASSICAL = {
    "text": ("tfidf",),
    "image": ("linear_probe",),
    "table": ("boosting", "linear_probe"),
    "vector": ("boosting", "linear_probe"),
}


def asked(plan: Plan, data: Dataset) -> list[str]:
    """The techniques that a plan names; without any, those that pay with so many rows a class to learn from."""
    assert data.target is not None
    rows = rows_a_class(data.target[data.rows_of("train")])
    return [*plan.techniques] or unasked(rows, data.modality, domains=data.domain is not None)


def allowed(plan: Plan, data: Dataset, backbone: Backbone | None) -> list[Contender]:
    """The contenders of a run, with those that the verdict compares with; PlanError for one that cannot run."""
    classical = backbones.classical(data.modality)
    wanted = [*asked(plan, data), *(FLOOR if plan.techniques else ())]
    reader = backbone or backbones.get(classical, data)
    known = dict.fromkeys([*plan.techniques, *_discover.names("techniques")])
    able = [n for n in known if _reads(n, reader) and not make(n).needs_target]
    floor = CLASSICAL[data.modality]
    if data.domain is not None and data.modality in ("table", "vector"):  # their columns are features as well
        floor = (*floor, *(n for n in able if make(n).uses_domains))
    for name in sorted(set(plan.techniques) - {*able, *floor}) if backbone else ():
        readable(name, reader, able)
    for name in plan.techniques:
        _learnable(name, str(data.target_kind), able)
    if data.domain is None and (lost := [n for n in plan.techniques if make(n).uses_domains]):
        raise PlanError(
            f"technique {lost[0]!r} learns from several domains",
            expected="--domain with the column that says of which a row is",
        )
    names = [n for n in dict.fromkeys(wanted) if n in able]
    if backbone is None:  # what was named runs on the classical features where it can
        floor = tuple(dict.fromkeys([*floor, *(n for n in plan.techniques if n in able)]))
        names = ["majority"]
    return contenders(names, reader.name, classical, kind=str(data.target_kind), floor=floor)


def _kind(backbone: Backbone, cut: str) -> str:
    return backbone.kind(cut) if cut in backbone.cuts else "nothing"


def _reads(technique: str, backbone: Backbone) -> bool:
    """Whether a technique accepts what a backbone gives at the cut that it reads."""
    made = make(technique)
    return _kind(backbone, made.where(backbone.cuts)) in made.accepts


def _learnable(name: str, kind: str, able: Sequence[str]) -> None:
    """PlanError where a technique, one of others that can read the rows, does not learn a target of this kind so."""
    technique = make(name)
    if kind not in technique.learns:
        others = ", ".join(n for n in able if kind in make(n).learns)
        raise PlanError(
            f"technique {name!r} cannot learn rows with {TOLD[kind]}",
            expected=f"rows with {' or '.join(TOLD[k] for k in sorted(technique.learns))}",
            do=f"name one of {others}; or say --target COLUMN:KIND where they are taken for what they are not",
        )
    try:
        technique.suited(kind)
    except NotApplicable as error:
        raise PlanError(f"technique {name!r}: {error.seen}", expected=error.expected) from error


def readable(name: str, reader: Backbone, able: Sequence[str] = ()) -> None:
    """PlanError where a technique, one of others that are able, does not accept what a backbone gives at its cut."""
    technique = make(name)
    cut = technique.where(reader.cuts)
    if _kind(reader, cut) not in technique.accepts:
        raise PlanError(
            f"technique {name!r} cannot read {reader.name!r}, which gives {_kind(reader, cut)} at its cut {cut!r}",
            expected=f"{sorted(technique.accepts)}",
            do=f"name another --backbone{', or one of ' * bool(able)}{', '.join(able)}",
        )
