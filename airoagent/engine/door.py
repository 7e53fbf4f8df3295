"""The sync door: runs async work in a thread and event loop of its own.

This works the same in a script and inside a running loop (a notebook), and it lets Ctrl-C stop the work cleanly: the
interrupt is passed on as a cancellation, what was under way is put on record, and then KeyboardInterrupt goes on up.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

__all__ = ["run_in_thread"]

T = TypeVar("T")


def run_in_thread(make: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run the coroutine that ``make`` gives to its end and return (or raise) what it does."""
    result: Future[T] = Future()
    started = threading.Event()
    running: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[T]]] = []

    async def main() -> T:
        task: asyncio.Task[T] = asyncio.ensure_future(make())
        running.append((asyncio.get_running_loop(), task))
        started.set()
        return await task

    def target() -> None:
        try:
            value = asyncio.run(main())
        except BaseException as error:
            result.set_exception(error)
        else:
            result.set_result(value)
        finally:
            started.set()

    # A daemon, so that a second Ctrl-C need not wait for what the first one could not stop.
    threading.Thread(target=target, name="airo-run", daemon=True).start()
    try:
        return result.result()
    except KeyboardInterrupt:
        started.wait()
        with contextlib.suppress(RuntimeError):  # the loop may have ended meanwhile
            for loop, task in running:
                loop.call_soon_threadsafe(task.cancel)
        _wait(result)
        raise


def _wait(result: Future[Any]) -> None:
    """Wait for the end, whatever it is: the interrupt is what the caller will see."""
    result.exception()
