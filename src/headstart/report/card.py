"""Model card."""

from __future__ import annotations

from headstart.result import Result


def model_card(result: Result) -> str:
    """Markdown."""
    return f"# headstart model\n\n{result.verdict.get('words')}\n"
