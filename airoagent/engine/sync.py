"""The sync door: runs async work in a thread and event loop of its own.

This works the same in a script and inside a running loop (a notebook), and it lets Ctrl-C stop the work cleanly: the
interrupt is passed on as a cancellation, what was under way is put on record, and then KeyboardInterrupt goes on up.

When the work has ended, what its tools left behind in the loop (tasks they spawned, threads of the loop's executor) is
cancelled and given a moment; what does not end by then is left to the daemon threads and keeps nobody waiting.

The next work goes on in the same loop: what the module of a tool holds (an HTTP client, say) is bound to the loop
that it was first used in, and would fail in another one.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import contextvars
import logging
import os
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from airoagent.background import Daemons
from airoagent.errors import Interrupted
from airoagent.events import Event

T = TypeVar("T")
P = ParamSpec("P")

_GRACE = 2.0  # seconds for what a tool left behind
_GLANCE = 0.2  # seconds between two looks whether somebody pressed Ctrl-C
_MOST_IDLE = 8  # loops kept for the next work: one, but for work in several threads or inside other work

# By process, since a fork shares the selectors of its parent.
_idle: dict[int, list[asyncio.AbstractEventLoop]] = {}

_log = logging.getLogger("airoagent")


def run_in_thread(make: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run the coroutine that ``make`` gives to its end and return (or raise) what it does."""
    running: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[T]]] = []
    outcome: list[tuple[T, None] | tuple[None, BaseException]] = []
    ended = threading.Lock()
    ended.acquire()

    async def main() -> T:
        return await make()

    def target() -> None:
        try:
            loop = _free_loop()
            try:
                task = loop.create_task(main())
                running.append((loop, task))
                value = _to_the_end(loop, task)
            finally:
                _leave(loop)
        except asyncio.CancelledError:
            outcome.append((None, Interrupted("the run was stopped from inside", "one of its tools cancelled it")))
        except BaseException as error:
            outcome.append((None, error))
        else:
            outcome.append((value, None))
        finally:
            ended.release()

    # A daemon, so that a second Ctrl-C need not wait for what the first one could not stop.
    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(target,), name="airo-run", daemon=True)
    try:
        thread.start()
        _wait(ended, outcome)
    except KeyboardInterrupt:
        _wait(ended, outcome, running)
        with contextlib.suppress(RuntimeError):  # the loop may have ended meanwhile
            for loop, task in running:
                loop.call_soon_threadsafe(task.cancel)
        _wait(ended, outcome)
        raise
    value, error = outcome.pop()
    if error is not None:
        raise error
    return value  # type: ignore[return-value]


def synchronous(method: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """The sync version of a class's async method: same parameters and docstring, named without the leading ``a``."""

    @wraps(method)
    def run(*args: P.args, **more: P.kwargs) -> T:
        mine: Callable[..., Coroutine[Any, Any, T]] = getattr(args[0], method.__name__)  # a subclass may have its own
        return run_in_thread(lambda: mine(*args[1:], **more))

    run.__name__ = method.__name__.removeprefix("a")
    run.__qualname__ = method.__qualname__.removesuffix(method.__name__) + run.__name__
    return run


def _to_the_end(loop: asyncio.AbstractEventLoop, task: asyncio.Task[T]) -> T:
    """What the task returns or raises. A tool that stops the loop, or ends it by an exit in a task of its own, cannot
    keep the run from going on.
    """
    while True:
        try:
            return loop.run_until_complete(task)
        except BaseException as error:
            if task.done():
                raise
            _log.warning("the run continues after a tool's task ended the event loop: %r", error)


def _free_loop() -> asyncio.AbstractEventLoop:
    """The loop of earlier work, or a new one."""
    with contextlib.suppress(IndexError):
        return _idle_loops().pop()
    loop = asyncio.new_event_loop()
    loop.set_default_executor(Daemons())
    return loop


def _leave(loop: asyncio.AbstractEventLoop) -> None:
    """End what is left in the loop, and keep it for the next work; close it where something does not end."""
    ended = False
    try:
        for task in asyncio.all_tasks(loop):
            if type(task.get_coro()).__name__ != "async_generator_athrow":  # It closes a generator: let it.
                task.cancel()
        deadline = loop.time() + _GRACE
        while (seconds := deadline - loop.time()) > 0:
            # An async generator that was dropped is closed in a new task, and then drops the one that it read.
            loop.run_until_complete(asyncio.sleep(0))
            if not (left := asyncio.all_tasks(loop)):
                break
            loop.run_until_complete(asyncio.wait(left, timeout=seconds))
        ended = not asyncio.all_tasks(loop)
    except BaseException as error:  # SystemExit in such a task: the run itself has ended before
        _log.warning("a task that a tool left behind ended with %r", error)
    # Not `shutdown_default_executor`, which would wait for threads that nothing can stop.
    if not ended or len(_idle_loops()) >= _MOST_IDLE:
        loop.close()
    elif not loop.is_closed():
        _idle_loops().append(loop)


def _idle_loops() -> list[asyncio.AbstractEventLoop]:
    return _idle.setdefault(os.getpid(), [])


@atexit.register
def _close_idle() -> None:
    while _idle_loops():
        _idle_loops().pop().close()


def _wait(ended: threading.Lock, *signs: Sequence[object]) -> None:
    """Wait until one of these lists holds something.

    With a plain lock, since an interrupt in the Python code of an event or a future could leave that locked for good;
    and a glance at a time, since a signal that comes while other threads start was seen not to wake an endless wait.
    """
    while not any(signs):
        ended.acquire(timeout=_GLANCE)


async def streamed(work: Callable[[Callable[[Event], None]], Awaitable[Any]]) -> AsyncGenerator[Event, None]:
    """The events that work reports, as they happen; closing this stops the work."""
    queue: asyncio.Queue[Event | None] = asyncio.Queue()
    task = asyncio.ensure_future(work(queue.put_nowait))
    task.add_done_callback(lambda _: queue.put_nowait(None))
    try:
        while (event := await queue.get()) is not None:
            yield event
        await task
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait([task])
