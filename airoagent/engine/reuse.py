"""What one run can do without calling: what a record tells, what its earlier plans found, what the cache holds.

After a failure the model may write a new plan (``replan``). It is told the steps that have been done, and its plan may

- begin anew: a step that makes a call made before gets what that call gave, whatever its number is now;
- go on: a reference to an id that the new plan does not assign means the earlier step of that id, which becomes a step
  of the new plan. Where the new plan gives a number of an earlier step to another, its own step has it, and the
  earlier one, should a third be made of it, another number.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import replace

from airoagent.engine.policy import Keep, Recall
from airoagent.engine.tool_cache import ToolCache
from airoagent.errors import PlanError
from airoagent.events import Event, Evidence, InputEdited, Origin, Replanned, StepFailed, StepFinished, StepStarted
from airoagent.plan.parser import PlanParser
from airoagent.plan.plans import Plan
from airoagent.plan.steps import Ref, Step, Template
from airoagent.prompts.plan_prompts import known_so_far
from airoagent.records.run_record import Run
from airoagent.toolbox.tool import Tool, ToolOutput

_Call = tuple[str, str]  # a tool's name and the input it was called with


_NOTHING = Plan(())


class Reuse:
    """Knows what need not be called for in a run. ``tools`` (or their names) are those its plans may call.

    ``past`` are the events of a run that goes on: what its earlier plans found is known again.
    """

    def __init__(
        self,
        tools: Collection[object],
        cache: ToolCache | None = None,
        record: Recall | None = None,
        past: Sequence[Event] = (),
    ) -> None:
        self._tools = tools
        self._cache = cache
        self._record = record
        self._found: dict[_Call, Evidence] = {}
        self._failed: dict[str, str] = {}
        # What was found before the run was stopped: a step that was to share another's call still does.
        self._past = _found_in(past) if past else {}
        self._done = _NOTHING
        self._calls: dict[str, _Call] = {}  # of the steps that have been done
        self._texts: dict[str, str] = {}
        self.begun = False
        for number, event in enumerate(past):
            if isinstance(event, Replanned):
                self.remember(Run.from_events(past[:number]), past[:number])

    def remember(self, run: Run, events: Iterable[Event]) -> None:
        """Keep what has been found up to the failure of a plan."""
        events = tuple(events)
        self._found |= _found_in(events)
        inputs: dict[str, str] = {}
        for event in events:
            if isinstance(event, StepStarted):
                inputs[event.step] = event.input
            elif isinstance(event, StepFailed):
                self._failed[f"{event.tool}[{inputs[event.step]}]"] = event.failure.message
        if run.plan is not None:
            steps = run.plan.steps
        else:  # a first plan that could not be read may have begun: what was certain of it has its evidence
            steps = () if self.begun else tuple(PlanParser(self._tools).feed(run.plan_text))
        self.begun = True
        done = [step for step in steps if step.id in run.evidence]
        calls = {step.id: (step.tool, inputs.get(step.id, step.input)) for step in done}
        older, numbers = self._older({call: id for id, call in calls.items()}, {step.id for step in steps})
        self._calls = calls | {numbers[id]: call for id, call in self._calls.items()}
        self._texts = {numbers[id]: text for id, text in self._texts.items()}
        self._texts |= {step.id: run.evidence[step.id].text for step in done}
        self._done = Plan((*done, *older))

    def _older(self, now: Mapping[_Call, str], taken: Set[str]) -> tuple[tuple[Step, ...], dict[str, str]]:
        """The steps done for plans before this one that it has not made again, and the id each of them has now."""
        numbers: dict[str, str] = {}
        kept: list[Step] = []
        used = taken | {step.id for step in self._done.steps}
        for step in self._done.steps:
            same = now.get(self._calls[step.id])
            numbers[step.id] = same or step.id
            if same is None:
                kept.append(step)
                if step.id in taken:
                    numbers[step.id] = free_id(used)
                    used |= {numbers[step.id]}
        return tuple(_renumbered(step, numbers) for step in kept), numbers

    @property
    def done(self) -> Plan:
        """The steps that have been done so far, for a new plan to go on from."""
        return self._done

    def known(self) -> str:
        """What the model is told before it writes the next plan."""
        steps = self._done.steps
        following = 1 + max((_number(step.id) for step in steps), default=-1)
        done = [(f":{step.id}: = {step.tool}[{step.input}]", self._texts[step.id]) for step in steps]
        return known_so_far(done, tuple(self._failed.items()), following)

    def read(self, text: str, truncated: bool) -> Plan:
        """The plan that a text means, which may go on from the steps that have been done; PlanError if it is none."""
        alone = PlanParser(self._tools)
        alone.feed(text)
        try:
            return alone.finish(truncated)
        except PlanError as error:
            others = {found.kind for found in error.diagnostics if not found.repair} - {"undefined_reference"}
            if others or not self._done.steps:
                raise
        taken = frozenset(alone.assigned)
        used = taken | {step.id for step in self._done.steps}
        numbers: dict[str, str] = {}
        for step in self._done.steps:
            if step.id in taken:
                numbers[step.id] = free_id(used)
                used |= {numbers[step.id]}
        before = Plan(tuple(_renumbered(step, numbers) for step in self._done.steps)).to_text()
        parser = PlanParser(self._tools)
        parser.feed(before)
        parser.feed(text)
        try:
            return parser.finish(truncated)
        except PlanError as error:
            lines = before.count("\n")
            error.text = text
            error.diagnostics = tuple(
                replace(found, line=found.line - lines) for found in error.diagnostics if found.line > lines
            )
            raise

    def knowing_calls(self, events: Iterable[Event]) -> Recall:
        """`Services.recall` that also knows what the calls of these events gave, whatever plan they were made for."""
        self._found |= _found_in(events)
        return self.recall

    @property
    def services(self) -> tuple[Recall | None, Keep | None]:
        """`Services.recall` and `Services.keep` of the next plan; None where there is nothing to know or to keep."""
        knows = self._record or self._found or self._past or self._cache
        return self.recall if knows else None, self.keep if self._cache else None

    def recall(self, step: Step, tool: Tool, text: str) -> tuple[Evidence, Origin] | None:
        """The output of this very call, if it is known."""
        told = None if self._record is None else self._record(step, tool, text)
        if told is not None:
            return told
        known = self._found.get((tool.name, text))
        if known is None and tool.repeatable and not tool.side_effects and not tool.context_parameter:
            known = self._past.get((tool.name, text))
        if known is not None:
            return known, "shared"
        return None if self._cache is None else self._cache.recall(step, tool, text)

    def keep(self, step: Step, tool: Tool, text: str, output: ToolOutput) -> None:
        """A call gave this."""
        if self._cache is not None:
            self._cache.keep(step, tool, text, output)


def _found_in(events: Iterable[Event]) -> dict[_Call, Evidence]:
    """What each call gave."""
    found: dict[_Call, Evidence] = {}
    inputs: dict[str, str] = {}
    edited: dict[str, str] = {}
    for event in events:
        if isinstance(event, StepStarted):
            inputs[event.step] = event.input
            edited.pop(event.step, None)
        elif isinstance(event, InputEdited):
            edited[event.step] = event.input
        elif isinstance(event, StepFinished) and event.step in inputs:  # a damaged record may lack its start
            found[event.tool, inputs[event.step]] = event.evidence
            if event.step in edited:  # the user has put this in the place of that
                found[event.tool, edited[event.step]] = event.evidence
    return found


def _number(id: str) -> int:
    return int(id.removeprefix("evidence"))


def free_id(used: Iterable[str]) -> str:
    """The id of a step after those that are used."""
    return f"evidence{1 + max(map(_number, used))}"


def _renumbered(step: Step, numbers: Mapping[str, str]) -> Step:
    """The step with other ids, its own and those it refers to."""
    template: Template = tuple(
        Ref(numbers.get(part.id, part.id)) if isinstance(part, Ref) else part for part in step.template
    )
    return replace(step, id=numbers.get(step.id, step.id), template=template)
