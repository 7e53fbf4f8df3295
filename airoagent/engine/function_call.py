"""One function call: the model chooses a function and its parameters, they are checked, and the call is run as a plan
of one step; same engine, same events, same record.

Also the two questions that need no plan: a chain of thought, and code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from airoagent.engine.model_calls import until_usable
from airoagent.engine.policy import Ask
from airoagent.engine.recorder import Recorder
from airoagent.engine.scheduler import Execution
from airoagent.engine.session import Session, Watch
from airoagent.errors import LimitReached, UsageError
from airoagent.events import PlanParsed, PlanText, PlanWritten
from airoagent.plan.plans import Plan
from airoagent.plan.steps import Ref, Step
from airoagent.records.run_record import Run
from airoagent.toolbox.tool import Tool, Toolbox, as_tool

if TYPE_CHECKING:
    from airoagent.calls.call_parser import Call, Format
    from airoagent.calls.functions import Function, Functions
    from airoagent.models.base import Purpose
    from airoagent.prompts.chat import Style
    from airoagent.prompts.thoughts import Thought


async def call(
    session: Session,
    input: str,
    *,
    functions: Any = None,
    format: Format = "json",
    dry_run: bool = False,
    retries: int | None = None,
    watch: Watch | None = None,
) -> Run:
    """`airoagent.Agent.call`."""
    from airoagent.calls.function_loader import load_functions

    input = _checked(input, 'say what is to be done: airo call "how many lines has notes.txt?"')
    if format not in ("json", "yaml"):
        raise UsageError(f"there is no format {format!r}", "use json or yaml")
    offered = load_functions(session.toolbox if functions is None else functions)
    if not offered:
        raise UsageError("there are no functions to choose from", "name a specification with --functions FILE")
    if functions is not None:
        session = session.needing(function.name for function in offered if function.target is None)
    own = [as_tool(function.target) for function in offered if function.target is not None]
    session = session.with_tools(*own, offered=True) if own else session

    async def choose(recorder: Recorder, ask: Ask, _: Execution) -> Plan:
        most = session.policy.model_retries if retries is None else retries
        calls = await choose_calls(ask, input, offered, format, most, recorder)
        if dry_run:
            return Plan((), (_written(calls, format),))
        plan = plan_of_calls(calls, offered, session.known_tools)
        recorder(PlanParsed(text=plan.to_text(), diagnostics=plan.diagnostics))
        return plan

    return await session.run(input, choose, watch)


def _checked(text: str, hint: str) -> str:
    text = text.strip()
    if not text:
        raise UsageError("there is nothing to do: the text is empty", hint)
    return text


async def choose_calls(
    ask: Ask, input: str, functions: Functions, format: Format, retries: int, recorder: Recorder
) -> tuple[Call, ...]:
    """What the model wants called; CallError when it cannot be used, after ``retries`` rounds of asking again."""
    from airoagent.calls.call_grammar import call_grammar
    from airoagent.calls.call_parser import call_prompt, parse_calls
    from airoagent.calls.functions import call_schema
    from airoagent.prompts.chat import CALL_FORMS

    style = await ask.style()
    form = CALL_FORMS.get(await ask.call_form()) if style == "chat" and format == "json" else None
    schema = call_schema(functions) if form is None else call_schema(functions, form.keys)
    # A small model copies a name that it has not seen before wrongly, unless it is held to the words of the request.
    grammar = call_grammar(schema, format, input if style == "compact" else "", form)

    async def written(prompt: str, retry: bool) -> tuple[Call, ...]:
        completion = await ask(prompt, "call", grammar, heard=lambda text: recorder(PlanText(text)))
        recorder(PlanText(text="\n"))
        recorder(PlanWritten(text=completion.text))
        return parse_calls(completion.text, functions, format, truncated=completion.finish != "stop")

    return await until_usable(written, call_prompt(input, functions, format, style, form), retries, recorder, format)


def _written(calls: Sequence[Call], format: Format) -> str:
    from airoagent.calls.call_parser import write_call

    if len(calls) == 1:
        return write_call(calls[0], format).rstrip("\n")
    if format == "yaml":
        return "---\n".join(write_call(one, "yaml") for one in calls).rstrip("\n")
    return json.dumps([{"function": one.function, "params": one.params} for one in calls], indent=2, ensure_ascii=False)


# The plan of a call ------------------------------------------------------------------------------------------------


def plan_of_calls(calls: Sequence[Call], functions: Functions, tools: Toolbox) -> Plan:
    """The calls as a plan, one step each, answered with what they find.

    UsageError where no tool carries a function out, or the tool does not take the parameters of the specification.
    """
    steps = []
    for number, one in enumerate(calls):
        function = functions.names[one.function]
        tool = tools.get(one.function)
        if tool is None:
            raise UsageError(
                f"there is no tool that carries out {one.function}: only its specification is known",
                "name the file of a tool of that name with --tools, or print the call with --dry-run",
            )
        params = function.with_defaults(one.params)
        _agree(function, tool, params)
        steps.append(Step(f"evidence{number}", "", tool.name, (_input(tool, params),)))
    answer: list[str | Ref] = []
    for step in steps:
        answer += ["\n", Ref(step.id)] if answer else [Ref(step.id)]
    return Plan(tuple(steps), tuple(answer), diagnostics=tuple(found for one in calls for found in one.diagnostics))


def _agree(function: Function, tool: Tool, params: dict[str, Any]) -> None:
    taken = [parameter.name for parameter in tool.parameters]
    strange = [name for name in params if name not in taken]
    if strange:
        raise UsageError(
            f"the specification of {function.name} has a parameter {strange[0]!r}, which the tool does not take",
            f"the tool takes {', '.join(taken) or 'none'}",
        )


_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"')
_ESCAPE = re.compile(r"\\.")
_LETTERS = {f"\\{letter}": f"\\u{code:04x}" for letter, code in zip("bfnrt", (8, 12, 10, 13, 9), strict=True)}
_BRACKETS = re.compile(r"[\[\]［］]")
_REFERENCE_SIGNS = re.compile(r"[\[\]［］:：#＃$＄]")
_MAY_REFER = re.compile(r"evidence|[#＃$＄]", re.IGNORECASE)


def _input(tool: Tool, params: dict[str, Any]) -> str:
    """The params as a step's input: JSON in which no string can be taken for a reference or close the brackets."""
    if not params:
        return ""

    def harmless(match: re.Match[str]) -> str:
        signs = _REFERENCE_SIGNS if _MAY_REFER.search(match[0]) else _BRACKETS
        # An escape of one letter may be read as a backslash of the text, as models write them.
        text = _ESCAPE.sub(lambda escape: _LETTERS.get(escape[0], escape[0]), match[0])
        return signs.sub(lambda sign: f"\\u{ord(sign[0]):04x}", text)

    return _STRING.sub(harmless, json.dumps(params, ensure_ascii=False))


# A chain of thought, and code --------------------------------------------------------------------------------------


async def _ask_alone(
    session: Session, question: str, prompt: Callable[[Style], str], purpose: Purpose, watch: Watch | None = None
) -> str:
    """What the model writes for a prompt that needs no plan, as a run on record; raises the run's error."""
    texts: list[str] = []

    async def make(recorder: Recorder, ask: Ask, _: Execution) -> Plan:
        completion = await ask(prompt(await ask.style()), purpose)
        texts.append(completion.text)
        if completion.finish == "length":
            raise LimitReached("the model was cut off by its token limit", "raise it with --max-tokens")
        return Plan((), (concluded(completion.text, purpose),))

    run = await session.needing(()).run(question, make, watch)
    run.raise_for_status()
    return texts[0]


def concluded(text: str, purpose: Purpose) -> str:
    """The answer that is read from what a model wrote for a chain of thought, or for code."""
    from airoagent.prompts.thoughts import read_code, read_thought

    return read_code(text) if purpose == "code" else read_thought(text).best or text


async def think(session: Session, question: str, *, watch: Watch | None = None) -> Thought:
    """`airoagent.Agent.think`."""
    from airoagent.prompts.thoughts import read_thought, think_prompt

    question = _checked(question, 'ask something: airo think "How many players ...?"')
    return read_thought(
        await _ask_alone(session, question, lambda style: think_prompt(question, style), "think", watch)
    )


async def code(session: Session, prompt: str, *, watch: Watch | None = None) -> str:
    """`airoagent.Agent.code`."""
    from airoagent.prompts.thoughts import code_prompt, read_code

    prompt = _checked(prompt, 'say what to write: airo code "a websocket server in node.js"')
    return read_code(await _ask_alone(session, prompt, lambda style: code_prompt(prompt, style), "code", watch))
