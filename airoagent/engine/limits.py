"""Limits of a run: how long a call may take, when it is tried again, and what all calls may take together.

A deadline costs next to nothing while it is kept: calls under way stand in a table with the time they must end by, and
one timer for the whole run looks at the table when the earliest could have passed. A call that is over its time is
cancelled; one that has not ended some grace after that is abandoned.

Only time in which the event loop answers counts. The timer comes at least every second; where it comes late, the loop
was busy with other things and could not take the answers that may have been there, so each call gets that time back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airoagent.background import backoff
from airoagent.errors import AiroError, LimitReached, ToolError
from airoagent.plan.steps import Step

if TYPE_CHECKING:
    from airoagent.engine.policy import Policy
    from airoagent.engine.tasks import Tasks


class Budget:
    """What the calls of a run have used of its limits so far, over all its plans."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._calls = 0
        self._characters = 0
        self._ends = time.monotonic() + (policy.limit_seconds or float("inf"))

    def count_call(self, tool: str) -> None:
        """Count a call that is about to be made; LimitReached if it is one too many."""
        most = self._policy.max_calls
        self._calls += 1
        if most and self._calls > most:
            raise LimitReached(
                f"{tool} would be call {self._calls} of the run; the limit is {most}", "raise --max-calls"
            )

    def count_text(self, tool: str, text: str) -> None:
        """Count the characters of an evidence; LimitReached if they are too many."""
        most = self._policy.max_bytes
        self._characters += len(text)
        if most and self._characters > most:
            raise LimitReached(
                f"with {tool} the evidence of the run has {self._characters:,} characters; the limit is {most:,}",
                "raise --max-characters",
            )

    def retry_in(self, failure: AiroError, attempt: int) -> float | None:
        """Seconds until the next try (full jitter, or what the other side asked for); None: do not try again."""
        if not isinstance(failure, ToolError) or not failure.retryable or attempt > self._policy.retries:
            return None
        if failure.retry_after is None:
            return backoff(attempt, base=1.0)
        try:
            wait = max(0.0, float(failure.retry_after))
        except (TypeError, ValueError, OverflowError):
            return None  # a tool may put anything there
        # A call that comes back sooner than asked would be refused again; and the run may end before that.
        return wait if wait <= self._policy.longest_wait and time.monotonic() + wait < self._ends else None


GRACE = 2.0  # seconds
_PULSE = 1.0  # seconds between two looks at most: how closely the loop's own lateness is seen
_NEVER = float("inf")
_LATE = 0.1  # seconds; a loop that is later than that was kept from its work

Entry = tuple[float, asyncio.Task[Any], Step, int, float]
Abandon = Callable[[Step, asyncio.Task[Any], int, float], None]


class Deadlines:
    """Cancels the task of a call that has not ended in time; times are those of `time.perf_counter`.

    ``abandon`` is called with the step, the task, the number of the attempt and the time it started, when a call has
    been cancelled and goes on all the same.
    """

    def __init__(self, tasks: Tasks, abandon: Abandon, grace: float = GRACE) -> None:
        self._tasks = tasks
        self._abandon = abandon
        self._grace = grace
        self._calls: dict[str, Entry] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._next = _NEVER
        self._passed: set[str] = set()
        self._spared: set[str] = set()

    def start(self, step: Step, task: asyncio.Task[Any], attempt: int, began: float, seconds: float) -> None:
        """The call that the task has started for this step must end within so many seconds."""
        end = began + seconds
        self._calls[step.id] = (end, task, step, attempt, began)
        if end < self._next:
            self._next = min(end, began + _PULSE)
            self._tasks.when_waiting(self._wait)  # calls that end in this turn of the loop need no timer

    def end(self, step: str) -> bool:
        """The call has ended; whether its deadline had passed. The timer is left to find nothing to do."""
        self._calls.pop(step, None)
        if not (self._spared or self._passed):
            return False
        self._spared.discard(step)
        passed = step in self._passed
        self._passed.discard(step)
        return passed

    def close(self) -> None:
        """All calls have ended: leave no timer, and no circle of references, to keep what they worked on in memory."""
        if self._timer is not None:
            self._timer.cancel()
        self._calls.clear()
        del self._abandon

    def _wait(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._calls:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._next - time.perf_counter(), self._look)
        else:
            self._timer, self._next = None, _NEVER

    def _look(self) -> None:
        now = time.perf_counter()
        late = now - self._next
        self._timer = None
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
                self._abandon(step, task, attempt, began)
            else:
                self._passed.add(id)
                self._calls[id] = (now + self._grace, task, step, attempt, began)
                task.cancel()
        self._next = min(now + _PULSE, *[call[0] for call in self._calls.values()], _NEVER)
        self._wait()
