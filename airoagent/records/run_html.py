"""A run as a notebook shows it: a small piece of HTML without script or network."""

from __future__ import annotations

import html
from collections.abc import Collection
from typing import TYPE_CHECKING

from airoagent.errors import PlanError
from airoagent.findings import visible
from airoagent.plan.drawing import draw_plan

if TYPE_CHECKING:
    from airoagent.records.run_record import Run

_LINE = 100  # characters of an input or an output that are shown
_DRAWN = 60  # steps of a plan that is drawn
_TONES = {"done": "#2c7a57", "failed": "#bd3b34", "skipped": "#8a8378", "not run": "#8a8378", "running": "#b7791f"}


def run_html(run: Run, running: Collection[str] = ()) -> str:
    """Question, answer, the plan drawn and a table of its steps; all text is escaped and cut.

    ``running`` are the steps in progress.
    """
    said = run.answer if run.answer is not None else run.failure.message if run.failure else run.status
    rows = [_row(run, step.id, step.tool, step.input, running) for step in (run.plan.steps if run.plan else ())]
    seen = dict.fromkeys(source.url for source in run.sources)
    sources = f"<div>Sources: {', '.join(_text(url) for url in seen)}</div>" if seen else ""
    head = "<tr><th>step</th><th>tool</th><th>input</th><th>found</th></tr>"
    table = f"<table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>" if rows else ""
    return (
        '<div style="max-width:62em;border:1px solid #8884;border-radius:8px;padding:10px 16px;overflow-x:auto">'
        f"<div>{_text(run.question, 500)}</div><div><b>{_text(said, 2000)}</b></div>{sources}"
        f"{_picture(run)}{table}"
        f"<div><small>run {_text(run.id)}, {run.status}, {run.seconds:.1f} s, {_text(run.model)}</small></div></div>"
    )


def _picture(run: Run) -> str:
    if run.plan is None or not 0 < len(run.plan.steps) <= _DRAWN:
        return ""
    try:
        return f"<pre>{html.escape(draw_plan(run.plan))}</pre>"
    except PlanError:  # a plan put together by hand may have no graph: its table still shows
        return ""


def _row(run: Run, id: str, tool: str, input: str, running: Collection[str]) -> str:
    status = "running" if id in running else run.step_status(id)
    found = run.evidence[id].text if status == "done" else run.failed[id].message if status == "failed" else status
    mark = f'<span style="color:{_TONES[status]}" title="{status}">&#9679;</span>'
    cells = (f"{mark}\u00a0{_text(id)}", _text(tool), _text(input), _text(found))
    return "<tr>" + "".join(f'<td style="text-align:left">{cell}</td>' for cell in cells) + "</tr>"


def _text(text: str, length: int = _LINE) -> str:
    """The text on one line, cut, escaped, with nothing in it that cannot be seen."""
    line = visible(" ".join(text[: 4 * length].split()))
    return html.escape(line if len(line) <= length else line[: length - 1] + "…")
