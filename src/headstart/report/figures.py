"""Small pictures as SVG text: crisp at any size, readable in dark mode and in print, no library and no network.

Every function takes plain lists and returns one `<svg>` element whose colours are the page's CSS classes. All text that
comes from a user goes through `escape`.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import ceil, floor, log, log10
from typing import Any

Row = dict[str, Any]
COLOURS, FIFTHS = 10, 5  # classes c0 to c9 of page.css, and q0 to q4 from small to large


def whiskers(rows: Sequence[Row], *, low: float, high: float, zero: float | None = None) -> str:
    """Dots with intervals, one line a row: {label, value, low, high, role, text}; an upright line at `zero`."""
    width, left, right, line = 760, 230, 150, 34
    height = line * len(rows) + 30

    def x(v: float) -> float:
        return left + (min(max(v, low), high) - low) / ((high - low) or 1.0) * (width - left - right)

    out = []
    for tick in ticks(low, high):
        out += [_line("grid", x(tick), 4, x(tick), height - 24), _text("tick", x(tick), height - 8, f"{tick:g}")]
    if zero is not None:
        out.append(_line("axis", x(zero), 4, x(zero), height - 24))
    for i, row in enumerate(rows):
        y, role = line * i + line / 2 + 4, str(row["role"])
        out.append(_text("label", left - 14, y + 4, clip(row["label"], 32), "end"))
        out.append(_line(f"w {role}", x(row["low"]), y, x(row["high"]), y))
        out += [_line(f"w {role}", x(end), y - 5, x(end), y + 5) for end in (row["low"], row["high"])]
        out.append(_dot(f"d {role}", x(row["value"]), y, 5.5))
        out.append(_text("num", width - 4, y + 4, row["text"], "end"))
    told = ", ".join(f"{r['label']} {r['text']}" for r in rows)
    return svg(width, height, out, f"values with 95 % intervals: {told}")


def curve(points: Sequence[Row], metric: str) -> str:
    """Quality against number of labels, a line a role with its range as a band; labels on a logarithmic scale."""
    width, height, left, bottom, top, right = 760, 320, 56, 46, 14, 150
    counts = sorted({p["labels"] for p in points})
    low, high = min(p["low"] for p in points), max(p["high"] for p in points)
    low, high = low - 0.02 * (high - low or 1), high + 0.02 * (high - low or 1)
    span = log(counts[-1] / counts[0]) or 1.0

    def x(n: float) -> float:
        return left + log(n / counts[0]) / span * (width - left - right)

    def y(v: float) -> float:
        return top + (high - v) / (high - low) * (height - top - bottom)

    out = []
    for tick in ticks(low, high):
        out += [
            _line("grid", left, y(tick), width - right, y(tick)),
            _text("tick", left - 8, y(tick) + 4, f"{tick:g}", "end"),
        ]
    out += [_text("tick", x(n), height - bottom + 20, f"{n:,}") for n in counts]
    out.append(_text("tick", (left + width - right) / 2, height - 4, "labelled training rows"))
    for role in dict.fromkeys(str(p["role"]) for p in points):
        line = sorted((p for p in points if p["role"] == role), key=lambda p: p["labels"])
        over = [(x(p["labels"]), y(p["high"])) for p in line]
        under = [(x(p["labels"]), y(p["low"])) for p in reversed(line)]
        middle = [(x(p["labels"]), y(p["value"])) for p in line]
        out += [_path("polygon", f"band {role}", over + under), _path("polyline", f"line {role}", middle)]
        out += [_dot(f"d {role}", cx, cy, 4) for cx, cy in middle]
        out.append(_text(f"label {role}", width - right + 12, middle[-1][1] + 4, clip(role, 18), "start"))
    return svg(width, height, out, f"{metric} against number of labelled rows")


def confusion(classes: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    """Rows are true classes, columns what was said; the stronger the colour, the larger the share of the row."""
    k = len(classes)
    cell = max(7, min(54, 560 // k))
    named = k <= 40
    margin = min(max(len(c) for c in classes) * 6.6 + 20, 190) if named else 12
    out = []
    for i, row in enumerate(counts):
        total, y = sum(row) or 1, margin + cell * i
        if named:
            out.append(_text("label", margin - 8, y + cell / 2 + 4, clip(classes[i], 26), "end"))
            turned = f'transform="translate({margin + cell * (i + 0.5) + 4:.0f},{margin - 8:.0f}) rotate(-60)"'
            out.append(f'<text class="label" {turned}>{clip(classes[i], 22)}</text>')
        for j, n in enumerate(row):
            x, kind = margin + cell * j, "hit" if i == j else "miss"
            told = escape(f"{classes[i]} said to be {classes[j]}: {n} of {total}")
            box = f'x="{x:.0f}" y="{y:.0f}" width="{cell - 1}" height="{cell - 1}" fill-opacity="{n / total:.3f}"'
            out.append(f'<rect class="cell {kind}" {box}><title>{told}</title></rect>')
            if n and cell >= 26:
                out.append(_text("count on" if n / total > 0.55 else "count", x + cell / 2, y + cell / 2 + 4, str(n)))
    size = margin + cell * k + 8
    return svg(size + (60 if named else 0), size, out, f"confusion matrix of {k} classes", natural=True)


def scatter(true: Sequence[float], said: Sequence[float]) -> str:
    """Said against true, with the line on which both are equal."""
    size, pad = 420, 50
    low, high = min(*true, *said), max(*true, *said)

    def at(v: float) -> float:
        return pad + (v - low) / ((high - low) or 1.0) * (size - 2 * pad)

    out = [_line("axis", pad, size - pad, size - pad, pad)]
    for tick in ticks(low, high):
        out.append(_text("tick", at(tick), size - pad + 22, f"{tick:g}"))
        out.append(_text("tick", pad - 8, size - at(tick) + 4, f"{tick:g}", "end"))
    out += [_dot("dot", at(t), size - at(s), 3) for t, s in zip(true, said, strict=True)]
    out.append(_text("tick", size / 2, size - 6, "true value (upright: predicted)"))
    return svg(size, size, out, "predicted against true values", natural=True)


def reliability(bins: Sequence[Row]) -> str:
    """Share of right answers against confidence; on the diagonal, 80 % sure means 80 % right."""
    size, pad = 360, 50

    def at(v: float) -> float:
        return pad + v * (size - 2 * pad)

    out = [_line("axis dashed", at(0), size - at(0), at(1), size - at(1))]
    for tick in (0, 0.25, 0.5, 0.75, 1):
        out.append(_text("tick", at(tick), size - pad + 22, f"{tick:.0%}"))
        out.append(_text("tick", pad - 8, size - at(tick) + 4, f"{tick:.0%}", "end"))
    out.append(_path("polyline", "line pretrained", [(at(b["confidence"]), size - at(b["accuracy"])) for b in bins]))
    for b in bins:
        told = f"{b['rows']} answers, {b['confidence']:.0%} sure, {b['accuracy']:.0%} right"
        out.append(_dot("d pretrained", at(b["confidence"]), size - at(b["accuracy"]), 4.5, told))
    out.append(_text("tick", size / 2, size - 6, "how sure (upright: how often right)"))
    return svg(size, size, out, "reliability diagram", natural=True)


def palette(labels: Sequence[str], *, numbers: bool = False) -> dict[str, tuple[str, str]]:
    """The colour of each label and what the legend says of that colour; numbers are coloured by fifths of the rows.

    >>> palette(["cat", "dog", "cat"])
    {'cat': ('c0', 'cat'), 'dog': ('c1', 'dog')}
    >>> palette([str(n) for n in range(10)], numbers=True)["9"]
    ('q4', '8 to 9')
    """
    if not numbers:
        return {label: (f"c{i % COLOURS}", label) for i, label in enumerate(sorted(set(labels)))}
    ranked, found = sorted(labels, key=float), dict[str, tuple[str, str]]()
    for k in range(FIFTHS):
        part = ranked[k * len(ranked) // FIFTHS : (k + 1) * len(ranked) // FIFTHS]
        for label in part:
            found.setdefault(label, (f"q{k}", f"{float(part[0]):.4g} to {float(part[-1]):.4g}"))
    return found


def scatter_map(view: Row, *, numbers: bool = False) -> str:
    """Rows in two dimensions, coloured by `palette`; test rows that the model got wrong carry a ring."""
    width, height, pad = 760, 520, 16
    left, bottom = min(view["x"]), min(view["y"])
    wide, high = (max(view["x"]) - left) or 1.0, (max(view["y"]) - bottom) or 1.0
    colours, out = palette(view["label"], numbers=numbers), []
    for x, y, label, split, wrong, name in zip(
        *(view[k] for k in ("x", "y", "label", "split", "wrong", "name")), strict=True
    ):
        cx, cy = pad + (x - left) / wide * (width - 2 * pad), pad + (y - bottom) / high * (height - 2 * pad)
        told = escape(f"{name}: {label} ({split}{', answered wrongly' if wrong else ''})"[:200])
        kind = f"p {colours[label][0]}{' wrong' if wrong else ''}"
        out.append(f'<circle class="{kind}" cx="{cx:.0f}" cy="{cy:.0f}" r="{5 if wrong else 3.2}" data-t="{told}"/>')
    return svg(width, height, out, "map of the rows: near points are alike to the model", name="map")


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers between two limits.

    >>> ticks(0.02, 0.98)
    [0.2, 0.4, 0.6, 0.8]
    """
    span = (high - low) or 1.0
    step = 10.0 ** floor(log10(span / most))
    step = next(step * m for m in (1, 2, 5, 10) if span / (step * m) <= most)
    return [round(i * step, 10) for i in range(ceil(low / step), floor(high / step) + 1)]


def clip(text: Any, most: int) -> str:
    """User text, cut and escaped."""
    said = str(text)
    return escape(said if len(said) <= most else said[: most - 1] + "…")


def svg(width: float, height: float, inner: Sequence[str], told: str, *, natural: bool = False, name: str = "") -> str:
    """The element, scaling with the page (`natural`: never larger than it was drawn)."""
    style = f"width:100%;max-width:{f'{width:.0f}px' if natural else '100%'}"
    head = f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{escape(told[:400])}" style="{style}"'
    return f"<svg {head}{f' id={name!r}' if name else ''}>{''.join(inner)}</svg>"


def _text(kind: str, x: float, y: float, said: str, anchor: str = "middle") -> str:
    return f'<text class="{escape(kind)}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{said}</text>'


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{escape(kind)}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _dot(kind: str, x: float, y: float, r: float, told: str = "") -> str:
    title = f"<title>{escape(told)}</title>" if told else ""
    return f'<circle class="{escape(kind)}" cx="{x:.1f}" cy="{y:.1f}" r="{r}">{title}</circle>'


def _path(element: str, kind: str, points: Sequence[tuple[float, float]]) -> str:
    return f'<{element} class="{escape(kind)}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>'
