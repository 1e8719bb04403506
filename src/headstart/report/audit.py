"""audit.html: the findings of an audit, one file that needs nothing else; and findings as both reports draw them."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader
from markupsafe import Markup

NOT_FACTS = ("position", "row", "text", "picture")


def environment() -> Environment:
    """The templates of this folder; whatever comes from the user is escaped."""
    return Environment(autoescape=True, trim_blocks=True, loader=FunctionLoader(_file))


def css() -> Markup:
    """The style that all pages share."""
    return Markup(_file("page.css"))


def findings(found: list[dict[str, Any]], suspects: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Findings with the rows they name as `shown`; a picture is shown only if it is a data: picture."""
    return [{**f, "shown": [_shown(s) for s in suspects.get(f["code"], [])]} for f in found]


def page(audit: dict[str, Any]) -> str:
    """The page of an `audit.json` as text."""
    found = audit["findings"]
    counts = [(name, sum(f["severity"] == name for f in found)) for name in ("serious", "warning", "info")]
    said = ", ".join(f"{number} {name}" for name, number in counts if number)
    title = f"{len(found)} findings: {said}" if found else "Nothing was found"
    template = environment().get_template("audit.html.j2")
    return template.render(audit=audit, findings=findings(found, audit["suspects"]), css=css(), title=title)


def _shown(suspect: dict[str, Any]) -> dict[str, Any]:
    facts = [(name, value) for name, value in suspect.items() if name not in NOT_FACTS]
    picture = suspect.get("picture")
    is_safe = isinstance(picture, str) and picture.startswith("data:image/")
    return {**suspect, "facts": facts, "picture": picture if is_safe else None}


def _file(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
