"""The result in twenty lines, for a terminal."""

from __future__ import annotations

import math
from typing import Any

from headstart._words import counted
from headstart.report.explain import signed
from headstart.result import Result

WIDTH = 100
MANY, NAME = 20, 40  # domains that are shown, letters of their names


def adaptation(result: Result) -> str:
    """The decision of an adaptation, the shift and what ships, as plain lines."""
    told = result.adaptation
    lines = ["", str(result.verdict.get("words", "")), "", f"shift: {told['shift']['words']}"]
    source = told["source_only"]
    lines.append(
        f"without adaptation: {source['metric'].replace('_', ' ')} {source['value']:.3f} [{source['low']:.3f},"
        f" {source['high']:.3f}] on {source['rows']:,} held-out source rows"
    )
    lines.append(f"{guessed(told)}; without labels this is a guess,{off(told)}")
    if (labels := told.get("labels")) and labels["words"] != told["why"]:
        lines.append(labels["words"])
    lines.append(f"predictions that changed: {told['changed']['rows']:,} of {told['rows']:,}")
    lines += [words for words in [by_its_labels(told)] if words]
    return "\n".join([*lines, ""])


def guessed(told: dict[str, Any]) -> str:
    """How right what ships is guessed to be on the target."""
    low, high = (f"{100 * told[k]:.0f}" for k in ("low", "high"))
    which = ", before it was adapted" if told.get("source_free") and told["method"] else ""
    return f"guessed on the target{which}: right on {100 * told['estimate']:.0f} % of the rows [{low}, {high}]"


def off(told: dict[str, Any]) -> str:
    """How far such guesses were off."""
    return f" and such guesses were off by {100 * told['estimate_off']:.0f} points on average"


def by_its_labels(told: dict[str, Any]) -> str:
    """How right it was by the target's own labels; nothing where they were not asked for.

    >>> by_its_labels({}), by_its_labels({"scored": {"why": "no label in 'y' is one of a, b"}})
    ('', "with the target's labels: no label in 'y' is one of a, b")
    """
    scored = told.get("scored")
    if not scored:
        return ""
    if "why" in scored:
        return f"with the target's labels: {scored['why']}"
    ships, plain = scored["shipped"], scored["source_only"]
    rest = f"; without one of the source's: {counted(scored['without'])}" if scored.get("without") else ""
    return (
        f"with the target's labels: {ships['metric'].replace('_', ' ')} {ships['value']:.3f}, without adaptation"
        f" {plain['value']:.3f} ({scored['gain']:+.1f} points [{scored['low']:+.1f}, {scored['high']:+.1f}]),"
        f" {counted(ships['rows'])}{rest}"
    )


TOGETHER = "Predict rows of one {} at a time, 10 or more: what ships takes away their own mean and deviation."


def noted(each: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """All domains in their order, or where they are very many the worst of them."""
    if len(each) <= MANY:
        return each
    return sorted(each, key=lambda d: d["away"]["value"] if d["away"] else math.inf)[:MANY]


def domains(result: Result) -> list[str]:
    """What ships on each domain when that one is held out, against rows of it when it is not; nothing without domains.

    >>> domains(Result())
    []
    """
    told = result.domains
    if not told:
        return []
    each = noted(told["each"])
    width = min(max(len(told["column"]), *(len(d["name"]) for d in each)), NAME)
    lines = ["", told["words"], f"  {told['column'][:NAME]:{width}}  {'rows':>6}  held out               seen"]
    for d in each:
        away, home = (
            f"{s['value']:.3f} [{s['low']:.3f}, {s['high']:.3f}]" if s else "" for s in (d["away"], d["home"])
        )
        lines.append(f"  {d['name'][:NAME]:{width}}  {d['rows']:6,}  {away or 'no: ' + d['why']:21}  {home}")
    if more := len(told["each"]) - len(each):
        lines.append(f"  and {more} more in result.json")
    return [*lines, TOGETHER.format(told["column"])] if told["together"] else lines


def repair(result: Result) -> str:
    """What a repair decided, and what it did to rows that it had not touched, as plain lines."""
    told = result.repair
    lines = ["", f"{told['decision']}: {told['why']}", ""]
    for name in ("overall", "worst", *(["gap"] if told["attribute"] else [])):
        words = {
            "overall": str(result.test["metric"]).replace("_", " "), "worst": "worst group",
            "gap": "gap between groups (equalised odds)",
        }[name]  # fmt: skip
        before, after = told["before"][name], told["after"][name]
        if after is None:
            lines.append(f"  {words}: cannot be compared, no two groups have enough test rows of one class")
            continue
        said = " to ".join(f"{s['value']:.3f} [{s['low']:.3f}, {s['high']:.3f}]" for s in (before, after))
        lines.append(f"  {words} on {counted(after['rows'], 'test')}: {said}")
    lines += [
        f"  {g['group']} ({counted(g['rows'])}): {b['value']:.3f} to {g['value']:.3f}"
        for b, g in zip(told["before"]["groups"], told["after"]["groups"], strict=True)
    ]
    return "\n".join([*lines, ""])


def refitted(result: Result) -> str:
    """Why the score of what ships differs from the winner's own in the race, where it does.

    >>> refitted(Result())
    ''
    """
    same = {name: result.best.get(name) for name in ("backbone", "technique", "role")}.items()
    raced = [t["test"]["value"] for t in result.trials if t.get("test") and same <= t.items()]
    if not result.test or not raced or raced[0] == result.test["value"]:
        return ""
    mean = ", and averaged with others" * bool(result.best.get("averaged_with"))
    return (
        f"What ships was fitted again on train and validation rows{mean}; those compared learnt from train rows alone."
    )


def summary(result: Result) -> str:
    """Verdict, what ships, the leaderboard and the findings, as plain lines.

    >>> summary(Result(verdict={"words": "No verdict."})).splitlines()[1]
    'No verdict.'
    """
    unseen = (result.verdict.get("unseen") or {}).get("words")
    besides = [unseen, result.verdict.get("where"), result.forecast.get("words")]
    lines = ["", str(result.verdict.get("words", "")), *(words for words in besides if words), ""]
    if result.best:
        test = result.test
        lines.append(
            f"ships: {result.best['technique']} on {result.best['backbone']}{averaged(result.best)},"
            f" {test['metric'].replace('_', ' ')} {test['value']:.3f} [{test['low']:.3f}, {test['high']:.3f}]"
            f" on {test['rows']:,} test rows"
        )
        lines += [words for words in [refitted(result)] if words]
    done = sorted((t for t in result.trials if t.get("test")), key=lambda t: -t["test"]["value"])
    if done:
        names = [f"{t['technique']} on {t['backbone']}" for t in done]
        width = max(map(len, names))
        lines += ["", f"  {'':{width}}  test                   {'seconds':>8}"]
        for name, t in zip(names, done, strict=True):
            s = t["test"]
            told = f"{s['value']:.3f} [{s['low']:.3f}, {s['high']:.3f}]"
            lines.append(f"  {name:{width}}  {told}  {t['seconds']:8.1f}  {t['role']}")
    for t in (t for t in result.trials if t["status"] != "done"):
        lines.append(f"  {t['technique']} {t['status']}: {t['why']}"[: WIDTH + 40])
    return "\n".join([*lines, *domains(result), *_findings(result.findings), ""])


def averaged(best: dict[str, Any]) -> str:
    """With whose answers those of the winner are averaged, as the end of a sentence that names it.

    >>> averaged({"averaged_with": ["knn on minilm", "ridge on minilm", "tfidf on ngrams", "prototypes on minilm"]})
    ', averaged with knn, ridge and prototypes on minilm, tfidf on ngrams'
    >>> averaged({})
    ''
    """
    heads: dict[str, list[str]] = {}
    for name in best.get("averaged_with") or ():
        technique, _, backbone = name.partition(" on ")
        heads.setdefault(backbone, []).append(technique)
    told = [f"{' and '.join(filter(None, (', '.join(t[:-1]), t[-1])))} on {backbone}" for backbone, t in heads.items()]
    return f", averaged with {', '.join(told)}" if told else ""


def audited(test: dict[str, Any], findings: list[dict[str, Any]], unchecked: list[list[str]]) -> str:
    """What an audit found, as plain lines; checks that could not look say why.

    >>> print(audited({"metric": "accuracy", "value": 0.9, "low": 0.8, "high": 1.0, "rows": 50}, [], []))
    accuracy 0.900 [0.800, 1.000] on 50 test rows
    <BLANKLINE>
    nothing was found
    <BLANKLINE>
    """
    lines = [
        f"{test['metric'].replace('_', ' ')} {test['value']:.3f} [{test['low']:.3f}, {test['high']:.3f}]"
        f" on {test['rows']:,} test rows",
        *(_findings(findings) or ["", "nothing was found"]),
    ]
    if unchecked:
        lines += ["", "could not look:", *(f"  {name}: {why}" for name, why in unchecked)]
    return "\n".join([*lines, ""])


def explained(rows: list[dict[str, Any]], confused: list[dict[str, Any]], notes: list[str]) -> str:
    """Why rows were answered as they were, as plain lines: the heaviest words and columns; maps are on the page.

    >>> why = {"toward": "a", "against": "b", "words": [["dear", 1.5]], "columns": [], "where": "", "note": ""}
    >>> print(explained([{"row": "7", "predicted": "a", "true": None, "explanation": why}], [], []))
    7: a (against b): dear +1.50
    <BLANKLINE>
    """
    lines = []
    for row in rows:
        why = row.get("explanation")
        line = f"{row['row']}: {row['predicted']}" + (f", labelled {row['true']}" if row["true"] is not None else "")
        if why:
            parts = [*why["words"], *([f"{name} {value}", weight] for name, value, weight in why["columns"])]
            parts = sorted(parts, key=lambda part: -abs(part[1]))[:5]
            line += f" (against {why['against']})" if why["against"] and row["true"] is None else ""
            line += f"; for {why['toward']}" if why["toward"] and not why["against"] else ""  # one label of several
            line += ": " + (", ".join(f"{n} {signed(w, why)}" for n, w in parts) or why["where"] or why["note"])
        lines.append(line)
    for pair in confused:
        pulled = ", ".join(f"{name} {weight:+.2f}" for name, weight, _ in pair["pulls"][:6]) or pair["where"]
        words = f"{counted(pair['rows'])} of {pair['true']} called {pair['said']}"
        lines += ["", words + (f"; what pulls them there: {pulled}" if pulled else "")]
    return "\n".join([*lines, *(["", *notes] if notes else []), ""])


def _findings(findings: list[dict[str, Any]]) -> list[str]:
    """A finding in two lines and its table, if it has one; notes in one line each, below."""
    lines: list[str] = []
    for finding in (f for f in findings if f["severity"] != "info"):
        lines += ["", f"{finding['severity']}: {finding['title']}", f"  {finding['do']}"]
        if table := finding.get("evidence", {}).get("table"):
            cells = [table["columns"], *table["rows"]]
            widths = [max(len(str(row[k])) for row in cells) for k in range(len(table["columns"]))]
            lines += [
                "    " + "  ".join(f"{v!s:{w}}" for v, w in zip(row, widths, strict=True)).rstrip() for row in cells
            ]
    notes = [f"note: {f['title']}" for f in findings if f["severity"] == "info"]
    return [*lines, *(["", *notes] if notes else [])]
