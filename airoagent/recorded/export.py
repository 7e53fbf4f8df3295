"""Uses of recorded runs: plan files, pairs for fine-tuning, and tools that return what they found then."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace

from airoagent.engine.policy import Recall
from airoagent.engine.provenance import plan_is_trusted
from airoagent.engine.recorder import StartingPoint
from airoagent.engine.session import Session, Watch
from airoagent.errors import StoreError, UsageError
from airoagent.events import Evidence, ModelCalled, Origin, PlanRefused, StepFinished
from airoagent.plan.plans import Plan
from airoagent.plan.steps import Ref, Step
from airoagent.prompts.own_text import own_text
from airoagent.recorded.history import model_tools, recorded_steps
from airoagent.records.run_record import Run
from airoagent.toolbox.tool import Tool


def saved_plan(run: Run, params: Mapping[str, str] | None = None) -> str:
    """The run's plan as a plan file, with its question; ``params`` are words that become ``{name}``.

    StoreError if the run has no plan; UsageError for a word that its question does not have.
    """
    if run.plan is None:
        raise StoreError(f"the run {run.id} has no plan to save", "see: airo runs show")
    plan = replace(run.plan, question=" ".join(run.question.split()) or run.plan.question)
    for name, word in (params or {}).items():
        if not name.isidentifier() or not word or word not in plan.question:
            raise UsageError(
                f"{name}={word} cannot be a parameter: a name and a word of the question are needed",
                f"the question: {plan.question}",
            )
        plan = _with_name(plan, word, "{" + name + "}")
    return plan.to_text()


def _with_name(plan: Plan, word: str, name: str) -> Plan:
    def put(template: tuple[str | Ref, ...]) -> tuple[str | Ref, ...]:
        return tuple(part.replace(word, name) if isinstance(part, str) else part for part in template)

    return replace(
        plan,
        question=plan.question.replace(word, name),
        steps=tuple(
            replace(step, thought=step.thought.replace(word, name), template=put(step.template)) for step in plan.steps
        ),
        answer_template=None if plan.answer_template is None else put(plan.answer_template),
    )


def instruct_lines(run: Run) -> Iterator[str]:
    """What the model was asked in a good run, and what it wrote, as JSON Lines of instruction and response.

    Nothing of a run without an answer, of a plan that was refused, of a step that found no answer, or of the turns of a
    loop without a plan (`airo eval --baseline`).
    """
    if run.status != "done" or any(isinstance(event, PlanRefused) for event in run.events):
        return
    good = {id for id, found in run.evidence.items() if found.answered}
    if plan_is_trusted(run) or "planner" in run.account:  # in a loop, each turn is asked after the tools have answered
        good.add("")
    for event in run.events:
        if isinstance(event, ModelCalled) and event.finish == "stop" and event.step in good:
            pair = {"instruction": event.prompt, "response": own_text(event.text).strip()}
            yield json.dumps(pair, ensure_ascii=False) + "\n"


async def on_recorded_tools(session: Session, plan: Plan, record: Run, *, watch: Watch | None = None) -> Run:
    """Run a plan whose tools find what they found in a recorded run for the same input; the model is asked as usual.

    A call that is not on record ends the run with a StoreError; no tool is called.
    """
    steps = recorded_steps(record.events).values()
    asking = model_tools(steps)
    known = {(step.tool, step.input): step.end.evidence for step in steps if isinstance(step.end, StepFinished)}

    def make(run: Run) -> Recall:
        def recall(step: Step, tool: Tool, text: str) -> tuple[Evidence, Origin] | None:
            if tool.name in asking:
                return None
            found = known.get((tool.name, text))
            if found is None:
                raise StoreError(
                    f"the record {record.id} has no call of {tool.name} with the input {text[:120]!r}",
                    "run the plan with its tools instead: --docs FOLDER, without --replay-tools",
                )
            return found, "record"

        return recall

    start = StartingPoint(parent=record.id, recall=make)
    session = session.needing(step.tool for step in plan.steps)
    return await session.run(plan.question or record.question, plan, watch, start)
