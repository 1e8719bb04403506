"""Every error that headstart raises on purpose.

HeadstartError
├── DataError          the rows, the target or the split cannot be used       (also a ValueError)
│   └── BrokenRow      one row cannot be decoded; readers count and skip it
├── PlanError          an option is unknown or does not fit the others         (also a ValueError)
├── WeightsError       weights are missing, altered or of an unknown layout
├── StoreError         the activation store cannot be written or read
├── ModelError         a model folder is missing, altered or from a newer version
└── NotApplicable      this technique, score or check does not fit this data; shown, never swallowed
"""

from __future__ import annotations


class HeadstartError(Exception):
    """Say what was seen, what was expected and what to do.

    Every error names all three, so that a user can act without reading code.

    >>> print(HeadstartError("no file 'a.csv'", expected="a CSV file", do="check the path"))
    no file 'a.csv'. Expected: a CSV file. What to do: check the path.
    """

    def __init__(self, seen: str, *, expected: str = "", do: str = "") -> None:
        self.seen, self.expected, self.do = seen, expected, do
        parts = [seen, f"Expected: {expected}" if expected else "", f"What to do: {do}" if do else ""]
        ended = (part if part.endswith("?") else part.rstrip(".") + "." for part in parts if part)
        super().__init__(" ".join(ended) if expected or do else seen)

    def __reduce__(self) -> tuple[object, ...]:
        """Cross process borders (decoding workers) with all three parts."""
        return _rebuild, (type(self), self.seen, self.expected, self.do)


def _rebuild(kind: type[HeadstartError], seen: str, expected: str, do: str) -> HeadstartError:
    return kind(seen, expected=expected, do=do)


class DataError(HeadstartError, ValueError):
    """The rows, the target or the split cannot be used as they are."""


class BrokenRow(DataError):  # noqa: N818  (it names the row, readers catch it)
    """One row cannot be decoded; readers list and skip it."""


class PlanError(HeadstartError, ValueError):
    """An option is unknown, out of range, or does not fit the others."""


class WeightsError(HeadstartError):
    """Weights are missing, altered, or of a layout that no family knows."""


class StoreError(HeadstartError):
    """The activation store cannot be written or read."""


class ModelError(HeadstartError):
    """A model folder is missing, altered, or written by a newer version."""


class NotApplicable(HeadstartError):  # noqa: N818  (an answer more than a fault)
    """A technique, score or check does not fit this data; the reason is shown to the user."""
