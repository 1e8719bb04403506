"""The model card that travels with a model folder."""

from __future__ import annotations

from headstart.report.text import TOGETHER, averaged, guessed
from headstart.result import Result


def model_card(result: Result) -> str:
    """Markdown: what the model is for, how good it is, its limits, and how to use it. (Mitchell et al., FAccT 2019.)

    >>> model_card(Result(verdict={"words": "No verdict."})).splitlines()[0]
    '# A model trained with headstart'
    """
    best, test, data = result.best, result.test, result.data
    counts, rows = data.get("counts", {}), "source rows" if result.adaptation else "rows"
    rows += ", before it was adapted," if result.adaptation.get("method") else ""
    lines = ["# A model trained with headstart", "", str(result.verdict.get("words", "")), ""]
    if best:
        lines += [
            f"- technique: {best['technique']} on {best['backbone']} (cut: {best['cut']}){averaged(best)}",
            f"- answers: {', '.join(data.get('classes', [])[:30]) or 'a number'}",
            f"- learnt from: {counts.get('train', 0) + counts.get('valid', 0):,} {data.get('modality')} rows",
            f"- {test['metric'].replace('_', ' ')}: {test['value']:.3f}, 95 % interval {test['low']:.3f} to"
            f" {test['high']:.3f}, on {test['rows']:,} {rows} that took no part in training or choice",
            *([f"- {guessed(result.adaptation)}: for rows of the target alone"] if result.adaptation else []),
            f"- made with: headstart {result.headstart}, {result.created[:10]}",
        ]
    lines += [
        "",
        "## Use",
        "",
        "```python",
        "import headstart",
        'headstart.load("path/to/this/folder").predict(rows)',
        "```",
        "",
    ]
    lines += [
        "## Limits",
        "",
        "The score holds for rows like those it was measured on; see report.html beside this folder.",
    ]
    if told := result.domains:
        lines += [f"- {told['words']}", *([f"- {TOGETHER.format(told['column'])}"] if told["together"] else [])]
    lines += [f"- {f['severity']}: {f['title']}. {f['do']}" for f in result.findings]
    lines += [
        "",
        "Weights and preprocessing inside keep the licence of the model they came from (backbone/headstart.json).",
    ]
    return "\n".join(lines) + "\n"
