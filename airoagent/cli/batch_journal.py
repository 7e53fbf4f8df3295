"""The output of a batch, which is also its journal: it is read when the batch continues.

``OUT.started`` names the runs that have no line yet. The journal is a temporary SQLite database, which moves to disk
when it is large. A Parquet file is written when all questions have their lines; until then they are in ``OUT.jsonl``.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TextIO

import click

from airoagent import extras
from airoagent.cli.batch_questions import Asked
from airoagent.errors import NOT_ANSWERED, UsageError
from airoagent.textfiles import expanded, in_place_of, open_flags, set_blocking

Row = dict[str, Any]


def code_of(row: Row) -> int:
    """The exit code of a row: 0 for an answer."""
    if row["failure"]:
        return int(row["failure"]["exit_code"])
    return 0 if row["answered"] else NOT_ANSWERED


_LINE = (
    "INSERT INTO known (id, question, status, code, run) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE"
    " SET status = excluded.status, code = excluded.code, run = excluded.run WHERE status != 'done'"
)
_STARTED = (
    "INSERT INTO known (id, question, started) VALUES (?, ?, ?) ON CONFLICT DO UPDATE"
    " SET started = excluded.started WHERE status != 'done'"
)


class Journal:
    """What an earlier batch has finished and started, and the ids seen in this one.

    With ``retry_failed`` failed questions are asked again; ``code`` is the exit code of the first one that is skipped.
    """

    def __init__(self, *, retry_failed: bool = False) -> None:
        self.code = 0
        self._retry = retry_failed
        self._db = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._lock = threading.Lock()
        self._closed = False
        self._db.execute("BEGIN")
        # `run` is the run of the last line, `started` the last run: they differ while that has no line yet.
        self._db.execute(
            "CREATE TABLE known (id, question, status DEFAULT '', code DEFAULT 0, run DEFAULT '', started DEFAULT '',"
            " PRIMARY KEY (id, question)) WITHOUT ROWID"
        )
        self._db.execute("CREATE TABLE seen (id PRIMARY KEY) WITHOUT ROWID")

    def read(self, lines: IO[bytes], *, started: bool = False) -> None:
        """Read lines of an earlier batch, or of its ``OUT.started``; those cut off or not ours are skipped."""
        for line in lines:
            try:
                row = json.loads(line)
                asked, run = (str(row["id"]), str(row["question"])), row["run"] or ""
                if started:
                    self._db.execute(_STARTED, (*asked, run))
                else:
                    code = code_of({"answered": True, "failure": None, **row})
                    self._db.execute(_LINE, (*asked, row["status"], code, run))
            except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError, sqlite3.Error):
                continue

    def count(self, status: str) -> int:
        """The number of questions whose last line has this status and a run."""
        return int(self._ask("SELECT count(*) FROM known WHERE status = ? AND run > ''", status)[0][0])

    def run_of(self, asked: Asked) -> str:
        """The last run of a question; "" for none."""
        rows = self._ask("SELECT started, run FROM known WHERE id = ? AND question = ?", asked.id, asked.question)
        return str(rows[0][0] or rows[0][1]) if rows else ""

    def _ask(self, statement: str, *values: str) -> list[Any]:
        """The rows of a statement; none once closed, since a thread that reads questions may outlive the batch."""
        with self._lock:
            return [] if self._closed else self._db.execute(statement, values).fetchall()

    def left(self, questions: Iterator[Asked]) -> Iterator[Asked]:
        """The questions to ask; the second of two with the same id is wrong."""
        written = (
            "SELECT status, code, started NOT IN ('', run) FROM known WHERE id = ? AND question = ? AND status > ''"
        )
        for asked in questions:
            if not asked.wrong and not self._ask("INSERT OR IGNORE INTO seen VALUES (?) RETURNING id", asked.id):
                why = f"line {asked.line}: duplicate id {asked.id!r}"
                asked = Asked(str(asked.line), asked.question, asked.line, why)
            for status, code, unfinished in self._ask(written, asked.id, asked.question):
                if status == "done" or asked.wrong or not (unfinished or self._retry):
                    self.code = self.code or code
                    break
            else:
                yield asked

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._db.close()


class Output:
    """Where the rows are written, and the ids of runs that have no row yet."""

    def __init__(self, lines: TextIO, started: TextIO | None = None) -> None:
        self._lines = lines
        self._started = started

    def write(self, row: Row) -> None:
        click.echo(json.dumps(row, ensure_ascii=False), file=self._lines)
        self._lines.flush()

    def started(self, asked: Asked, run: str) -> None:
        """Write down the run that is about to start for a question."""
        if self._started is not None:
            row = {"id": asked.id, "question": asked.question, "run": run}
            self._started.write(json.dumps(row, ensure_ascii=False) + "\n")
            self._started.flush()


@contextmanager
def open_output(out: str | None, questions: IO[bytes], journal: Journal, recorded: bool) -> Iterator[Output]:
    """The output of a batch, locked; its earlier lines go into the journal. None is stdout.

    UsageError if it is the file of questions, where each answer would be read as another question.
    """
    if out is None:
        yield Output(sys.stdout)
    elif out.lower().endswith(".parquet"):
        with _parquet(Path(out), questions, journal, recorded) as output:
            yield output
    else:
        with _lines_of(out, questions, journal, recorded) as output:
            yield output


@contextmanager
def _lines_of(out: str, questions: IO[bytes], journal: Journal, recorded: bool) -> Iterator[Output]:
    try:
        path = expanded(out)
        # Do not wait for a reader of a pipe: a pipe without one is refused.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | open_flags("O_CLOEXEC", "O_NONBLOCK", "O_BINARY")
        new = not path.exists()
        number = os.open(path, flags, 0o666)
        set_blocking(number)
    except (OSError, ValueError) as error:
        raise _unwritable(out, error) from error
    with open(number, "a", encoding="utf-8", newline="\n") as lines:  # noqa: PTH123 - a descriptor has no path
        if not stat.S_ISREG(os.fstat(number).st_mode):  # a pipe or a device: nothing to read back
            yield Output(lines)
            return
        if os.path.sameopenfile(number, questions.fileno()):
            raise UsageError(f"{out} is the file of questions", "choose another --out")
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


def _unwritable(out: str, error: Exception) -> UsageError:
    reason = getattr(error, "strerror", None) or str(error)
    return UsageError(
        f"{out[:200]} cannot be written: {reason}", "choose another file, or omit --out to write to stdout"
    )


@contextmanager
def _with_started(path: Path, new: bool, lines: TextIO, journal: Journal) -> Iterator[Output]:
    """The output with the file of started runs, which is removed when all questions have their lines."""
    if new:
        path.unlink(missing_ok=True)  # the user removed the answers to get new ones
    with path.open("a+b") as raw:
        raw.seek(0)
        journal.read(raw, started=True)
        raw.write(b"\n")  # after half a line
        with open(os.dup(raw.fileno()), "a", encoding="utf-8", newline="\n") as started:  # noqa: PTH123 - a descriptor
            yield Output(lines, started)
    path.unlink(missing_ok=True)


def _hold(number: int, out: str) -> None:
    """Lock the output until this process ends; UsageError if another batch has locked it."""
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


# Parquet --------------------------------------------------------------------------------------------------------------

_ROWS = 10_000  # rows of a group, and in memory at a time


@contextmanager
def _parquet(path: Path, questions: IO[bytes], journal: Journal, recorded: bool) -> Iterator[Output]:
    """The output of a Parquet file: lines until the batch has finished, after those of an earlier file."""
    extras.require("writing Parquet", "parquet", "pyarrow")
    try:
        path = expanded(path)
        lines = path.with_name(path.name + ".jsonl")
        earlier = path.exists() and not lines.exists()
        if path.exists() and not path.is_file():  # a pipe or a device, whose place the file would take
            raise ValueError("it is not a regular file")
    except (OSError, ValueError) as error:
        raise _unwritable(str(path), error) from error
    if earlier:
        _lines_from_parquet(path, lines)
    with _lines_of(str(lines), questions, journal, recorded) as output:
        yield output
        _parquet_from_lines(lines, path)
        lines.unlink()


def _schema() -> Any:
    import pyarrow as pa

    text = pa.string()
    source = pa.struct([(name, text) for name in ("url", "title", "quote")])
    failure = pa.struct([*((name, text) for name in ("kind", "message", "hint")), ("exit_code", pa.int32())])
    return pa.schema(
        [
            *((name, text) for name in ("id", "question", "status", "answer")),
            ("answered", pa.bool_()),
            ("sources", pa.list_(source)),
            ("failure", failure),
            ("seconds", pa.float64()),
            ("run", text),
            ("line", pa.int64()),
        ]
    )


def _lines_from_parquet(path: Path, lines: Path) -> None:
    """Write the rows of an earlier batch as lines; UsageError if airo did not write the file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with (
            pq.ParquetFile(path) as file,
            in_place_of(lines) as half,
            half.open("w", encoding="utf-8", newline="\n") as written,
        ):
            if not file.schema_arrow.equals(_schema()):
                raise UsageError(f"{path} was not written by airo batch", "choose another --out")
            for batch in file.iter_batches(_ROWS):
                for row in batch.to_pylist():
                    if row["line"] is None:
                        del row["line"]
                    written.write(json.dumps(row, ensure_ascii=False) + "\n")
    except (pa.ArrowException, OSError) as error:
        raise UsageError(f"{path} cannot be read: {error}", "choose another --out") from error


def _parquet_from_lines(lines: Path, path: Path) -> None:
    """Write the Parquet file: the last line of each question, in the order of the lines."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with contextlib.closing(sqlite3.connect("")) as db, lines.open("rb") as file:
        db.execute("CREATE TABLE last (id, question, at, line, PRIMARY KEY (id, question))")
        for at, line in enumerate(file):
            with contextlib.suppress(
                ValueError, RecursionError, TypeError, LookupError, sqlite3.Error
            ):  # lines that were cut off
                row = json.loads(line)
                db.execute("INSERT OR REPLACE INTO last VALUES (?, ?, ?, ?)", (row["id"], row["question"], at, line))
        found = db.execute("SELECT line FROM last ORDER BY at")
        try:
            with in_place_of(path) as half, pq.ParquetWriter(half, _schema()) as writer:
                while group := [json.loads(line) for (line,) in found.fetchmany(_ROWS)]:
                    writer.write_table(pa.Table.from_pylist(group, _schema()))
        except (pa.ArrowException, OSError) as error:
            raise UsageError(f"{path} cannot be written: {error}", f"the answers are in {lines}") from error
