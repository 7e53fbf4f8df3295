"""``airo batch``: asks the questions of a file concurrently and writes a JSON line for each.

A question with a line in ``--out`` is not asked again, and a run that had started is resumed: the steps it had finished
(and paid for) are not repeated, even after ``kill -9``. The id of a run is written to ``OUT.started`` before it starts,
so that no question gets two runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import click

from airoagent.cli.batch_journal import Journal, Output, Row, code_of, open_output
from airoagent.cli.batch_pool import Here, Lost, Pool, actors, connected, failed_row, jobs
from airoagent.cli.batch_questions import Asked, open_questions, read_questions
from airoagent.cli.display import plain
from airoagent.cli.launch import launch_flags, make_agent
from airoagent.cli.options import Rule, agent_options, refuses
from airoagent.errors import AiroError, UsageError

if TYPE_CHECKING:
    from airoagent.agent import Agent
    from airoagent.records.store import Store

_PATIENCE = 20.0  # seconds for a process that was killed to release its runs


@click.command("batch")
@click.argument("file", type=click.Path(allow_dash=True))
@click.option("--out", type=click.Path(), help="Append to this file, and skip the questions that have a line in it.")
@click.option("--retry-failed", is_flag=True, help="Ask failed questions again.")
@click.option("--jobs", type=click.IntRange(1, 1000), help="Processes that share the questions (default: 1).")
@click.option(
    "--at-once",
    type=click.IntRange(1, 1000),
    default=8,
    show_default=True,
    help="Maximum runs at a time in each process.",
)
@click.option(
    "--ray",
    metavar="[ADDRESS]",
    is_flag=False,
    flag_value="",
    help="Use the processes of a Ray cluster (default: the one on this machine).",
)
@click.option("-q", "--quiet", is_flag=True, help="Do not print progress on stderr.")
@agent_options()
@refuses(Rule("approve", excludes="jobs ray", hint="only a batch in one process can ask you"))
def batch_command(
    file: str,
    out: str | None,
    retry_failed: bool,
    jobs: int | None,
    at_once: int,
    ray: str | None,
    quiet: bool,
    **flags: Any,
) -> int:
    """Answer the questions of FILE (`-`: standard input), one per line, and print one JSON object for each.

    A line is a question, or a JSON object {"id": ..., "question": ...}. The default id is the line number.
    A .csv file names its columns in the first line: question, and id if there is one.
    The objects are printed as the runs finish: id, question, status, answer, answered, sources, failure, run, seconds.
    A line that is not a question gets an object with a failure; the other lines are not affected.

    With --out FILE they are appended there, and the same command continues where it stopped, even after kill -9:
    questions with a line are skipped, and runs that had started are resumed (FILE.started lists them meanwhile).
    A call that was cut off is made again if its tool is repeatable; if not, its question gets one failed line.
    With --out FILE.parquet the lines are in FILE.parquet.jsonl until the last question is answered.

    \b
    Examples:
      airo batch questions.txt --docs examples/library --out answers.jsonl --jobs 4
      airo batch questions.csv -m smollm2 --out answers.parquet --ray
    """
    from airoagent.engine.sync import run_in_thread

    agent, settings = make_agent(flags)
    with (
        closing(agent),
        open_questions(file) as lines,
        closing(Journal(retry_failed=retry_failed)) as journal,
        open_output(out, lines, journal, bool(settings.store)) as output,
        contextlib.nullcontext() if ray is None else connected(ray),
    ):
        pool = _pool(agent, jobs, at_once, ray is not None, lambda: launch_flags(agent, settings, flags))
        batch = Batch(agent, pool, output, journal, None if quiet else Progress(lines))
        if not quiet:
            _print_earlier(out, journal)
        code = run_in_thread(lambda: batch.answer_all(journal.left(read_questions(lines, file))))
        return code or journal.code


def _pool(agent: Agent, number: int | None, at_once: int, ray: bool, elsewhere: Callable[[], dict[str, Any]]) -> Pool:
    """``elsewhere`` returns the flags that make the same agent in another process."""
    if ray:
        return Pool(actors(number, at_once, agent, elsewhere()), at_once)
    if (number or 1) > 1:
        return Pool(jobs(number or 1, elsewhere()), at_once)

    async def here() -> Here:
        return Here(agent)

    return Pool([here], at_once)


def _print_earlier(out: str | None, journal: Journal) -> None:
    done, failed = journal.count("done"), journal.count("failed")
    if done:
        click.echo(f"{out}: {done:,} already done", err=True)
    if failed:
        click.echo(f"{out}: {failed:,} failed; --retry-failed asks them again", err=True)


@dataclass
class Batch:
    """Asks the questions of an iterator, with a pool, and writes their rows to an output."""

    agent: Agent
    pool: Pool
    output: Output
    journal: Journal
    progress: Progress | None = None
    code: int = 0

    async def answer_all(self, questions: Iterator[Asked]) -> int:
        """Answer all questions; returns the exit code of the first that has no answer, 0 if all have one."""
        from airoagent.engine.tasks import first_of

        taking = asyncio.Lock()

        async def take() -> Asked | None:
            async with taking:  # in a thread: the next line of a pipe may take long to come
                return await asyncio.to_thread(next, questions, None)

        async def work() -> None:
            while (asked := await take()) is not None:
                if self.progress is not None:
                    self.progress.note(asked)
                row = await self._row(asked)
                self.output.write(row)
                self.code = self.code or code_of(row)
                if self.progress is not None:
                    self.progress.show(asked, row)

        try:
            async with asyncio.TaskGroup() as places:
                keepers = [places.create_task(self.pool.keep(start)) for start in self.pool.starts]
                async with asyncio.TaskGroup() as group:
                    for _ in range(self.pool.size):
                        group.create_task(work())
                for keeper in keepers:
                    keeper.cancel()
        except BaseExceptionGroup as errors:
            raise first_of(errors) from errors
        return self.code

    async def _row(self, asked: Asked) -> Row:
        """The row of a question; if its process ends, its run is resumed once in another."""
        if asked.wrong:
            return failed_row(asked, UsageError(asked.wrong, 'a line looks like {"id": "q1", "question": "..."}'))
        run, store = self.journal.run_of(asked), self.agent.session.records.open()
        for _ in range(2):
            try:
                run = await self._run_of(asked, run, store)
            except AiroError as error:
                return failed_row(asked, error, run)
            with contextlib.suppress(Lost):
                return await self.pool.answer(asked, run)
        twice = AiroError("the process that answered it ended twice", "ask again with --retry-failed")
        return failed_row(asked, twice, run)

    async def _run_of(self, asked: Asked, before: str, store: Store | None) -> str:
        """The run to start or resume, written down before anything is asked; AiroError if its record cannot be read.

        A run that failed before it had a plan is not resumed: a new one may get another plan.
        """
        from airoagent.records.store import new_run_id

        if before:
            if store is None or not store.has(before):
                return before
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_PATIENCE):
                    while store.status(before) == "running":  # noqa: ASYNC110 - another process sets no event
                        await asyncio.sleep(0.05)
            past = self.agent.session.load(before)
            if past.plan is not None or past.status != "failed":
                return before
        run = new_run_id()
        self.output.started(asked, run)
        return run


class Progress:
    """A line on stderr for each question, with the rate and, if the input is a file, the time left."""

    def __init__(self, lines: IO[bytes]) -> None:
        found = os.fstat(lines.fileno())
        self._lines = lines
        self._size = found.st_size if stat.S_ISREG(found.st_mode) else 0
        self._line = self._count = 0
        self._times: deque[float] = deque(maxlen=500)

    def note(self, asked: Asked) -> None:
        """Note a question that is about to be asked; the first one starts the clock."""
        self._line = asked.line
        if not self._times:
            self._times.append(time.monotonic())

    def show(self, asked: Asked, row: Row) -> None:
        self._count += 1
        self._times.append(time.monotonic())
        rate = (len(self._times) - 1) / max(self._times[-1] - self._times[0], 1e-6)
        what = row["failure"]["message"] if row["failure"] else row["status"]
        seconds = f"({row['seconds']:.1f} s)"
        line = f"{self._count:,} {asked.id}: {what} {seconds}, {rate:.3g}/s{self._left(rate)}"
        click.echo(plain(line), err=True)

    def _left(self, rate: float) -> str:
        """The time for the rest of the file, if its lines are as long as those before."""
        if not self._size:
            return ""
        at = self._lines.tell()
        seconds = int((self._size - at) * self._line / at / rate)
        hours, minutes = divmod(seconds // 60, 60)
        left = f"{hours} h {minutes} min" if hours else f"{minutes} min" if minutes else f"{seconds} s"
        return f", {left} left" if self._size > at else ""
