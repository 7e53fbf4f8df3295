"""Blocking calls next to the event loop that can be given up at no cost; and how long to wait before a retry."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import random
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")


class Children:
    """The child processes of one call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stopped = False
        self._running: set[subprocess.Popen[bytes]] = set()

    def add(self, child: subprocess.Popen[bytes]) -> None:
        """Add a child that was started; after `stop` it is killed at once."""
        with self._lock:
            self._running = {other for other in self._running if other.returncode is None} | {child}
            stopped = self._stopped
        if stopped:
            child.kill()

    def stop(self) -> None:
        """Kill the children that run, and those that are added later."""
        with self._lock:
            self._stopped = True
            for child in self._running:
                child.kill()


_children: contextvars.ContextVar[Children | None] = contextvars.ContextVar("airoagent_children", default=None)


@contextlib.contextmanager
def collect_children() -> Iterator[Children]:
    """The child processes that are started in the block, in this context or in a copy of it."""
    children = Children()
    token = _children.set(children)
    try:
        yield children
    finally:
        _children.reset(token)


def note_child(child: subprocess.Popen[bytes]) -> None:
    """Let the call that runs in this context end the child process when it is given up."""
    if (children := _children.get()) is not None:
        children.add(child)


async def in_thread(function: Callable[..., T], *args: Any) -> T:
    """What ``function(*args)`` returns or raises, computed in a daemon thread of its own.

    A name server that does not answer or a tool that hangs cannot be interrupted. `asyncio.to_thread` would make the
    closing loop wait for it; a daemon thread is left to itself and its late result is dropped, and only the child
    processes that it started are killed. What would end the loop (SystemExit, KeyboardInterrupt) or cannot pass
    through it (StopIteration) is raised as a RuntimeError.
    """
    with collect_children() as children:
        context = contextvars.copy_context()

    def call() -> T:
        try:
            return context.run(function, *args)
        except BaseException as error:
            if isinstance(error, Exception) and not isinstance(error, StopIteration):
                raise
            raise RuntimeError(f"{type(error).__name__}: {error}".removesuffix(": ")) from error

    try:
        return await asyncio.wrap_future(_started(call, getattr(function, "__name__", "call")))
    except asyncio.CancelledError:
        children.stop()
        raise


class Daemons(ThreadPoolExecutor):
    """An event loop's default executor that never waits for its threads: each call has a daemon thread of its own.

    `asyncio.to_thread` and asyncio's own name lookups use it. With the usual pool a call that hangs would keep the loop
    from closing and the program from ending.
    """

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Start the call; its future."""
        return _started(partial(function, *args, **kwargs), getattr(function, "__name__", "call"))


def _started(function: Callable[[], T], name: str) -> Future[T]:
    """The future of a call that runs in a daemon thread."""
    future: Future[T] = Future()

    def call() -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            result = function()
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(result)

    threading.Thread(target=call, daemon=True, name=f"airoagent {name}").start()
    return future


def backoff(attempt: int, base: float = 0.5, ceiling: float = 8.0) -> float:
    """Seconds to wait after the given failed attempt (from 1): full jitter, so that clients do not march in step."""
    return random.uniform(0, min(ceiling, base * 2 ** (attempt - 1)))
