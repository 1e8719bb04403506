"""The result in twenty lines, for a terminal."""

from __future__ import annotations

from headstart.result import Result

WIDTH = 100


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
