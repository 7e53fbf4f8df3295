"""``airo batch``: the questions of a file, asked concurrently of one model; one JSON line for each.

The lines of ``--out`` are also the journal: a question whose line there says ``done`` is not asked again, and one that
failed continues from its run. ``OUT.started`` names the runs that have no line yet, so that after ``kill -9`` they are
resumed: what they had finished (and paid for) is not done twice. Lines are read and written as they come; what has to
be known of all of them lies in a database of its own on disk.

`answer_all` takes questions from an iterator and gives rows to a function: it need not know of files.
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TextIO

import click

from airoagent.cli.launch import make_agent
from airoagent.cli.options import agent_options
from airoagent.errors import NOT_ANSWERED, AiroError, UsageError
from airoagent.events import Event, RunStarted
from airoagent.textfiles import opened

if TYPE_CHECKING:
    from airoagent.agent import Agent
    from airoagent.records.run_record import Run

__all__ = ["batch_command"]

Row = dict[str, Any]

_LONGEST = 1024 * 1024  # bytes of a line
_PATIENCE = 100  # lines without a question, from the first: then this is no file of questions


@dataclass(frozen=True, slots=True)
class Asked:
    """A line of the file: a question, or what is ``wrong`` with it."""

    id: str
    question: str
    line: int
    wrong: str = ""


@click.command("batch")
@click.argument("file", type=click.Path(allow_dash=True))
@click.option("--out", type=click.Path(), help="Append to this file, and skip the questions already answered in it.")
@click.option("--at-once", type=click.IntRange(1, 1000), default=8, show_default=True, help="Maximum runs at a time.")
@click.option("--quiet", is_flag=True, help="Do not print progress on stderr.")
@agent_options()
def batch_command(file: str, out: str | None, at_once: int, quiet: bool, **flags: Any) -> int:
    """Answer the questions of FILE (`-`: standard input), one per line, and print one JSON object for each.

    A line is a question, or a JSON object {"id": ..., "question": ...}. The default id is the line number.
    The objects are printed as the runs finish: id, question, status, answer, answered, sources, failure, run, seconds.
    A line that is not a question gets an object with a failure; the other lines are not affected.

    With --out FILE they are appended there, and the same command continues where it stopped, even after kill -9:
    answered questions are skipped, and runs that had started are resumed (FILE.started lists them meanwhile).
    A call that was cut off is made again if its tool is repeatable; if not, its question gets one failed line.

    \b
    Example:
      airo batch questions.txt --docs examples/library --out answers.jsonl
    """
    from airoagent.engine.sync import run_in_thread

    agent, settings = make_agent(flags)
    with _opened(file) as lines, closing(Journal()) as journal, _output(out, journal, bool(settings.store)) as output:
        if journal.done and not quiet:
            click.echo(f"{out}: {journal.done:,} already done", err=True)
        questions = journal.left(_questions(lines, file))
        code = run_in_thread(lambda: answer_all(agent, questions, at_once, output, journal, quiet))
        return code or (2 if journal.wrong else 0)


async def answer_all(
    agent: Agent, questions: Iterator[Asked], at_once: int, output: Output, journal: Journal, quiet: bool
) -> int:
    """Answer them all; the exit code of the first that has no answer, 0 if all have one."""
    from airoagent.engine.tasks import first_of

    codes: list[int] = [0]
    told = 0
    taking = asyncio.Lock()

    async def take() -> Asked | None:
        async with taking:  # in a thread: the next line of a pipe may be long in coming
            return await asyncio.to_thread(next, questions, None)

    async def work() -> None:
        nonlocal told
        while (asked := await take()) is not None:
            row, code = await _answer(agent, asked, output, journal)
            if not journal.has(row):
                output.write(row)
            told += 1
            if code and not codes[0]:
                codes[0] = code
            if not quiet:
                what = row["failure"]["message"] if row["failure"] else row["status"]
                click.echo(f"{told:,} {asked.id}: {what} ({row['seconds']:.1f} s)", err=True)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(work())
    except BaseExceptionGroup as errors:
        raise first_of(errors) from errors
    return codes[0]


async def _answer(agent: Agent, asked: Asked, output: Output, journal: Journal) -> tuple[Row, int]:
    """The row of a question and its exit code: from its run of an earlier batch where there is one."""
    if asked.wrong:
        return _failed(asked, UsageError(asked.wrong, 'a line looks like {"id": "q1", "question": "..."}')), 2

    def watch(event: Event) -> None:
        if isinstance(event, RunStarted):  # it is on record, and nothing has been asked or called yet
            output.started(asked, event.run)

    past, run = journal.run_of(asked), None
    try:
        if past and _can_go_on(agent, past):
            run = await agent.aresume(past)
    except AiroError as error:
        return {**_failed(asked, error), "run": past}, error.exit_code
    run = run or await agent.arun(asked.question, watch=watch)
    code = run.error.exit_code if run.error is not None else 0 if run.answered else NOT_ANSWERED
    return _row(asked, run), code


def _can_go_on(agent: Agent, run: str) -> bool:
    """Whether a run is on record, and is not one whose plan could not be used: another may be written."""
    store = agent.session.records.open()
    if store is None or not store.has(run):
        return False
    past = agent.session.load(run)
    return past.plan is not None or past.status in ("running", "interrupted")


def _row(asked: Asked, run: Run) -> Row:
    from airoagent.records.run_record import failure_json, source_json

    return {
        "id": asked.id,
        "question": run.question,
        "status": run.status,
        "answer": run.answer,
        "answered": run.answered,
        "sources": [source_json(source) for source in run.sources],
        "failure": failure_json(run.failure),
        "seconds": run.seconds,
        "run": run.id,
    }


def _failed(asked: Asked, error: AiroError) -> Row:
    """The row of a line that came to no run, or whose run cannot go on."""
    from airoagent.engine.results import record_of
    from airoagent.records.run_record import failure_json

    row: Row = {
        "id": asked.id,
        "question": asked.question,
        "status": "failed",
        "answer": None,
        "answered": False,
        "sources": [],
    }
    return {**row, "failure": failure_json(record_of(error)), "seconds": 0.0, "run": None, "line": asked.line}


# Questions -----------------------------------------------------------------------------------------------------------


@contextmanager
def _opened(file: str) -> Iterator[IO[bytes]]:
    """The file of questions, to be read line by line."""
    if file == "-":
        try:  # not `sys.stdin` itself: a thread that waits in it when Ctrl-C ends the program would make Python abort
            number = os.dup(sys.stdin.fileno())
        except (OSError, ValueError) as error:
            raise UsageError("standard input cannot be read", "give a file of questions") from error
        with open(number, "rb") as lines:  # noqa: PTH123 - a descriptor has no path
            yield lines
    else:
        with opened(file) as lines:
            if stat.S_ISCHR(os.fstat(lines.fileno()).st_mode) and not lines.isatty():
                raise UsageError(
                    f"{file} is a device, not a file of questions", "give a file, or `-` for standard input"
                )
            yield lines


def _questions(lines: IO[bytes], file: str) -> Iterator[Asked]:
    """The questions in order, and the lines that are not questions; UsageError if there is no question at all."""
    good = bad = number = 0
    while line := _read_bytes(lines, file, _LONGEST + 1):
        number += 1
        if len(line) > _LONGEST and not line.endswith(b"\n"):
            _skip_line(lines, file, number)
        asked = _read_line(line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line, file, number)
        if asked is None:
            continue
        good, bad = good + (not asked.wrong), bad + bool(asked.wrong)
        if not good and bad > _PATIENCE:
            raise UsageError(f"{file} has no question in its first {bad:,} lines", "write one question per line")
        yield asked
    if not good and not bad:
        raise UsageError(f"{file} contains no questions", "write one question per line")


def _read_bytes(lines: IO[bytes], file: str, most: int) -> bytes:
    """The next line, or its first ``most`` bytes."""
    try:
        return lines.readline(most)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}", "give a file of questions, or `-`") from error


def _skip_line(lines: IO[bytes], file: str, number: int) -> None:
    """Read on to the end of a line that is too long."""
    for _ in range(64):
        piece = _read_bytes(lines, file, _LONGEST)
        if not piece or piece.endswith(b"\n"):
            return
    raise UsageError(
        f"{file}:{number}: the line is longer than {64 * _LONGEST // 1024**2} MB", "write one question per line"
    )


def _read_line(line: bytes, file: str, number: int) -> Asked | None:
    """What a line asks; None for an empty one."""
    place, shown = f"{file}:{number}", line[:200].decode("utf-8", "replace").strip()

    def wrong(why: str) -> Asked:
        return Asked(str(number), shown, number, f"{place}: {why}")

    if len(line) > _LONGEST:
        return wrong(f"the line is longer than {_LONGEST // 1024**2} MB")
    try:
        text = line.decode().strip()
    except UnicodeDecodeError as error:
        return wrong(f"the line is not UTF-8 text (byte {error.start})")
    if not text:
        return None
    id, question = str(number), text
    if text.startswith("{"):
        try:
            row = json.loads(text)
            id, question = str(number if row.get("id") is None else row["id"]), row["question"]
        except (ValueError, KeyError, RecursionError) as error:
            why = f"no {error}" if isinstance(error, KeyError) else str(error)[:200]
            return wrong(f"this is not a JSON object with a question ({why})")
    if not isinstance(question, str) or not question.strip():
        return wrong("the question is not text")
    try:
        (id + question).encode()
    except UnicodeEncodeError:
        return wrong("the question or its id is not valid text: it contains a lone surrogate")
    if "\0" in question:
        return wrong("the question is not valid text: it contains a zero byte")
    return Asked(id, question.strip(), number)


# The journal ---------------------------------------------------------------------------------------------------------


class Journal:
    """What an earlier batch has finished and started, and the ids of this one: a temporary SQLite database, which goes
    to disk when it is large."""

    def __init__(self) -> None:
        self.done = self.wrong = 0  # questions that are done, lines of now that an earlier batch found wrong
        self._db = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._lock = threading.Lock()
        self._closed = False
        self._db.execute("BEGIN")
        self._db.execute("CREATE TABLE known (id, question, state, run, PRIMARY KEY (id, question)) WITHOUT ROWID")
        self._db.execute("CREATE TABLE seen (id PRIMARY KEY) WITHOUT ROWID")
        self._db.execute("CREATE TABLE failures (run PRIMARY KEY, message) WITHOUT ROWID")

    def read(self, lines: IO[bytes], *, started: bool = False) -> None:
        """Take note of the lines of an earlier batch; a line that is cut off or not one of ours is skipped."""
        for line in lines:
            try:
                row = json.loads(line)
                id, question, run = str(row["id"]), str(row["question"]), row["run"]
                if not isinstance(run, str | None):
                    continue
                state = "started" if started else str(row["status"]) if run else "wrong"
                before = self._state(id, question)
                if before != "done" and not (before and started and state == "wrong"):
                    self._db.execute("INSERT OR REPLACE INTO known VALUES (?, ?, ?, ?)", (id, question, state, run))
                    self.done += state == "done"
                if run and row.get("failure"):
                    failure = (run, str(row["failure"]["message"]))
                    self._db.execute("INSERT OR REPLACE INTO failures VALUES (?, ?)", failure)
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                continue

    def _state(self, id: str, question: str) -> str:
        return self._known("state", id, question)

    def run_of(self, asked: Asked) -> str:
        """The run that was started for a question; "" for none."""
        return self._known("run", asked.id, asked.question)

    def has(self, row: Row) -> bool:
        """Whether an earlier batch wrote that this run cannot go on, for the same reason: nothing was done since."""
        if "line" not in row or not row["run"]:
            return False
        message = row["failure"]["message"]
        return bool(self._ask("SELECT 1 FROM failures WHERE run = ? AND message = ?", row["run"], message))

    def _known(self, column: str, id: str, question: str) -> str:
        rows = self._ask(f"SELECT {column} FROM known WHERE id = ? AND question = ?", id, question)  # noqa: S608 - ours
        return "" if not rows or rows[0][0] is None else str(rows[0][0])

    def _ask(self, statement: str, *values: str) -> list[Any]:
        """The rows of a statement. A thread that reads questions may outlive the batch: for it there are none."""
        with self._lock:
            return [] if self._closed else self._db.execute(statement, values).fetchall()

    def left(self, questions: Iterator[Asked]) -> Iterator[Asked]:
        """Those that have to be answered; of two with one id the second is wrong."""
        for asked in questions:
            if not asked.wrong and not self._ask("INSERT OR IGNORE INTO seen VALUES (?) RETURNING id", asked.id):
                why = f"line {asked.line}: duplicate id {asked.id!r}"
                asked = Asked(str(asked.line), asked.question, asked.line, why)
            state = self._state(asked.id, asked.question)
            if asked.wrong and state == "wrong":
                self.wrong += 1
            elif asked.wrong or state != "done":
                yield asked

    def close(self) -> None:
        """Forget it all."""
        with self._lock:
            self._closed = True
            self._db.close()


# The output ----------------------------------------------------------------------------------------------------------


class Output:
    """Where the rows go, and the names of runs that have none yet."""

    def __init__(self, lines: TextIO | None, begun: TextIO | None = None) -> None:
        self._lines = lines
        self._begun = begun

    def write(self, row: Row) -> None:
        """Write the row of a question that has come to its end."""
        click.echo(json.dumps(row, ensure_ascii=False), file=self._lines)
        if self._lines is not None:
            self._lines.flush()

    def started(self, asked: Asked, run: str) -> None:
        """Take note that a run is on record for a question."""
        if self._begun is not None:
            row = {"id": asked.id, "question": asked.question, "run": run}
            self._begun.write(json.dumps(row, ensure_ascii=False) + "\n")
            self._begun.flush()


@contextmanager
def _output(out: str | None, journal: Journal, recorded: bool) -> Iterator[Output]:
    """The output of a batch, held for it alone; what is there already goes into the journal. None is stdout."""
    if out is None:
        yield Output(None)
        return
    try:
        path = Path(out).expanduser()
        # Not to wait for a reader while a pipe is opened: one that nobody reads is refused.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0)
        new = not path.exists()
        number = os.open(path, flags, 0o666)
        os.set_blocking(number, True)
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(
            f"{out[:200]} cannot be written: {reason}", "choose another file, or omit --out to write to stdout"
        ) from error
    with open(number, "a", encoding="utf-8", newline="\n") as lines:  # noqa: PTH123 - a descriptor has no path
        if not stat.S_ISREG(os.fstat(number).st_mode):  # a pipe or a device: nothing can be read there again
            yield Output(lines)
            return
        _hold(number, out)
        path = path.resolve()
        with path.open("rb") as before:
            journal.read(before)
            before.seek(max(before.tell() - 1, 0))
            if before.read(1) not in (b"", b"\n"):
                lines.write("\n")  # half a line, cut off when the batch was stopped
        if not recorded:
            yield Output(lines)
            return
        with _with_started(path.with_name(path.name + ".started"), new, lines, journal) as output:
            yield output


@contextmanager
def _with_started(path: Path, new: bool, lines: TextIO, journal: Journal) -> Iterator[Output]:
    """The output with the file of started runs, which is there until all questions have their lines."""
    if new:
        path.unlink(missing_ok=True)  # the user has removed the answers to have new ones
    with path.open("a+b") as raw:
        raw.seek(0)
        journal.read(raw, started=True)
        raw.write(b"\n")  # after half a line
        with open(os.dup(raw.fileno()), "a", encoding="utf-8", newline="\n") as begun:  # noqa: PTH123 - a descriptor
            yield Output(lines, begun)
    path.unlink(missing_ok=True)


def _hold(number: int, out: str) -> None:
    """Hold the output for this batch, until its process ends; UsageError where another one has it."""
    try:
        import fcntl
    except ImportError:  # Windows
        return
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise UsageError(
            f"another batch is writing to {out}", "wait for it to finish, or choose another --out"
        ) from error
    except OSError:  # a file system without locks
        return
