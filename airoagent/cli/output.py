"""What a command prints: the answer on stdout, errors on stderr; and the watchers of a run."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from airoagent.cli.display import ended, located, make_display, plain
from airoagent.errors import NOT_ANSWERED, AiroError, UsageError
from airoagent.events import AnswerText

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from airoagent.events import Event
    from airoagent.records.run_record import Run
    from airoagent.settings import Settings


def echo(record: Any, text: str, as_json: bool) -> None:
    """Print a record (JSON values or a dataclass) as a line of JSON, or its text."""
    if as_json:
        text = json.dumps(record, default=lambda one: str(one) if isinstance(one, Path) else asdict(one))
    click.echo(text)


def write_file(name: str, pieces: Iterable[str]) -> None:
    """Write text to a file, or to stdout for ``-``; UsageError if the file cannot be opened."""
    try:  # "replace", since an imported trace may have half a surrogate pair
        stream = click.open_file(name, "w", encoding="utf-8", errors="replace")
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{name} cannot be written: {reason}", "choose another file") from error
    with stream:
        stream.writelines(pieces)


def answer_text(run: Run) -> str:
    """The answer, and below it its sources with the passages quoted."""
    from airoagent.records.run_record import quotes_by_page

    lines = [run.answer or "", *(["", "Sources:"] if run.sources else [])]
    for (url, title), quotes in quotes_by_page(run.sources).items():
        lines.append(f"- {title} ({url})" if title else f"- {url}")
        lines += [f'  "{quote}"' for quote in quotes]
    return "\n".join(lines)


def print_run(run: Run, *, as_json: bool, settings: Settings, recorded: bool = True, sources: bool = True) -> int:
    """Print the result of a run; its exit code. If stderr is JSON lines, an error is one as well."""
    if as_json:
        click.echo(json.dumps(run.to_json(), indent=2))
    elif run.status == "done":
        meta = click.get_current_context().meta
        text = plain(answer_text(run) if sources and meta.get("sources", True) else run.answer or "")
        click.echo(text.removeprefix(meta.pop(_SHOWN, "")))
    if run.error is None:
        return 0 if run.answered else NOT_ANSWERED
    as_json = as_json or settings.display == "json"
    print_error(run.error, as_json)
    if recorded and settings.store and not as_json:
        click.echo(f"record: airo runs show {run.id}", err=True)
    return run.error.exit_code


_SHOWN = "airoagent.shown"  # what of the answer is on the terminal already


def _streaming(watch: Callable[[Event], None] | None) -> Callable[[Event], None]:
    """A watcher that also writes the answer to stdout as it comes; `print_run` adds what is left."""
    meta = click.get_current_context().meta
    meta[_SHOWN] = ""  # of an earlier run that was stopped

    def stream(event: Event) -> None:
        if not isinstance(event, AnswerText):
            if watch is not None:
                watch(event)
        elif event.withdrawn:
            meta[_SHOWN] = ""
            click.echo()
            click.echo("(the text above is not the answer: it was cut off, or the model changed it)", err=True)
        else:
            ended()
            text = plain(event.text)
            meta[_SHOWN] += text
            click.echo(text, nl=False)

    return stream


def make_watch(settings: Settings, *, prints_run: bool = False) -> Callable[[Event], None] | None:
    """The display as a watcher, or None.

    ``prints_run``: `print_run` prints the run, so its answer may be written to a terminal while it comes.
    """
    display = make_display(settings.display, settings.color)
    as_json = click.get_current_context().params.get("as_json")
    if prints_run and sys.stdout.isatty() and not as_json and settings.display in ("auto", "none"):
        display = _streaming(display)
    return display


def showing_question(text: str, watch: Callable[[Event], None] | None) -> Callable[[Event], None]:
    """A watcher that first shows how a follow-up was completed, where that is not what the user said."""
    from airoagent.events import RunStarted

    def show(event: Event) -> None:
        if isinstance(event, RunStarted) and event.question != text.strip():
            click.echo(f"asked: {plain(event.question)}", err=True)
        if watch is not None:
            watch(event)

    return show


def print_error(error: AiroError, as_json: bool) -> None:
    """Print an error on stderr: its sentence and its hint, or all of it as one JSON object."""
    ended()
    if as_json:
        record: dict[str, Any] = {
            "kind": error.kind,
            "message": error.message,
            "hint": error.hint,
            "exit_code": error.exit_code,
        }
        diagnostics = getattr(error, "diagnostics", ())
        if diagnostics:
            record["diagnostics"] = [asdict(found) for found in diagnostics]
        click.echo(json.dumps({"error": record}), err=True)
        return

    places = [plain(line) for line in located(error)]
    if not places or plain(error.message) not in places[0]:  # else the first place says it already
        places.append(plain(error.message))
    at = 0 if plain(error.message) in places[0] else -1
    places[at] = click.style("error: ", fg="red", bold=True) + places[at]
    click.echo("\n".join(places), err=True)
    if error.hint:
        click.echo(click.style("hint: ", fg="cyan") + plain(error.hint), err=True)
