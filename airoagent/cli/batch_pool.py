"""Where the questions of a batch are answered: in this process, in several on this machine, or on a Ray cluster.

A `Pool` has a few `Place`s. A question waits for a free one; a place whose process ends raises `Lost` for the questions
it had, and is replaced. The pool does not decide what runs where: the system schedules processes, and Ray its actors
(and starts them again on another node).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
import signal
import socket
import subprocess
import sys
import threading
import warnings
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

from airoagent import extras
from airoagent.child_processes import Child, start_child
from airoagent.cli.batch_journal import Row
from airoagent.cli.batch_questions import Asked
from airoagent.errors import AiroError, UsageError

if TYPE_CHECKING:
    from airoagent.agent import Agent
    from airoagent.records.run_record import Run

_STARTS = 3  # attempts to start a process, in a row
_GRACE = 2.0  # seconds for a process to end


class Lost(Exception):
    """The process that was answering a question has ended."""


class Place(Protocol):
    """A process that answers questions, several at a time, until it is ``dead``."""

    dead: asyncio.Event

    async def answer(self, asked: Asked, run: str) -> Row:
        """The row of a question, whose run has this id; Lost if the process ends first."""
        ...

    def close(self) -> None:
        """End it."""
        ...


Start = Callable[[], Awaitable[Place]]
"""Starts a process and waits until it is ready; Lost if it ends first."""


class Pool:
    """Places, each for ``at_once`` questions."""

    def __init__(self, starts: Sequence[Start], at_once: int) -> None:
        self.starts = starts
        self.size = len(starts) * at_once
        self._at_once = at_once
        # Sorted by seat: each place gets one question before any gets two.
        self._free: asyncio.PriorityQueue[tuple[int, int, Place]] = asyncio.PriorityQueue()

    async def keep(self, start: Start) -> None:
        """Keep one place until cancelled, replacing it when it dies; AiroError if none can be started."""
        failures = 0
        while failures < _STARTS:
            try:
                place = await start()
            except Lost:
                failures += 1
                continue
            failures = 0
            try:
                for seat in range(self._at_once):
                    self._free.put_nowait((seat, id(place), place))
                await place.dead.wait()
            finally:
                await asyncio.to_thread(place.close)
        raise AiroError(f"a process of the batch ended {_STARTS} times before it was ready", "try without --jobs")

    async def answer(self, asked: Asked, run: str) -> Row:
        """The row of a question, from the next free place; Lost if its process ends first."""
        while (free := await self._free.get())[-1].dead.is_set():
            pass
        row = await free[-1].answer(asked, run)
        self._free.put_nowait(free)
        return row


# What every process does --------------------------------------------------------------------------------------------


async def run_row(agent: Agent, asked: Asked, run: str, past: Run | None = None) -> tuple[Row, Run | None]:
    """The row and the run of a question: a run on record (or ``past``) is resumed, otherwise it is started.

    A run that cannot be resumed gives a failed row; AiroError if none can be started, as the next could not be either.
    """
    from airoagent.records.run_record import failure_json, source_json

    store = agent.session.records.open()
    try:
        if past is None and store is not None and store.has(run):
            past = agent.session.load(run)
        done = await (agent.session.run(asked.question, id=run) if past is None else agent.aresume(past))
    except AiroError as error:
        if past is None:
            raise
        return failed_row(asked, error, run), None
    except Exception as error:  # a bug, of ours or of a model object, is one question's
        unexpected = AiroError(f"the run ended with an unexpected {type(error).__name__}: {error}")
        return failed_row(asked, unexpected, run), None
    row = {
        "id": asked.id,
        "question": done.question,
        "status": done.status,
        "answer": done.answer,
        "answered": done.answered,
        "sources": [source_json(source) for source in done.sources],
        "failure": failure_json(done.failure),
        "seconds": done.seconds,
        "run": done.id,
    }
    return row, done


def failed_row(asked: Asked, error: AiroError, run: str | None = None) -> Row:
    """The row of a line that is not a question, or whose run cannot be started or resumed."""
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
    return {**row, "failure": failure_json(record_of(error)), "seconds": 0.0, "run": run, "line": asked.line}


def _plain(error: AiroError) -> dict[str, Any]:
    """An error as JSON: the arguments that make the same one in another process."""
    return {"message": error.message, "hint": error.hint, "exit_code": error.exit_code}


class Here:
    """This process."""

    def __init__(self, agent: Agent) -> None:
        self.dead = asyncio.Event()
        self._agent = agent

    async def answer(self, asked: Asked, run: str) -> Row:
        return (await run_row(self._agent, asked, run))[0]

    def close(self) -> None:
        """Do nothing: the process goes on."""


# Processes on this machine --------------------------------------------------------------------------------------------


def jobs(number: int, flags: dict[str, Any]) -> list[Start]:
    """Starts of this number of processes, each with an agent of its own, made from the command line's flags."""
    return [partial(Job.started, flags)] * number


class Job:
    """A process that reads questions from its standard input, a JSON line each, and writes their rows (`serve`)."""

    def __init__(self, child: Child) -> None:
        self.dead = asyncio.Event()
        self._child = child
        self._asked: dict[str, asyncio.Future[Row]] = {}
        self._listening: asyncio.Task[None] | None = None

    @classmethod
    async def started(cls, flags: dict[str, Any]) -> Job:
        """Start one and wait until it is ready."""
        try:
            job = cls(start_child(f"{__name__}:serve", trusted=True))
        except OSError as error:
            raise AiroError(f"a process cannot be started: {error.strerror or error}", "try fewer --jobs") from error
        try:
            await job._send(flags)
            ready = await job._reply()
            if ready is None:
                raise Lost
            if "error" in ready:
                raise AiroError(**ready["error"])
        except BaseException:
            job.close()
            raise
        job._listening = asyncio.create_task(job._listen())
        return job

    async def _send(self, message: dict[str, Any]) -> None:
        def write(pipe: IO[bytes]) -> None:
            pipe.write(json.dumps(message).encode() + b"\n")
            pipe.flush()

        assert self._child.stdin is not None
        try:
            await asyncio.to_thread(write, self._child.stdin)
        except (OSError, ValueError) as error:  # ValueError: it has been closed here
            self.dead.set()  # before `_listen` has seen it: the next attempt goes to another process
            raise Lost from error

    async def _reply(self) -> dict[str, Any] | None:
        """The next reply of the process; None once it has ended, perhaps in the middle of a line."""
        assert self._child.stdout is not None
        line = await asyncio.to_thread(self._child.stdout.readline)
        return json.loads(line) if line.endswith(b"\n") else None

    async def _listen(self) -> None:
        while (reply := await self._reply()) is not None:
            future = self._asked.get(reply["run"])
            if future is None or future.done():  # the batch was stopped
                continue
            if "error" in reply:
                future.set_exception(AiroError(**reply["error"]))
            else:
                future.set_result(reply["row"])
        self.dead.set()
        for future in self._asked.values():
            if not future.done():
                future.set_exception(Lost())

    async def answer(self, asked: Asked, run: str) -> Row:
        self._asked[run] = asyncio.get_running_loop().create_future()
        try:
            await self._send({"asked": asdict(asked), "run": run})
            return await self._asked[run]
        finally:
            del self._asked[run]

    def close(self) -> None:
        """End the process: close its input, and kill it if that does not help."""
        assert self._child.stdin is not None and self._child.stdout is not None
        with contextlib.suppress(OSError):
            self._child.stdin.close()
        try:
            self._child.wait(_GRACE)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._child.stdout.close()


def serve() -> None:
    """The main function of a process of `jobs`. When its standard input is closed, it drops unanswered questions."""
    from airoagent.cli.launch import make_agent
    from airoagent.engine.sync import run_in_thread

    warnings.simplefilter("ignore")
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a tool prints is not a reply

    def send(message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # the batch has ended
            replies.write(json.dumps(message).encode() + b"\n")
            replies.flush()

    async def reply(asked: dict[str, Any], run: str) -> None:
        try:
            send({"run": run, "row": (await run_row(agent, Asked(**asked), run))[0]})
        except AiroError as error:
            send({"run": run, "error": _plain(error)})

    try:
        agent, _ = make_agent(json.loads(sys.stdin.buffer.readline()))
    except AiroError as error:
        send({"error": _plain(error)})
        return
    except ValueError:  # the batch has ended before it sent the flags
        return

    async def main() -> None:
        send({"ready": True})
        with contextlib.suppress(BaseExceptionGroup):
            async with asyncio.TaskGroup() as group:
                while (line := await asyncio.to_thread(sys.stdin.buffer.readline)).endswith(b"\n"):
                    group.create_task(reply(**json.loads(line)))
                last = threading.Timer(_GRACE / 2, os._exit, (1,))
                last.daemon = True
                last.start()
                raise Lost

    run_in_thread(main)
    agent.close()


# A Ray cluster --------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def connected(address: str) -> Iterator[None]:
    """Use a Ray cluster ("": the one on this machine, started if there is none); UsageError if it fails."""
    extras.require("a batch on a Ray cluster", "ray", "ray")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no reports to its makers
    os.environ["RAY_DEDUP_LOGS"] = "0"  # it would print deduplicated lines among the answers, at the end
    import ray

    before = signal.getsignal(signal.SIGTERM)
    host, _, port = address.rpartition("/")[-1].rpartition(":")
    try:
        if port.isdigit():  # Ray itself would try for a quarter of an hour
            socket.create_connection((host, int(port)), _GRACE).close()
        ray.init(address or None, log_to_driver=False, logging_level="ERROR")
    except Exception as error:  # Ray raises a dozen kinds
        reason = " ".join(str(error).split())[:300]
        raise UsageError(f"the Ray cluster cannot be reached: {reason}", "start one: ray start --head") from error
    finally:
        signal.signal(signal.SIGTERM, before)
    try:
        with contextlib.redirect_stdout(sys.stderr):  # Ray prints there that an actor has died
            yield
    finally:
        ray.shutdown()


def actors(number: int | None, at_once: int, agent: Agent, flags: dict[str, Any]) -> list[Start]:
    """Starts of actors on the cluster that `connected` found: each on a GPU if the model can use one, else on a CPU.

    By default there is one for each of these; if there are more, they share them.
    """
    import ray

    found = ray.cluster_resources()
    for_gpu = agent.model.info.backend == "transformers" or "gpu_layers" in dict(flags["options"])
    kind = "GPU" if for_gpu and found.get("GPU") else "CPU"
    number = number or max(1, int(found.get(kind, 1)))
    share = math.floor(min(1.0, found.get(kind, 1.0) / number) * 10_000) / 10_000  # as exact as Ray counts
    options = {"num_cpus": share} if kind == "CPU" else {"num_cpus": 0, "num_gpus": share}
    replica = ray.remote(Replica).options(
        **options, max_restarts=-1, max_concurrency=at_once + 1, scheduling_strategy="SPREAD"
    )
    return [partial(Actor.started, replica.remote(flags), agent) for _ in range(number)]


class Replica:
    """What runs on the cluster: an agent without a store; the events of its runs are returned with their rows."""

    def __init__(self, flags: dict[str, Any]) -> None:
        config = flags["config_file"]
        there = bool(config) and Path(config).exists()
        self._flags = {**flags, "no_store": True, "config_file": config if there else None}
        self._agent: Agent | None = None

    async def ready(self) -> Row | None:
        """Make the agent; returns the error if that fails."""
        from airoagent.cli.launch import make_agent

        try:
            self._agent = self._agent or make_agent(self._flags)[0]
        except AiroError as error:
            return _plain(error)
        return None

    async def answer(self, asked: Asked, run: str, past: list[dict[str, Any]]) -> tuple[Row, list[dict[str, Any]]]:
        """The row of a question and the events of its run."""
        from airoagent.events import from_json, to_json
        from airoagent.records.run_record import Run

        assert self._agent is not None
        earlier = Run.from_events([from_json(event) for event in past]) if past else None
        row, done = await run_row(self._agent, asked, run, earlier)
        return row, [] if done is None else [to_json(event) for event in done.events]


class Actor:
    """An actor with a `Replica`. Ray starts it again when it dies, on another node if its own is gone."""

    def __init__(self, actor: Any, agent: Agent) -> None:
        self.dead = asyncio.Event()
        self._actor, self._agent = actor, agent

    @classmethod
    async def started(cls, actor: Any, agent: Agent) -> Actor:
        """Wait until Ray has placed it and its agent is made."""
        wrong = await _outcome(actor.ready.options(max_task_retries=-1).remote())
        if wrong:
            raise AiroError(**wrong)
        return cls(actor, agent)

    async def answer(self, asked: Asked, run: str) -> Row:
        """See `Place`; the run is recorded here."""
        from airoagent.events import from_json, to_json

        store = self._agent.session.records.open()
        past = store.events(run) if store is not None and store.has(run) else ()
        try:
            row, events = await _outcome(self._actor.answer.remote(asked, run, [to_json(event) for event in past]))
        except Lost:
            self.dead.set()
            raise
        if store is not None and events:
            store.write_run(run, [from_json(event) for event in events], self._agent.session.started_with)
        return dict(row)

    def close(self) -> None:
        """Do nothing: Ray ends it with the batch."""


async def _outcome(ref: Any) -> Any:
    """What an actor's method returns; Lost if its process, its node or the object is gone."""
    from ray.exceptions import RayError, RayTaskError

    try:
        return await ref
    except RayTaskError as error:
        raise AiroError(f"an actor failed: {error.cause!r}") from error
    except RayError as error:
        raise Lost(str(error)) from error
