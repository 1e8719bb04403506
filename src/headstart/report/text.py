"""The result for the terminal."""

from __future__ import annotations

from headstart.result import Result


def summary(result: Result) -> str:
    """Plain lines."""
    return str(result.verdict.get("words"))
