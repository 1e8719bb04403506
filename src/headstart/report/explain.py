"""explain.html, and explanations as all pages draw them: maps over pictures, marked words, weighed columns."""

from __future__ import annotations

from typing import Any

from headstart.report.audit import css, environment

WORDS = 160  # of a text that are shown: the stretch with the heaviest ones
COLUMNS = 12
FAINT = 0.04  # of the heaviest weight: what is lighter stays unmarked


def page(told: dict[str, Any]) -> str:
    """The page of an `explain.json` as text; whatever comes from the user is escaped."""
    rows = [shown(row) for row in told["rows"]]
    wrong = all(row["true"] is not None for row in rows)
    template = environment().get_template("explain.html.j2")
    title = "Why it was wrong" if wrong and rows else "Why it said so"
    number = any(row.get("explanation") and not row["explanation"]["toward"] for row in told["rows"])
    return template.render(
        told=told, rows=rows, confused=confused(told["confused"]), css=css(), title=title, number=number
    )


def shown(row: dict[str, Any]) -> dict[str, Any]:
    """A row with safe pictures, and its explanation ready to be drawn."""
    near = [{**n, "picture": safe(n.get("picture"))} for n in row.get("neighbours", [])]
    return {**row, "picture": safe(row.get("picture")), "neighbours": near, "why": why(row.get("explanation"))}


def why(explanation: dict[str, Any] | None) -> dict[str, Any] | None:
    """An explanation ready to be drawn: every word and column with its side and the strength of its colour.

    >>> told = {"way": "weights", "toward": "a", "against": "b", "score": 1.0, "base": 0.0, "missed": 0.0, "note": ""}
    >>> drawn = why(told | {"words": [["dear", 1.5], ["the", 0.01]], "columns": [], "picture": None, "where": ""})
    >>> drawn["words"]
    [('dear', 'for', '1.00', '+1.50'), ('the', '', '0.00', '+0.01')]
    >>> drawn["what"], drawn["sum"]
    ('Orange speaks for a, blue for b.', 'Score +1.00: +0.00 before anything is seen, +1.00 in all.')
    """
    if not explanation:
        return None
    words, columns = explanation["words"], explanation["columns"][:COLUMNS]
    top = max((abs(part[-1]) for part in (*words, *columns)), default=0.0) or 1.0
    toward, against = explanation["toward"] or "a higher number", explanation["against"]
    other = f"for {against}" if against else "against it" if explanation["toward"] else "for a lower one"
    place = f" It is strongest {explanation['where']}." if explanation["where"] else ""
    return {
        "what": f"Orange speaks for {toward}, blue {other}.{place}", "sum": _sum(explanation),
        "note": explanation["note"], "picture": safe(explanation["picture"]),
        "words": [(word, *_mark(weight, top, explanation)) for word, weight in _stretch(words)],
        "cut": len(words) > WORDS,
        "columns": [(name, value, *_mark(weight, top, explanation)) for name, value, weight in columns],
    }  # fmt: skip


def confused(pairs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Pairs of classes ready to be drawn."""
    found = []
    for pair in pairs:
        top = max((weight for _, weight, _ in pair["pulls"]), default=0.0) or 1.0
        pulls = [(name, *_mark(weight, top, {"toward": pair["said"]}), rows) for name, weight, rows in pair["pulls"]]
        pictures = [p for p in map(safe, pair["pictures"]) if p]
        found.append({**pair, "pulls": pulls, "picture": safe(pair["picture"]), "pictures": pictures})
    return found


def safe(uri: Any) -> str | None:
    """A picture is shown only if it is a data: picture, whatever the file says."""
    return uri if isinstance(uri, str) and uri.startswith("data:image/") else None


def signed(weight: float, why: dict[str, Any]) -> str:
    """A weight as an explanation shows it: logits to two decimals, of a number to three digits, whatever its unit.

    >>> signed(-0.00512, {"toward": "spam"}), signed(-0.00512, {"toward": ""})
    ('-0.01', '-0.00512')
    """
    return f"{weight:+.2f}" if why["toward"] else f"{weight:+.3g}"


def _mark(weight: float, top: float, explanation: dict[str, Any]) -> tuple[str, str, str]:
    share = abs(weight) / top
    side = ("for" if weight > 0 else "against") if share >= FAINT else ""
    return side, f"{share if side else 0.0:.2f}", signed(weight, explanation)


def _stretch(words: list[list[Any]]) -> list[list[Any]]:
    """The words of a short text; of a long one the stretch that weighs most."""
    if len(words) <= WORDS:
        return words
    weight = [abs(w) for _, w in words]
    best = max(range(len(words) - WORDS + 1), key=lambda i: sum(weight[i : i + WORDS]))
    return words[best : best + WORDS]


def _sum(explanation: dict[str, Any]) -> str:
    """What the weights add up to, in one line."""
    if explanation["base"] is None:
        return f"Score {signed(explanation['score'], explanation)}."
    missed = explanation["missed"]
    total = signed(explanation["score"] - explanation["base"] - missed, explanation)
    if explanation["toward"]:
        line = f"Score {explanation['score']:+.2f}: {explanation['base']:+.2f} before anything is seen, {total} in all"
    else:
        line = f"Said {explanation['score']:.4g}: {explanation['base']:.4g} before anything is seen, {total} in all"
    least = 0.005 * (1.0 if explanation["toward"] else abs(explanation["score"]))
    return line + (f", {signed(missed, explanation)} not accounted for." if abs(missed) >= max(least, 1e-12) else ".")
