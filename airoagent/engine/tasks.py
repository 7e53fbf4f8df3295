"""The tasks of one run: they end together, and none of them can keep the run from ending.

`Crew` is `asyncio.TaskGroup` (an error in one task or in the block stops the rest and is raised when all have ended)
with three things that running other people's functions needs:

    stopping    whether the tasks are being cancelled because the run ends early: a tool may cancel its own task, too,
                and that is a failure of the tool
    dismiss     a task that does not let itself be cancelled is left to itself; who runs in it asks whether it is among
                the `dismissed` before telling the run anything
    grace       so long may tasks take to end once they are stopped; then those that are left are dismissed

    >>> async def main() -> list[int]:
    ...     done: list[int] = []
    ...     async def step(number: int) -> None:
    ...         done.append(number)
    ...     async with Crew() as crew:
    ...         crew.create_task(step(1))
    ...         crew.create_task(step(2))
    ...     return done
    >>> asyncio.run(main())
    [1, 2]
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from types import TracebackType
from typing import Any

__all__ = ["GRACE", "Crew", "first_of"]

GRACE = 5.0  # seconds

_log = logging.getLogger("airoagent")


class Crew:
    """Leaving the block waits for all tasks; raises BaseExceptionGroup of what tasks and the block raised."""

    def __init__(self, grace: float = GRACE) -> None:
        self.dismissed: set[asyncio.Task[Any]] = set()
        self._stopped = False
        self._grace = grace
        self._tasks: set[asyncio.Task[Any]] = set()
        self._errors: list[BaseException] = []
        self._idle: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._in_block = False
        self._called_back = False

    async def __aenter__(self) -> Crew:
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
        """Start the work in a task of its own; once the crew is being stopped nothing new begins."""
        if self._stopped:
            work.close()
            return
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def fail(self, error: BaseException) -> None:
        """Stop for an error that came up outside of the tasks, as if one of them had raised it."""
        self._errors.append(error)
        self.stop()
        if self._in_block and not self._called_back:
            self._called_back = True
            self._parent.cancel()

    def stop(self) -> None:
        """Cancel all tasks, and wait for them no longer than the grace."""
        if not self._stopped:
            self._stopped = True
            self._timer = self._loop.call_later(self._grace, self._dismiss_all)
            for task in self._tasks:
                task.cancel()

    async def calm(self, task: asyncio.Task[Any]) -> None:
        """Make the running task as if nobody had cancelled it (a tool has done that to its own), if none but it has.

        CancelledError if the run is being stopped, however well a tool has hidden that, also while this waits.
        """
        if not self.stopping:
            while task.cancelling():
                task.uncancel()
            await _swallow_one()
        if self.stopping:
            raise asyncio.CancelledError

    def dismiss(self, task: asyncio.Task[Any]) -> None:
        """Wait for this task no longer, whatever becomes of it."""
        self._tasks.discard(task)
        self.dismissed.add(task)
        self._notice_the_end()

    def _dismiss_all(self) -> None:
        for task in tuple(self._tasks):
            _log.warning("a call could not be stopped within %g s and is left to itself: %r", self._grace, task)
            self.dismiss(task)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        error = None if task.cancelled() else task.exception()
        if task in self.dismissed:  # the run has gone on without it
            self.dismissed.discard(task)
            return
        self._tasks.discard(task)
        if error is not None:
            self.fail(error)
        self._notice_the_end()

    def _notice_the_end(self) -> None:
        if not self._tasks and self._idle is not None and not self._idle.done():
            self._idle.set_result(None)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._in_block = False
        cancelled = error if isinstance(error, asyncio.CancelledError) else None
        if self._called_back and self._parent.uncancel() == 0:
            if cancelled is None:  # it was called back after its last wait
                await _swallow_one()
            cancelled = None
        if error is not None:
            self.stop()
            if not isinstance(error, asyncio.CancelledError):
                self._errors.append(error)
        while self._tasks:
            self._idle = self._loop.create_future()
            try:
                await self._idle
            except asyncio.CancelledError as stopped:
                cancelled = stopped
                self.stop()
        if self._timer is not None:
            self._timer.cancel()
        try:
            if self._errors:
                raise BaseExceptionGroup("the run's tasks failed", self._errors)
            if cancelled is not None:
                raise cancelled
        finally:
            self._errors, cancelled, error = [], None, None  # no cycles with the tracebacks


async def _swallow_one() -> None:
    """Take the cancellation that the running task is to meet at its next wait."""
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(0)


def first_of(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error to tell of several that ended the run together."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
