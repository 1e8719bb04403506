"""Texts: one string a row, several columns joined by a line break."""

from __future__ import annotations

from typing import Any

import numpy as np

from headstart.data.raw import content_id, is_missing


def rows(cells: list[np.ndarray]) -> tuple[list[Any], list[str], list[str | None]]:
    """Texts, ids and, for a row without text, the reason.

    >>> rows([np.array(["good", None], dtype=object)])[0::2]
    (['good', ''], [None, 'the text is empty'])
    """
    texts = ["\n".join(str(c) for c in parts if not _is_empty(c)) for parts in zip(*cells, strict=True)]
    return texts, [identify(t) for t in texts], [None if t.strip() else "the text is empty" for t in texts]


def identify(text: str) -> str:
    """The id of a text; a lone surrogate is kept as such."""
    return content_id(b"text\0" + text.encode("utf-8", "surrogatepass"))


def _is_empty(cell: Any) -> bool:
    """As `is_missing`, except that a text may well say "null" or "n/a"."""
    return not cell.strip() if isinstance(cell, str) else is_missing(cell)
