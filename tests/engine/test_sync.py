"""The sync door: what a tool leaves behind keeps nobody waiting, and an interrupt ends a run with its record."""

from __future__ import annotations

import asyncio
import contextvars
import select
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest

from airoagent import Interrupted, tool
from airoagent.engine import sync as door
from airoagent.records.store import Store
from tests.running import run_plan

PLAN = ":evidence0: = odd[x]\nAnswer: :evidence0:"
ROOT = Path(__file__).parents[2]


def test_a_call_in_a_thread_that_never_ends_keeps_nobody_waiting() -> None:
    release = threading.Event()

    @tool
    async def odd(text: str) -> str:
        """Waits in a thread of the loop."""
        await asyncio.to_thread(release.wait)
        return "late"

    run = run_plan(PLAN, odd, tool_timeout=0.05, retries=0)
    assert run.failure is not None and run.failure.kind == "ToolTimeout"
    assert not release.is_set()
    release.set()


def test_a_task_that_a_tool_spawned_is_cancelled_when_the_run_has_ended() -> None:
    ended = threading.Event()

    @tool
    async def odd(text: str) -> str:
        """Leaves a task behind."""

        async def rest() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        odd_tasks.append(asyncio.create_task(rest()))
        await asyncio.sleep(0)
        return "found"

    odd_tasks: list[asyncio.Task[None]] = []
    assert run_plan(PLAN, odd).answer == "found"
    assert ended.is_set()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_task_that_will_not_be_cancelled_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "_GRACE", 0.05)

    @tool
    async def odd(text: str) -> str:
        """Leaves a task behind that swallows every cancellation."""

        async def rest() -> None:
            while True:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    continue

        odd_tasks.append(asyncio.create_task(rest()))
        return "found"

    odd_tasks: list[asyncio.Task[None]] = []
    assert run_plan(PLAN, odd).answer == "found"
    assert odd_tasks[0].get_loop().is_closed()  # Not used again.


@pytest.mark.parametrize("how", ["stop", "exit"])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_tool_cannot_end_the_event_loop(how: str) -> None:
    @tool
    async def odd(text: str) -> str:
        """Ends the loop, or exits in a task of its own."""

        async def exits() -> None:
            raise SystemExit(3)

        if how == "stop":
            asyncio.get_running_loop().stop()
            await asyncio.sleep(0)
        else:
            task = asyncio.create_task(exits())
            await asyncio.wait([task])
            task.exception()
        return "found"

    assert run_plan(PLAN, odd).answer == "found"


def test_a_tool_that_cancels_everything_ends_the_run_with_an_error_of_ours(tmp_path: Path) -> None:
    @tool
    async def odd(text: str) -> str:
        """Cancels every task there is."""
        for task in asyncio.all_tasks():
            task.cancel()
        await asyncio.sleep(0)
        return "found"

    with pytest.raises(Interrupted):
        run_plan(PLAN, odd, store=tmp_path / "runs.sqlite3")
    assert [row.status for row in Store(tmp_path / "runs.sqlite3").list()] == ["interrupted"]


def test_what_the_caller_has_set_is_seen_by_tools() -> None:
    trace: contextvars.ContextVar[str] = contextvars.ContextVar("trace", default="none")

    @tool
    async def odd(text: str) -> str:
        """Tells the trace."""
        return trace.get()

    @tool
    def sync(text: str) -> str:
        """Tells the trace from a thread."""
        return trace.get()

    trace.set("mine")
    assert run_plan(PLAN, odd).answer == "mine"
    assert run_plan(":evidence0: = sync[x]\nAnswer: :evidence0:", sync).answer == "mine"


def test_what_a_tool_keeps_bound_to_an_event_loop_serves_the_next_run_too() -> None:
    queue: asyncio.Queue[str] = asyncio.Queue()  # As a module's HTTP client: bound to the loop that first waits on it.

    @tool
    async def odd(text: str) -> str:
        """Waits on a queue of the module."""
        waiting = asyncio.ensure_future(queue.get())
        await asyncio.sleep(0)
        queue.put_nowait("found")
        return await waiting

    assert [run_plan(PLAN, odd).answer for _ in range(3)] == ["found"] * 3


@pytest.mark.parametrize("depth", [1, 9])
def test_generators_that_a_tool_dropped_are_closed_when_the_run_has_ended(depth: int) -> None:
    closed = list[int]()

    async def lines(depth: int) -> AsyncGenerator[str]:
        try:
            if depth > 1:
                async for line in lines(depth - 1):
                    yield line
            yield "found"
            yield "more"
        finally:
            await asyncio.sleep(0)
            closed.append(depth)

    @tool
    async def odd(text: str) -> str:
        """Reads the first of several lines."""
        async for line in lines(depth):
            return line
        return ""

    assert run_plan(PLAN, odd).answer == "found"
    assert sorted(closed) == list(range(1, depth + 1))


PROGRAM = """
import asyncio, signal, sys, time
from pathlib import Path
from airoagent import Agent, ScriptedModel, tool
from tests.running import make_agent

@tool
def blocks(text: str) -> str:
    "Blocks a thread."
    print("begun", flush=True)
    time.sleep(600)
    return "late"

@tool
async def pool(text: str) -> str:
    "Blocks a thread of the loop's executor."
    print("begun", flush=True)
    await asyncio.to_thread(time.sleep, 600)
    return "late"

@tool
async def waits(text: str) -> str:
    "Waits."
    print("begun", flush=True)
    await asyncio.sleep(600)
    return "late"

@tool
async def loop(text: str) -> str:
    "Blocks the event loop itself."
    print("begun", flush=True)
    time.sleep(600)
    return "late"

class Silent(ScriptedModel):
    async def stream(self, prompt):
        print("begun", flush=True)
        await asyncio.sleep(600)
        yield

signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job of a script inherits it ignored
name = sys.argv[1]
plan = f":evidence0: = {name}[x]\\nAnswer: :evidence0:"
agent = make_agent(plan, blocks, pool, waits, loop, store=Path(sys.argv[2]))
if name == "model":
    agent.session.model = Silent([])
try:
    agent.run("q")
except KeyboardInterrupt:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    print("stopped", flush=True)
"""


@pytest.mark.parametrize("phase", ["blocks", "pool", "waits", "model"])
def test_an_interrupt_at_any_phase_ends_the_run_on_record_and_the_program(phase: str, tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite3"
    command: Callable[..., list[str]] = lambda *args: [sys.executable, "-c", PROGRAM, *args]  # noqa: E731 - one line
    program = subprocess.Popen(command(phase, str(path)), stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert program.stdout is not None
    assert program.stdout.readline() == "begun\n"
    program.send_signal(signal.SIGINT)
    output, _ = program.communicate(timeout=60)
    assert (output, program.returncode) == ("stopped\n", 0)
    (row,) = Store(path).list()
    assert row.status == "interrupted"


def test_a_second_interrupt_does_not_wait_for_what_the_first_could_not_stop(tmp_path: Path) -> None:
    """The tool blocks the loop itself, so a first interrupt alone has to wait for its ten minutes."""
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "loop", str(tmp_path / "runs.sqlite3")],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert program.stdout is not None
    assert program.stdout.readline() == "begun\n"
    program.send_signal(signal.SIGINT)
    assert select.select([program.stdout], [], [], 0.5)[0] == []
    while not select.select([program.stdout], [], [], 0.1)[0]:
        program.send_signal(signal.SIGINT)
    output, _ = program.communicate(timeout=60)
    assert (output, program.returncode) == ("stopped\n", 0)
