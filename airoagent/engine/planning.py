"""Has the model write a plan, reads it while it is being written, and starts what is certain of it."""

from __future__ import annotations

from airoagent.engine.policy import Ask
from airoagent.engine.recorder import Recorder
from airoagent.engine.results import record_of
from airoagent.engine.reuse import Reuse
from airoagent.engine.scheduler import Execution
from airoagent.errors import PlanError
from airoagent.events import PlanPart, PlanRefused, PlanText, PlanWritten
from airoagent.plan.parser import PlanParser
from airoagent.plan.plan_grammar import plan_grammar
from airoagent.plan.plans import Plan
from airoagent.prompts.plan_prompts import plan_prompt
from airoagent.toolbox.tool import Tool, Toolbox

__all__ = ["write_plan"]


async def write_plan(
    question: str,
    toolbox: Toolbox,
    ask: Ask,
    recorder: Recorder,
    execution: Execution | None = None,
    reuse: Reuse | None = None,
) -> Plan:
    """The plan, checked; PlanError if what the model wrote cannot be used.

    Steps that have become certain are given to ``execution`` while the rest is being written, except those with side
    effects and those that may not be repeated: the plan may yet be refused, or be written again after a kill. A plan
    after a failed one is told what is known (``reuse``), and may go on from it.
    """
    again = reuse is not None and reuse.begun
    tools = ((tool.name, tool.description) for tool in toolbox.values())
    known = reuse.known() if reuse is not None and again else ""
    prompt = plan_prompt(question, tools, known, await ask.style())
    parser = PlanParser(toolbox)
    pending: list[str] = []

    def may_start(tool: Tool) -> bool:
        return tool.repeatable and not tool.side_effects

    def heard(text: str) -> None:
        recorder(PlanText(text=text))
        pending.append(text)
        certain = [step for step in parser.feed(text) if may_start(toolbox[step.tool])]
        # A later plan may lean on the earlier one, which only its whole text shows.
        if certain and execution is not None and execution.eager and not again:
            recorder(PlanPart(text="".join(pending)))
            pending.clear()
            execution.add(*certain)

    text = ""
    try:
        grammar = plan_grammar(toolbox) if toolbox and not again else ""
        completion = await ask(prompt, "plan", grammar, heard=heard)
        text, truncated = completion.text, completion.finish != "stop"
        recorder(PlanWritten(text=text))
        plan = parser.finish(truncated) if reuse is None or not again else reuse.read(text, truncated)
    except PlanError as error:
        error.text = error.text or text
        recorder(PlanRefused(failure=record_of(error), diagnostics=error.diagnostics))
        raise
    recorder.parsed(plan)
    return plan
