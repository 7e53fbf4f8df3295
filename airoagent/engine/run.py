"""Runs the steps of a plan: each the moment its last reference is there, side by side where nothing forbids it.

`Execution` keeps five sets of step ids, and a step is in exactly one of them (but for a failed step under
``on_error="tell"``, whose failure is told as its evidence: it is in both):

    waiting   some evidence it refers to is not there yet (with the number that is open)
    running   its tool is being called
    found     it has evidence
    failed    its tool failed for good
    skipped   it was not run, because evidence it needs will never come or the run is stopping

    add ──▶ waiting ──▶ running ──▶ found
               │           └──────▶ failed
               └──────────────────▶ skipped

For ``e2 = Join[:e0: :e1:]`` with e0 found and e1 running: waiting {e2: 1}, running {e1}, found {e0}. When e1 is
found, e2's count falls to 0 and the task that ran e1 goes on with e2. There are no levels and nothing polls.

Everything that happens is told to one function, ``emit``, before anything that depends on it happens: a store that
commits in ``emit`` therefore holds a step's result before the next step starts.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from airoagent.engine.calling import call_tool, failure_of
from airoagent.errors import AiroError, LimitReached, ToolError
from airoagent.events import (
    AttemptFailed,
    Event,
    Failure,
    Progress,
    StepFailed,
    StepFinished,
    StepSkipped,
    StepStarted,
)
from airoagent.language.evidence import Evidence, Filled, fill, text_of
from airoagent.language.plan import Step
from airoagent.models.base import Completion, Purpose
from airoagent.toolbox.documents import Documents
from airoagent.toolbox.fetch import Fetcher
from airoagent.toolbox.tool import Tool, Toolbox, ToolContext, ToolOutput

__all__ = ["Execution", "OnError", "Policy", "Services"]

OnError = Literal["stop", "skip", "tell"]


@dataclass(frozen=True, slots=True)
class Policy:
    """What a run may take and what happens when a step fails.

    ``tool_timeout`` is in seconds per call, for tools that name none (0: no limit). ``retries`` is how often a failure
    that may pass is tried again. ``limit_seconds`` bounds the whole run (0: no limit). ``max_evidence`` is in
    characters. ``concurrency`` is how many tools may be called at the same time. ``on_error``: ``stop`` starts nothing
    new after a failure, ``skip`` goes on with what does not depend on it, ``tell`` lets the steps that depend on it
    know what went wrong.
    """

    tool_timeout: float = 60.0
    retries: int = 2
    limit_seconds: float = 0.0
    concurrency: int = 8
    max_evidence: int = 16 * 1024 * 1024
    on_error: OnError = "stop"


Ask = Callable[[str, str, Purpose], Awaitable[Completion]]
Approve = Callable[[Step, Tool, str], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Services:
    """What steps may use: ``ask(step, prompt, purpose)`` asks the model, ``approve`` asks the user."""

    question: str
    ask: Ask
    approve: Approve
    fetch: Fetcher
    documents: Documents | None = None
    settings: Mapping[str, str] = field(default_factory=dict)


class Execution:
    """One plan being run. Steps may be added while others run; ``wait`` ends when none is left.

    ``known`` is evidence that is there already (from a record, or an earlier plan): its steps are not run.
    """

    def __init__(
        self,
        toolbox: Toolbox,
        services: Services,
        policy: Policy,
        emit: Callable[[Event], None],
        group: asyncio.TaskGroup,
        known: Mapping[str, Evidence] | None = None,
    ) -> None:
        self._toolbox = toolbox
        self._services = services
        self._policy = policy
        self._emit = emit
        self._group = group
        self._steps: dict[str, Step] = {}
        self._dependents: dict[str, list[str]] = {}
        self._places = asyncio.Semaphore(policy.concurrency)
        self.waiting: dict[str, int] = {}
        self.running: set[str] = set()
        self.found: dict[str, Evidence] = dict(known or {})
        self.failed: dict[str, AiroError] = {}
        self.skipped: dict[str, tuple[str, ...]] = {}

    def add(self, *steps: Step) -> None:
        """Take on steps; those whose references are all there start at once, together."""
        ready: list[Step] = []
        for step in steps:
            if step.id in self.found:
                continue
            self._steps[step.id] = step
            open_references = 0
            for other in step.depends_on:
                if other not in self.found:
                    self._dependents.setdefault(other, []).append(step.id)
                    open_references += 1
            self.waiting[step.id] = open_references
            if open_references == 0:
                ready.append(step)
        self._start(ready)
        for step in steps:
            lost = tuple(other for other in step.depends_on if other in self.failed or other in self.skipped)
            if lost:
                self._skip(step.id, lost)

    def _start(self, ready: Sequence[Step]) -> None:
        for step in ready:
            if self._stopping():
                self._skip(step.id, tuple(self.failed))
                continue
            del self.waiting[step.id]
            self.running.add(step.id)
            self._group.create_task(self._drive(step), name=step.id)

    def _stopping(self) -> bool:
        return bool(self.failed) and self._policy.on_error == "stop"

    async def _drive(self, step: Step) -> None:
        """Run a step, then go on in the same task with one of the steps that it made ready."""
        following: Step | None = step
        while following is not None:
            ready = self._settle(following, await self._attempts(following))
            following = None
            if ready and not self._stopping():
                following = ready.pop(0)
                del self.waiting[following.id]
                self.running.add(following.id)
            self._start(ready)

    def _settle(self, step: Step, result: Evidence | AiroError) -> list[Step]:
        """Book a step's end; the steps that became ready by it."""
        self.running.discard(step.id)
        if isinstance(result, AiroError):
            self.failed[step.id] = result
            if self._policy.on_error != "tell":
                self._skip_dependents(step.id)
                if self._policy.on_error == "stop":
                    for waiting in tuple(self.waiting):
                        self._skip(waiting, (step.id,))
                return []
            result = Evidence(step.id, step.tool, f"({step.tool} failed: {result.message})", (), "this step failed")
        self.found[step.id] = result
        ready: list[Step] = []
        for id in self._dependents.pop(step.id, ()):
            if id in self.waiting:
                self.waiting[id] -= 1
                if self.waiting[id] == 0:
                    ready.append(self._steps[id])
        return ready

    def _skip_dependents(self, lost: str) -> None:
        for id in self._dependents.pop(lost, ()):
            self._skip(id, (lost,))

    def _skip(self, id: str, because: tuple[str, ...]) -> None:
        pending = [(id, because)]
        while pending:
            id, because = pending.pop()
            if id not in self.waiting:
                continue
            del self.waiting[id]
            self.skipped[id] = because
            self._emit(StepSkipped(step=id, tool=self._steps[id].tool, because=because))
            pending += [(dependent, (id,)) for dependent in self._dependents.pop(id, ())]

    async def _attempts(self, step: Step) -> Evidence | AiroError:
        """Call the step's tool until it gives evidence, fails for good, or the tries are used up."""
        filled = fill(step.template, self.found)
        text = text_of(filled)
        attempt = 1
        while True:
            async with self._places:
                self._emit(StepStarted(step=step.id, tool=step.tool, input=text, attempt=attempt))
                began = time.perf_counter()
                try:
                    output = await self._call(step, text, filled)
                except Exception as error:  # whatever a tool raises fails this step and no other
                    failure = failure_of(error, step.tool)
                else:
                    return self._finished(step, attempt, output, time.perf_counter() - began)
                seconds = time.perf_counter() - began
            delay = self._retry_in(failure, attempt)
            record = record_of(failure)
            if delay is None:
                self._emit(StepFailed(step=step.id, tool=step.tool, attempt=attempt, failure=record, seconds=seconds))
                return failure
            self._emit(
                AttemptFailed(
                    step=step.id, tool=step.tool, attempt=attempt, failure=record, seconds=seconds, retry_in=delay
                )
            )
            await asyncio.sleep(delay)
            attempt += 1

    def _finished(self, step: Step, attempt: int, output: ToolOutput, seconds: float) -> Evidence:
        self._emit(
            StepFinished(
                step=step.id, tool=step.tool, attempt=attempt, text=output.text, sources=output.sources,
                seconds=seconds, note=output.note, answered=output.answered,
            )
        )  # fmt: skip
        return Evidence(step.id, step.tool, output.text, output.sources, output.note, output.answered)

    def _retry_in(self, failure: AiroError, attempt: int) -> float | None:
        """Seconds until the next try (full jitter, or what the other side asked for); None: do not try again."""
        if not isinstance(failure, ToolError) or not failure.retryable or attempt > self._policy.retries:
            return None
        if failure.retry_after is not None:
            return min(failure.retry_after, 30.0)
        return random.uniform(0.0, min(8.0, 0.5 * 2.0**attempt))

    async def _call(self, step: Step, text: str, filled: Filled) -> ToolOutput:
        tool = self._toolbox[step.tool]
        services = self._services
        if tool.side_effects and not await services.approve(step, tool, text):
            raise ToolError(
                f"{tool.name} was not approved", "it declares side effects, so it is asked about before it is called"
            )

        async def ask(prompt: str, purpose: Purpose) -> Completion:
            return await services.ask(step.id, prompt, purpose)

        loop = asyncio.get_running_loop()

        def progress(what: str, done: int, total: int) -> None:  # a sync tool calls this from its thread
            with contextlib.suppress(RuntimeError):  # the loop has closed: the run has ended meanwhile
                loop.call_soon_threadsafe(self._emit, Progress(what=what, done=done, total=total))

        context = ToolContext(
            step=step.id, question=services.question, parts=filled, ask=ask, fetch=services.fetch,
            documents=services.documents, settings=services.settings, progress=progress,
        )  # fmt: skip
        timeout = self._policy.tool_timeout if tool.timeout is None else tool.timeout
        output = await call_tool(tool, text, context, timeout)
        if len(output.text) > self._policy.max_evidence:
            raise LimitReached(
                f"{tool.name} returned {len(output.text):,} characters; the limit is {self._policy.max_evidence:,}",
                "raise max_evidence if the machine has the room",
            )
        return output


def record_of(error: AiroError) -> Failure:
    """The error as it goes on record."""
    return Failure(error.kind, error.message, error.hint, error.exit_code)
