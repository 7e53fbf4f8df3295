"""The tasks of one run: they end together, and none of them can keep the run from ending.

`Tasks` is `asyncio.TaskGroup` (an error in one task or in the block stops the rest and is raised when all have ended)
with four things that running other people's functions needs:

    stopping    whether the tasks are being cancelled because the run ends early: a tool may cancel its own task, too,
                and that is a failure of the tool
    abandon     a task that cannot be cancelled is left to itself; what runs in it checks whether it is among the
                `abandoned` before it reports anything to the run
    at_end      what is called, and awaited if it is asynchronous, when all tasks have ended
    grace       so long may tasks take to end once they are stopped; then those that are left are abandoned

    >>> async def main() -> list[int]:
    ...     done: list[int] = []
    ...     async def step(number: int) -> None:
    ...         done.append(number)
    ...     async with Tasks() as tasks:
    ...         tasks.create_task(step(1))
    ...         tasks.create_task(step(2))
    ...     return done
    >>> asyncio.run(main())
    [1, 2]
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine
from types import TracebackType
from typing import Any

GRACE = 5.0  # seconds

_log = logging.getLogger("airoagent")


class Tasks:
    """Leaving the block waits for all tasks; raises the first error of the tasks and the block, from a group of all."""

    def __init__(self, grace: float = GRACE) -> None:
        self.abandoned: set[asyncio.Task[Any]] = set()
        self._stopped = False
        self._grace = grace
        self.at_end: list[Callable[[], Awaitable[None] | None]] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._errors: list[BaseException] = []
        self._idle: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._in_block = False
        self._recalled = False
        self._held: list[Callable[[], None]] | None = None  # what `when_waiting` is to call, while the block ends

    async def __aenter__(self) -> Tasks:
        parent = asyncio.current_task()
        assert parent is not None
        self._parent, self._loop, self._in_block = parent, asyncio.get_running_loop(), True
        self._cancels_before = parent.cancelling()
        return self

    @property
    def stopping(self) -> bool:
        """Whether the tasks are being cancelled because the run ends early."""
        return self._stopped or self._parent.cancelling() > self._cancels_before

    def create_task(self, work: Coroutine[Any, Any, None]) -> None:
        """Start the work in a task of its own; once the tasks are being stopped nothing new starts."""
        if self._stopped:
            work.close()
            return
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def when_waiting(self, callback: Callable[[], None]) -> None:
        """Call this once the tasks that run now have come to wait, if any of them does."""
        if self._held is None:
            self._loop.call_soon(callback)
        else:
            self._held.append(callback)

    def fail(self, error: BaseException) -> None:
        """Stop for an error that came up outside of the tasks, as if one of them had raised it."""
        self._errors.append(error)
        self.stop()
        if self._in_block and not self._recalled:
            self._recalled = True
            self._parent.cancel()

    def stop(self) -> None:
        """Cancel all tasks, and wait for them no longer than the grace."""
        if not self._stopped:
            self._stopped = True
            self._timer = self._loop.call_later(self._grace, self._abandon_all)
            for task in self._tasks:
                task.cancel()

    async def clear_cancellation(self, task: asyncio.Task[Any]) -> None:
        """Undo the cancellation of the running task where a tool has cancelled its own.

        CancelledError if the run is being stopped, even if a tool has hidden that, also while this waits.
        """
        if not self.stopping:
            while task.cancelling():
                task.uncancel()
            await _swallow_one()
        if self.stopping:
            raise asyncio.CancelledError

    async def idle(self) -> None:
        """Wait for the tasks there are, from within the block."""
        while self._tasks:
            self._idle = self._loop.create_future()
            await self._idle

    def leave(self, task: asyncio.Task[Any]) -> None:
        """The running task is about to return: what waits for it goes on a turn of the loop earlier."""
        self._tasks.discard(task)
        task.remove_done_callback(self._ended)
        self._check_idle()

    def abandon(self, task: asyncio.Task[Any]) -> None:
        """Wait for this task no longer, whatever becomes of it."""
        self._tasks.discard(task)
        self.abandoned.add(task)
        self._check_idle()

    def _abandon_all(self) -> None:
        for task in tuple(self._tasks):
            _log.warning("a call could not be stopped within %g s and is left running: %r", self._grace, task)
            self.abandon(task)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        error = None if task.cancelled() else task.exception()
        if task in self.abandoned:  # the run has gone on without it
            self.abandoned.discard(task)
            return
        self._tasks.discard(task)
        if error is not None:
            self.fail(error)
        self._check_idle()

    def _check_idle(self) -> None:
        if not self._tasks and self._idle is not None and not self._idle.done():
            self._idle.set_result(None)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._in_block = False
        cancelled = error if isinstance(error, asyncio.CancelledError) else None
        if self._recalled and self._parent.uncancel() == 0:
            if cancelled is None:  # it was cancelled after its last wait
                await _swallow_one()
            cancelled = None
        if error is not None:
            self.stop()
            if not isinstance(error, asyncio.CancelledError):
                self._errors.append(error)
        held: list[Callable[[], None]] = []
        self._held = held
        while self._tasks:
            try:
                if self._held is None:
                    self._idle = self._loop.create_future()
                    await self._idle
                else:  # tasks that never have to wait end in this one turn of the loop
                    await asyncio.sleep(0)
            except asyncio.CancelledError as stopped:
                cancelled = stopped
                self.stop()
            if self._held is not None and self._tasks:
                self._held = None
                for callback in held:
                    callback()
        self._held = None
        if self._timer is not None:
            self._timer.cancel()
        try:
            while self.at_end:
                if (closing := self.at_end.pop()()) is not None:
                    await closing
            if self._errors:
                errors = BaseExceptionGroup("the run's tasks failed", self._errors)
                raise first_of(errors) from errors
            if cancelled is not None:
                raise cancelled
        finally:
            self._errors, cancelled, error = [], None, None  # no cycles with the tracebacks


async def _swallow_one() -> None:
    """Take the cancellation that the running task is to meet at its next wait."""
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(0)


def first_of(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error to report of several that ended the run together."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
