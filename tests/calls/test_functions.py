"""Function specifications: YAML in the airoboros style, Python callables, tools; to YAML and to JSON schema."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airoagent import Function, Param, Toolbox, ToolContext, UsageError, call_schema, load_functions, tool
from airoagent.calls.specs import functions_yaml
from tests.calls.test_calls import NAMES, TEXT

CARD = """\
file_analytics:
  description: This tool performs various operations on a text file.
  params:
    action: The operation we want to perform on the data, such as "count_occurrences", "find_line", etc.
    filters:
      keyword: The word or phrase we want to search for.
"""


def test_the_cards_specification_is_read_and_written_byte_for_byte() -> None:
    functions = load_functions(CARD)
    assert functions_yaml(functions) == CARD
    (function,) = functions
    assert [param.name for param in function.params] == ["action", "filters"]
    assert function.params[1].members[0].description == "The word or phrase we want to search for."


FULL = """\
sales:
  description: 'Sales: all of them'
  parameters:
    region:
      description: Where
      enum:
        - north
        - "no"
    limit:
      type: integer
      default: 5
    ratio:
      type: number
      required: false
      nullable: true
    tags:
      type: array
      items:
        type: string
    prices:
      type: object
      values:
        type: number
    note: (optional) What to say
    ticket:
      description: What the ticket says
      title: Its title
  date_range:
    start: The first day
    end: The last day
ping:
  description: Does nothing much
"""


def test_all_that_a_specification_can_say_is_read() -> None:
    sales, ping = load_functions(FULL)
    by_name = {param.name: param for param in sales.params}
    assert (sales.params_word, ping.params) == ("parameters", ())
    assert by_name["region"].enum == ("north", "no")
    assert (by_name["limit"].kind, by_name["limit"].default, by_name["limit"].required) == ("integer", 5, False)
    assert (by_name["ratio"].nullable, by_name["ratio"].required) == (True, False)
    assert by_name["tags"].items is not None
    assert by_name["tags"].items.kind == "string"
    assert by_name["prices"].values is not None
    assert not by_name["note"].required
    assert [member.name for member in by_name["ticket"].members] == ["description", "title"]
    assert by_name["date_range"].beside
    assert load_functions(functions_yaml((sales, ping))) == (sales, ping)


@st.composite
def trees(draw: st.DrawFn, depth: int = 0) -> Param:
    kind: Any = draw(
        st.sampled_from(["any", "string", "integer", "boolean", *(["array", "object"] if depth < 2 else [])])
    )
    default = {"integer": 7, "boolean": False, "string": "x: y", "any": "NO"}.get(kind)
    has_default = default is not None and draw(st.booleans())
    members: tuple[Param, ...] = ()
    items = None
    if kind == "object":
        members = tuple(draw(st.lists(trees(depth + 1), max_size=3, unique_by=lambda one: one.name)))
    if kind == "array":
        items = draw(trees(depth + 1))
        items = Param(
            "items", items.description, items.kind, True, (), None, False, items.nullable, items.members, items.items
        )
    return Param(
        draw(NAMES.map(str.strip).filter(bool)),
        draw(TEXT),
        kind,
        draw(st.booleans()),
        (),
        default if has_default else None,
        has_default,
        draw(st.booleans()),
        members,
        items,
    )


@given(st.lists(trees(), max_size=4, unique_by=lambda one: one.name), TEXT)
@settings(max_examples=150, deadline=None)
def test_any_function_survives_the_way_through_yaml(params: list[Param], description: str) -> None:
    function = Function("f", description, tuple(params))
    assert load_functions(functions_yaml([function])) == (function,)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("f:\n  params: [a]\n", "line 2: the params of f are not a map"),
        ("f:\n  params: {}\n  parameters: {}\n", "both params and parameters"),
        ("f:\n  description: [x]\n", "line 2: the description of f is not text"),
        ("f:\n  params:\n    a: {type: integer, default: x}\n", "line 3: 'x' does not fit a, which is of type integer"),
        ("f:\n  params:\n    a: {type: integer, required: maybe}\n", "required must be true or false"),
        ("f:\n  params:\n    a: [1]\n", "neither a description nor a map"),
        ("f: {}\nf: {}\n", "line 2, column 1: The key 'f' appears twice"),
        ("f: &a {}\n", "anchor or alias"),
        ("- a\n- b\n", "a function is not a map"),
        ("f: {\n", "line 2"),
        ("", "contains no function"),
    ],
)
def test_a_wrong_specification_is_told_with_its_line(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_functions(text)
    assert said in str(caught.value)
    assert caught.value.hint


def test_files_and_folders_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("f:\n  description: One\n")
    (tmp_path / "b.yml").write_text("g:\n  description: Two\n")
    assert [one.name for one in load_functions(tmp_path)] == ["f", "g"]
    assert load_functions(str(tmp_path / "a.yaml"))[0].description == "One"
    with pytest.raises(UsageError, match="cannot be read"):
        load_functions(tmp_path / "none.yaml")
    (tmp_path / "b.yml").write_text("f:\n  description: Two\n")
    with pytest.raises(UsageError, match="two functions are called f"):
        load_functions(tmp_path)


class Unit(enum.Enum):
    PX = "px"
    CM = "cm"


@dataclass
class Size:
    width: int
    height: int = 5


def resize(
    size: Size,
    unit: Unit,
    mode: Literal["fast", "good"] = "fast",
    names: list[str] | None = None,
    *,
    prices: dict[str, float],
    when: date,
    context: ToolContext,
    anything=None,  # type: ignore[no-untyped-def]
) -> str:
    """Changes the size
    of a picture.

    Args:
        size: The new size,
            in pixels.
        unit (Unit): What it is counted in.
        when: A day

    Returns:
        text: nothing
    """
    return "done"


def test_a_python_function_gives_types_and_descriptions() -> None:
    (function,) = load_functions(resize)
    by_name = {param.name: param for param in function.params}
    assert (function.name, function.description) == ("resize", "Changes the size of a picture.")
    assert list(by_name) == ["size", "unit", "mode", "names", "prices", "when", "anything"]
    assert [(one.name, one.kind, one.required) for one in by_name["size"].members] == [
        ("width", "integer", True),
        ("height", "integer", False),
    ]
    assert by_name["size"].description == "The new size, in pixels."
    assert by_name["unit"].enum == ("px", "cm")
    assert (by_name["mode"].enum, by_name["mode"].default) == (("fast", "good"), "fast")
    assert (by_name["names"].kind, by_name["names"].nullable, by_name["names"].required) == ("array", True, False)
    assert by_name["prices"].values is not None
    assert by_name["prices"].values.kind == "number"
    assert by_name["when"].description == "A day"
    assert load_functions(functions_yaml([function])) == (function,)


@pytest.mark.parametrize(
    "doc",
    [
        "Does it.\n\n:param str a: the first\n  one\n:param b: the second",
        "Does it.\n\nParameters\n----------\na : str\n    the first\n    one\nb\n    the second\n\nReturns\n-------\n",
        "Does it.\n\nArguments:\n    a: the first\n        one\n    b: the second\n",
    ],
    ids=["sphinx", "numpy", "google"],
)
def test_docstrings_of_three_styles_are_read(doc: str) -> None:
    def function(a: str, b: str) -> str:
        return a

    function.__doc__ = doc
    (found,) = load_functions(function)
    assert [param.description for param in found.params] == ["the first one", "the second"]


def test_tools_and_toolboxes_are_functions() -> None:
    @tool("Weather", description="The weather somewhere.")
    def weather(place: str, context: ToolContext, days: int = 1) -> str:
        return place

    for source in (weather, [weather], Toolbox([weather])):
        (function,) = load_functions(source)
        assert (function.name, function.target) == ("Weather", weather)
        assert [(one.name, one.kind, one.required) for one in function.params] == [
            ("place", "string", True),
            ("days", "integer", False),
        ]


@pytest.mark.parametrize("builtin", [max, dict])
def test_a_builtin_that_does_not_say_its_parameters_is_refused(builtin: Any) -> None:
    for read in (load_functions, tool):
        with pytest.raises(UsageError, match=f"{builtin.__name__} does not say which parameters"):
            read(builtin)


def test_what_is_no_function_is_told() -> None:
    with pytest.raises(UsageError, match="no description"):
        load_functions(lambda x: x)
    with pytest.raises(UsageError, match="cannot be read from a value of type int"):
        load_functions(3)

    def strange(x: object, y: threading.Lock) -> str:  # type: ignore[name-defined]  # noqa: F821 - a name of nowhere
        """Has types nobody knows."""
        return ""

    assert [param.kind for param in load_functions(strange)[0].params] == ["any", "any"]


def test_the_schema_of_a_call() -> None:
    functions = load_functions(FULL)
    schema = call_schema(functions)
    sales = schema["anyOf"][0]["properties"]
    assert sales["function"] == {"const": "sales"}
    assert sales["params"]["required"] == ["region", "tags", "prices", "ticket", "date_range"]
    assert sales["params"]["properties"]["limit"] == {"type": "integer", "default": 5}
    assert sales["params"]["properties"]["ratio"] == {"anyOf": [{"type": "number"}, {"type": "null"}]}
    assert sales["params"]["additionalProperties"] is False
    assert call_schema(functions[1:])["properties"]["function"] == {"const": "ping"}
