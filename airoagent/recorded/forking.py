"""Rerun and fork: a new run made from a recorded one, its parent.

Rerun calls again; fork changes something first. A step that the change does not reach is not called: with the
same tool, input and evidence before it, what the record has of it still holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import replace
from difflib import get_close_matches

from airoagent.engine.context_texts import with_texts_of
from airoagent.engine.policy import Recall
from airoagent.engine.provenance import plan_is_private, plan_is_trusted
from airoagent.engine.recorder import StartingPoint
from airoagent.engine.session import Session, Watch
from airoagent.errors import StoreError, UsageError
from airoagent.events import Evidence, Origin, StepFailed, StepFinished
from airoagent.models.base import Model
from airoagent.models.catalog import open_model
from airoagent.plan.parser import parse_plan
from airoagent.plan.plans import Plan
from airoagent.plan.steps import Step
from airoagent.recorded.history import (
    RecordedStep,
    dependents,
    error_of,
    model_steps,
    parsed_text,
    purpose_of,
    recorded_steps,
)
from airoagent.records.run_record import Run
from airoagent.toolbox.tool import Tool, Toolbox


def recall_from(
    parent: Run,
    steps: Mapping[str, RecordedStep],
    again: Set[str] = frozenset(),
    given: Mapping[str, str] | None = None,
    frozen: Set[str] = frozenset(),
) -> Callable[[Run], Recall]:
    """How a new run looks up evidence in its parent's record.

    Steps in ``again`` are never recalled, ``given`` holds evidence set by hand, and steps in ``frozen`` keep their
    evidence, or their failure, whatever their input has become.
    """
    given = given or {}
    # A run that was resumed while its plan was written has forgotten what was found for the part written first.
    ends = {id: step.end.evidence for id, step in steps.items() if isinstance(step.end, StepFinished)}
    before = parent.evidence | ends

    def make(run: Run) -> Recall:
        def recall(step: Step, tool: Tool, text: str) -> tuple[Evidence, Origin] | None:
            if step.id in given:
                return Evidence(step.id, step.tool, given[step.id], note="set by hand"), "record"
            then = steps.get(step.id)
            if step.id in frozen and then is not None and isinstance(then.end, StepFailed):
                raise error_of(then.end.failure)
            if step.id in again or then is None or not isinstance(then.end, StepFinished) or then.tool != step.tool:
                return None
            if step.id in frozen:
                return then.end.evidence, "record"
            if then.input != text:
                return None
            # The same text may come from other sources now, and a tool gets the sources of its input.
            if any(run.evidence.get(id) != before.get(id) for id in step.depends_on):
                return None
            return then.end.evidence, "record"

        return recall

    return make


async def rerun(session: Session, run: str | Run, *, from_step: str | None = None, watch: Watch | None = None) -> Run:
    """`airoagent.Agent.rerun`."""
    parent = session.load(run)
    session = with_texts_of(session, parent)
    if parsed_text(parent) is None and purpose_of(parent) == "plan":
        if from_step is not None:
            raise StoreError(f"the run {parent.id} has no plan, so it cannot be run again from a step")
        return await session.run(parent.question, None, watch, StartingPoint(parent=parent.id))
    plan = _plan_of(parent, session)
    again = {step.id for step in plan.steps}
    if from_step is not None:
        again = set(dependents(plan, {step_id(plan, from_step)}))
    recall = recall_from(parent, recorded_steps(parent.events), again)
    private = plan_is_private(parent.events, session.known_tools)
    start = StartingPoint(parent=parent.id, recall=recall, plan_trusted=plan_is_trusted(parent), plan_private=private)
    return await session.run(parent.question, plan, watch, start)


async def fork(
    session: Session,
    run: str | Run,
    *,
    edit: Mapping[str, str] | None = None,
    set: Mapping[str, str] | None = None,
    plan: str | Plan | None = None,
    model: str | Model | None = None,
    watch: Watch | None = None,
) -> Run:
    """`airoagent.Agent.fork`."""
    parent = session.load(run)
    session = with_texts_of(session, parent, new_plan=plan is not None)
    if not (edit or set or plan is not None or model is not None):
        raise UsageError(
            "a fork must change something, but no change was given", "give --edit, --set, --plan or --model"
        )
    if isinstance(plan, str):
        plan = parse_plan(plan, session.known_tools)
    base = plan if plan is not None else _plan_of(parent, session)
    for step, text in (edit or {}).items():
        base = edited(base, step_id(base, step), text, session.known_tools)
    session.check_tools(step.tool for step in base.steps)
    given = {step_id(base, step): text for step, text in (set or {}).items()}
    again = model_steps(parent) if model is not None else frozenset()
    if model is not None:
        session = session.with_model(open_model(model, sampling=session.sampling) if isinstance(model, str) else model)
    recall = recall_from(parent, recorded_steps(parent.events), again, given)
    trusted = plan is not None or plan_is_trusted(parent)
    private = plan is None and plan_is_private(parent.events, session.known_tools)
    start = StartingPoint(parent=parent.id, recall=recall, plan_trusted=trusted, plan_private=private)
    return await session.run(parent.question or base.question, base, watch, start)


def _plan_of(run: Run, session: Session) -> Plan:
    """The plan as it was run, with today's tools."""
    text = parsed_text(run)
    if text is None:
        raise StoreError(f"the run {run.id} has no plan to start from", "give one with --plan FILE, or ask again")
    plan = run.plan or parse_plan(text, run.tools)
    session.check_tools(step.tool for step in plan.steps)
    return plan


def step_id(plan: Plan, word: str) -> str:
    """The step that a word means: its id, or the number of it (``2``, ``E2``, ``#E2``, ``:evidence2:``)."""
    ids = [step.id for step in plan.steps]
    number = word.strip().strip(":#").lower().removeprefix("evidence").removeprefix("e")
    id = f"evidence{number}"
    if id in ids:
        return id
    near = get_close_matches(id, ids, n=1)
    raise UsageError(
        f"the plan has no step {word!r}", f"did you mean {near[0]}?" if near else f"its steps are {', '.join(ids)}"
    )


def edited(plan: Plan, id: str, text: str, tools: Toolbox) -> Plan:
    """The plan with another input for one step, in which references are written ``:evidence0:``. PlanError as usual."""
    steps = tuple(replace(step, template=(text,)) if step.id == id else step for step in plan.steps)
    return parse_plan(replace(plan, steps=steps).to_text(), tools)
