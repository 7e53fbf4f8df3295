"""Calls the tool of one step: attempts, deadlines, retries, and what goes on record about each.

Deadlines cost next to nothing while they are kept: calls under way stand in a table with the time they must end by,
and one timer for the whole run looks at the table when the earliest could have passed.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import random
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from airoagent.engine.policy import Policy, Services
from airoagent.engine.provenance import Provenance
from airoagent.errors import AiroError, LimitReached, ToolError, ToolTimeout
from airoagent.events import (
    AttemptFailed,
    Event,
    Failure,
    InputEdited,
    Origin,
    Progress,
    StepCancelled,
    StepFailed,
    StepFinished,
    StepStarted,
)
from airoagent.language.evidence import Evidence, Filled
from airoagent.language.grammar import Grammar
from airoagent.language.plan import Step
from airoagent.models.base import Completion, Purpose
from airoagent.toolbox.tool import Call, Tool, Toolbox, ToolContext, ToolOutput

__all__ = ["Caller", "Deadlines", "failure_of", "record_of"]

_log = logging.getLogger("airoagent")


class Deadlines:
    """Cancels the task of a call that has not ended in time."""

    def __init__(self) -> None:
        self._ends: dict[str, tuple[float, asyncio.Task[Any]]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._next = 0.0
        self.passed: set[str] = set()

    def begin(self, step: str, seconds: float, task: asyncio.Task[Any]) -> None:
        """The call that the task makes for this step must end within so many seconds."""
        end = time.monotonic() + seconds  # what the loop's own clock is
        self._ends[step] = (end, task)
        if self._timer is None or end < self._next:
            self._set(asyncio.get_running_loop(), end)

    def end(self, step: str) -> bool:
        """The call has ended; whether its deadline had passed. The timer is left to find nothing to do."""
        if self._ends.pop(step, None) is not None:
            return False
        self.passed.discard(step)
        return True

    def _set(self, loop: asyncio.AbstractEventLoop, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._next = when
        self._timer = loop.call_at(when, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now = time.monotonic()
        for step, (end, task) in list(self._ends.items()):
            if end <= now:
                del self._ends[step]
                self.passed.add(step)
                task.cancel()
        if self._ends:
            self._set(loop, min(end for end, _ in self._ends.values()))


class Caller:
    """Runs single steps of one run; ``found`` is the evidence there is, which grows meanwhile."""

    def __init__(
        self,
        toolbox: Toolbox,
        services: Services,
        policy: Policy,
        emit: Callable[[Event], None],
        found: Mapping[str, Evidence],
    ) -> None:
        self._found = found
        self._toolbox = toolbox
        self._services = services
        self._policy = policy
        self._emit = emit
        self._deadlines = Deadlines()
        self._bound: dict[str, Call] = {}
        self._calls = self._bytes = 0
        self._ends = time.monotonic() + policy.limit_seconds if policy.limit_seconds else float("inf")
        self._provenance = Provenance(services.question, services.plan_trusted)
        self._asked: set[str] = set()
        self._recall = services.recall
        self._keep = services.keep
        # Calls that were begun: the first step that makes one, what it gave, and the steps that wait for that.
        self._first: dict[tuple[object, ...], str] = {}
        self._results: dict[str, Evidence | AiroError] = {}
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}

    async def run(self, step: Step, task: asyncio.Task[Any]) -> Evidence | AiroError:
        """The step's evidence, called for in ``task`` (the running one) or shared with one that makes the same call."""
        found = self._found
        parts: Filled = tuple([part if isinstance(part, str) else found[part.id] for part in step.template])
        text = "".join([part if isinstance(part, str) else part.text for part in parts])
        tool = self._toolbox[step.tool]
        if tool.side_effects or not tool.repeatable:
            return await self._attempts(step, tool, text, parts, task)
        if self._recall is not None and self._recall(step, tool, text) is not None:  # its own, not another's
            return await self._attempts(step, tool, text, parts, task)
        key: tuple[object, ...] = (step.tool, text)
        if tool.context_parameter:  # what it makes of the text may depend on where the text is from
            evidence = [part for part in parts if isinstance(part, Evidence)]
            key = (*key, *[(part.sources, part.untrusted and part.written) for part in evidence])
        first = self._first.setdefault(key, step.id)
        if first == step.id:
            result = await self._attempts(step, tool, text, parts, task)
            self._results[first] = result
            for waiting in self._waiting.pop(first, ()):
                if not waiting.done():
                    waiting.set_result(None)
            return result
        return await self._share(first, step, text, parts)

    async def _share(self, first: str, step: Step, text: str, parts: Filled) -> Evidence | AiroError:
        """The result of the step that makes this very call, when it has one."""
        self._emit(StepStarted(step=step.id, tool=step.tool, input=text, attempt=1))
        began = time.perf_counter()
        if first not in self._results:
            waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.setdefault(first, []).append(waiting)
            await waiting
        result = self._results[first]
        seconds = time.perf_counter() - began
        if isinstance(result, AiroError):
            kept = record_of(result)
            self._emit(StepFailed(step=step.id, tool=step.tool, attempt=1, failure=kept, seconds=seconds))
            return result
        output = ToolOutput(
            result.text, result.sources, result.note, result.answered, result.untrusted, result.written
        )
        return self._finished(step, 1, output, seconds, "shared", parts)

    async def _attempts(
        self, step: Step, tool: Tool, text: str, parts: Filled, task: asyncio.Task[Any]
    ) -> Evidence | AiroError:
        """Call the tool until it gives evidence, fails for good, or the tries are used up."""
        id, name = step.id, step.tool
        attempt = 1
        while True:
            self._emit(StepStarted(step=id, tool=name, input=text, attempt=attempt))
            began = time.perf_counter()
            origin: Origin = "call"
            try:
                known = self._recall(step, tool, text) if self._recall is not None else None
                if known is None:
                    output = await self._call(step, tool, text, parts, task)
                else:
                    output, origin = known
            except asyncio.CancelledError:
                seconds = time.perf_counter() - began
                self._emit(StepCancelled(step=id, tool=name, attempt=attempt, seconds=seconds))
                raise
            except Exception as error:  # whatever a tool raises fails this step and no other
                failure = failure_of(error, name)
            else:
                if self._keep is not None and origin == "call":
                    self._keep(step, tool, text, output)
                return self._finished(step, attempt, output, time.perf_counter() - began, origin, parts)
            seconds = time.perf_counter() - began
            delay = self._retry_in(failure, attempt)
            kept = record_of(failure)
            if delay is None:
                self._emit(StepFailed(step=id, tool=name, attempt=attempt, failure=kept, seconds=seconds))
                return failure
            self._emit(
                AttemptFailed(step=id, tool=name, attempt=attempt, failure=kept, seconds=seconds, retry_in=delay)
            )
            await asyncio.sleep(delay)
            attempt += 1

    def _finished(
        self, step: Step, attempt: int, output: ToolOutput, seconds: float, origin: Origin, parts: Filled
    ) -> Evidence:
        untrusted, written = output.untrusted, output.written
        if origin != "record":  # a record tells both as they were then
            made = self._provenance.marks(step.id, self._toolbox[step.tool], parts, step.id in self._asked)
            untrusted, written = untrusted or made[0], written or made[1]
        event = StepFinished(
            step=step.id, tool=step.tool, attempt=attempt, text=output.text, sources=output.sources, seconds=seconds,
            note=output.note, answered=output.answered, origin=origin, untrusted=untrusted, written=written,
        )  # fmt: skip
        self._emit(event)
        return Evidence(
            step.id, step.tool, output.text, output.sources, output.note, output.answered, untrusted, written, event.at
        )

    def _retry_in(self, failure: AiroError, attempt: int) -> float | None:
        """Seconds until the next try (full jitter, or what the other side asked for); None: do not try again."""
        if not isinstance(failure, ToolError) or not failure.retryable or attempt > self._policy.retries:
            return None
        if failure.retry_after is None:
            return random.uniform(0.0, min(8.0, 0.5 * 2.0**attempt))
        wait = max(0.0, failure.retry_after)
        # Coming back sooner than asked would be refused again; and nobody waits beyond the end of the run.
        return wait if wait <= self._policy.longest_wait and time.monotonic() + wait < self._ends else None

    async def _call(
        self, step: Step, tool: Tool, text: str, parts: Filled, task: asyncio.Task[Any]
    ) -> ToolOutput:
        """What the tool found; raises ToolTimeout, ToolError for a result that is not text, and what the tool raises.

        A sync tool that does not return in time is left behind in its daemon thread, since a thread cannot be stopped;
        it can no longer affect the run.
        """
        if tool.side_effects or self._policy.ask_before == "all":
            text, parts = await self._approved(step, tool, text, parts)
        if self._policy.max_calls:
            self._count_call(tool)
        make = self._bound.get(step.tool)
        if make is None:
            make = self._bound[step.tool] = tool.bind()
        context = self._context(step, parts) if tool.context_parameter else None
        timeout = self._policy.tool_timeout if tool.timeout is None else tool.timeout
        if timeout:
            self._deadlines.begin(step.id, timeout, task)
        try:
            result = await make(text, context, parts)
        except asyncio.CancelledError:
            if timeout and self._deadlines.end(step.id):
                if task.uncancel() == 0:
                    raise ToolTimeout(
                        f"{tool.name} did not answer within {timeout:g} s", "raise the limit with --timeout"
                    ) from None
            elif not task.cancelling():
                raise ToolError(f"{tool.name} cancelled itself") from None
            raise  # the run is being stopped
        except SystemExit as error:  # a tool may not end the program
            raise ToolError(f"{tool.name} tried to exit the program") from error
        finally:
            if timeout:
                self._deadlines.end(step.id)
        output = self._checked(tool, result)
        if self._policy.max_bytes:
            self._count_bytes(tool, output.text)
        return output

    async def _approved(self, step: Step, tool: Tool, text: str, parts: Filled) -> tuple[str, Filled]:
        """The input that the user lets the tool be called with; ToolError if it may not be called."""
        answer = await self._services.approve(step, tool, text)
        if answer is False:
            raise ToolError(f"{tool.name} was not approved", "the call was refused when it was asked about")
        if answer is True or answer == text:
            return text, parts
        self._emit(InputEdited(step=step.id, tool=tool.name, input=answer))
        return answer, (answer,)

    def _count_call(self, tool: Tool) -> None:
        most = self._policy.max_calls
        self._calls += 1
        if self._calls > most:
            raise LimitReached(
                f"{tool.name} would be call {self._calls} of the run; the limit is {most}", "--max-calls"
            )

    def _count_bytes(self, tool: Tool, text: str) -> None:
        most = self._policy.max_bytes
        self._bytes += len(text)
        if self._bytes > most:
            raise LimitReached(
                f"with {tool.name} the evidence of the run has {self._bytes:,} characters; the limit is {most:,}",
                "--max-bytes",
            )

    def _context(self, step: Step, parts: Filled) -> ToolContext:
        services = self._services

        async def ask(prompt: str, purpose: Purpose, grammar: Grammar | str = "") -> Completion:
            self._asked.add(step.id)
            return await services.ask(step.id, prompt, purpose, grammar)

        loop = asyncio.get_running_loop()

        def progress(what: str, done: int, total: int) -> None:  # a sync tool calls this from its thread
            with contextlib.suppress(RuntimeError):  # the loop has closed: the run has ended meanwhile
                loop.call_soon_threadsafe(self._emit, Progress(what=what, done=done, total=total))

        return ToolContext(
            step.id, services.question, parts, ask, services.fetch, services.documents, services.settings, progress,
            self._provenance.may_open(parts, self._found), services.fit,
        )  # fmt: skip

    def _checked(self, tool: Tool, result: Any) -> ToolOutput:
        if result.__class__ is str:
            output = ToolOutput(result)
        elif isinstance(result, ToolOutput):
            output = result
        elif isinstance(result, str | int | float):
            output = ToolOutput(str(result))
        else:
            if inspect.iscoroutine(result):
                result.close()
            raise ToolError(
                f"{tool.name} returned {type(result).__name__}; a tool returns text",
                "return a str, or an airoagent.ToolOutput with its sources",
            )
        if not isinstance(output.text, str):
            raise ToolError(f"{tool.name} returned a ToolOutput whose text is {type(output.text).__name__}, not str")
        if len(output.text) > self._policy.max_evidence:
            raise LimitReached(
                f"{tool.name} returned {len(output.text):,} characters; the limit is {self._policy.max_evidence:,}",
                "raise max_evidence if the machine has the room",
            )
        return output


def failure_of(error: Exception, tool: str) -> AiroError:
    """The error to show for what a tool raised; the place in the tool's code is the hint."""
    if isinstance(error, AiroError):
        return error
    frames = traceback.extract_tb(error.__traceback__)
    place = f"raised at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    _log.debug("%s raised", tool, exc_info=error)
    text = " ".join(str(error).split())[:500]
    failure = ToolError(f"{tool} raised {type(error).__name__}{': ' + text if text else ''}", place)
    failure.__cause__ = error
    return failure


def record_of(error: AiroError) -> Failure:
    """The error as it goes on record."""
    return Failure(error.kind, error.message, error.hint, error.exit_code)
