"""Prints the end of a run: the answer with its sources on stdout, or what went wrong on stderr; the exit code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from airoagent.cli.app import tell
from airoagent.cli.display import plain
from airoagent.errors import NOT_ANSWERED

if TYPE_CHECKING:
    from airoagent.records.run_record import Run
    from airoagent.settings import Settings

__all__ = ["answer_text", "print_run"]


def answer_text(run: Run) -> str:
    """The answer, and below it the sources it stands on, with the words they say it in."""
    quotes: dict[str, list[str]] = {}
    titles: dict[str, str] = {}
    for source in run.sources:
        titles[source.url] = titles.get(source.url) or source.title
        quotes.setdefault(source.url, []).extend([" ".join(source.quote.split())] if source.quote else [])
    lines = [run.answer or "", *(["", "Sources:"] if quotes else [])]
    for url, quoted in quotes.items():
        lines.append(f"- {titles[url]} ({url})" if titles[url] else f"- {url}")
        lines += [f'  "{quote}"' for quote in dict.fromkeys(quoted)]
    return "\n".join(lines)


def print_run(run: Run, *, as_json: bool, settings: Settings, recorded: bool = True) -> int:
    """Print what the run came to; its exit code. Where stderr is JSON lines, an error is one, too."""
    if as_json:
        click.echo(json.dumps(run.to_json(), indent=2))
    elif run.status == "done":
        click.echo(plain(answer_text(run)))
    if run.error is None:
        return 0 if run.answered else NOT_ANSWERED
    as_json = as_json or settings.display == "json"
    tell(run.error, as_json)
    if recorded and settings.store and not as_json:
        click.echo(f"record: airo runs show {run.id}", err=True)
    return run.error.exit_code
