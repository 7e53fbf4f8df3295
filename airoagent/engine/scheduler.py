"""Runs the steps of a plan: each the moment its last reference is there, side by side where nothing forbids it.

A step is in exactly one of these states (but for a failed step under ``on_error="tell"``, whose failure is its
evidence: it is in both). `Execution` keeps their ids; of those that run, the number:

    waiting   some evidence it refers to is not there yet (with the number that is open)
    queued    nothing is missing, but as many tools are being called as may be
    running   its tool is being called, or it follows a step that makes the very same call
    found     it has evidence
    failed    its tool failed for good
    skipped   it was not run, because evidence it needs will never come or the run is stopping

    add ──▶ waiting ──▶ queued ──▶ running ──▶ found
               │           │          └──────▶ failed
               └───────────┴─────────────────▶ skipped

For ``e2 = Join[:e0: :e1:]`` with e0 found and e1 running: waiting {e2: 1}, running 1, found {e0}. When e1 is
found, e2's count falls to 0 and the task that ran e1 goes on with e2. There are no levels and nothing polls.

Everything that happens goes to one function, ``emit``, before anything that depends on it happens: a store that
commits in ``emit`` therefore holds a step's result before the next step starts.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import replace

from airoagent.engine.policy import Recall, Services
from airoagent.engine.tasks import Tasks
from airoagent.engine.tool_calls import ToolCalls
from airoagent.errors import AiroError
from airoagent.events import Evidence, StepSkipped
from airoagent.plan.steps import Ref, Step


class Execution:
    """One plan being run. Steps may be added while others run; the block of `Tasks` ends when none is left.

    ``known`` is evidence that is there already (from a record, or an earlier plan): its steps are not run.
    """

    def __init__(self, services: Services, tasks: Tasks, known: Mapping[str, Evidence] | None = None) -> None:
        policy = services.policy
        self._services = services
        self._emit = services.emit
        self._tasks = tasks
        self._stops = policy.on_error == "stop"
        self._tells = policy.on_error == "tell"
        self.eager = policy.eager
        self.given_up = False
        self._spreading = False
        self._places = policy.concurrency or 1 << 30
        self._steps: dict[str, Step] = {}
        self._dependents: dict[str, list[Step]] = {}
        self.waiting: dict[str, int] = {}
        self.queued: deque[Step] = deque()
        self.running = 0
        self.found: dict[str, Evidence] = dict(known or {})
        self._calls = ToolCalls(services, tasks, self.found, self._abandoned)
        self.failed: dict[str, AiroError] = {}
        self.skipped: dict[str, tuple[str, ...]] = {}

    def add(self, *steps: Step) -> None:
        """Take on steps; those whose references are all there start at once, together. A step is taken on once."""
        found, waiting, dependents, known = self.found, self.waiting, self._dependents, self._steps
        lost: list[tuple[Step, tuple[str, ...]]] = []
        for step in steps:
            id = step.id
            if id in known:
                continue
            if id in found:
                self._calls.know(step)
                continue
            known[id] = step
            missing = 0
            for part in step.template:
                if part.__class__ is Ref and part.id not in found:
                    others = dependents.get(part.id)
                    if others is None:
                        dependents[part.id] = [step]
                    elif others[-1] is step:  # it refers to it twice
                        continue
                    else:
                        others.append(step)
                    missing += 1
            if self.failed and self._stops:
                lost.append((step, tuple(self.failed)))
                missing = 1
            elif self.failed or self.skipped:
                gone = [other for other in step.depends_on if other in self.failed or other in self.skipped]
                if because := tuple(other for other in gone if other not in found):
                    lost.append((step, because))
            if missing:
                waiting[id] = missing
            else:
                self.queued.append(step)
        for step, because in lost:
            self._skip(step, because)
        if self.queued and self.running < self._places:
            self._start(self.queued.popleft())
            if self.queued and not self._spreading:
                self._spread()

    def give_up(self) -> None:
        """Start nothing more, since the plan cannot be used. What runs comes to its end."""
        self.given_up = True
        self.queued.clear()
        self.waiting.clear()
        self._dependents.clear()

    async def ended(self) -> None:
        """Wait until nothing runs."""
        await self._tasks.idle()

    def following(self, recall: Recall | None) -> Execution:
        """The execution of the plan that takes this one's place, among the same tasks."""
        return Execution(replace(self._services, recall=recall), self._tasks)

    def _start(self, step: Step) -> None:
        self.running += 1
        self._tasks.create_task(self._run_from(step))

    def _spread(self) -> None:
        """Give the steps that are left in the queue tasks of their own, once those that run now have come to wait.

        Tools that answer at once never let it come to that: one task takes step after step.
        """
        self._spreading = True
        self._tasks.when_waiting(self._fill_places)

    def _fill_places(self) -> None:
        self._spreading = False
        while self.queued and self.running < self._places:
            self._start(self.queued.popleft())

    async def _run_from(self, step: Step) -> None:
        """Run a step, then go on in the same task with one of the steps that are ready."""
        queued, run, settle = self.queued, self._calls.run, self._settle
        task = asyncio.current_task()
        assert task is not None
        while True:
            settle(step, await run(step, task))
            if task.cancelling():
                await self._tasks.clear_cancellation(task)
            if not queued:
                break
            step = queued.popleft()
            if queued and not self._spreading and self.running < self._places:
                self._spread()
        self.running -= 1
        self._tasks.leave(task)

    def _abandoned(self, step: Step, failure: AiroError) -> None:
        """The step has failed, and its task is left to itself: others take over what it would go on with."""
        self.running -= 1
        self._settle(step, failure)
        self._fill_places()

    def _settle(self, step: Step, result: Evidence | AiroError) -> None:
        """Book a step's end, and queue the steps that became ready by it."""
        id, waiting = step.id, self.waiting
        if isinstance(result, AiroError):
            self.failed[id] = result
            if not self._tells:
                return self._lose(id)
            told = f"({step.tool} failed: {result.message})"
            private = self._calls.is_private(step)
            result = Evidence(id, step.tool, told, (), "this step failed", untrusted=True, private=private)
        self.found[id] = result
        for dependent in self._dependents.pop(id, ()):
            count = waiting.get(dependent.id)
            if count == 1:
                del waiting[dependent.id]
                self.queued.append(dependent)
            elif count is not None:
                waiting[dependent.id] = count - 1
        return None

    def _lose(self, failed: str) -> None:
        """Skip what can no longer be run after a failure: what needs the step, or everything that has not begun."""
        for step in self._dependents.pop(failed, ()):
            self._skip(step, (failed,))
        if self._stops:
            self.waiting.update((step.id, 0) for step in self.queued)
            self.queued.clear()
            for id in tuple(self.waiting):
                self._skip(self._steps[id], (failed,))

    def _skip(self, step: Step, because: tuple[str, ...]) -> None:
        pending = [(step, because)]
        while pending:
            step, because = pending.pop()
            if self.waiting.pop(step.id, None) is None:
                continue
            self.skipped[step.id] = because
            self._emit(StepSkipped(step=step.id, tool=step.tool, because=because))
            pending += [(dependent, (step.id,)) for dependent in self._dependents.pop(step.id, ())]
