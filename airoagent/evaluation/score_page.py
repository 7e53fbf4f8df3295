"""The page of an evaluation: one HTML file with the figures of each set of results as a plot, and every run in it.

    Path("scores.html").write_text(score_page("questions.jsonl", {"planned": results}, load_run))

It runs no script and loads nothing. The text of a run is escaped as in a report of the run (`view.report`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from airoagent.evaluation.scores import SHARES, Result, Summary, shown_figure, summary
from airoagent.records.run_record import Run
from airoagent.view.report import html_page, run_section, shown

Sets = Mapping[str, Sequence[Result]]

_PARTS: Final = ("planner", "reader", "call")
_COLOURS: Final = ("#3b6ea5", "#d98c3f", "#5b9a68", "#9a5b86", "#777777")
_WIDE: Final = 420  # pixels of a bar that is full
_LEFT: Final = 170
_STYLE: Final = (
    "table{border-collapse:collapse;margin:1rem 0}td,th{padding:.15rem .8rem .15rem 0;text-align:left}"
    "summary{cursor:pointer;padding:.2rem 0}details details{margin-left:1.2rem}svg{max-width:100%;height:auto}"
    "label{margin-right:1rem}"
    "body:has(#f-wrong:checked) .q:not(.wrong),body:has(#f-declined:checked) .q:not(.declined){display:none}"
)


def score_page(title: str, sets: Sets, run_of: Callable[[str], Run | None]) -> str:
    """The page of sets of results by name; ``run_of`` returns the run with an id, or None if there is no record."""
    figures = {name: summary(results) for name, results in sets.items()}
    body = [f"<h1>{shown(title)}</h1>", _table(figures), "<h2>Scores</h2>", bars(figures)]
    body += ["<h2>Tokens per question</h2>", stacks(figures), "<h2>Questions</h2>", *_choices()]
    body += _questions(sets, run_of)
    return html_page(title, "\n".join(body), _STYLE)


def _table(figures: Mapping[str, Summary]) -> str:
    rows = ["".join(f"<th>{shown(name)}</th>" for name in ("", *figures))]
    rows.append("".join(f"<td>{cell}</td>" for cell in ("questions", *(one.questions for one in figures.values()))))
    for field in (*SHARES, "repairs", "tool_errors", "tokens", "seconds"):
        values = [getattr(one, field) for one in figures.values()]
        if any(value is not None for value in values):
            cells = (field, *("" if value is None else shown_figure(value, field) for value in values))
            rows.append("".join(f"<td>{cell}</td>" for cell in cells))
    return "<table>" + "".join(f"<tr>{row}</tr>" for row in rows) + "</table>"


# Plots --------------------------------------------------------------------------------------------------------------


def bars(figures: Mapping[str, Summary]) -> str:
    """The scores as bars from 0 to 100 %, each with its interval as a line."""
    drawn, y = [], 4
    for field in SHARES:
        values = [(name, getattr(one, field)) for name, one in figures.items()]
        if all(value is None for _, value in values):
            continue
        drawn.append(_text(0, y + 12, field))
        for at, (_, value) in enumerate(values):
            if value is not None:
                drawn.append(_bar(_LEFT, y, value.mean * _WIDE, at))
                low, high = _LEFT + value.low * _WIDE, _LEFT + value.high * _WIDE
                drawn.append(f'<path d="M{low:.1f} {y + 7}H{high:.1f}" style="stroke:currentColor"/>')
                drawn.append(_text(max(high, _LEFT) + 6, y + 12, f"{100 * value.mean:.1f} %"))
            y += 16
        y += 8
    return _svg(drawn, y, figures, "scores with 95 % intervals")


def stacks(figures: Mapping[str, Summary]) -> str:
    """The tokens per question as a bar for each set, divided into planner, reader and single calls."""
    most = max((one.tokens.mean for one in figures.values()), default=0) or 1
    drawn, y = [], 4
    for name, one in figures.items():
        x: float = _LEFT
        drawn.append(_text(0, y + 12, name[:26]))
        for at, part in enumerate(_PARTS):
            width = getattr(one, part).mean / most * _WIDE
            drawn.append(_bar(x, y, width, at))
            x += width
        drawn.append(_text(x + 6, y + 12, f"{one.tokens.mean:,.0f}"))
        y += 22
    return _svg(drawn, y, _PARTS, "tokens per question")


def _bar(x: float, y: int, width: float, colour: int) -> str:
    fill = _COLOURS[colour % len(_COLOURS)]
    return f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="14" style="fill:{fill};stroke:none"/>'


def _text(x: float, y: int, text: str) -> str:
    return f'<text x="{x:.1f}" y="{y}">{shown(text)}</text>'


def _svg(drawn: Iterable[str], high: int, legend: Iterable[str], label: str) -> str:
    parts = [*drawn]
    for at, name in enumerate(legend):
        parts += [_bar(_LEFT + 110 * at, high + 6, 14, at), _text(_LEFT + 20 + 110 * at, high + 18, name[:14])]
    wide = _LEFT + _WIDE + 90
    return (
        f'<svg viewBox="0 0 {wide} {high + 26}" width="{wide}" role="img" aria-label="{label}">{"".join(parts)}</svg>'
    )


# Questions ----------------------------------------------------------------------------------------------------------


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
