"""The page of an evaluation: one HTML file with the figures of each set of results with bars, and every run in it.

    Path("scores.html").write_text(score_page("questions.jsonl", {"planned": results}, load_run))

It runs no script and loads nothing. The text of a run is escaped as in a report of the run (`view.report`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from airoagent.evaluation.scores import FIGURES, PARTS, SHARES, Figure, Result, shown_figure, summary
from airoagent.records.run_record import Run
from airoagent.view.report import html_page, run_section, shown

Sets = Mapping[str, Sequence[Result]]

_STYLE: Final = (
    "table{border-collapse:collapse;margin:1rem 0}td,th{padding:.15rem 1.4rem .15rem 0;text-align:left}"
    "summary{cursor:pointer;padding:.2rem 0}details details{margin-left:1.2rem}label{margin-right:1rem}"
    ".bar{position:relative;width:15rem;max-width:60vw;height:.7rem;background:#8882}"
    ".bar i{position:absolute;top:0;height:100%}.mean,.planner{background:#3b6ea5}.reader{background:#d98c3f}"
    ".call{background:#5b9a68}.bar .range{top:45%;height:2px;background:currentColor}"
    "body:has(#f-wrong:checked) .q:not(.wrong),body:has(#f-declined:checked) .q:not(.declined){display:none}"
)


def score_page(title: str, sets: Sets, run_of: Callable[[str], Run | None]) -> str:
    """The page of sets of results by name; ``run_of`` returns the run with an id, or None if there is no record."""
    body = [f"<h1>{shown(title)}</h1>", "<p>The lines in the bars are 95 % intervals.</p>"]
    body += [f"<table>{''.join(_rows(sets))}</table>", "<h2>Questions</h2>", *_choices(), *_questions(sets, run_of)]
    return html_page(title, "\n".join(body), _STYLE)


def _rows(sets: Sets) -> Iterator[str]:
    """The figures of the sets side by side, shares of a whole with a bar."""
    figures = [summary(results) for results in sets.values()]
    most = max((one["tokens"].mean for one in figures), default=0) or 1
    yield f"<tr>{''.join(f'<th>{shown(name)}</th>' for name in ('', *sets))}</tr>"
    yield f"<tr>{''.join(f'<td>{cell}</td>' for cell in ('questions', *map(len, sets.values())))}</tr>"
    for name in FIGURES:
        if any(name in one for one in figures):
            cells = (shown_figure(one[name], name) + _bar(name, one, most) if name in one else "" for one in figures)
            yield f"<tr>{''.join(f'<td>{cell}</td>' for cell in (name, *cells))}</tr>"


def _bar(name: str, figures: Mapping[str, Figure], most: float) -> str:
    """A figure drawn: a share from 0 to 100 % with its interval, tokens by what took them; "" for others."""
    figure, at = figures[name], 0.0
    spans = [("mean", 0.0, figure.mean), ("range", figure.low, figure.high)] if name in SHARES else []
    for part in PARTS if name == "tokens" else [name] if name in PARTS else []:
        end = at + figures[part].mean / most
        spans.append((part, at, end))
        at = end
    drawn = (f'<i class="{kind}" style="left:{100 * a:.1f}%;width:{100 * (b - a):.1f}%"></i>' for kind, a, b in spans)
    return f'<div class="bar">{"".join(drawn)}</div>' if spans else ""


def _choices() -> Iterator[str]:
    for value in ("all", "wrong", "declined"):
        checked = " checked" if value == "all" else ""
        yield f'<label><input type="radio" name="f" id="f-{value}"{checked}> {value}</label>'


def _verdict(result: Result) -> str:
    return "wrong" if result.wrong else "right" if result.holds else "declined"


def _questions(sets: Sets, run_of: Callable[[str], Run | None]) -> Iterator[str]:
    by_id: dict[str, dict[str, Result]] = {}
    for name, results in sets.items():
        for result in results:
            by_id.setdefault(result.id, {})[name] = result
    for id, found in by_id.items():
        verdicts = [_verdict(result) for result in found.values()]
        asked = next((result for result in found.values() if result.question), None)
        title = shown(f"{', '.join(verdicts)}: {asked.question if asked else id}")
        yield f'<details class="q {" ".join(dict.fromkeys(verdicts))}"><summary>{title}</summary>'
        if asked:
            yield f"<p>Accepted: {shown('; '.join(asked.wanted) or '(it cannot be answered)')}</p>"
        for name, result in found.items():
            yield f"<details><summary>{shown(name)}: {shown(result.answer) or '(no answer)'} <small>{_facts(result)}"
            yield "</small></summary>"
            run = run_of(result.run)
            yield run_section(run) if run is not None else f"<p>There is no record of the run {shown(result.run)}.</p>"
            yield "</details>"
        yield "</details>"


def _facts(result: Result) -> str:
    return f"F1 {100 * result.f1:.0f} %, {result.tokens:,} tokens, {result.seconds:.1f} s"
