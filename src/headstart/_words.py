"""Numbers as messages say them."""

from __future__ import annotations


def counted(number: int, what: str = "") -> str:
    """So many rows, of one kind where it is named.

    >>> counted(1), counted(2000), counted(0, "target")
    ('1 row', '2,000 rows', '0 target rows')
    """
    return f"{number:,} {what + ' ' if what else ''}row{'s' * (number != 1)}"


def chance(p: float) -> str:
    """A p-value, which is never nothing.

    >>> chance(0.0421), chance(0.0001)
    ('p 0.042', 'p < 0.001')
    """
    return "p < 0.001" if p < 0.001 else f"p {p:.3f}"
