"""Runs a blocking call beside the event loop, so that giving up on it costs nothing."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from airoagent.child_processes import collect_children

__all__ = ["Daemons", "in_thread"]

T = TypeVar("T")

_log = logging.getLogger("airoagent")


async def in_thread(function: Callable[..., T], *args: Any) -> T:
    """What ``function(*args)`` returns or raises, computed in a daemon thread of its own.

    A name server that does not answer or a tool that hangs cannot be interrupted. `asyncio.to_thread` would make the
    closing loop wait for it; a daemon thread is left behind and its late result is dropped; only the child
    processes it started are killed. What would end the loop
    (SystemExit, KeyboardInterrupt) or cannot pass through it (StopIteration) comes out as a RuntimeError.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()
    with collect_children() as children:
        context = contextvars.copy_context()

    def settle(result: T | None, error: Exception | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def call() -> None:
        result: T | None = None
        error: Exception | None = None
        try:
            result = context.run(function, *args)
        except StopIteration as raised:
            error = _wrapped(raised)
        except Exception as raised:
            error = raised
        except BaseException as raised:
            error = _wrapped(raised)
        try:
            loop.call_soon_threadsafe(settle, result, error)
        except RuntimeError:
            # The loop has closed: whoever asked has gone, and there is nobody to tell.
            _log.debug("%r ended after its run had", function)

    threading.Thread(target=call, daemon=True, name=f"airoagent {getattr(function, '__name__', 'call')}").start()
    try:
        return await future
    except asyncio.CancelledError:
        children.stop()
        raise


class Daemons(ThreadPoolExecutor):
    """An event loop's default executor whose threads nobody waits for: each call has a daemon thread of its own.

    `asyncio.to_thread` and asyncio's own name lookups use it. With the usual pool a call that hangs would keep the loop
    from closing and the program from ending.
    """

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Start the call; its future."""
        future: Future[Any] = Future()

        def call() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = function(*args, **kwargs)
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)

        threading.Thread(target=call, daemon=True, name=f"airoagent {getattr(function, '__name__', 'call')}").start()
        return future


def _wrapped(error: BaseException) -> RuntimeError:
    wrapped = RuntimeError(f"{type(error).__name__}: {error}".removesuffix(": "))
    wrapped.__cause__ = error
    return wrapped
