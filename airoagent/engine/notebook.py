"""A run in a notebook: a short table, all of it text; the page of `airo view` shows the whole."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from airoagent.language.findings import visible

if TYPE_CHECKING:
    from airoagent.engine.record import Run

__all__ = ["run_html"]

_LINE = 100  # characters of an input or an output that are shown
_TONES = {"done": "#2c7a57", "failed": "#bd3b34", "skipped": "#8a8378", "not run": "#8a8378"}


def run_html(run: Run) -> str:
    """A table of the run's steps under its question and answer; every text in it is escaped and cut."""
    said = run.answer if run.answer is not None else run.failure.message if run.failure else run.status
    rows = [_row(run, step.id, step.tool, step.input) for step in (run.plan.steps if run.plan else ())]
    seen = dict.fromkeys(source.url for source in run.sources)
    sources = f"<div>Sources: {', '.join(_text(url) for url in seen)}</div>" if seen else ""
    head = "<tr><th>step</th><th>tool</th><th>input</th><th>found</th></tr>"
    table = f"<table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>" if rows else ""
    return (
        f"<div><div>{_text(run.question, 500)}</div><div><b>{_text(said, 2000)}</b></div>{sources}{table}"
        f"<div><small>run {_text(run.id)}, {run.status}, {run.seconds:.1f} s, {_text(run.model)}</small></div></div>"
    )


def _row(run: Run, id: str, tool: str, input: str) -> str:
    status = run.step_status(id)
    found = run.evidence[id].text if status == "done" else run.failed[id].message if status == "failed" else status
    mark = f'<span style="color:{_TONES[status]}" title="{status}">&#9679;</span>'
    cells = (f"{mark} {_text(id)}", _text(tool), _text(input), _text(found))
    return "<tr>" + "".join(f'<td style="text-align:left">{cell}</td>' for cell in cells) + "</tr>"


def _text(text: str, length: int = _LINE) -> str:
    """The text on one line, cut, escaped, with nothing in it that cannot be seen."""
    line = visible(" ".join(text[: 4 * length].split()))
    return html.escape(line if len(line) <= length else line[: length - 1] + "…")
