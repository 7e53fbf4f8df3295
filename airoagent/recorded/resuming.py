"""Resume: finish a run that was interrupted, or that failed, without repeating anything that finished."""

from __future__ import annotations

from collections.abc import Iterable

from airoagent.engine.context_texts import with_texts_of
from airoagent.engine.policy import Ask
from airoagent.engine.recorder import Recorder, StartingPoint
from airoagent.engine.results import record_of
from airoagent.engine.scheduler import Execution
from airoagent.engine.session import Session, Watch
from airoagent.errors import PlanError, StoreError
from airoagent.events import PlanRefused, StepFinished
from airoagent.plan.plans import Plan
from airoagent.recorded.forking import recall_from
from airoagent.recorded.history import RecordedStep, parsed_text, purpose_of, read_plan, recorded_steps, written_plan
from airoagent.records.run_record import Run
from airoagent.toolbox.tool import Toolbox


async def resume(session: Session, run: str | Run, *, watch: Watch | None = None) -> Run:
    """`airoagent.Agent.resume`."""
    past = session.load(run)
    if past.status == "done":
        return past
    session = with_texts_of(session, past)
    purpose, parsed = purpose_of(past), parsed_text(past)
    if purpose != "plan" and parsed is None:
        raise StoreError(
            f"the run {past.id} was stopped before the model had answered, so there is nothing to resume",
            f"ask again: airo {purpose} ...",
        )
    tools = session.known_tools
    steps = recorded_steps(past.events, of_old_plans=parsed is None and written_plan(past) is None)
    session.check_tools(step.tool for step in steps.values())
    _check_unknown_ends(past, steps.values(), tools)
    finished = {id: step.end.evidence for id, step in steps.items() if isinstance(step.end, StepFinished)}
    if parsed is None and written_plan(past) is None:
        # The plan was still being written: the model is asked again, and may write another one.
        start = StartingPoint(past=past.events, recall=recall_from(past, steps))
        return await session.run(past.question, None, watch, start)
    known = past.plan if parsed is not None else None
    session.check_tools(step.tool for step in (known.steps if known else ()))

    async def make(recorder: Recorder, ask: Ask, _: Execution) -> Plan:
        if known is not None:
            return known
        try:  # it had been written but not yet read
            plan = read_plan(past)
        except PlanError as error:
            recorder(PlanRefused(failure=record_of(error), diagnostics=error.diagnostics))
            raise
        recorder.parsed(plan)
        return plan

    return await session.run(past.question, make, watch, StartingPoint(past=past.events, known=finished))


def _check_unknown_ends(past: Run, steps: Iterable[RecordedStep], tools: Toolbox) -> None:
    for step in steps:
        if step.under_way and not tools[step.tool].repeatable:
            raise StoreError(
                f"{step.id} ({step.tool}) was in progress when the run stopped: whether it was completed is unknown, "
                f"and {step.tool} may not be called twice for one step",
                f"give its result: airo fork {past.id} --set {step.id}=TEXT; or call it again: "
                f"airo rerun {past.id} --from {step.id}",
            )
