"""A run drawn in a notebook as it happens; the page of `airo view` shows all of it.

agent.run("Where do otters sleep?", watch=Notebook())     # drawn as it happens, in one place
"""

from __future__ import annotations

from collections.abc import Callable

from airoagent.errors import UsageError
from airoagent.events import Event, StepCancelled, StepFailed, StepFinished, StepStarted
from airoagent.records.run_html import run_html
from airoagent.records.run_record import Run


class Notebook:
    """A ``watch`` that draws a run in a notebook's cell, and redraws it in place with each event.

    ``show`` gets the HTML each time (None: the current cell; UsageError if there is none).
    """

    def __init__(self, show: Callable[[str], None] | None = None) -> None:
        self._show = show or _cell()
        self._run = Run()
        self._running: set[str] = set()

    def __call__(self, event: Event) -> None:
        """Add an event, and draw."""
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
            "Notebook needs IPython, which is not installed", "or pass a function: Notebook(show=...)"
        ) from error
    handle = display(HTML(""), display_id=True)
    return lambda text: handle.update(HTML(text))
