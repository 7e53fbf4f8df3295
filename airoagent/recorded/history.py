"""What a record says about each step and about the plan, for replay, resume, rerun and fork.

Pure functions from a `Run` that has its events.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import replace

from airoagent import errors
from airoagent.engine.reuse import Reuse
from airoagent.errors import AiroError, StoreError
from airoagent.events import (
    AttemptFailed,
    Event,
    Failure,
    ModelCalled,
    PlanParsed,
    PlanRefused,
    PlanWritten,
    Replanned,
    RunResumed,
    StepFailed,
    StepFinished,
    StepSkipped,
    StepStarted,
)
from airoagent.frozen import frozen
from airoagent.plan.plans import Plan
from airoagent.records.run_record import Run


@frozen
class RecordedStep:
    """The last that the record has of a step; ``asked``: a model was asked for it.

    ``input`` is None if the step never started; ``end`` is None if its last attempt has no end or was stopped half-way.
    """

    id: str
    tool: str
    input: str | None = None
    end: StepFinished | StepFailed | StepSkipped | None = None
    under_way: bool = False
    asked: bool = False


def recorded_steps(events: Iterable[Event], *, of_old_plans: bool = False) -> dict[str, RecordedStep]:
    """The steps of a record by id. What was skipped or failed before the run was resumed is not counted.

    Nor are steps of a plan that was never written to its end and asked for again, but for ``of_old_plans``.
    """
    steps: dict[str, RecordedStep] = {}
    asked: set[str] = set()
    replaced: Event | None = None  # what says that another plan takes the place of the one before
    for event in events:
        match event:
            case StepStarted():
                steps[event.step] = RecordedStep(event.step, event.tool, event.input, None, True)
                asked.discard(event.step)
            case ModelCalled():
                asked.add(event.step)
            case StepFinished() | StepFailed() | AttemptFailed():
                before = steps.get(event.step)
                text = None if before is None else before.input
                step = RecordedStep(event.step, event.tool, text)
                if not isinstance(event, AttemptFailed):
                    step = replace(step, end=event, asked=event.step in asked)
                steps[event.step] = step
            case StepSkipped():
                steps[event.step] = RecordedStep(event.step, event.tool, None, event)
            case PlanRefused() if event.retry:
                replaced = event
            case RunResumed() | Replanned():
                for id in [id for id, step in steps.items() if isinstance(step.end, StepFailed | StepSkipped)]:
                    del steps[id]
                if isinstance(event, RunResumed) and event.afresh and not of_old_plans:
                    steps.clear()
                if isinstance(event, Replanned):
                    replaced = event
                elif event.afresh and isinstance(replaced, PlanRefused):
                    replaced = None
            case PlanWritten() if replaced:  # its steps may have the ids of others in the plan before
                replaced = None
                steps.clear()
            case _:  # StepCancelled, too: how far the call got is not known, so it has no end
                continue
    return steps


def error_of(failure: Failure) -> AiroError:
    """The error that went on record as this failure."""
    known = getattr(errors, failure.kind, None)
    if isinstance(known, type) and issubclass(known, AiroError):
        return known(failure.message, failure.hint, failure.exit_code)
    return AiroError(failure.message, failure.hint, failure.exit_code)


def purpose_of(run: Run) -> str:
    """What the model was first asked for: ``plan``, ``call``, ``think`` or ``code``; ``plan`` by default."""
    asked = (event.purpose for event in run.events if isinstance(event, ModelCalled) and not event.step)
    return next(asked, "plan")


def written_plan(run: Run) -> str | None:
    """The plan's text as it was written, whole; None where the record has only a part of it, or none.

    Nor is there one where a new plan was to be written and has not been.
    """
    for event in reversed(run.events):
        if isinstance(event, Replanned) or (isinstance(event, PlanRefused) and event.retry):
            return None
        if isinstance(event, PlanWritten):
            return event.text
    return None


def read_plan(run: Run) -> Plan:
    """Read the plan's text as it was read then, with the same tools; PlanError as then, StoreError without a text."""
    text = written_plan(run)
    if text is None:
        raise StoreError(
            f"the run {run.id} ended before its plan was written"
            + (f": {run.failure.message}" if run.failure is not None else ""),
            f"let it finish first: airo resume {run.id}",
        )
    offered = run.setting("offered")
    # A plan that was given may call any known tool; what the model writes is read with those it was offered.
    asked = [event for event in run.events if isinstance(event, ModelCalled) and event.purpose == "plan"]
    finish = next((event.finish for event in reversed(asked) if event.finish != "failed"), "stop")
    # Of a text in which the model went round in circles, the plan before the circle may have been taken.
    refused = next((event.failure.kind for event in reversed(run.events) if isinstance(event, PlanRefused)), "")
    cut = finish == "length" or (finish == "repetition" and refused == "truncated")
    names = offered.split(", ") if offered and asked else run.tools
    return Reuse(names, past=run.events).read(text, cut)


def parsed_text(run: Run) -> str | None:
    """The plan as it was run, in canonical text; None where it was refused or never read."""
    for event in reversed(run.events):
        if isinstance(event, PlanParsed):
            return event.text
        if isinstance(event, PlanRefused | PlanWritten | Replanned):
            return None
    return None


def model_steps(run: Run) -> frozenset[str]:
    """The steps whose tools ask the model.

    The tool decides, since a step that was recalled, or that shared another's call, has no model call of its own.
    """
    steps = recorded_steps(run.events).values()
    tools = model_tools(steps)
    return frozenset(step.id for step in steps if step.tool in tools)


def model_tools(steps: Iterable[RecordedStep]) -> frozenset[str]:
    """The tools that asked the model for any of these steps, and `KnowledgeModel`, which always does."""
    return frozenset({"KnowledgeModel", *(step.tool for step in steps if step.asked)})


def dependents(plan: Plan, steps: Set[str]) -> frozenset[str]:
    """The steps and all that needs their evidence, directly or not."""
    found = set(steps)
    while more := {step.id for step in plan.steps if step.id not in found and not found.isdisjoint(step.depends_on)}:
        found |= more
    return frozenset(found)
