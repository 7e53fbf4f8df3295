"""Why a run answered what it did: the walk back from the answer, and the test of the evidence it is based on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from airoagent.engine.context_texts import with_texts_of
from airoagent.engine.recorder import StartingPoint
from airoagent.engine.session import Session
from airoagent.errors import StoreError
from airoagent.events import Source, StepFinished, StepStarted
from airoagent.frozen import frozen
from airoagent.plan.plans import Plan
from airoagent.plan.steps import references
from airoagent.recorded.forking import recall_from
from airoagent.recorded.history import model_steps, recorded_steps
from airoagent.records.run_record import Run

Change = Literal["remove", "swap"]


@frozen
class Ground:
    """One step that the answer is based on: ``depth`` steps away from it, reached from the steps in ``used_by``.

    ``sources`` are the pages with the passage each is cited for; ``origin`` is where the evidence came from.
    """

    step: str
    depth: int
    used_by: tuple[str, ...]
    tool: str
    thought: str
    input: str
    evidence: str
    sources: tuple[Source, ...]
    origin: str
    note: str


def why(run: Run) -> tuple[Ground, ...]:
    """What the answer is based on, nearest first; other steps are left out.

    StoreError if the run has no answer.
    """
    plan = _plan_of(run)
    inputs = {event.step: event.input for event in run.events if isinstance(event, StepStarted)}
    origins = {event.step: event.origin for event in run.events if isinstance(event, StepFinished)}
    grounds = []
    for id, depth in _depths(plan).items():
        found = run.evidence.get(id)
        if found is None:
            continue
        step = plan.step(id)
        used_by = tuple(other.id for other in plan.steps if id in other.depends_on)
        if id in references(plan.final_template):
            used_by = ("answer", *used_by)
        text, origin = inputs.get(id, step.input), origins.get(id, "call")
        grounds.append(
            Ground(id, depth, used_by, step.tool, step.thought, text, found.text, found.sources, origin, found.note)
        )
    return tuple(grounds)


def _plan_of(run: Run) -> Plan:
    if run.status != "done" or run.plan is None:
        reason = run.failure.message if run.failure is not None else f"it is {run.status}"
        raise StoreError(f"the run {run.id} has no answer from a plan to explain: {reason}", "see: airo runs show")
    return run.plan


def _depths(plan: Plan) -> dict[str, int]:
    """The steps the answer needs, in order of how many steps they are away from it."""
    depths: dict[str, int] = {}
    level: Iterable[str] = references(plan.final_template)
    depth = 1
    while level := [id for id in dict.fromkeys(level) if id not in depths]:
        depths.update(dict.fromkeys(level, depth))
        level = [other for id in level for other in plan.step(id).depends_on]
        depth += 1
    return depths


@frozen
class Trial:
    """The answer without the evidence of one step, or with that of the step ``swapped_with``.

    ``answer`` is None if there was none; ``flips``: it is not the answer on record.
    """

    step: str
    tool: str
    change: Change
    swapped_with: str
    answer: str | None
    flips: bool


async def bisect(session: Session, run: str | Run, *, change: Change = "remove") -> tuple[Trial, ...]:
    """Take away (or swap) the evidence of one step at a time, in the order of the plan, and compare the answers.

    No tool is called: only the model's steps that the change reaches are repeated. The first trial that flips names the
    first step that the answer depends on. Nothing is recorded.
    """
    past = session.load(run)
    session = with_texts_of(session, past)
    plan = _plan_of(past)
    session.check_tools(step.tool for step in plan.steps)
    needed = _depths(plan)
    asked, steps = model_steps(past), recorded_steps(past.events)
    session = session.without_record()
    tested = [step for step in plan.steps if step.id in needed and step.id in past.evidence]
    looked_up = [step.id for step in tested if step.id not in asked]
    trials = []
    for step in tested:
        other = _other(step.id, looked_up) if change == "swap" else ""
        if change == "swap" and not other:
            continue
        text = past.evidence[other].text if other else ""
        recall = recall_from(past, steps, given={step.id: text}, frozen=frozenset(steps) - asked)
        again = await session.run(past.question, plan, None, StartingPoint(parent=past.id, recall=recall))
        trials.append(Trial(step.id, step.tool, change, other, again.answer, again.answer != past.answer))
    return tuple(trials)


def first_flip(trials: Iterable[Trial]) -> Trial | None:
    """The first trial that changed the answer."""
    return next((trial for trial in trials if trial.flips), None)


def _other(id: str, ids: list[str]) -> str:
    """The next of the steps that looked something up, after this one; "" for one that did not, or is alone."""
    if id not in ids or len(ids) < 2:
        return ""
    return ids[(ids.index(id) + 1) % len(ids)]
