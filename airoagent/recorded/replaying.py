"""Replay: a run again from its record alone, by today's code; no model, no tool, no network.

What the runtime itself does is done again: the plan's text is read, references are filled, the answer is put together.
If anything differs from the record, replay ends with a StoreError that names it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from airoagent.engine.conclusion import conclude
from airoagent.engine.planning import prose_in, with_reader
from airoagent.engine.policy import Policy, Services
from airoagent.engine.recorder import Recorder
from airoagent.engine.results import record_of
from airoagent.engine.scheduler import Execution
from airoagent.engine.session import Watch
from airoagent.engine.structured import answer_schema
from airoagent.engine.sync import run_in_thread
from airoagent.engine.tasks import Tasks
from airoagent.errors import AiroError, PlanError, StoreError, ToolError
from airoagent.events import (
    Evidence,
    ModelCalled,
    Origin,
    PlanRefused,
    PlanWritten,
    RunFinished,
    RunStarted,
    Source,
    StepFailed,
    StepFinished,
    StepSkipped,
)
from airoagent.models.base import Completion
from airoagent.plan.parser import parse_plan
from airoagent.plan.plans import Plan
from airoagent.plan.steps import Step
from airoagent.prompts.chat import Style
from airoagent.prompts.own_text import own_text
from airoagent.recorded.history import (
    RecordedStep,
    error_of,
    parsed_text,
    purpose_of,
    read_plan,
    recorded_steps,
    written_plan,
)
from airoagent.records.run_record import Run
from airoagent.toolbox.tool import Tool, Toolbox
from airoagent.web.fetch import Fetcher


async def areplay(run: Run, *, watch: Watch | None = None) -> Run:
    """The run again, from its record; its answer (or failure) is the same to the byte. Nothing is recorded.

    StoreError if the record is of a run that has not ended, or if today's code would do anything else.
    """
    if run.status not in ("done", "failed") or (run.failure is not None and run.failure.kind == "LimitReached"):
        raise StoreError(
            f"the run {run.id} was stopped before its end, so it cannot be replayed",
            f"finish it first: airo resume {run.id}",
        )
    recorder = Recorder(run.id, None, watch)
    began = time.perf_counter()
    recorder(RunStarted(run=run.id, question=run.question, model=run.model, tools=run.tools, parent=run.parent))
    answer: str | None = None
    sources: tuple[Source, ...] = ()
    error: AiroError | None = None
    try:
        answer, sources = await _answer(run, recorder)
    except StoreError:
        raise
    except AiroError as failure:
        error = failure
    recorder(
        RunFinished(
            status="failed" if error else "done",
            answer=answer,
            sources=sources,
            usage=recorder.run.usage,
            seconds=time.perf_counter() - began,
            failure=record_of(error) if error else None,
        )
    )
    again = recorder.finished()
    _compare_ends(run, again)
    return again


def replay(run: Run, *, watch: Watch | None = None) -> Run:
    """The synchronous `areplay`."""
    return run_in_thread(lambda: areplay(run, watch=watch))


def _compare_ends(run: Run, again: Run) -> None:
    if again.answer != run.answer or again.status != run.status:
        raise StoreError(
            f"replay of {run.id} ends differently: {_shown(again)}; the record has {_shown(run)}",
            "the code that puts the answer together has changed since",
        )
    if again.sources != run.sources:
        raise StoreError(
            f"replay of {run.id} names different sources for its answer",
            "the code that collects sources has changed since",
        )
    if run.failure is not None and again.failure is not None and again.failure.message != run.failure.message:
        raise StoreError(
            f"replay of {run.id} fails differently: {again.failure.message!r}; the record has {run.failure.message!r}",
            "the code has changed since",
        )


def _shown(run: Run) -> str:
    if run.answer is not None:
        return repr(run.answer if len(run.answer) <= 200 else run.answer[:200] + "...")
    return f"no answer ({run.failure.message})" if run.failure is not None else "no answer"


async def _answer(run: Run, recorder: Recorder) -> tuple[str, tuple[Source, ...]]:
    purpose = purpose_of(run)
    if purpose in ("think", "code"):
        return _concluded(run, purpose), ()
    try:
        plan = _plan(run, recorder, purpose)
    except PlanError as error:
        if prose := prose_in(error):
            return _in_form(run, recorder, prose), ()
        raise
    answer, sources = await _steps(run, plan, recorder)
    return _in_form(run, recorder, answer), sources


def _in_form(run: Run, recorder: Recorder, answer: str) -> str:
    """The answer as JSON where the run had a schema, read again from what the model wrote."""
    schema = run.setting("schema")
    if not schema or not recorder.run.answers(answer):
        return answer
    if run.failure is not None:
        raise error_of(run.failure)
    written = next(event for event in reversed(run.events) if isinstance(event, ModelCalled))
    return answer_schema(schema).read(written.text, written.finish != "stop")


def _concluded(run: Run, purpose: str) -> str:
    """The answer that is read from what a model wrote."""
    from airoagent.engine.function_call import concluded

    for event in reversed(run.events):
        if isinstance(event, ModelCalled) and not event.step:
            if run.failure is not None:
                raise error_of(run.failure)
            return concluded(own_text(event.text), "code" if purpose == "code" else "think").strip()
    raise StoreError(f"the record of {run.id} lacks what the model wrote", "was the trace edited?")


def _plan(run: Run, recorder: Recorder, purpose: str) -> Plan:
    """The plan, read again and compared with the plan that was run."""
    then = parsed_text(run)
    if purpose == "call":
        # The call was checked against functions that the record does not have: the plan made of it is taken as it is.
        if then is None:
            if run.failure is not None:
                raise error_of(run.failure)
            raise StoreError(f"the call of {run.id} was only written, not made: there is nothing to replay")
        plan = parse_plan(then, run.tools)
        recorder.parsed(plan)
        return plan
    recorder(PlanWritten(text=written_plan(run) or ""))
    try:
        plan = read_plan(run)
    except PlanError as error:
        if then is not None:
            raise StoreError(
                f"replay of {run.id} differs at the plan: it is refused today ({error.message})",
                "the parser has changed since",
            ) from error
        refused = next(event for event in reversed(run.events) if isinstance(event, PlanRefused))
        error.diagnostics += tuple(found for found in refused.diagnostics if found.kind == "prose")
        recorder(PlanRefused(failure=record_of(error), diagnostics=error.diagnostics))
        raise
    if then is None:
        raise StoreError(f"replay of {run.id} differs at the plan: it was refused then and is accepted today")
    if plan.to_text() != then:
        plan = with_reader(plan, run.question, run.tools)
    if plan.to_text() != then:
        raise StoreError(
            f"replay of {run.id} differs at {_first_difference(plan, parse_plan(then, run.tools))}: "
            "the plan's text is read differently today",
            "the parser has changed since",
        )
    recorder.parsed(plan)
    return plan


def _first_difference(now: Plan, then: Plan) -> str:
    for a, b in zip(now.steps, then.steps, strict=False):
        if a != b:
            return f"{b.id} ({b.tool})"
    if len(now.steps) != len(then.steps):
        return (now.steps + then.steps)[min(len(now.steps), len(then.steps))].id
    return "the answer line"


async def _steps(run: Run, plan: Plan, recorder: Recorder) -> tuple[str, tuple[Source, ...]]:
    """Run the steps on recorded evidence and put the answer together."""
    steps = recorded_steps(run.events)
    on_error = run.setting("on_error", "stop")
    policy = Policy(on_error="tell" if on_error == "tell" else "skip", retries=0, tool_timeout=0, max_evidence=1 << 62)
    differing: list[StoreError] = []

    def recall(step: Step, tool: Tool, text: str) -> tuple[Evidence, Origin]:
        try:
            return _same(run, step, text, steps).evidence, "record"
        except StoreError as error:
            differing.append(error)
            raise

    services = Services(run.question, _stand_ins(plan), policy, recorder, _NoModel(), _approved, Fetcher, recall=recall)
    skipped = {id: step.end for id, step in steps.items() if isinstance(step.end, StepSkipped)}
    async with Tasks() as tasks:
        execution = Execution(services, tasks)
        # What a failure kept from running then depends on which step was quicker: the record says which.
        execution.add(*[step for step in plan.steps if step.id not in skipped])
    for id, event in skipped.items():  # as they were skipped then: a step may be written before what it needs
        if id not in execution.skipped:
            _check_skip(run, event, execution)
            execution.skipped[id] = event.because
            recorder(StepSkipped(step=id, tool=event.tool, because=event.because))
    if differing:
        raise differing[0]
    then = Policy(on_error="tell" if on_error == "tell" else "skip" if on_error == "skip" else "stop")
    return conclude(plan, execution, then)


def _check_skip(run: Run, event: StepSkipped, execution: Execution) -> None:
    if not any(id in execution.failed or id in execution.skipped for id in event.because):
        raise StoreError(
            f"replay of {run.id} differs at {event.step} ({event.tool}): it was skipped then and would run today",
            "the code has changed since, or the trace was edited",
        )


def _same(run: Run, step: Step, text: str, steps: Mapping[str, RecordedStep]) -> StepFinished:
    """How the step ended then, if it is the same call; a failure is raised again."""
    then = steps.get(step.id)
    where = f"replay of {run.id} differs at {step.id} ({step.tool})"
    if then is None or then.input is None:
        raise StoreError(f"{where}: the step is not on record", "the code has changed since, or the trace was edited")
    if then.tool != step.tool:
        raise StoreError(f"{where}: the record has a call of {then.tool}", "the trace was edited")
    if then.input != text:
        raise StoreError(
            f"{where}: its input would be {text[:120]!r} today; the record has {then.input[:120]!r}",
            "the code that fills in references has changed since, or the trace was edited",
        )
    if isinstance(then.end, StepFailed):
        raise error_of(then.end.failure)
    if not isinstance(then.end, StepFinished):
        raise StoreError(
            f"{where}: the record does not have the end of its call", f"finish the run first: airo resume {run.id}"
        )
    return then.end


def _stand_ins(plan: Plan) -> Toolbox:
    """Tools of the names in the plan that are never called; not repeatable, so that no two steps share a call."""

    def never(text: str) -> str:
        raise ToolError("a tool was called in a replay")

    return Toolbox([Tool(name, name, never, (), repeatable=False) for name in {step.tool: 0 for step in plan.steps}])


class _NoModel:
    """Stands where a run has its model: a replay asks none."""

    async def style(self) -> Style:
        return "airoboros"

    async def call_form(self) -> str:
        return ""

    async def __call__(self, *prompt: Any, **more: Any) -> Completion:
        raise ToolError("a model was asked in a replay")


async def _approved(step: Step, tool: Tool, text: str) -> bool:
    return False
