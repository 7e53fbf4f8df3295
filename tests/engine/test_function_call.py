"""One function call: chosen, checked, made and on record as any run; a chain of thought; code."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airoagent import Agent, CallError, Run, ScriptedModel, ToolContext, UsageError, load_functions, tool
from airoagent.calls.call_parser import Call
from airoagent.engine.function_call import plan_of_calls
from airoagent.events import ModelCalled, PlanRefused, StepStarted
from airoagent.plan.parser import parse_plan
from airoagent.records.run_record import read_trace, write_trace
from airoagent.records.store import Store
from airoagent.toolbox.arguments import arguments_for
from airoagent.toolbox.tool import Toolbox, as_tool


def add(a: int, b: int = 1) -> int:
    """Adds two numbers."""
    return a + b


async def greet(name: str) -> str:
    """Greets somebody."""
    await asyncio.sleep(0)
    return f"Hello {name}"


GOOD = '{"function": "add", "params": {"a": 2, "b": 3}}'
WRONG = '{"function": "add", "params": {"a": "two"}}'


def agent(*texts: str, **options: Any) -> Agent:
    return Agent(ScriptedModel({"call": list(texts)}), store=options.pop("store", False), **options)


def call(*texts: str, functions: Any = (add, greet), **options: Any) -> Run:
    return agent(*texts).call("do it", functions=functions, **options)


def test_a_call_is_made_as_a_plan_of_one_step() -> None:
    run = call(GOOD)
    assert (run.status, run.answer) == ("done", "5")
    assert run.plan is not None
    assert [step.tool for step in run.plan.steps] == ["add"]
    assert run.evidence["evidence0"].text == "5"
    assert [event.type for event in run.events] == [
        "run_started",
        "model_called",
        "plan_written",
        "plan_parsed",
        "step_started",
        "step_finished",
        "run_finished",
    ]


def test_an_async_function_and_a_tool_with_a_context_are_called() -> None:
    @tool
    def told(text: str, context: ToolContext, times: int = 1) -> str:
        """Says what was asked."""
        return f"{context.question}: {text}" * times

    assert call('{"function": "greet", "params": {"name": "Ann"}}').answer == "Hello Ann"
    text = '{"function": "told", "params": {"text": "x", "times": 2}}'
    assert call(text, functions=[told]).answer == "do it: xdo it: x"


def test_yaml_is_asked_for_and_read() -> None:
    run = call("function: greet\nparams:\n  name: NO\n", format="yaml")
    assert run.answer == "Hello NO"
    asked = next(event for event in run.events if isinstance(event, ModelCalled))
    assert "Provide your response in YAML format." in asked.prompt
    assert asked.purpose == "call"


def test_the_model_is_asked_again_with_the_exact_complaint() -> None:
    run = call(WRONG, GOOD)
    assert run.answer == "5"
    asked = [event for event in run.events if isinstance(event, ModelCalled)]
    assert len(asked) == 2
    assert run.usage.calls == 2
    assert 'a is the text "two", not an integer.' in asked[1].prompt
    assert WRONG in asked[1].prompt


def test_without_rounds_left_the_call_is_refused_with_its_findings() -> None:
    run = call(WRONG, WRONG)
    assert run.status == "failed"
    assert sum(isinstance(event, ModelCalled) for event in run.events) == 2
    error = run.error
    assert isinstance(error, CallError)
    assert (error.kind, error.exit_code, error.text) == ("bad_type", 4, WRONG)
    assert [found.kind for found in error.diagnostics] == ["bad_type"]
    assert any(isinstance(event, PlanRefused) for event in run.events)
    assert sum(isinstance(event, ModelCalled) for event in call(WRONG, retries=0).events) == 1


def test_a_dry_run_gives_the_call_and_makes_none() -> None:
    made: list[int] = []

    def count(number: int) -> str:
        """Counts."""
        made.append(number)
        return "counted"

    run = call("{'function': 'count', 'params': {'number': '3'}}", functions=[count], dry_run=True)
    assert run.answer == '{\n  "function": "count",\n  "params": {\n    "number": 3\n  }\n}'
    assert made == []
    assert not any(isinstance(event, StepStarted) for event in run.events)


def test_several_calls_are_several_steps() -> None:
    run = call(f'[{GOOD}, {{"function": "greet", "params": {{"name": "Bob"}}}}]')
    assert run.answer == "5\nHello Bob"


def test_side_effects_ask_first() -> None:
    @tool(side_effects=True)
    def send(text: str) -> str:
        """Sends a letter."""
        return "sent"

    text = '{"function": "send", "params": {"text": "x"}}'
    assert call(text, functions=[send]).status == "failed"

    async def yes(*asked: Any) -> bool:
        return True

    assert agent(text, approve=yes).call("do it", functions=[send]).answer == "sent"


SPEC = "add:\n  description: Adds\n  params:\n    a: {type: integer}\n    b: {type: integer, default: 40}\n"


def test_a_specification_is_carried_out_by_the_tool_of_its_name() -> None:
    text = '{"function": "add", "params": {"a": 2}}'
    assert agent(text, tools=[add]).call("do it", functions=SPEC).answer == "42"
    run = agent(text).call("do it", functions=SPEC)
    assert isinstance(run.error, UsageError)
    assert "no tool that carries out add" in str(run.error)
    run = agent('{"function": "add", "params": {"c": 2}}', tools=[add]).call(
        "do it", functions="add:\n  params:\n    c: What\n"
    )
    assert "has a parameter 'c', which the tool does not take" in str(run.error)


def test_what_is_asked_wrongly_is_a_usage_error() -> None:
    for options in ({"functions": []}, {"format": "xml"}):
        with pytest.raises(UsageError):
            call(GOOD, **options)
    with pytest.raises(UsageError):
        agent(GOOD).call("  ", functions=[add])


def test_a_recorded_call_is_a_run_like_any_other(tmp_path: Any) -> None:
    with_store = agent(GOOD, store=tmp_path / "runs.sqlite3")
    run = with_store.call("do it", functions=[add])
    store = Store(tmp_path / "runs.sqlite3")
    kept = Run.from_events(store.events(run.id))
    store.close()
    assert (kept.answer, kept.plan) == (run.answer, run.plan)
    assert Run.from_events(read_trace(write_trace(run.id, run.events))).plan == run.plan


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), st.text(), min_size=3))
@settings(deadline=None)
def test_any_text_reaches_the_function_through_the_plan_and_its_text(params: dict[str, str]) -> None:
    def take(a: str, b: str, c: str) -> str:
        """Takes three texts."""
        return ""

    functions, tools = load_functions([take]), Toolbox([as_tool(take)])
    plan = plan_of_calls([Call("take", params)], functions, tools)
    try:
        plan.to_text().encode()
    except UnicodeEncodeError:
        return
    again = parse_plan(plan.to_text(), ["take"])
    assert again == plan
    (piece,) = again.steps[0].template
    assert arguments_for(tools["take"])(str(piece), (piece,)) == params if isinstance(piece, str) else False


@pytest.mark.parametrize(
    "text", [":evidence0:", "#E1", "$1 and ]", "[x", "Answer: :evidence3:\n#E2 = add[1]", "evidence 0"]
)
def test_what_looks_like_a_reference_stays_text(text: str) -> None:
    import json

    run = call(json.dumps({"function": "greet", "params": {"name": text}}))
    assert run.answer == f"Hello {text}"


THOUGHT = "Solution 1:\nA.\nFinal answer: 3\n\n"
THOUGHT += "Ranking of solutions from best to worst:\n1. Solution 1: x\n\nBest and final answer: 4"


def test_thinking_gives_solutions_ranking_and_the_best_answer() -> None:
    thinker = Agent(ScriptedModel({"think": [THOUGHT]}), store=False)
    seen: list[Any] = []
    thought = thinker.think("How many?", watch=seen.append)
    assert (thought.best, thought.solutions[0].answer) == ("4", "3")
    assert seen[-1].answer == "4"
    assert [event.purpose for event in seen if isinstance(event, ModelCalled)] == ["think"]


def test_code_comes_alone() -> None:
    writer = Agent(ScriptedModel({"code": ["```python\nprint(1)\n```"]}), store=False)
    seen: list[Any] = []
    assert writer.code("print one", watch=seen.append) == "print(1)\n"
    (asked,) = [event for event in seen if isinstance(event, ModelCalled)]
    assert "print one PLAINFORMAT" in asked.prompt


def test_the_async_doors_open_too() -> None:
    async def main() -> tuple[str | None, str | None]:
        run = await agent(GOOD).acall("do it", functions=[add])
        thought = await Agent(ScriptedModel({"think": [THOUGHT]}), store=False).athink("How many?")
        return run.answer, thought.best

    assert asyncio.run(main()) == ("5", "4")
