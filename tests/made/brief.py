"""`python -m tests.made.brief run ...`: the command line, whose network trained from nothing learns in a few steps.

Every run trains that network as its control, which takes most of a small budget. For tests of anything else.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from headstart.techniques.scratch import Scratch


@contextmanager
def brief_control() -> Iterator[None]:
    """One epoch instead of twenty."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Scratch, "usual", replace(Scratch.usual, epochs=1, least=1))
        yield


if __name__ == "__main__":
    from headstart.cli import main

    with brief_control():
        main()
