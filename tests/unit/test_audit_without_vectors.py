"""A model that counts words leaves no vectors: every check looks at what there is, or says that it cannot."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import numpy as np
import pytest

from headstart import _discover
from headstart.audit._base import names
from headstart.audit._example import evidence
from headstart.audit.group_gaps import GroupGaps
from headstart.errors import NotApplicable


@pytest.mark.parametrize("name", names())
def test_every_check_does_without_vectors(name: str) -> None:
    rng = np.random.default_rng(0)
    scores = rng.dirichlet([1, 1], 120)  # as often wrong as right: the checks of errors have much to look at
    texts = [f"text of row {i}" for i in range(600)]
    made = evidence(values=np.empty((600, 0)), scores=scores, modality="text", columns={"site": np.arange(600) % 3})
    made = replace(made, rows=texts)
    with contextlib.suppress(NotApplicable):
        assert isinstance(_discover.load("audit", name)()(made), list)


def test_a_single_group_is_no_comparison() -> None:
    sex = np.where(np.arange(600) % 60 == 0, "f", "m")
    found = GroupGaps()(evidence(columns={"sex": sex}, attributes=("sex",)))
    assert [f.title for f in found] == ["sex: cannot be compared, only m has enough test rows; too few rows of f (2)"]
