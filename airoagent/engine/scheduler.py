"""Runs the steps of a plan: each the moment its last reference is there, side by side where nothing forbids it.

`Execution` keeps sets of step ids, and a step is in exactly one of them (but for a failed step under
``on_error="tell"``, whose failure is its evidence: it is in both):

    waiting   some evidence it refers to is not there yet (with the number that is open)
    queued    nothing is missing, but as many tools are being called as may be
    running   its tool is being called, or it follows a step that makes the very same call
    found     it has evidence
    failed    its tool failed for good
    skipped   it was not run, because evidence it needs will never come or the run is stopping

    add ──▶ waiting ──▶ queued ──▶ running ──▶ found
               │           │          └──────▶ failed
               └───────────┴─────────────────▶ skipped

For ``e2 = Join[:e0: :e1:]`` with e0 found and e1 running: waiting {e2: 1}, running {e1}, found {e0}. When e1 is
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

__all__ = ["Execution"]


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
        self._dependents: dict[str, list[str]] = {}
        self.waiting: dict[str, int] = {}
        self.queued: deque[Step] = deque()
        self.running: set[str] = set()
        self.found: dict[str, Evidence] = dict(known or {})
        self._calls = ToolCalls(services, tasks, self.found, self._abandoned)
        self.failed: dict[str, AiroError] = {}
        self.skipped: dict[str, tuple[str, ...]] = {}

    def add(self, *steps: Step) -> None:
        """Take on steps; those whose references are all there start at once, together. A step is taken on once."""
        found, waiting, dependents = self.found, self.waiting, self._dependents
        lost: list[tuple[str, tuple[str, ...]]] = []
        for step in steps:
            if step.id in found or step.id in self._steps:
                if step.id not in self._steps:
                    self._calls.know(step)
                continue
            self._steps[step.id] = step
            if self._stops and self.failed:
                waiting[step.id] = 0
                lost.append((step.id, tuple(self.failed)))
                continue
            missing = [part.id for part in step.template if part.__class__ is Ref and part.id not in found]
            if not missing:
                self.queued.append(step)
                continue
            if len(missing) > 1:
                missing = list(dict.fromkeys(missing))
            for other in missing:
                if other in dependents:
                    dependents[other].append(step.id)
                else:
                    dependents[other] = [step.id]
            waiting[step.id] = len(missing)
            if self.failed or self.skipped:
                gone = tuple(other for other in missing if other in self.failed or other in self.skipped)
                if gone:
                    lost.append((step.id, gone))
        for id, because in lost:
            self._skip(id, because)
        if self.queued and len(self.running) < self._places:
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
        self.running.add(step.id)
        self._tasks.create_task(self._run_from(step))

    def _spread(self) -> None:
        """Give the steps that are left in the queue tasks of their own, once those that run now have come to wait.

        Tools that answer at once never let it come to that: one task takes step after step.
        """
        self._spreading = True
        self._tasks.create_task(self._fill_places())

    async def _fill_places(self) -> None:
        self._spreading = False
        while self.queued and len(self.running) < self._places:
            self._start(self.queued.popleft())

    async def _run_from(self, step: Step) -> None:
        """Run a step, then go on in the same task with one of the steps that are ready."""
        running, queued, run, settle = self.running, self.queued, self._calls.run, self._settle
        task = asyncio.current_task()
        assert task is not None
        while True:
            result = await run(step, task)
            running.discard(step.id)
            settle(step, result)
            if task.cancelling():
                await self._tasks.clear_cancellation(task)
            if not queued:
                return
            step = queued.popleft()
            running.add(step.id)
            if queued and not self._spreading and len(running) < self._places:
                self._spread()

    def _abandoned(self, step: Step, failure: AiroError) -> None:
        """The step has failed, and its task is left to itself: others take over what it would go on with."""
        self.running.discard(step.id)
        self._settle(step, failure)
        if self.queued and not self._spreading:
            self._spread()

    def _settle(self, step: Step, result: Evidence | AiroError) -> None:
        """Book a step's end, and queue the steps that became ready by it."""
        if isinstance(result, AiroError):
            self.failed[step.id] = result
            if not self._tells:
                return self._lose(step.id)
            told = f"({step.tool} failed: {result.message})"
            private = self._calls.is_private(step)
            result = Evidence(step.id, step.tool, told, (), "this step failed", untrusted=True, private=private)
        self.found[step.id] = result
        waiting = self.waiting
        for id in self._dependents.pop(step.id, ()):
            count = waiting.get(id)
            if count == 1:
                del waiting[id]
                self.queued.append(self._steps[id])
            elif count is not None:
                waiting[id] = count - 1
        return None

    def _lose(self, failed: str) -> None:
        """Skip what can no longer be run after a failure: what needs the step, or everything that has not begun."""
        for id in self._dependents.pop(failed, ()):
            self._skip(id, (failed,))
        if self._stops:
            while self.queued:
                self.waiting[self.queued.popleft().id] = 0
            for id in tuple(self.waiting):
                self._skip(id, (failed,))

    def _skip(self, id: str, because: tuple[str, ...]) -> None:
        pending = [(id, because)]
        while pending:
            id, because = pending.pop()
            if self.waiting.pop(id, None) is None:
                continue
            self.skipped[id] = because
            self._emit(StepSkipped(step=id, tool=self._steps[id].tool, because=because))
            pending += [(dependent, (id,)) for dependent in self._dependents.pop(id, ())]
