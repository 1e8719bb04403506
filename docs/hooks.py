"""What mkdocs adds while it builds: the help of every command, in cli.md."""

from __future__ import annotations

from typing import Any

import typer

from headstart import _discover


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Put each command's own help in the place that cli.md keeps for it."""
    if page.file.src_uri != "cli.md":
        return markdown
    parts = []
    for name in _discover.names("cli"):
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        app.command()(_discover.load("cli", name))
        command = typer.main.get_command(app)
        with command.make_context(f"headstart {name}", [], resilient_parsing=True) as context:
            parts.append(f"## headstart {name}\n\n```text\n{command.get_help(context)}\n```\n")
    return markdown.replace("<!-- commands -->", "\n".join(parts))
