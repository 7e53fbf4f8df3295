"""Rerun and fork: a new run made from a recorded one, its parent.

Rerun calls again; fork changes something first. Either way a step that the change does not reach is not called: same
tool, same input, same evidence before it, so what the record has of it still holds. The functions here are the methods
of `Agent` that bear their names.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Set
from dataclasses import replace
from difflib import get_close_matches
from typing import TypeVar

from airoagent.engine.door import run_in_thread
from airoagent.engine.given import with_texts_of
from airoagent.engine.history import (
    RecordedStep,
    dependents,
    model_steps,
    output_of,
    parsed_text,
    plan_is_trusted,
    purpose_of,
    recorded_steps,
)
from airoagent.engine.host import Host, Watch, check_tools, load
from airoagent.engine.policy import Recall
from airoagent.engine.record import Run
from airoagent.engine.recorder import Beginning
from airoagent.errors import StoreError, UsageError
from airoagent.events import Origin, StepFinished
from airoagent.language.parse import parse_plan
from airoagent.language.plan import Plan, Step
from airoagent.models.base import Model
from airoagent.toolbox.tool import Tool, Toolbox, ToolOutput

__all__ = ["afork", "arerun", "edited", "fork", "recall_from", "rerun", "step_id"]

H = TypeVar("H", bound=Host)


def recall_from(
    parent: Run,
    steps: Mapping[str, RecordedStep],
    again: Set[str] = frozenset(),
    given: Mapping[str, str] | None = None,
    frozen: Set[str] = frozenset(),
) -> Callable[[Run], Recall]:
    """How a new run looks up evidence in its parent's record.

    Steps in ``again`` are never recalled, ``given`` holds evidence set by hand, and steps in ``frozen`` keep their
    evidence whatever their input has become.
    """
    given = given or {}

    def make(run: Run) -> Recall:
        def recall(step: Step, tool: Tool, text: str) -> tuple[ToolOutput, Origin] | None:
            if step.id in given:
                return ToolOutput(given[step.id], note="set by hand"), "record"
            then = steps.get(step.id)
            if step.id in again or then is None or not isinstance(then.end, StepFinished) or then.tool != step.tool:
                return None
            if step.id in frozen:
                return output_of(then.end)
            if then.input != text:
                return None
            # The same text may come from other sources now, and a tool is told the sources of its input.
            if any(run.evidence.get(id) != parent.evidence.get(id) for id in step.depends_on):
                return None
            return output_of(then.end)

        return recall

    return make


def rerun(agent: Host, run: str | Run, *, from_step: str | None = None, watch: Watch | None = None) -> Run:
    """Call the steps of a recorded plan again, in a new run; with ``from_step`` only that one and what depends on it.

    The plan stays as it was (to have a new one, ask again); a run that never had a plan asks its question again.
    """
    return run_in_thread(lambda: arerun(agent, run, from_step=from_step, watch=watch))


async def arerun(agent: Host, run: str | Run, *, from_step: str | None = None, watch: Watch | None = None) -> Run:
    """The same, to be awaited."""
    parent = load(agent, run)
    agent = with_texts_of(agent, parent)
    if parsed_text(parent) is None and purpose_of(parent) == "plan":
        if from_step is not None:
            raise StoreError(f"the run {parent.id} has no plan, so there is no step to call again from")
        return await agent._drive(parent.question, None, watch, Beginning(parent=parent.id))
    plan = _plan_of(parent, agent)
    again = {step.id for step in plan.steps}
    if from_step is not None:
        again = set(dependents(plan, {step_id(plan, from_step)}))
    recall = recall_from(parent, recorded_steps(parent.events), again)
    beginning = Beginning(parent=parent.id, recall=recall, plan_trusted=plan_is_trusted(parent))
    return await agent._drive(parent.question, plan, watch, beginning)


def fork(
    agent: Host,
    run: str | Run,
    *,
    edit: Mapping[str, str] | None = None,
    set: Mapping[str, str] | None = None,
    plan: str | Plan | None = None,
    model: str | Model | None = None,
    watch: Watch | None = None,
) -> Run:
    """Change something in a recorded run and see what comes of it, in a new run that names this one as its parent.

    ``edit`` gives steps another input, ``set`` gives them evidence in place of a call, ``plan`` is another plan,
    ``model`` another model for the steps that ask one. Only what the change reaches is called; the rest is recalled.
    UsageError for a step that is not there, PlanError for an edit that makes the plan impossible.
    """
    return run_in_thread(lambda: afork(agent, run, edit=edit, set=set, plan=plan, model=model, watch=watch))


async def afork(
    agent: Host,
    run: str | Run,
    *,
    edit: Mapping[str, str] | None = None,
    set: Mapping[str, str] | None = None,
    plan: str | Plan | None = None,
    model: str | Model | None = None,
    watch: Watch | None = None,
) -> Run:
    """The same, to be awaited."""
    parent = load(agent, run)
    agent = with_texts_of(agent, parent, new_plan=plan is not None)
    if not (edit or set or plan is not None or model is not None):
        raise UsageError("a fork changes something, and nothing was given", "--edit, --set, --plan or --model")
    if isinstance(plan, str):
        plan = parse_plan(plan, agent.known_tools)
    base = plan if plan is not None else _plan_of(parent, agent)
    for step, text in (edit or {}).items():
        base = edited(base, step_id(base, step), text, agent.known_tools)
    check_tools((step.tool for step in base.steps), agent.known_tools)
    given = {step_id(base, step): text for step, text in (set or {}).items()}
    again = model_steps(parent) if model is not None else frozenset()
    host = agent if model is None else _with_model(agent, model)
    recall = recall_from(parent, recorded_steps(parent.events), again, given)
    trusted = plan is not None or plan_is_trusted(parent)
    beginning = Beginning(parent=parent.id, recall=recall, plan_trusted=trusted)
    return await host._drive(parent.question or base.question, base, watch, beginning)


def _with_model(agent: H, model: str | Model) -> H:
    """The same agent with another model."""
    from airoagent.models.catalog import open_model

    other = copy.copy(agent)
    opened = open_model(model, sampling=getattr(agent, "sampling", None)) if isinstance(model, str) else model
    other.model = opened  # type: ignore[attr-defined]
    return other


def _plan_of(run: Run, agent: Host) -> Plan:
    """The plan as it was run, with today's tools."""
    text = parsed_text(run)
    if text is None:
        raise StoreError(f"the run {run.id} has no plan to go on from", "give one with --plan FILE, or ask again")
    plan = run.plan or parse_plan(text, run.tools)
    check_tools((step.tool for step in plan.steps), agent.known_tools)
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
    """The plan with another input for one step, in which references are written ``:evidence0:``; PlanError as ever."""
    steps = tuple(replace(step, template=(text,)) if step.id == id else step for step in plan.steps)
    return parse_plan(replace(plan, steps=steps).to_text(), tools)
