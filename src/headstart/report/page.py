"""report.html: one file that needs nothing else, a pure function of result.json and evidence.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from markupsafe import Markup

from headstart.report import figures
from headstart.report.audit import css, environment, findings
from headstart.report.explain import confused, shown
from headstart.report.text import TOGETHER, averaged, by_its_labels, noted, refitted
from headstart.result import Result, read_json

ROLES = {
    "pretrained": "pre-trained",
    "scratch": "same network from scratch",
    "classical": "classical baseline",
    "majority": "always the same answer",
}
BADGES = {"True": "pre-training helped", "False": "pre-training hurt"}
USES = {"train": "learning", "valid": "choosing and calibrating", "test": "the numbers on this page, once"}


def render(run_folder: Path) -> Path:
    """Write `report.html` into a run folder, and return its path.

    Use it again after an update of headstart: nothing is computed, what was saved is drawn anew. Sections for which the
    run left no evidence are left out. Raises ModelError where there is no finished run.
    """
    result = Result.load(run_folder)
    path = run_folder / "evidence.json"
    evidence = read_json(path) if path.exists() else {}
    page = run_folder / "report.html"
    page.write_text(html(result, evidence), encoding="utf-8")
    return page


def html(result: Result, evidence: dict[str, Any]) -> str:
    """The page as text; whatever comes from the user is escaped."""
    template = environment().get_template("page.html.j2")
    helped = str(result.verdict.get("helped"))
    decision = result.adaptation.get("decision")
    open_ = "no verdict" if result.verdict.get("gain") is None else "no evidence either way"
    badge = f"adaptation {decision}" if decision else BADGES.get(helped, open_)
    headline = result.verdict.get("words") or "This run has no verdict."
    if told := result.repair:
        decision, headline = told["decision"], f"{told['decision'].capitalize()}: {told['why']}."
        badge = "repaired" if decision == "repaired" else "repair refused"
    return template.render(
        result=result,
        css=css(),
        findings=findings(result.findings, evidence.get("suspects", {})),
        title=Path(str(result.plan.get("data", "run")).rpartition(":")[2]).name or "run",
        metric=_metric(result),
        headline=headline,
        tone="helped"
        if decision in ("adapted", "repaired")
        else {"True": "helped", "False": "hurt"}.get(helped, "open"),
        badge=badge,
        facts=_facts(result),
        roles=[(r, w) for r, w in ROLES.items() if any(t["role"] == r for t in result.trials)],
        **_trials(result),
        **_figures(result, evidence),
        **_votes(result),
        split_rows=[(s, f"{n:,}", USES.get(s, "")) for s, n in result.data.get("counts", {}).items()],
        skipped=result.data.get("skipped", []),
        scored=by_its_labels(result.adaptation),
    )


def _metric(result: Result) -> str:
    return str(result.test.get("metric", "")).replace("_", " ")


def _facts(result: Result) -> list[tuple[str, str, str]]:
    best, test, counts = result.best, result.test, result.data.get("counts", {})
    facts = []
    if best:
        note = ROLES.get(best["role"], best["role"]) + averaged(best)
        facts.append(("ships", f"{best['technique']} on {best['backbone']}", note))
    if told := result.adaptation:
        between = f"{100 * told['low']:.0f} to {100 * told['high']:.0f} %"
        note = f"a guess, {between}: such guesses were off by {100 * told['estimate_off']:.0f} points on average"
        before = " before" if told.get("source_free") and told["method"] else ""
        facts.append(("right on the target" + before, f"{100 * told['estimate']:.0f} %", note))
    if test:
        rows = "held-out source rows" if result.adaptation else "untouched rows"
        interval = f"95 % interval {test['low']:.3f} to {test['high']:.3f}, {test['rows']:,} {rows}"
        of = " without adaptation" if result.adaptation.get("method") else ""
        facts.append((_metric(result) + of, f"{test['value']:.3f}", interval))
    if counts:
        known = counts.get("train", 0) + counts.get("valid", 0)
        facts.append(("learnt from", f"{known:,} labelled rows", f"{result.data.get('modality', '')} data"))
    facts.append(("took", f"{result.seconds:.0f} s", f"cores: {result.environment.get('threads', '?')}"))
    return facts


def _trials(result: Result) -> dict[str, Any]:
    best = (result.best.get("backbone"), result.best.get("technique"), result.best.get("role"))
    done = sorted((t for t in result.trials if t.get("test")), key=lambda t: -t["test"]["value"])
    rows = [
        {
            **t, "ships": (t["backbone"], t["technique"], t["role"]) == best,
            "valid": _score(t["valid"]), "test": _score(t["test"]), "seconds": f"{t['seconds']:.1f}",
            "kept": kept(t),
        }
        for t in done
    ]  # fmt: skip
    return {
        "trials": rows,
        "kept": any(t.get("source") for t in done),
        "refitted": refitted(result),
        "board": Markup(_board(done)) if done else None,
        "unfinished": [t for t in result.trials if t["status"] != "done"],
    }


def _votes(result: Result) -> dict[str, Any]:
    """A row a method, a column a validator."""
    votes = result.adaptation.get("votes", [])
    validators = list(dict.fromkeys(v["validator"] for v in votes))
    sign = {1: "+", -1: "\N{MINUS SIGN}", 0: "\N{MIDDLE DOT}"}
    said = {(v["method"], v["validator"]): sign[v["says"]] for v in votes}
    methods = dict.fromkeys(v["method"] for v in votes)
    table = [(m, [said.get((m, v), "") for v in validators]) for m in methods]
    return {"votes": table, "validators": [v.replace("_", " ") for v in validators]}


def kept(trial: dict[str, Any]) -> str:
    """What a fine-tuning left of the pre-trained network, in words.

    >>> kept({"source": {"cosine": 0.91, "cka": 0.8, "agreement": 0.75}})
    'cosine 0.910, cka 0.800, agreement 0.750'
    """
    source = trial.get("source") or {}
    return ", ".join(f"{name} {value:.3f}" for name, value in source.items()) or "all: frozen"


def _board(done: list[dict[str, Any]]) -> str:
    rows = [
        {
            **t["test"], "label": f"{t['technique']} · {t['backbone']}", "role": t["role"],
            "text": f"{t['test']['value']:.3f}   {t['seconds']:.1f} s",
        }
        for t in done
    ]  # fmt: skip
    low, high = min(r["low"] for r in rows), max(r["high"] for r in rows)
    room = 0.03 * (high - low or 1)
    return figures.whiskers(rows, low=low - room, high=high + room)


def _figures(result: Result, evidence: dict[str, Any]) -> dict[str, Any]:
    """Every figure whose evidence there is, ready for the template."""
    drawn: dict[str, Any] = {name: [shown(m) for m in evidence.get(name, [])] for name in ("mistakes", "far")}
    drawn |= {"confused": confused(evidence.get("confused", [])), "unexplained": evidence.get("unexplained")}
    drawn["domains"] = [(k, Markup(figures.scatter_map(v))) for k, v in evidence.get("domains", {}).items()]
    if told := result.domains:
        drawn["held_out"] = Markup(_held_out(noted(told["each"])))
        drawn["more_domains"] = len(told["each"]) - len(noted(told["each"]))
        drawn["together"] = TOGETHER.format(told["column"]) if told["together"] else ""
    if against := result.verdict.get("against"):
        drawn["gains"] = Markup(_gains(against))
    if curve := evidence.get("curve"):
        drawn |= {"curve": Markup(figures.curve(curve["points"], _metric(result))), "curve_words": curve["words"]}
    if matrix := evidence.get("confusion"):
        drawn["confusion"] = Markup(figures.confusion(matrix["classes"], matrix["counts"]))
    if pairs := evidence.get("scatter"):
        drawn["scatter"] = Markup(figures.scatter(pairs["true"], pairs["predicted"]))
    if calibration := evidence.get("calibration"):
        drawn |= {
            "reliability": Markup(figures.reliability(calibration["bins"])),
            "calibration_words": (
                f"Expected calibration error {calibration['ece']:.3f} (before scaling {calibration['ece_before']:.3f})."
                " On the dashed line, answers that are 80 % sure are right 80 % of the time."
            ),
        }
    if view := evidence.get("map"):
        drawn_rows, rows = len(view["x"]), result.data.get("rows", 0)
        some = "" if drawn_rows >= rows else f" {drawn_rows:,} of {rows:,} rows are shown, test rows first."
        numbers = result.data.get("target_kind") == "number"
        legend = sorted(set(figures.palette(view["label"], numbers=numbers).values()))
        missed = "missed by more than the target's standard deviation" if numbers else "that were answered wrongly"
        drawn |= {
            "map": Markup(figures.scatter_map(view, numbers=numbers)),
            "map_legend": legend if len(legend) <= figures.COLOURS else [],
            "map_words": "Rows that are alike to the model lie close together; colours are"
            f" {'fifths of the target' if numbers else 'classes'}, rings are test rows {missed}.{some}",
        }
    return drawn


def _gains(against: list[dict[str, Any]]) -> str:
    rows = [
        {
            **a, "value": a["gain"], "label": f"over {ROLES.get(a['role'], a['role'])}",
            "text": f"{a['gain']:+.1f} [{a['low']:+.1f}, {a['high']:+.1f}]",
        }
        for a in against
    ]  # fmt: skip
    low, high = min(0.0, *(r["low"] for r in rows)), max(0.0, *(r["high"] for r in rows))
    room = 0.04 * (high - low or 1)
    return figures.whiskers(rows, low=low - room, high=high + room, zero=0.0)


def _held_out(each: list[dict[str, Any]]) -> str:
    """Each domain twice: held out entirely, and with other rows of it learnt from."""
    rows = [
        {
            **score,
            "label": f"{d['name']} ({way})",
            "role": role,
            "text": f"{score['value']:.3f}  {score['rows']:,} rows",
        }
        for d in each
        for score, way, role in ((d["away"], "held out", "pretrained"), (d["home"], "seen", "majority"))
        if score
    ]
    low, high = min(r["low"] for r in rows), max(r["high"] for r in rows)
    room = 0.03 * (high - low or 1)
    return figures.whiskers(rows, low=low - room, high=high + room)


def _score(score: dict[str, Any] | None) -> str:
    return f"{score['value']:.3f} [{score['low']:.3f}, {score['high']:.3f}]" if score else ""
