"""Calls the tool of one step: attempts, deadlines, retries, and what goes on record about each.

A step that goes well takes one coroutine next to the tool's own: what a step costs beyond its tool is spent here
(tests/benchmarks/bench_engine.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import replace
from functools import partial
from typing import Any

from airoagent.engine.deadlines import Deadlines
from airoagent.engine.policy import Policy, Services
from airoagent.engine.provenance import Provenance
from airoagent.engine.results import checked, cleaned, failure_of, record_of
from airoagent.engine.tasks import Crew
from airoagent.errors import AiroError, LimitReached, PrivateText, ToolError, ToolTimeout
from airoagent.events import (
    AttemptFailed,
    Event,
    Evidence,
    InputEdited,
    Origin,
    Progress,
    Source,
    StepCancelled,
    StepFailed,
    StepFinished,
    StepStarted,
)
from airoagent.models.base import Completion, Purpose
from airoagent.plan.evidence import Filled
from airoagent.plan.steps import Step
from airoagent.prompts.grammar import Grammar
from airoagent.toolbox.tool import Call, Tool, Toolbox, ToolContext, ToolOutput
from airoagent.web.links import links_of

__all__ = ["Caller"]

_now = time.perf_counter

Told = tuple[Evidence, Origin] | Exception | None
"""What is known of a call without making it: its output, or the failure it came to; None: it has to be made."""


class _Bound:
    """A tool of this run as its steps need it: worked out at its first step."""

    __slots__ = ("call", "guarded", "shared", "timeout", "tool", "wants_context")

    def __init__(self, tool: Tool, policy: Policy) -> None:
        self.tool = tool
        self.call: Call = tool.bind()
        self.timeout = policy.tool_timeout if tool.timeout is None else tool.timeout
        self.wants_context = bool(tool.context_parameter)
        self.shared = tool.repeatable and not tool.side_effects
        self.guarded = tool.side_effects or policy.ask_before == "all" or policy.max_calls > 0


class Caller:
    """Runs single steps of one run; ``found`` is the evidence there is, which grows meanwhile."""

    def __init__(
        self,
        toolbox: Toolbox,
        services: Services,
        policy: Policy,
        emit: Callable[[Event], None],
        found: MutableMapping[str, Evidence],
        crew: Crew,
        given_up: Callable[[Step, AiroError], None],
    ) -> None:
        """``given_up`` is told of a step whose tool cannot be stopped: it has failed, whatever becomes of its task."""
        self._found = found
        self._crew = crew
        self._given_up = given_up
        self._toolbox = toolbox
        self._services = services
        self._policy = policy
        self._emit = emit
        self._deadlines = Deadlines(self._give_up)
        self._bound: dict[str, _Bound] = {}
        self._spent = services.spent
        self._plain = -1 if policy.max_bytes else policy.max_evidence  # text up to this length needs no look
        if policy.limit_seconds and not self._spent.ends:
            self._spent.ends = time.monotonic() + policy.limit_seconds
        self._provenance = Provenance(services.question, services.plan_trusted, found.values(), services.plan_private)
        self._private: set[str] = set()  # steps whose tools have read the user's documents
        self._let_out: set[str] = set()  # steps whose calls the user has said yes to
        self._asked: set[str] = set()
        self._recall = services.recall
        self._keep = services.keep
        # Calls that were begun: the first step that makes one, the failure it came to, the steps that wait for it.
        self._first: dict[tuple[object, ...], str] = {}
        self._failed: dict[str, AiroError] = {}
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}

    def run(self, step: Step, task: asyncio.Task[Any]) -> Awaitable[Evidence | AiroError]:
        """The step's evidence, called for in ``task`` (the running one) or shared with one that makes the same call.

        The references of the step must be there. Await the result: by then the step's end has been told.
        """
        found, name = self._found, step.tool
        parts: Filled = tuple([part if part.__class__ is str else found[part.id] for part in step.template])  # type: ignore[union-attr]
        text = "".join([part if part.__class__ is str else part.text for part in parts])  # type: ignore[union-attr]
        bound = self._bound.get(name)
        if bound is None:
            bound = self._bound[name] = _Bound(self._toolbox[name], self._policy)
        told = None if self._recall is None else self._look_up(step, bound.tool, text)
        if told is None and bound.shared:  # what is recalled is the step's own, not another's
            key: tuple[object, ...] = (name, text)
            if bound.tool.network and self._provenance.read:  # what one may not send, another may
                key = (*key, self._provenance.private_in(parts))
            if bound.wants_context:  # what it makes of the text may depend on where the text is from
                evidence = [part for part in parts if isinstance(part, Evidence)]
                key = (*key, *[(part.sources, part.untrusted and part.written) for part in evidence])
            first = self._first.setdefault(key, step.id)
            if first != step.id:
                return self._share(first, step, bound.tool, text, parts)
        return self._attempts(step, bound, text, parts, task, told)

    def know(self, step: Step) -> None:
        """Take note of what the evidence of a step that is not run was made of."""
        tool = self._toolbox.get(step.tool)
        if self._provenance.seen and tool is not None:
            self._provenance.marks(step.id, tool, self._parts_of(step), False)
        if self.is_private(step, self._found[step.id].sources):  # a record from before there was this mark
            self._found[step.id] = replace(self._found[step.id], private=True)

    def is_private(self, step: Step, sources: tuple[Source, ...] = ()) -> bool:
        """Whether what a step found, or failed of, may hold private text."""
        tool = self._toolbox.get(step.tool)
        return (tool is not None and self._reads(tool, step.id, sources)) or bool(
            self._provenance.private_in(self._parts_of(step))
        )

    def _parts_of(self, step: Step) -> Filled:
        return tuple(part if isinstance(part, str) else self._found.get(part.id, "") for part in step.template)

    def _reads(self, tool: Tool, step: str, sources: tuple[Source, ...]) -> bool:
        """Whether a step's tool has read files of the user's."""
        private = tool.private or step in self._private or any(source.url.startswith("docs://") for source in sources)
        self._provenance.read = self._provenance.read or private
        return private

    def _look_up(self, step: Step, tool: Tool, text: str) -> Told:
        assert self._recall is not None
        try:
            return self._recall(step, tool, text)
        except Exception as error:  # the step comes to this failure, as if its call had
            return error

    async def _share(self, first: str, step: Step, tool: Tool, text: str, parts: Filled) -> Evidence | AiroError:
        """The result of the step that makes this very call, when it has one."""
        self._emit(StepStarted(step.id, step.tool, text, 1))
        began = _now()
        if first not in self._failed and first not in self._found:
            waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.setdefault(first, []).append(waiting)
            try:
                await waiting
            except asyncio.CancelledError:
                self._emit(StepCancelled(step=step.id, tool=step.tool, attempt=1, seconds=_now() - began))
                raise
        failure = self._failed.get(first)
        if failure is not None:
            kept = record_of(failure)
            self._emit(StepFailed(step=step.id, tool=step.tool, attempt=1, failure=kept, seconds=_now() - began))
            return failure
        return self._finished(step, tool, 1, self._found[first], _now() - began, "shared", parts)

    async def _attempts(
        self, step: Step, bound: _Bound, text: str, parts: Filled, task: asyncio.Task[Any], told: Told
    ) -> Evidence | AiroError:
        """Call the tool until it gives evidence, fails for good, or the tries are used up.

        A sync tool that does not return in time is left behind in its daemon thread, since a thread cannot be stopped;
        it can no longer affect the run.
        """
        id, tool, timeout, dismissed = step.id, bound.tool, bound.timeout, self._crew.dismissed
        attempt = 1
        while True:
            self._emit(StepStarted(id, step.tool, text, attempt))
            began = called = _now()
            origin: Origin = "call"
            given, filled = text, parts
            try:
                if told is None:
                    if bound.guarded or (tool.network and self._provenance.read):
                        given, filled = await self._allowed(step, tool, text, parts)
                        called = _now()
                    context = self._context(step, tool, filled) if bound.wants_context else None
                    if timeout:
                        self._deadlines.begin(step, task, attempt, called, timeout)
                    output = await bound.call(given, context, filled)
                    if task in dismissed:
                        raise asyncio.CancelledError  # it was given up, and the run has gone on without it
                    if output.__class__ is not str or len(output) > self._plain or not output.isprintable():
                        output = self._checked(tool, output)
                    if timeout and self._deadlines.end(id):
                        task.uncancel()  # the tool kept the cancellation to itself, and has answered all the same
                elif isinstance(told, Exception):
                    raise told
                else:
                    output, origin = told
            except BaseException as error:
                failure = self._failure(error, step, tool, timeout, task, attempt, _now() - began)
            else:
                if self._keep is not None and origin == "call" and id not in self._private:
                    self._keep(step, tool, given, ToolOutput(output) if isinstance(output, str) else output)
                evidence = self._finished(step, tool, attempt, output, _now() - began, origin, parts)
                if self._waiting:
                    self._wake(id)
                return evidence
            delay = None if told is not None else self._retry_in(failure, attempt)
            kept, seconds = record_of(failure), _now() - began
            if delay is None:
                self._emit(StepFailed(step=id, tool=step.tool, attempt=attempt, failure=kept, seconds=seconds))
                self._failed[id] = failure
                self._wake(id)
                return failure
            self._emit(
                AttemptFailed(step=id, tool=step.tool, attempt=attempt, failure=kept, seconds=seconds, retry_in=delay)
            )
            try:
                await self._wait(delay, task)
            except asyncio.CancelledError:
                self._emit(StepCancelled(step=id, tool=step.tool, attempt=attempt, seconds=_now() - began))
                raise
            attempt += 1

    async def _wait(self, seconds: float, task: asyncio.Task[Any]) -> None:
        """Wait before the next try; CancelledError if the run is being stopped."""
        if self._crew.stopping or task.cancelling():  # the tool made a failure of its own of that
            await self._crew.calm(task)
        await asyncio.sleep(seconds)

    def _give_up(self, step: Step, task: asyncio.Task[Any], attempt: int, began: float) -> None:
        """The tool was cancelled when its time was over, and goes on all the same: the run goes on without it."""
        if task in self._crew.dismissed:
            return
        seconds = _now() - began
        timeout = self._bound[step.tool].timeout
        failure = ToolTimeout(
            f"{step.tool} did not answer within {timeout:g} s, and did not stop when it was told to",
            "raise the limit with --timeout",
        )
        kept = record_of(failure)
        self._crew.dismiss(task)
        self._failed[step.id] = failure
        try:
            self._emit(StepFailed(step=step.id, tool=step.tool, attempt=attempt, failure=kept, seconds=seconds))
            self._given_up(step, failure)  # which tells of the steps that are skipped for it
        except Exception as error:  # a timer calls this: nobody above it would hear of it
            self._crew.fail(error)
        self._wake(step.id)

    def _wake(self, first: str) -> None:
        """Let the steps go on that wait for what this one gives."""
        for waiting in self._waiting.pop(first, ()):
            if not waiting.done():
                waiting.set_result(None)

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
        if task in self._crew.dismissed:
            raise error  # the run has gone on without this task
        passed = timeout > 0 and self._deadlines.end(step.id)
        if passed:
            task.uncancel()
        if isinstance(error, asyncio.CancelledError):
            if self._crew.stopping:
                self._emit(StepCancelled(step=step.id, tool=step.tool, attempt=attempt, seconds=seconds))
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
        id, name = step.id, step.tool
        untrusted, written = self._provenance.marks(id, tool, parts, id in self._asked)
        if isinstance(output, str):
            private = self._is_private_in(tool, id, (), parts)
            evidence = Evidence(id, name, output, untrusted=untrusted, written=written, private=private)
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
        if evidence.untrusted and evidence.written:
            self._provenance.seen = True
        if evidence.private:
            self._provenance.read = True
        self._emit(StepFinished(evidence, attempt, seconds, origin))
        return evidence

    def _is_private_in(self, tool: Tool, step: str, sources: tuple[Source, ...], parts: Filled) -> bool:
        return self._reads(tool, step, sources) or bool(self._provenance.private_in(parts))

    def _retry_in(self, failure: AiroError, attempt: int) -> float | None:
        """Seconds until the next try (full jitter, or what the other side asked for); None: do not try again."""
        if not isinstance(failure, ToolError) or not failure.retryable or attempt > self._policy.retries:
            return None
        if failure.retry_after is None:
            return random.uniform(0.0, min(8.0, 0.5 * 2.0**attempt))
        try:
            wait = max(0.0, float(failure.retry_after))
        except (TypeError, ValueError, OverflowError):
            return None  # a tool may say anything; what it said is no time to come back at
        ends = self._spent.ends or float("inf")
        # Coming back sooner than asked would be refused again; and nobody waits beyond the end of the run.
        return wait if wait <= self._policy.longest_wait and time.monotonic() + wait < ends else None

    async def _allowed(self, step: Step, tool: Tool, text: str, parts: Filled) -> tuple[str, Filled]:
        """The input that the tool may be called with now; ToolError or LimitReached if it may not be called."""
        self._let_out.discard(step.id)
        warning = self._would_send(tool, parts)
        if warning or tool.side_effects or self._policy.ask_before == "all":
            text, parts = await self._approved(step, replace(tool, warning=warning) if warning else tool, text, parts)
        most = self._policy.max_calls
        spent = self._spent
        spent.calls += 1
        if most and spent.calls > most:
            told = f"{tool.name} would be call {spent.calls} of the run; the limit is {most}"
            raise LimitReached(told, "--max-calls")
        return text, parts

    async def _approved(self, step: Step, tool: Tool, text: str, parts: Filled) -> tuple[str, Filled]:
        """The input that the user lets the tool be called with; ToolError if it may not be called."""
        try:
            answer = await self._services.approve(step, tool, text)
        except PrivateText:
            if tool.network != "addresses" or tool.side_effects or self._policy.ask_before == "all":
                raise
            return text, parts  # its other addresses may be opened; those are held back at the door
        if answer is not False:
            self._let_out.add(step.id)
        if answer is True or (isinstance(answer, str) and answer == text):
            return text, parts
        if not isinstance(answer, str):
            raise ToolError(f"{tool.name} was not approved", "the call was refused when it was asked about")
        self._emit(InputEdited(step=step.id, tool=tool.name, input=answer))
        return answer, (answer,)

    def _would_send(self, tool: Tool, parts: Filled) -> str:
        """What private text a call would send off the machine, in words; "" for none, or where the user allows it."""
        what = "" if self._policy.share_private or not tool.network else self._provenance.private_in(parts)
        if not what or tool.network is True:
            return f"which would send text of {what} off this machine" if what else ""
        public = self._provenance.public_addresses(parts, self._found)
        links = links_of(parts, clean_lines=True)
        odd = [url for url in links if url not in public and not url.lower().startswith("docs://")]
        return f"which would open addresses that stem from {what}: {' '.join(odd[:5])}" if odd else ""

    def _held_back(self, step: Step, tool: Tool, parts: Filled) -> Callable[[str], None] | None:
        """Raises for an address that may hold private text; None where any may be asked."""
        if self._policy.share_private or step.id in self._let_out:
            return None

        known: list[frozenset[str]] = []

        def check(url: str) -> None:
            reads = "files of yours" if tool.private or step.id in self._private else ""
            what = self._provenance.private_in(parts) or reads
            if what and not known:
                known.append(self._provenance.public_addresses(parts, self._found))
            if what and url not in known[0]:
                raise PrivateText(
                    f"{step.id} ({tool.name}) is kept from {url[:200]}: it may hold text of {what}", PrivateText.allow
                )

        return check

    def _count_bytes(self, tool: Tool, text: str) -> None:
        most = self._policy.max_bytes
        spent = self._spent
        spent.characters += len(text)
        if spent.characters > most:
            raise LimitReached(
                f"with {tool.name} the evidence of the run has {spent.characters:,} characters; the limit is {most:,}",
                "--max-characters",
            )

    def _context(self, step: Step, tool: Tool, parts: Filled) -> ToolContext:
        services = self._services
        documents, fetch = services.documents, services.fetch
        if documents is not None or self._provenance.read:
            if documents is not None:
                documents = documents.watched(partial(self._private.add, step.id))
            fetch = fetch.narrowed(documents, self._held_back(step, tool, parts))

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
            self._count_bytes(tool, output if isinstance(output, str) else output.text)
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
