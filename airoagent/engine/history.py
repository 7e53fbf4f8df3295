"""What a record says about each step, and the things that replay, resume, rerun and fork all ask of it.

Pure functions from a `Run` that has its events.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set

from airoagent import errors
from airoagent.engine.record import Run
from airoagent.errors import AiroError, StoreError
from airoagent.events import (
    AttemptFailed,
    Event,
    Failure,
    ModelCalled,
    Origin,
    PlanParsed,
    PlanRefused,
    PlanWritten,
    RunResumed,
    StepCancelled,
    StepFailed,
    StepFinished,
    StepSkipped,
    StepStarted,
)
from airoagent.language.parse import PlanParser
from airoagent.language.plan import Plan
from airoagent.records import record
from airoagent.toolbox.tool import ToolOutput

__all__ = [
    "RecordedStep",
    "dependents",
    "error_of",
    "output_of",
    "parsed_text",
    "purpose_of",
    "read_plan",
    "recorded_steps",
    "setting",
    "written_plan",
]


@record
class RecordedStep:
    """The last that the record has of a step; ``asked``: a model was asked for it.

    ``input`` is None where the step was never begun; ``end`` is None where its last attempt has no end, or where that
    attempt was stopped half-way.
    """

    id: str
    tool: str
    input: str | None = None
    end: StepFinished | StepFailed | StepSkipped | None = None
    under_way: bool = False
    asked: bool = False


def recorded_steps(events: Iterable[Event]) -> dict[str, RecordedStep]:
    """The steps of a record by id. What was skipped or failed before the run was resumed is not counted."""
    steps: dict[str, RecordedStep] = {}
    asked: set[str] = set()
    for event in events:
        match event:
            case StepStarted():
                steps[event.step] = RecordedStep(event.step, event.tool, event.input, None, True)
                asked.discard(event.step)
            case ModelCalled():
                asked.add(event.step)
            case StepFinished() | StepFailed():
                before = steps.get(event.step)
                text = None if before is None else before.input
                steps[event.step] = RecordedStep(event.step, event.tool, text, event, False, event.step in asked)
            case StepSkipped():
                steps[event.step] = RecordedStep(event.step, event.tool, None, event)
            case AttemptFailed():
                before = steps.get(event.step)
                text = None if before is None else before.input
                steps[event.step] = RecordedStep(event.step, event.tool, text)
            case RunResumed():
                for id in [id for id, step in steps.items() if isinstance(step.end, StepFailed | StepSkipped)]:
                    del steps[id]
            case StepCancelled():  # as good as without an end: how far the call got is not known
                continue
            case _:
                continue
    return steps


def output_of(event: StepFinished) -> tuple[ToolOutput, Origin]:
    """What the tool gave then, as evidence that comes from the record."""
    output = ToolOutput(event.text, event.sources, event.note, event.answered, event.untrusted, event.written)
    return output, "record"


def error_of(failure: Failure) -> AiroError:
    """The error that went on record as this failure."""
    known = getattr(errors, failure.kind, None)
    if isinstance(known, type) and issubclass(known, AiroError):
        return known(failure.message, failure.hint, failure.exit_code)
    return AiroError(failure.message, failure.hint, failure.exit_code)


def setting(run: Run, name: str, default: str = "") -> str:
    """A setting that the run was begun with."""
    for event in run.events:
        for key, value in getattr(event, "settings", ()):
            if key == name:
                return str(value)
    return default


def purpose_of(run: Run) -> str:
    """What the model was first asked for: ``plan``, ``call``, ``think`` or ``code``; ``plan`` where it was not asked."""
    for event in run.events:
        if isinstance(event, ModelCalled) and not event.step:
            return event.purpose
    return "plan"


def written_plan(run: Run) -> str | None:
    """The plan's text as it was written, whole; None where the record has only a part of it, or none."""
    texts = [event.text for event in run.events if isinstance(event, PlanWritten)]
    return texts[-1] if texts else None


def read_plan(run: Run) -> Plan:
    """Read the plan's text as it was read then, with the same tools; PlanError as then, StoreError without a text."""
    text = written_plan(run)
    if text is None:
        raise StoreError(
            f"the run {run.id} ended before its plan was written"
            + (f": {run.failure.message}" if run.failure is not None else ""),
            f"let it finish first: airo resume {run.id}",
        )
    offered = setting(run, "offered")
    cut = any(isinstance(event, ModelCalled) and not event.step and event.finish == "length" for event in run.events)
    # A plan that was given may call any known tool; what the model writes is read with those it was offered.
    asked = any(isinstance(event, ModelCalled) and not event.step for event in run.events)
    parser = PlanParser(offered.split(", ") if offered and asked else run.tools)
    parser.feed(text)
    return parser.finish(truncated=cut)


def parsed_text(run: Run) -> str | None:
    """The plan as it was run, in canonical text; None where it was refused or never read."""
    for event in reversed(run.events):
        if isinstance(event, PlanParsed):
            return event.text
        if isinstance(event, PlanRefused):
            return None
    return None


def dependents(plan: Plan, steps: Set[str]) -> frozenset[str]:
    """The steps and all that needs their evidence, directly or not."""
    needs: Mapping[str, tuple[str, ...]] = {step.id: step.depends_on for step in plan.steps}
    found = set(steps)
    waiting = True
    while waiting:
        more = {id for id, ids in needs.items() if id not in found and not found.isdisjoint(ids)}
        found |= more
        waiting = bool(more)
    return frozenset(found)
