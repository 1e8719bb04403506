"""The column of domains: of which site, scanner, author or source each row is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from headstart._words import counted
from headstart.data import roles, targets
from headstart.data.raw import is_missing
from headstart.data.sources import open_source
from headstart.errors import DataError


def unlabelled(
    source: Any, domain: str, target: str | None, *, inputs: Sequence[str] = (), apart: Sequence[str | None] = ()
) -> None:
    """Refuse a source in which a whole domain has no target: a run has nothing to learn from its rows."""
    raw = open_source(source)
    names = list(raw.columns)
    domain = roles.known(domain, names, "domain")
    aim = targets.asked(target, names)[0] if target else raw.target
    if aim is None:
        away = {domain, *filter(None, apart)}
        aim = roles.find(raw, target=None, inputs=inputs, apart=away, grouped=True, modality=None).target
    missing = np.array([is_missing(c) for c in raw.columns[roles.known(aim, names, "target")]], dtype=bool)
    cells = np.array([str(c).strip() for c in raw.columns[domain]])
    bare = [name for name in np.unique(cells).tolist() if missing[cells == name].all()]
    if bare:
        rows = int(np.isin(cells, bare).sum())
        raise DataError(
            f"no row of {domain} {' and '.join(map(repr, bare[:5]))} has a {aim!r} ({counted(rows)})",
            expected="labelled rows of every domain",
            do="put those rows in a file of their own and use: headstart adapt --source LABELLED --target THESE",
        )


def domains_of(cells: np.ndarray, name: str) -> np.ndarray:
    """(n,) names of domains as text; a DataError where a row names none.

    >>> domains_of(np.array(["Oslo ", 7, 7.0], dtype=object), "site").tolist()
    ['Oslo', '7', '7']
    """
    missing = sum(is_missing(c) for c in cells)
    if missing:
        raise DataError(
            f"{missing} of {len(cells)} rows name no {name!r}",
            expected="a domain in every row",
            do="fill the gaps in, or leave those rows out",
        )
    return np.array([str(int(c)) if isinstance(c, float) and c.is_integer() else str(c).strip() for c in cells])
