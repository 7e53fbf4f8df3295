"""Deadlines that cost next to nothing while they are kept.

Calls under way stand in a table with the time they must end by, and one timer for the whole run looks at the table
when the earliest could have passed. A call that is over its time is cancelled; one that has not ended some grace after
that is given up.

Only time in which the event loop answers counts. The timer comes at least every second; where it comes late, the loop
was busy with other things and could not take the answers that may have been there, so each call gets that time back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from airoagent.plan.steps import Step

__all__ = ["Deadlines"]

GRACE = 2.0  # seconds
_PULSE = 1.0  # seconds between two looks at most: how closely the loop's own lateness is seen
_LATE = 0.1  # seconds; a loop that is later than that was kept from its work

Entry = tuple[float, asyncio.Task[Any], Step, int, float]
GiveUp = Callable[[Step, asyncio.Task[Any], int, float], None]


class Deadlines:
    """Cancels the task of a call that has not ended in time; times are those of `time.perf_counter`.

    ``give_up`` is called with the step, the task, the number of the attempt and the time it began, when a call has been
    cancelled and goes on all the same.
    """

    def __init__(self, give_up: GiveUp, grace: float = GRACE) -> None:
        self._give_up = give_up
        self._grace = grace
        self._calls: dict[str, Entry] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._next = 0.0
        self._passed: set[str] = set()
        self._spared: set[str] = set()

    def begin(self, step: Step, task: asyncio.Task[Any], attempt: int, began: float, seconds: float) -> None:
        """The call that the task has begun for this step must end within so many seconds."""
        end = began + seconds
        self._calls[step.id] = (end, task, step, attempt, began)
        if self._timer is None or end < self._next:
            self._set(asyncio.get_running_loop(), min(end, began + _PULSE))

    def end(self, step: str) -> bool:
        """The call has ended; whether its deadline had passed. The timer is left to find nothing to do."""
        self._calls.pop(step, None)
        self._spared.discard(step)
        if step in self._passed:
            self._passed.discard(step)
            return True
        return False

    def _set(self, loop: asyncio.AbstractEventLoop, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._next = when
        self._timer = loop.call_later(when - time.perf_counter(), self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now = time.perf_counter()
        late = now - self._next
        for id, (end, task, step, attempt, began) in list(self._calls.items()):
            if late > _LATE:
                spared = end <= self._next and id not in self._spared
                lost = min(late, now - began)
                if spared:  # its answer may be waiting in this very turn of the loop; but only once
                    self._spared.add(id)
                    lost += min(_PULSE, end - began)
                end += lost
                self._calls[id] = (end, task, step, attempt, began)
            if end > now:
                continue
            if id in self._passed:
                del self._calls[id]
                self._give_up(step, task, attempt, began)
            else:
                self._passed.add(id)
                self._calls[id] = (now + self._grace, task, step, attempt, began)
                task.cancel()
        if self._calls:
            self._set(loop, min(now + _PULSE, *[call[0] for call in self._calls.values()]))
