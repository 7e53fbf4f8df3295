"""A tool of several parameters in a plan: JSON in its brackets, evidence as data that cannot break out."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airoagent import Evidence, ToolError, tool
from airoagent.toolbox.arguments import arguments_for, bound
from tests.running import run_plan


@tool
def order(item: str, count: int, note: str = "", tags: list[str] | None = None, when: date | None = None) -> str:
    """Orders something."""
    return json.dumps([item, count, note, tags, str(when)], ensure_ascii=False)


def arguments(*parts: str | Evidence) -> dict[str, Any]:
    text = "".join(map(str, parts))
    return arguments_for(order)(text, parts)


def found(text: str) -> Evidence:
    return Evidence("evidence0", "Search", text)


def test_json_in_the_brackets_gives_the_parameters() -> None:
    assert arguments('{"item": "tea", "count": 2, "when": "2020-01-02"}') == {
        "item": "tea",
        "count": 2,
        "when": date(2020, 1, 2),
    }
    assert arguments("{item: 'tea', 'count': '2', tags: ['a',]}") == {"item": "tea", "count": 2, "tags": ["a"]}


@pytest.mark.parametrize(
    "hostile",
    [
        '", "count": 99, "x": "',
        '"}]',
        "\\",
        "\n\t",
        "\ue0000\ue001",
        ":evidence1:",
        '{"item": "other", "count": 7}',
        "'",
        "\u2028",
    ],
)
def test_evidence_stays_inside_its_string(hostile: str) -> None:
    parts = ('{"item": "about ', found(hostile), '!", "count": 1, "note": ', found(hostile), "}")
    assert arguments(*parts) == {"item": f"about {hostile}!", "count": 1, "note": hostile}


@given(st.text(), st.text())
def test_no_text_breaks_out(first: str, second: str) -> None:
    given = arguments('{"item": "', found(first), " and ", found(second), '", "count": 1, "note": "n"}')
    assert given == {"item": f"{first} and {second}", "count": 1, "note": "n"}


def test_evidence_is_coerced_where_that_loses_nothing_and_never_read_as_json() -> None:
    assert arguments('{"item": "x", "count": ', found("3\n"), "}")["count"] == 3
    with pytest.raises(ToolError, match="count is the text"):
        arguments('{"item": "x", "count": ', found("three"), "}")
    assert arguments('{"item": "x", "count": 1, "tags": ', found('["a", "b"]'), "}")["tags"] == ['["a", "b"]']


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tea, 2", "takes several parameters"),
        ('{"item": "tea"', "takes several parameters"),
        ('{"item": "tea"}', "count is missing"),
        ('{"item": "tea", "count": 2, "colour": "red"}', "takes no parameter 'colour'"),
        ('{"item": "tea", "count": 1.5}', "count is the number 1.5, not an integer"),
        ('{"item": "tea", "count": 1, "when": "2020-13-01"}', "when of order is refused"),
        ('{"item": "tea", "count": NaN}', "NaN"),
    ],
)
def test_what_does_not_fit_is_told(text: str, said: str) -> None:
    with pytest.raises(ToolError) as caught:
        arguments(text)
    assert said in str(caught.value)


def test_a_reference_in_a_key_is_refused() -> None:
    with pytest.raises(ToolError, match="a reference is in a key"):
        arguments('{"item": "x", "count": 1, "', found("note"), '": "y"}')


def test_a_tool_of_one_text_takes_it_as_it_is() -> None:
    @tool
    def echo(text: str, loud: bool = False) -> str:
        """Says it."""
        return text

    take = arguments_for(echo)
    assert take("hello", ("hello",)) == {"text": "hello"}
    assert take('{"a": 1}', ('{"a": 1}',)) == {"text": '{"a": 1}'}
    assert take('{"text": "x"}', (found('{"text": "x"}'),)) == {"text": '{"text": "x"}'}
    assert take('{"text": "x", "loud": true}', ('{"text": "x", "loud": true}',)) == {"text": "x", "loud": True}


def test_a_tool_of_one_number_gets_a_number() -> None:
    @tool
    def double(number: int) -> str:
        """Doubles it."""
        return str(2 * number)

    take = arguments_for(double)
    assert take("21", ("21",)) == {"number": 21}
    assert take(" 21\n", (found(" 21\n"),)) == {"number": 21}
    with pytest.raises(ToolError, match="not an integer"):
        take("many", ("many",))


def test_a_plan_with_such_a_step_runs() -> None:
    @tool
    def search(text: str) -> str:
        """Finds something."""
        return 'a "quoted" ] thing :evidence9:'

    plan = ':evidence0: = search[x]\n:evidence1: = order[{"item": ":evidence0:", "count": 2}]\nAnswer: :evidence1:\n'
    run = run_plan(plan, search, order)
    assert run.status == "done", run.failure
    assert run.answer is not None
    assert json.loads(run.answer)[:2] == ['a "quoted" ] thing :evidence9:', 2]


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ('{"query": "otters"}', "otters"),
        ('{"input": "otters"}', "otters"),
        ("query=otters and seals", "otters and seals"),
        ('query = "a = b, c"', "a = b, c"),
        ("query == 3", "query == 3"),
        ("x=1", "x=1"),
        ("the query=x", "the query=x"),
        ('{"a": 1}', '{"a": 1}'),
        ('{"input": 1, "more": 2}', '{"input": 1, "more": 2}'),
        ("{otters}", "{otters}"),
        ('{"query": "otters", "max_results": 3}', "otters"),
        ('{"query": {"type": "string", "value": "otters"}}', "otters"),
        ('["otters"]', "otters"),
        ("['otters']", "otters"),
        ('["otters", "seals"]', '["otters", "seals"]'),
        ("[1]", "[1]"),
        ("[otters] and seals", "[otters] and seals"),
    ],
)
def test_json_or_a_pair_for_one_parameter_reaches_it_as_the_text(text: str, taken: str) -> None:
    @tool
    async def find(query: str) -> str:
        """Finds it."""
        return query

    @tool
    def look(query: str) -> str:
        """Finds it."""
        return query

    for one in (find, look):
        assert asyncio.run(bound(one)(text, None)) == taken
    assert arguments_for(find)("", ('["', found('"], "x'), '"]')) == {"query": '"], "x'}


def test_pairs_give_several_parameters_and_evidence_stays_in_its_own() -> None:
    assert arguments("item=tea, count=2") == {"item": "tea", "count": 2}
    assert arguments('item="tea, count=9", count=2, tags=["a"]') == {"item": "tea, count=9", "count": 2, "tags": ["a"]}
    hostile = 'x", count=7, note="y'
    assert arguments("item=", found(hostile), "\ncount=1") == {"item": hostile, "count": 1}
    with pytest.raises(ToolError, match="takes several parameters"):
        arguments("item=tea, item=milk")


@dataclass
class Size:
    width: int


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ({"a": "é"}, '{"a": "é"}'),
        (["x", 2], '["x", 2]'),
        ((1, None), "[1, null]"),
        (3, "3"),
        (2.5, "2.5"),
        (True, "true"),
        (Size(3), '{"width": 3}'),
        ({"when": date(2020, 1, 2)}, '{"when": "2020-01-02"}'),
        (None, "Done; there is no result."),
        ("text", "text"),
    ],
)
def test_a_result_that_is_not_text_is_written_as_json(result: object, text: str) -> None:
    @tool
    def give(x: str) -> Any:
        """Gives it."""
        return result

    assert asyncio.run(bound(give)("x", None)) == text
    assert run_plan(":evidence0: = give[x]\nAnswer: :evidence0:\n", give).answer == text


def test_a_result_that_holds_itself_is_an_error() -> None:
    @tool
    def circle(x: str) -> Any:
        """Gives it."""
        found: list[Any] = []
        found.append(found)
        return found

    with pytest.raises(ToolError, match="cannot be written as JSON"):
        asyncio.run(bound(circle)("x", None))


def test_an_async_function_is_awaited_whatever_is_around_it() -> None:
    async def answer(text: str) -> str:
        """Says it."""
        return f"<{text}>"

    @functools.wraps(answer)
    def wrapped(*args: Any, **given: Any) -> Any:
        return answer(*args, **given)

    def sync(text: str) -> Any:
        return answer(text)

    functions: list[Callable[..., Any]] = [answer, wrapped, sync, functools.partial(sync), functools.partial(answer)]
    for function in functions:
        assert asyncio.run(bound(tool("say", description="Says it.")(function))("x", None)) == "<x>"


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("Oslo", ("Oslo", 1)),
        ("Oslo, days=3", ("Oslo", 3)),
        ('"Oslo, Norway", days=3', ("Oslo, Norway", 3)),
        ("city: Oslo, days: 3", ("Oslo", 3)),
        ("days=3; city=Oslo", ("Oslo", 3)),
        ("weather = fine, really: yes", ("weather = fine, really: yes", 1)),
        ("city: of the sea", ("city: of the sea", 1)),
    ],
)
def test_the_parameters_after_the_first_may_be_named_in_the_text(text: str, given: tuple[str, int]) -> None:
    @tool
    def forecast(city: str, days: int = 1) -> str:
        """Forecasts."""
        return json.dumps((city, days))

    assert json.loads(asyncio.run(bound(forecast)(text, None))) == list(given)
