from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.made.brief import brief_control


@pytest.fixture(scope="module")
def brief() -> Iterator[None]:
    """For modules in which nothing depends on how long the control of a run learns."""
    with brief_control():
        yield
