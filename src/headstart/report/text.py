"""The result in twenty lines, for a terminal."""

from __future__ import annotations

from headstart.result import Result

WIDTH = 100


def adaptation(result: Result) -> str:
    """The decision of an adaptation, the shift and what ships, as plain lines."""
    told = result.adaptation
    lines = ["", str(result.verdict.get("words", "")), "", f"shift: {told['shift']['words']}"]
    source = told["source_only"]
    lines.append(
        f"without adaptation: {source['metric'].replace('_', ' ')} {source['value']:.3f} [{source['low']:.3f},"
        f" {source['high']:.3f}] on {source['rows']:,} held-out source rows"
    )
    lines.append(
        f"guessed on the target: right on {100 * told['estimate']:.0f} % of the rows; without labels this is a guess,"
        f" and such guesses were off by {100 * told['estimate_off']:.0f} points on average"
    )
    lines.append(f"predictions that changed: {told['changed']['rows']:,} of {told['rows']:,}")
    if scored := told.get("scored"):
        ships, plain = scored["shipped"], scored["source_only"]
        lines.append(
            f"with the target's labels: {ships['metric'].replace('_', ' ')} {ships['value']:.3f}, without adaptation"
            f" {plain['value']:.3f} ({scored['gain']:+.1f} points [{scored['low']:+.1f}, {scored['high']:+.1f}]),"
            f" {ships['rows']:,} rows"
        )
    return "\n".join([*lines, ""])


def repair(result: Result) -> str:
    """What a repair decided, and what it did to rows that it had not touched, as plain lines."""
    told = result.repair
    lines = ["", f"{told['decision']}: {told['why']}", ""]
    for name in ("overall", "worst"):
        words = {"overall": str(result.test["metric"]).replace("_", " "), "worst": "worst group"}[name]
        before, after = told["before"][name], told["after"][name]
        said = " to ".join(f"{s['value']:.3f} [{s['low']:.3f}, {s['high']:.3f}]" for s in (before, after))
        lines.append(f"  {words} on {after['rows']:,} test rows: {said}")
    lines += [
        f"  {g['group']} ({g['rows']} rows): {b['value']:.3f} to {g['value']:.3f}"
        for b, g in zip(told["before"]["groups"], told["after"]["groups"], strict=True)
    ]
    return "\n".join([*lines, ""])


def summary(result: Result) -> str:
    """Verdict, what ships, the leaderboard and the findings, as plain lines.

    >>> summary(Result(verdict={"words": "No verdict."})).splitlines()[1]
    'No verdict.'
    """
    lines = ["", str(result.verdict.get("words", "")), ""]
    if result.best:
        test = result.test
        lines.append(
            f"ships: {result.best['technique']} on {result.best['backbone']},"
            f" {test['metric'].replace('_', ' ')} {test['value']:.3f} [{test['low']:.3f}, {test['high']:.3f}]"
            f" on {test['rows']:,} test rows"
        )
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
    for finding in result.findings:
        lines += ["", f"{finding['severity']}: {finding['title']}", f"  {finding['do']}"]
    return "\n".join([*lines, ""])
