"""A run in a notebook: its plan drawn, and a short table, all of it text; the page of `airo view` shows the whole.

agent.run("Where do otters sleep?", watch=Notebook())     # drawn while it goes on, in one place
"""

from __future__ import annotations

import html
from collections.abc import Callable, Collection

from airoagent.errors import PlanError, UsageError
from airoagent.events import Event, StepCancelled, StepFailed, StepFinished, StepStarted
from airoagent.findings import visible
from airoagent.plan.drawing import draw_plan
from airoagent.records.run_record import Run

__all__ = ["Notebook", "run_html"]

_LINE = 100  # characters of an input or an output that are shown
_DRAWN = 60  # steps of a plan that is drawn
_TONES = {"done": "#2c7a57", "failed": "#bd3b34", "skipped": "#8a8378", "not run": "#8a8378", "running": "#b7791f"}


class Notebook:
    """A ``watch`` that draws a run in a notebook's cell, and draws it anew in the same place as it goes on.

    ``show`` is given the HTML each time (None: the cell that is being run; UsageError where there is none).
    """

    def __init__(self, show: Callable[[str], None] | None = None) -> None:
        self._show = show or _cell()
        self._run = Run()
        self._running: set[str] = set()

    def __call__(self, event: Event) -> None:
        """Take an event in, and draw."""
        if event.live:
            return
        if isinstance(event, StepStarted):
            self._running.add(event.step)
        elif isinstance(event, StepFinished | StepFailed | StepCancelled):
            self._running.discard(event.step)
        self._run.take(event)
        self._show(run_html(self._run, self._running))


def _cell() -> Callable[[str], None]:
    try:
        from IPython.display import HTML, display
    except ImportError as error:
        raise UsageError(
            "there is no notebook to draw in: IPython is not installed", "Notebook(show=...) is given the HTML"
        ) from error
    handle = display(HTML(""), display_id=True)
    return lambda text: handle.update(HTML(text))


def run_html(run: Run, running: Collection[str] = ()) -> str:
    """The picture of the run's plan and a table of its steps under question and answer; every text in it is escaped
    and cut. ``running`` are the steps that are under way."""
    said = run.answer if run.answer is not None else run.failure.message if run.failure else run.status
    rows = [_row(run, step.id, step.tool, step.input, running) for step in (run.plan.steps if run.plan else ())]
    seen = dict.fromkeys(source.url for source in run.sources)
    sources = f"<div>Sources: {', '.join(_text(url) for url in seen)}</div>" if seen else ""
    head = "<tr><th>step</th><th>tool</th><th>input</th><th>found</th></tr>"
    table = f"<table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>" if rows else ""
    return (
        f"<div><div>{_text(run.question, 500)}</div><div><b>{_text(said, 2000)}</b></div>{sources}"
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
    cells = (f"{mark} {_text(id)}", _text(tool), _text(input), _text(found))
    return "<tr>" + "".join(f'<td style="text-align:left">{cell}</td>' for cell in cells) + "</tr>"


def _text(text: str, length: int = _LINE) -> str:
    """The text on one line, cut, escaped, with nothing in it that cannot be seen."""
    line = visible(" ".join(text[: 4 * length].split()))
    return html.escape(line if len(line) <= length else line[: length - 1] + "…")
