"""Runs a blocking call beside the event loop, so that giving up on it costs nothing."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["in_thread"]

T = TypeVar("T")


async def in_thread(function: Callable[..., T], *args: Any) -> T:
    """What ``function(*args)`` returns or raises, computed in a daemon thread of its own.

    A name server that does not answer or a search that hangs cannot be interrupted. `asyncio.to_thread` would make
    the closing loop wait for it; a daemon thread is left behind and its late result is dropped.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def call() -> None:
        result, error = None, None
        try:
            result = function(*args)
        except BaseException as problem:
            error = problem
        try:
            loop.call_soon_threadsafe(settle, result, error)
        except RuntimeError:
            # The loop has closed: whoever asked has gone, and there is nobody to tell.
            return

    threading.Thread(target=call, daemon=True, name=f"airoagent {getattr(function, '__name__', 'call')}").start()
    return await future
