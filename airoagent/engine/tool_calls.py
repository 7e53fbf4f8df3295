"""Calls the tool of one step: its attempts, and what goes on record about each.

A step that goes well takes one coroutine next to the tool's own: what a step costs beyond its tool is spent here
(tests/benchmarks/bench_engine.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import replace
from functools import partial
from typing import Any

from airoagent.engine.approval import Approval
from airoagent.engine.limits import Budget, Deadlines
from airoagent.engine.policy import Policy, Services
from airoagent.engine.provenance import Provenance, from_documents
from airoagent.engine.results import checked, cleaned, failure_of, record_of
from airoagent.engine.tasks import Tasks
from airoagent.errors import AiroError, ToolError, ToolTimeout
from airoagent.events import (
    AttemptFailed,
    Evidence,
    Origin,
    Progress,
    Source,
    StepCancelled,
    StepFailed,
    StepFinished,
    StepStarted,
)
from airoagent.frozen import maker
from airoagent.models.base import Completion, Purpose
from airoagent.plan.evidence import Filled, fill
from airoagent.plan.steps import Step
from airoagent.prompts.grammar import Grammar
from airoagent.toolbox.arguments import Call, bound, settled
from airoagent.toolbox.tool import Tool, ToolContext, ToolOutput

_now = time.perf_counter
_evidence, _started, _finished = maker(Evidence), maker(StepStarted), maker(StepFinished)

Known = tuple[Evidence, Origin] | Exception | None
"""What is known of a call without making it: its evidence, or the failure it came to; None: it has to be made."""


class BoundTool:
    """A tool as steps need it: worked out at its first step."""

    __slots__ = ("call", "guarded", "shared", "timeout", "tool", "wants_context")

    def __init__(self, tool: Tool, policy: Policy) -> None:
        self.tool = tool
        self.call: Call = bound(tool)
        self.timeout = policy.tool_timeout if tool.timeout is None else tool.timeout
        self.wants_context = bool(tool.context_parameter)
        self.shared = tool.repeatable and not tool.side_effects
        self.guarded = tool.side_effects or policy.ask_before == "all" or policy.max_calls > 0


class _SharedCalls:
    """Calls that several steps of a run make: the first makes it, and the others take what it gave.

    Which calls are the same depends on the tool, its input and, where the tool sees more than the text, on where the
    text is from. The tool must be repeatable and without side effects.
    """

    __slots__ = ("_failed", "_first", "_found", "_provenance", "waiting")

    def __init__(self, provenance: Provenance, found: Mapping[str, Evidence]) -> None:
        self._provenance = provenance
        self._found = found
        self._first: dict[tuple[object, ...], str] = {}  # by what is called, the step that makes the call
        self._failed: dict[str, AiroError] = {}
        self.waiting: dict[str, list[asyncio.Future[None]]] = {}

    def caller(self, step: str, tool: Tool, text: str, parts: Filled) -> str:
        """The step that makes this very call: this one, or the first that came to it."""
        key: tuple[object, ...] = (tool.name, text)
        if tool.network and self._provenance.read:  # what one may not send, another may
            key = (*key, self._provenance.private_in(parts))
        if tool.context_parameter:  # what it makes of the text may depend on where the text is from
            evidence = [part for part in parts if isinstance(part, Evidence)]
            key = (*key, *[(part.sources, part.untrusted and part.written) for part in evidence])
        return self._first.setdefault(key, step)

    async def failure_of(self, caller: str) -> AiroError | None:
        """Wait for the end of the caller's step: the failure it came to, None if it has its evidence."""
        if caller not in self._found and caller not in self._failed:
            waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.waiting.setdefault(caller, []).append(waiting)
            await waiting
        return self._failed.get(caller)

    def end(self, step: str, failure: AiroError | None = None) -> None:
        """The step has ended: those that wait for it go on."""
        if failure is not None:
            self._failed[step] = failure
        if self.waiting:
            for waiting in self.waiting.pop(step, ()):
                if not waiting.done():
                    waiting.set_result(None)


class ToolCalls:
    """Calls the tools of single steps of one run.

    ``found`` is the evidence so far, which grows meanwhile. ``abandoned`` is called with a step whose tool cannot be
    stopped: it has failed, whatever becomes of its task.
    """

    def __init__(
        self,
        services: Services,
        tasks: Tasks,
        found: MutableMapping[str, Evidence],
        abandoned: Callable[[Step, AiroError], None],
    ) -> None:
        self._services = services
        self._policy = services.policy
        self._emit = services.emit
        self._tasks = tasks
        self._found = found
        self._abandoned = abandoned
        self._budget = services.budget or Budget(services.policy)
        self._deadlines = Deadlines(tasks, self._abandon)
        tasks.at_end.append(self._close)
        self._bound = services.bound
        self._recall, self._keep = services.recall, services.keep
        # Text up to this length needs no look.
        self._plain = -1 if self._policy.max_bytes else self._policy.max_evidence
        self._provenance = Provenance(services.question, services.plan_trusted, found.values(), services.plan_private)
        self._approval = Approval(services, self._provenance, found)
        self._shared = _SharedCalls(self._provenance, found)
        self._asked: set[str] = set()  # steps whose tools have asked the model

    def _close(self) -> None:
        self._deadlines.close()
        del self._abandoned

    async def run(self, step: Step, task: asyncio.Task[Any]) -> Evidence | AiroError:
        """The step's evidence, or the failure that it comes to once its tries are used up; its end is on record.

        The references of the step must be there. The tool is called in ``task``, the running one, unless an earlier
        step makes the same call. A sync tool that does not return in time is left behind in its daemon thread, since a
        thread cannot be stopped; it can no longer affect the run.
        """
        id, name, found, abandoned = step.id, step.tool, self._found, self._tasks.abandoned
        parts, text = fill(step.template, found)
        bound = self._bound.get(name) or self._bind(name)
        tool, timeout = bound.tool, bound.timeout
        known = None if self._recall is None else self._look_up(step, tool, text)
        if known is None and bound.shared:  # what is recalled is the step's own, not another's
            caller = self._shared.caller(id, tool, text, parts)
            if caller != id:
                return await self._share(caller, step, tool, text, parts)
        attempt = 1
        while True:
            self._emit(_started(id, name, text, attempt))
            began = called = _now()
            origin: Origin = "call"
            given, filled = text, parts
            try:
                if known is None:
                    if bound.guarded or (tool.network and self._provenance.read):
                        given, filled = await self._approval.of(step, tool, text, parts)
                        if self._tasks.stopping or task in abandoned:
                            raise asyncio.CancelledError  # the user's yes has come too late
                        self._budget.count_call(name)
                        called = _now()
                    context = self._context(step, tool, filled) if bound.wants_context else None
                    if timeout:
                        self._deadlines.start(step, task, attempt, called, timeout)
                    output = await bound.call(given, context, filled)
                    if abandoned and task in abandoned:
                        raise asyncio.CancelledError  # the run has gone on without it
                    if output.__class__ is not str or len(output) > self._plain or not output.isprintable():
                        output = self._checked(tool, await settled(output))
                    if timeout and self._deadlines.end(id):
                        task.uncancel()  # the tool kept the cancellation to itself, and has answered all the same
                elif isinstance(known, Exception):
                    raise known
                else:
                    output, origin = known
            except BaseException as error:
                failure = self._failure(error, step, tool, timeout, task, attempt, _now() - began)
            else:
                if self._keep is not None and known is None and id not in self._approval.reads_files:
                    self._keep(step, tool, given, ToolOutput(output) if isinstance(output, str) else output)
                return self._finished(step, tool, attempt, output, _now() - began, origin, parts)
            if known is not None or not await self._may_retry(step, failure, attempt, began, task):
                self._emit(StepFailed(id, name, attempt, record_of(failure), _now() - began))
                self._shared.end(id, failure)
                return failure
            attempt += 1

    def _bind(self, tool: str) -> BoundTool:
        bound = self._bound[tool] = BoundTool(self._services.toolbox[tool], self._policy)
        return bound

    def know(self, step: Step) -> None:
        """Take note of what the evidence of a step that is not run was made of."""
        tool = self._services.toolbox.get(step.tool)
        if self._provenance.seen and tool is not None:
            self._provenance.marks(step.id, tool, self._parts_of(step), False)
        if self.is_private(step, self._found[step.id].sources):  # a record from before there was this mark
            self._found[step.id] = replace(self._found[step.id], private=True)

    def is_private(self, step: Step, sources: tuple[Source, ...] = ()) -> bool:
        """Whether what a step found, or failed of, may hold private text."""
        tool = self._services.toolbox.get(step.tool)
        return (tool is not None and self._reads(tool, step.id, sources)) or bool(
            self._provenance.private_in(self._parts_of(step))
        )

    def _parts_of(self, step: Step) -> Filled:
        return tuple(part if isinstance(part, str) else self._found.get(part.id, "") for part in step.template)

    def _reads(self, tool: Tool, step: str, sources: tuple[Source, ...]) -> bool:
        """Whether a step's tool has read files of the user's."""
        private = tool.private or step in self._approval.reads_files or (sources and from_documents(sources))
        if private:
            self._provenance.read = True
        return bool(private)

    def _look_up(self, step: Step, tool: Tool, text: str) -> Known:
        assert self._recall is not None
        try:
            return self._recall(step, tool, text)
        except Exception as error:  # the step comes to this failure, as if its call had
            return error

    async def _share(self, caller: str, step: Step, tool: Tool, text: str, parts: Filled) -> Evidence | AiroError:
        """The result of the step that makes this very call, when it has one."""
        self._emit(StepStarted(step.id, step.tool, text, 1))
        began = _now()
        try:
            failure = await self._shared.failure_of(caller)
        except asyncio.CancelledError:
            self._emit(StepCancelled(step.id, step.tool, 1, _now() - began))
            raise
        if failure is not None:
            self._emit(StepFailed(step.id, step.tool, 1, record_of(failure), _now() - began))
            return failure
        return self._finished(step, tool, 1, self._found[caller], _now() - began, "shared", parts)

    async def _may_retry(
        self, step: Step, failure: AiroError, attempt: int, began: float, task: asyncio.Task[Any]
    ) -> bool:
        """Whether the call is made again after this failure, once it is time; CancelledError if the run is stopped."""
        delay = self._budget.retry_in(failure, attempt)
        if delay is None:
            return False
        self._emit(AttemptFailed(step.id, step.tool, attempt, record_of(failure), _now() - began, delay))
        try:
            if self._tasks.stopping or task.cancelling():  # the tool made a failure of its own of that
                await self._tasks.clear_cancellation(task)
            await asyncio.sleep(delay)
        except asyncio.CancelledError:
            self._emit(StepCancelled(step.id, step.tool, attempt, _now() - began))
            raise
        return True

    def _abandon(self, step: Step, task: asyncio.Task[Any], attempt: int, began: float) -> None:
        """The tool was cancelled when its time was over, and goes on all the same: the run goes on without it."""
        if task in self._tasks.abandoned:
            return
        seconds = _now() - began
        failure = ToolTimeout(
            f"{step.tool} did not answer within {self._bound[step.tool].timeout:g} s, and did not stop when it was "
            "told to",
            "raise the limit with --timeout",
        )
        self._tasks.abandon(task)
        try:
            self._emit(StepFailed(step.id, step.tool, attempt, record_of(failure), seconds))
            self._abandoned(step, failure)  # which reports the steps that are skipped for it
        except Exception as error:  # a timer calls this: it would be lost
            self._tasks.fail(error)
        self._shared.end(step.id, failure)

    def _failure(
        self,
        error: BaseException,
        step: Step,
        tool: Tool,
        timeout: float,
        task: asyncio.Task[Any],
        attempt: int,
        seconds: float,
    ) -> AiroError:
        """The failure that what was raised out of a call comes to; raises it on if the run is being stopped."""
        if task in self._tasks.abandoned:
            raise error  # the run has gone on without this task
        passed = timeout > 0 and self._deadlines.end(step.id)
        if passed:
            task.uncancel()
        if isinstance(error, asyncio.CancelledError):
            if self._tasks.stopping:
                self._emit(StepCancelled(step.id, step.tool, attempt, seconds))
                raise error
            if passed:
                return ToolTimeout(f"{tool.name} did not answer within {timeout:g} s", "raise the limit with --timeout")
            return ToolError(f"{tool.name} cancelled itself")
        if isinstance(error, SystemExit):  # a tool may not end the program
            failure: AiroError = ToolError(f"{tool.name} tried to exit the program")
            failure.__cause__ = error
            return failure
        if _is_ours(error, task):
            raise error
        return failure_of(error, step.tool)  # whatever a tool raises fails this step and no other

    def _finished(
        self,
        step: Step,
        tool: Tool,
        attempt: int,
        output: ToolOutput | Evidence | str,
        seconds: float,
        origin: Origin,
        parts: Filled,
    ) -> Evidence:
        id, name, provenance = step.id, step.tool, self._provenance
        untrusted, written = tool.outside, id in self._asked
        if provenance.seen or (provenance.marked and not untrusted):
            untrusted, written = provenance.marks(id, tool, parts, written)
        if isinstance(output, str):
            private = tool.private or provenance.read or bool(self._approval.reads_files)
            private = private and self._is_private_in(tool, id, (), parts)
            evidence = _evidence(id, name, output, (), "", True, untrusted, written, private)
        else:
            found = output.evidence(id, name) if isinstance(output, ToolOutput) else output
            evidence = replace(
                found,
                id=id,
                tool=name,
                # A record has both as they were then.
                untrusted=found.untrusted or (untrusted and origin != "record"),
                written=found.written or (written and origin != "record"),
                private=self._is_private_in(tool, id, found.sources, parts) or found.private,
                at=time.time(),
            )
        if evidence.written or evidence.private or not provenance.marked:
            provenance.note(evidence)
        self._emit(_finished(evidence, attempt, seconds, origin))
        if self._shared.waiting:
            self._shared.end(id)
        return evidence

    def _is_private_in(self, tool: Tool, step: str, sources: tuple[Source, ...], parts: Filled) -> bool:
        return self._reads(tool, step, sources) or bool(self._provenance.private_in(parts))

    def _context(self, step: Step, tool: Tool, parts: Filled) -> ToolContext:
        services = self._services
        documents, fetch = services.documents, services.fetcher()
        if documents is not None or self._provenance.read or tool.private:
            if documents is not None:
                documents = documents.watched(partial(self._approval.reads_files.add, step.id))
            fetch = fetch.narrowed(documents, self._approval.address_check(step, tool, parts))

        async def ask(prompt: str, purpose: Purpose, grammar: Grammar | str = "") -> Completion:
            self._asked.add(step.id)
            return await services.ask(prompt, purpose, grammar, step=step.id)

        loop = asyncio.get_running_loop()

        def progress(what: str, done: int, total: int) -> None:  # a sync tool calls this from its thread
            with contextlib.suppress(RuntimeError):  # the loop has closed: the run has ended meanwhile
                loop.call_soon_threadsafe(self._emit, Progress(what=what, done=done, total=total))

        return ToolContext(
            step.id,
            services.question,
            parts,
            ask,
            fetch,
            documents,
            services.settings,
            progress,
            self._provenance.may_open(parts, self._found),
            services.fit,
            services.ask.style,
        )

    def _checked(self, tool: Tool, result: Any) -> ToolOutput | str:
        """What the tool returned, if it is something that a tool returns and within the limits."""
        output = cleaned(checked(tool, result, self._policy.max_evidence))
        if self._policy.max_bytes:
            self._budget.count_text(tool.name, output if isinstance(output, str) else output.text)
        return output


def _is_ours(error: BaseException, task: asyncio.Task[Any]) -> bool:
    """Whether what came out of a call was not raised by its tool: the user's Ctrl-C, or the end of the event loop."""
    if isinstance(error, KeyboardInterrupt):
        return threading.current_thread() is threading.main_thread()
    if isinstance(error, GeneratorExit):  # a task that is given up with its loop is closed by this
        try:
            return asyncio.current_task() is not task
        except RuntimeError:
            return True
    return False
