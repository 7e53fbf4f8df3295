"""``airo batch``: many questions of a file, side by side, with one model; one JSON line for each.

The lines of ``--out`` are also the journal: a question whose line there says ``done`` is not asked again, so the same
command goes on where it was stopped. A line that was only half written counts as not there.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from airoagent.cli.options import agent_options, make_agent
from airoagent.prompts.harmless import visible

if TYPE_CHECKING:
    from airoagent.agent import Agent
    from airoagent.engine.record import Run

__all__ = ["command"]

Asked = tuple[str, str]  # id and question


@click.command("batch")
@click.argument("file", type=click.Path(allow_dash=True))
@click.option("--out", type=click.Path(dir_okay=False), help="Append the lines to this file; what is done there stays.")
@click.option("--at-once", type=click.IntRange(1, 1000), default=8, show_default=True, help="Runs side by side.")
@click.option("--quiet", is_flag=True, help="Tell nothing on stderr while it goes on.")
@agent_options()
def command(file: str, out: str | None, at_once: int, quiet: bool, **flags: Any) -> int:
    """Answer the questions of FILE (`-`: standard input), one a line, and print one JSON object for each.

    A line is a question, or a JSON object {"id": ..., "question": ...}; without an id it is the number of its line.
    The objects come in the order in which the runs end: id, question, status, answer, answered, sources, failure, run,
    seconds.
    With --out FILE they are appended there, and what is done there already is not asked again.

    \b
    Example:
      airo batch questions.txt --docs examples/library --out answers.jsonl
    """
    from airoagent.engine.door import run_in_thread

    asked = _questions(file)
    agent, _ = make_agent(flags)
    done = _done(Path(out)) if out else set()
    left = [one for one in asked if one not in done]
    if len(left) < len(asked) and not quiet:
        click.echo(f"{len(asked) - len(left):,} of {len(asked):,} questions are done in {out}", err=True)
    with _lines(out) as lines:
        return run_in_thread(lambda: _ask_all(agent, left, at_once, lines, quiet))


async def _ask_all(agent: Agent, left: list[Asked], at_once: int, lines: TextIO | None, quiet: bool) -> int:
    """Ask them all; the exit code of the first run that is not answered, 0 if all are."""
    from airoagent.engine.crew import first_of
    from airoagent.errors import NOT_ANSWERED

    waiting = iter(left)
    codes: list[int] = []

    async def work() -> None:
        for id, question in waiting:
            run = await agent.arun(question)
            text = json.dumps(_row(id, run), ensure_ascii=False)
            if visible(text) != text:  # what could act on a terminal, or stands in no UTF-8, is escaped
                text = json.dumps(_row(id, run))
            click.echo(text, file=lines)
            if lines is not None:
                lines.flush()
            codes.append(run.error.exit_code if run.error is not None else 0 if run.answered else NOT_ANSWERED)
            if not quiet:
                what = run.failure.message if run.failure is not None else run.status
                click.echo(f"{len(codes):,}/{len(left):,} {id}: {what} ({run.seconds:.1f} s)", err=True)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(at_once, len(left))):
                group.create_task(work())
    except BaseExceptionGroup as errors:
        raise first_of(errors) from errors
    return next((code for code in codes if code), 0)


def _row(id: str, run: Run) -> dict[str, Any]:
    whole = run.to_json()
    row = {name: whole[name] for name in ("question", "status", "answer", "answered", "sources", "failure", "seconds")}
    return {"id": id, **row, "run": run.id}


def _questions(file: str) -> list[Asked]:
    """The questions with their ids, in order; UsageError names the first line that is none."""
    from airoagent.cli.stdin import context_of
    from airoagent.errors import UsageError

    asked: list[Asked] = []
    seen: set[str] = set()
    for number, line in enumerate(context_of((file,))[0][1].split("\n"), 1):
        text = line.strip()
        if not text:
            continue
        id, question = str(number), text
        if text.startswith("{"):
            try:
                row = json.loads(text)
                id, question = str(row.get("id", number)), row["question"]
            except (ValueError, KeyError) as error:
                raise UsageError(f"{file}:{number}: this is no JSON object with a question", str(error)) from error
        if not isinstance(question, str) or not question.strip():
            raise UsageError(f"{file}:{number}: the question is no text", 'a line: {"id": "q1", "question": "..."}')
        if id in seen:
            raise UsageError(f"{file}:{number}: the id {id!r} is there twice", "each question needs an id of its own")
        seen.add(id)
        asked.append((id, question.strip()))
    if not asked:
        raise UsageError(f"there is no question in {file}", "write one a line")
    return asked


def _done(out: Path) -> set[Asked]:
    """What has been answered according to the lines of an earlier batch."""
    done: set[Asked] = set()
    if not out.exists():
        return done
    for line in out.read_bytes().split(b"\n"):
        try:
            row = json.loads(line)
        except ValueError:  # empty, or cut off when the batch was stopped
            continue
        if isinstance(row, dict) and row.get("status") == "done":
            done.add((str(row.get("id")), str(row.get("question"))))
    return done


@contextmanager
def _lines(out: str | None) -> Iterator[TextIO | None]:
    """The file to append to, on a line of its own; None is stdout."""
    from airoagent.errors import UsageError

    if out is None:
        yield None
        return
    try:
        half = Path(out).is_file() and not Path(out).read_bytes().endswith(b"\n")
        with Path(out).open("a", encoding="utf-8", newline="\n") as opened:
            if half and opened.tell():
                opened.write("\n")
            yield opened
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror}") from error
