"""The baseline: a plain think-act-observe loop over the same model and tools as a plan.

A planner is asked once; here the model is asked before every call, with all that was found so far. The calls go through
the engine with the same limits, cache, approval and record, so tokens are counted in the same way. What a tool found
decides the next call, which a plan rules out: such a run counts as planned after outside text was read (`provenance`).
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace

from airoagent.agent import Agent
from airoagent.engine.policy import Ask
from airoagent.engine.recorder import Recorder, StartingPoint
from airoagent.engine.scheduler import Execution
from airoagent.engine.session import Session, asked_question
from airoagent.errors import LimitReached, UsageError
from airoagent.plan.plans import Plan
from airoagent.plan.steps import Step
from airoagent.plan.tool_names import ToolNames
from airoagent.prompts.harmless import visible
from airoagent.prompts.own_text import own_text
from airoagent.prompts.react_prompts import STOP, Move, react_prompt, read_move
from airoagent.records.run_record import Run

MOST_TURNS = 8
_OBSERVED = (1000, 500, 250, 100)  # characters of an observation; the first number that fits the window is used
_ROOM = 256  # tokens left for a turn
# Signs that make a reference to a step in a plan; in this loop they are only text.
_REFERENCE_SIGN = re.compile(r"[:：#＃$＄](?=\s*e(?:vidence)?\W*\d)", re.IGNORECASE)


async def react(agent: Agent, question: str) -> Run:
    """Answer a question turn by turn; a run without an answer after `MOST_TURNS` fails with LimitReached.

    The model observes failed calls, too. UsageError for the built-in model, which cannot follow the form.
    """
    session = agent.session
    if session.model.info.backend == "extractive":
        raise UsageError("the built-in model cannot run a ReAct loop", "name a model with -m")
    session = replace(session, policy=replace(session.policy, on_error="tell", replan=0))

    async def make(recorder: Recorder, ask: Ask, execution: Execution) -> Plan:
        steps: list[Step] = []
        turns: list[tuple[str, str]] = []
        answer: str | None = None
        await ask.style()  # a server reports its context length only then
        try:
            while answer is None and len(turns) < MOST_TURNS:
                prompt = await _fitting(session, question, turns)
                wrote = visible(own_text((await ask(prompt, "call", stop=STOP)).text))
                move = read_move(wrote)
                answer = move.answer
                if answer is None:
                    turns.append((wrote, await _observed(session, question, move, steps, execution)))
        finally:
            plan = Plan(tuple(steps), (_text(answer),) if answer else None)
            if steps:  # a plan without steps could not be read back from the record
                recorder.parsed(plan)
        if answer is None:
            raise LimitReached(f"the loop found no answer in {MOST_TURNS} turns")
        return plan

    private = session.documents is not None or any(tool.private for tool in session.all_tools.values())
    start = StartingPoint(plan_trusted=False, plan_private=private)
    return await session.run(asked_question(question), make, None, start)


async def _observed(session: Session, question: str, move: Move, steps: list[Step], execution: Execution) -> str:
    """What the move's call found, as a step of the run; what is wrong with a move that cannot be carried out.

    A call without an input gets the question, which keeps small models in the loop.
    """
    name = ToolNames(session.toolbox).resolve(move.tool) if move.tool else ""
    if name is None or name not in session.toolbox:
        wrong = f"{move.tool[:80]} is not a tool" if move.tool else "this names neither an Action nor a Final Answer"
        return f"{wrong}. The tools are {', '.join(session.toolbox)}."
    step = Step(f"evidence{len(steps)}", " ".join(_text(move.thought).split()), name, (_text(move.input or question),))
    steps.append(step)
    execution.add(step)
    await execution.ended()
    return execution.found[step.id].text


def _text(text: str) -> str:
    return _REFERENCE_SIGN.sub("", text)


async def _fitting(session: Session, question: str, turns: list[tuple[str, str]]) -> str:
    """The prompt of the next turn, its observations cut to fit the model's window."""
    tools = [(tool.name, tool.description) for tool in session.toolbox.values()]
    window = session.model.info.context_length
    for most in _OBSERVED:
        prompt = react_prompt(question, tools, turns, most)
        if window is None:
            break
        length = await asyncio.to_thread(lambda text: session.model.count_tokens(session.model.wrap(text)), prompt)
        if length + _ROOM <= window:
            break
    return prompt
