"""Runs a plan one step, or one wave of steps, at a time; everything can be looked at and changed in between.

    session = Debugger(agent.session, plan)
    session.breakpoints.add("KnowledgeModel")
    session.proceed()              # runs until a step of that tool is next
    session.edit("evidence2", "another input :evidence0:")
    session.step()

The same engine runs the steps; between two calls nothing is under way. With a recorded run, unchanged steps take their
evidence from the record. Nothing of a session is recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from airoagent.engine.context_texts import with_texts_of
from airoagent.engine.provenance import plan_is_private, plan_is_trusted
from airoagent.engine.recorder import Recorder, StartingPoint
from airoagent.engine.reuse import Reuse
from airoagent.engine.session import Session
from airoagent.engine.sync import run_in_thread
from airoagent.engine.tasks import Tasks
from airoagent.errors import AiroError, UsageError
from airoagent.events import Event, Evidence, ModelCalled, StepFinished, StepStarted
from airoagent.plan.evidence import fill_text
from airoagent.plan.plans import Plan
from airoagent.plan.steps import Step
from airoagent.recorded.forking import edited, recall_from, step_id
from airoagent.recorded.history import dependents, recorded_steps
from airoagent.records.run_record import Run

__all__ = ["Debugger"]

E = TypeVar("E", StepStarted, StepFinished, ModelCalled)


class Debugger:
    """One session. ``found`` is the evidence so far, ``breakpoints`` holds step ids and tool names.

    ``record`` is a recorded run whose evidence unchanged steps use; ``events`` starts with those of planning.
    """

    def __init__(
        self,
        session: Session,
        plan: Plan,
        question: str = "",
        *,
        record: Run | None = None,
        events: Sequence[Event] = (),
    ) -> None:
        session = session if record is None else with_texts_of(session, record)
        self._session = session.needing(step.tool for step in plan.steps)
        self._session.check_tools(step.tool for step in plan.steps)
        self._record = record
        self._first = plan
        self.question = question or plan.question
        self.plan = plan
        self.found: dict[str, Evidence] = {}
        self.breakpoints: set[str] = set()
        self.events: list[Event] = [*(record.events if record is not None else ()), *events]
        self._undo: list[tuple[Plan, dict[str, Evidence]]] = []

    # Looking ---------------------------------------------------------------------------------------------------

    def ready(self) -> tuple[Step, ...]:
        """The steps that could be run now, in the order of the plan."""
        found = self.found
        return tuple(
            step for step in self.plan.steps if step.id not in found and all(id in found for id in step.depends_on)
        )

    @property
    def ended(self) -> bool:
        """Whether nothing is left to run."""
        return not self.ready()

    def answer(self) -> str | None:
        """The answer as far as the evidence for it is there; None before."""
        try:
            return fill_text(self.plan.final_template, self.found).strip()
        except KeyError:
            return None

    def id_of(self, word: str) -> str:
        """The step that a word means; UsageError if there is none."""
        return step_id(self.plan, word)

    def input_of(self, word: str) -> str:
        """What the step's tool was given; where it has not been run, its input as far as it can be filled in."""
        id = self.id_of(word)
        if id in self.found and (started := self._last(StepStarted, id)):
            return started.input
        template = self.plan.step(id).template
        parts = (part if isinstance(part, str) else self.found.get(part.id, part) for part in template)
        return "".join(map(str, parts))

    def prompt(self, word: str) -> str:
        """The exact text the model last read for a step, or for ``plan``; UsageError if it was not asked."""
        id = "" if word in ("plan", "") else self.id_of(word)
        if called := self._last(ModelCalled, id):
            return called.prompt
        raise UsageError(f"the model has not been asked for {id or 'a plan'}", "run the step first")

    def origin(self, id: str) -> str:
        """Where a step's evidence came from: a call, the record, or the user's hand."""
        if self.found[id].note == "set by hand":
            return "set by hand"
        finished = self._last(StepFinished, id)
        return finished.origin if finished else "call"

    def _last(self, kind: type[E], id: str) -> E | None:
        return next((event for event in reversed(self.events) if isinstance(event, kind) and event.step == id), None)

    # Running ---------------------------------------------------------------------------------------------------

    def step(self) -> tuple[Evidence, ...]:
        """Run the next step; return what it found, or raise its failure."""
        return self._run(self.ready()[:1])

    def wave(self) -> tuple[Evidence, ...]:
        """Run all steps that are ready, concurrently."""
        return self._run(self.ready())

    def proceed(self, report: Callable[[Evidence], None] | None = None) -> Step | None:
        """Run until the next step has a breakpoint and return that step, or to the end (None).

        A breakpoint at the step that is next already does not count: one has just stopped there.
        """
        passed = {step.id for step in self.ready()[:1]}
        while ready := self.ready():
            free = [step for step in ready if step.id in passed or not self._breaks(step)]
            if not free:
                return ready[0]
            for evidence in self._run(free[:1] if self.breakpoints else free):
                if report is not None:
                    report(evidence)
        return None

    def _breaks(self, step: Step) -> bool:
        return step.id in self.breakpoints or step.tool in self.breakpoints

    def _run(self, steps: Sequence[Step]) -> tuple[Evidence, ...]:
        if not steps:
            return ()
        before = (self.plan, dict(self.found))
        failed = run_in_thread(lambda: self._arun(steps))
        gained = tuple(self.found[step.id] for step in steps if step.id in self.found)
        if gained:
            self._undo.append(before)
        if failed is not None:
            raise failed
        return gained

    async def _arun(self, steps: Sequence[Step]) -> AiroError | None:
        """Run steps with the evidence so far; the first failure, if any."""
        recall = None
        if self._record is not None:
            make = recall_from(self._record, recorded_steps(self._record.events))
            now = Run(evidence=self.found)
            recall = lambda _: make(now)  # noqa: E731 - what the steps depend on is what the session has, not the recorder
        trusted = self._record is None or plan_is_trusted(self._record)
        private = plan_is_private(self.events, self._session.known_tools)
        start = StartingPoint(known=self.found, recall=recall, plan_trusted=trusted, plan_private=private)
        recorder = Recorder("", None, self.events.append, start)
        reuse = Reuse((), record=recorder.recall)
        async with Tasks() as tasks:
            execution = self._session.execution(self.question, recorder, reuse, self._session.asking(recorder), tasks)
            execution.add(*steps)
        for step in steps:
            if step.id in execution.found and step.id not in execution.failed:
                self.found[step.id] = execution.found[step.id]
        return next(iter(execution.failed.values()), None)

    # Changing --------------------------------------------------------------------------------------------------

    def edit(self, word: str, text: str) -> None:
        """Give a step another input; what it and its dependents had found is forgotten. PlanError if it cannot be."""
        id = self.id_of(word)
        plan = edited(self.plan, id, text, self._session.known_tools)
        self._keep()
        self.plan = plan
        self._forget(dependents(plan, {id}))

    def set(self, word: str, text: str) -> None:
        """Set evidence by hand instead of a call; what its dependents had found is forgotten."""
        id = self.id_of(word)
        self._keep()
        self._forget(dependents(self.plan, {id}))
        tool = self.plan.step(id).tool
        private = self._session.known_tools[tool].private
        self.found[id] = Evidence(id, tool, text, (), "set by hand", private=private)

    def undo(self) -> bool:
        """Take back the last step, wave, edit or setting; False if there was none."""
        if not self._undo:
            return False
        self.plan, self.found = self._undo.pop()
        return True

    def restart(self) -> None:
        """Start again with the original plan; breakpoints stay."""
        self._keep()
        self.plan = self._first
        self.found = {}

    def _keep(self) -> None:
        self._undo.append((self.plan, dict(self.found)))

    def _forget(self, ids: frozenset[str]) -> None:
        self.found = {id: evidence for id, evidence in self.found.items() if id not in ids}
