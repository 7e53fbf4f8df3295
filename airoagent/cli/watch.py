"""Who watches a run of the command line: the display, and OpenTelemetry where it was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from airoagent.cli.display import make_display, plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from airoagent.events import Event
    from airoagent.settings import Settings

__all__ = ["make_watch"]


def make_watch(settings: Settings) -> Callable[[Event], None] | None:
    """What is told each event, None for nobody. MissingExtra where spans were asked for and cannot be."""
    display = make_display(settings.display, settings.color)
    if settings.spans == "off":
        return display
    import atexit

    from airoagent.view.spans import exported_spans

    spans, finish = exported_spans(contents=settings.spans == "contents")

    def send() -> None:  # when the answer has been printed: nobody waits for a collector
        failure = finish()
        if failure and settings.display != "none":
            click.echo(f"note: {plain(failure)}", err=True)

    def watch(event: Event) -> None:
        spans(event)
        if display is not None:
            display(event)

    atexit.register(send)
    return watch
