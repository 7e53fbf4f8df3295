"""Blocking calls next to the event loop that can be given up at no cost; and how long to wait before a retry."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
import random
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from queue import SimpleQueue
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
    """What ``function(*args)`` returns or raises, computed in a daemon thread that does nothing else meanwhile.

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
    """An event loop's default executor that never waits for its threads: each call has a daemon thread to itself.

    `asyncio.to_thread` and asyncio's own name lookups use it. With the usual pool a call that hangs would keep the loop
    from closing and the program from ending.
    """

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Start the call; its future."""
        return _started(partial(function, *args, **kwargs), getattr(function, "__name__", "call"))


_waiting: list[SimpleQueue[Callable[[], None]]] = []  # one for each thread that has nothing to do
_MOST_WAITING = 32
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_waiting.clear)  # a copy of this process has none of its threads


def _started(function: Callable[[], T], name: str) -> Future[T]:
    """The future of a call that runs in a daemon thread: one whose call has ended, or a new one."""
    future: Future[T] = Future()

    def call() -> None:
        if not future.set_running_or_notify_cancel():
            return
        threading.current_thread().name = f"airoagent {name}"
        try:
            result = function()
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(result)

    try:
        calls = _waiting.pop()
    except IndexError:
        calls = SimpleQueue()
        threading.Thread(target=_make_calls, args=(calls,), daemon=True).start()
    calls.put(call)
    return future


def _make_calls(calls: SimpleQueue[Callable[[], None]]) -> None:
    while True:
        calls.get()()
        if len(_waiting) >= _MOST_WAITING:
            return
        _waiting.append(calls)


def backoff(attempt: int, base: float = 0.5, ceiling: float = 8.0) -> float:
    """Seconds to wait after the given failed attempt (from 1): full jitter, so that clients do not march in step."""
    return random.uniform(0, min(ceiling, base * 2 ** (attempt - 1)))
