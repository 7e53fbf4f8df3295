"""What public reports of other projects show: tools as they are specified elsewhere, and examples beside a call."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airoagent import CallError, Function, UsageError, call_schema, load_functions, parse_calls
from airoagent.calls.call_grammar import call_grammar
from airoagent.calls.specs import functions_yaml

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"port": {"type": "string", "description": "A port."}, "days": {"type": "integer"}},
    "required": ["port"],
}
TIDES = {"name": "tides", "description": "Tide tables.", "parameters": SCHEMA}
FORMS: list[Any] = [
    TIDES,
    [TIDES],
    {"type": "function", "function": TIDES},
    [{"type": "function", "function": {**TIDES, "strict": True}}],
    {"type": "function", **TIDES, "strict": True},
    {"tools": [{"type": "function", "function": TIDES}]},
    {"functions": [TIDES]},
    {"name": "tides", "description": "Tide tables.", "input_schema": SCHEMA},
    {"name": "tides", "description": "Tide tables.", "inputSchema": SCHEMA, "title": "Tides"},
    {"tides": {"description": "Tide tables.", "parameters": SCHEMA}},
    {**TIDES, "parameters": {**SCHEMA, "type": "dict"}},
]


def is_tides(functions: tuple[Function, ...]) -> None:
    (function,) = functions
    assert (function.name, function.description) == ("tides", "Tide tables.")
    assert [(one.name, one.kind, one.required, one.description) for one in function.params] == [
        ("port", "string", True, "A port."),
        ("days", "integer", False, ""),
    ]


@pytest.mark.parametrize("form", FORMS, ids=range(len(FORMS)))
def test_a_tool_with_a_json_schema_is_the_same_function_in_every_form(form: Any, tmp_path: Path) -> None:
    is_tides(load_functions(form))
    is_tides(load_functions(json.dumps(form)))
    is_tides(load_functions(json.dumps(form, indent=1)))
    for suffix in ("json", "yaml"):
        (tmp_path / f"tides.{suffix}").write_text(json.dumps(form, indent=2))
        is_tides(load_functions(tmp_path / f"tides.{suffix}"))


def one(schema: Any, *, required: bool = False, **more: Any) -> Any:
    """The parameter x of this schema, and the kinds of findings about it."""
    parameters = {"type": "dict", "properties": {"x": schema}, "required": ["x"] if required else [], **more}
    (function,) = load_functions([{"name": "f", "description": "F.", "parameters": parameters}])
    (param,) = function.params
    (again,) = load_functions(functions_yaml([function]))
    assert again.params == function.params  # the prompt says all of it
    call_grammar(call_schema([function]))
    return param, [found.message for found in function.diagnostics]


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"type": "dict", "properties": {"a": {"type": "float"}}, "required": ["a"]}, "object"),
        ({"type": "float"}, "number"),
        ({"type": "tuple", "items": {"type": "integer"}}, "array"),
        ({"type": "any"}, "any"),
        ({"type": "String"}, "string"),
        ({"type": "HashMap"}, "object"),
        ({"type": "ArrayList"}, "array"),
        ({"type": "long"}, "integer"),
        ({"type": ["integer", "null"]}, "integer"),
        ({"type": ["integer", "number"]}, "number"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "integer"),
        ({"allOf": [{"type": "object", "properties": {"a": True}}, {"properties": {"b": True}}]}, "object"),
        ({"$ref": "#/$defs/Port"}, "string"),
        ({"properties": {"a": {"type": "string"}}}, "object"),
        ({"items": {"type": "string"}}, "array"),
        ({}, "any"),
        (True, "any"),
        ({"type": "string", "optional": "yes"}, "string"),
        ({"type": "string", "optional": ["y"]}, "string"),
    ],
)
def test_types_are_read_in_every_spelling(schema: Any, kind: str) -> None:
    param, findings = one(schema, **{"$defs": {"Port": {"type": "string"}}})
    assert (param.kind, param.required, findings) == (kind, False, [])


def test_words_in_odd_places_of_a_schema_are_no_reason_to_refuse_it() -> None:
    _, findings = one({"type": "string"}, optional=["x"], default="x")
    assert findings == ["The default of f is not of its type."]


def test_members_items_and_nullable_are_read_from_a_schema() -> None:
    member = {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "float"}}}, "required": ["a"]}
    param, _ = one(member, required=True)
    assert param.required
    assert param.members[0].required
    assert param.members[0].items.kind == "number"
    assert one({"type": ["string", "null"], "default": None})[0].nullable
    assert one({"type": "object", "additionalProperties": {"type": "integer"}})[0].values.kind == "integer"
    both, _ = one({"allOf": [{"properties": {"a": True}}, {"properties": {"b": True}, "required": ["b"]}]})
    assert [(inner.name, inner.required) for inner in both.members] == [("a", False), ("b", True)]


def test_values_and_defaults_of_a_schema_are_kept() -> None:
    assert one({"type": "string", "enum": ["ebb", "flow", None]})[0].enum == ("ebb", "flow")
    assert one({"const": 3})[0].enum == (3,)
    assert one({"oneOf": [{"const": "ebb"}, {"const": "flow"}]})[0].enum == ("ebb", "flow")
    assert one({"type": "array", "enum": ["ebb", "flow"]})[0].items.enum == ("ebb", "flow")
    param, _ = one({"type": "array", "items": {"type": "string"}, "enum": ["ebb", "flow"]})
    assert (param.kind, param.enum, param.items.kind, param.items.enum) == ("array", (), "string", ("ebb", "flow"))
    param, _ = one({"type": "integer", "default": 5}, required=True)
    assert (param.default, param.has_default, param.required) == (5, True, False)


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 9}, [1, 9], [0, 10]),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, [0.5], [0, 1]),
        ({"type": "number", "multipleOf": 0.1}, [0.3, 2], [0.25]),
        ({"type": "number", "multipleOf": 7}, [7e30], [1e300, 10**40]),
        ({"type": "string", "minLength": 2, "maxLength": 3}, ["ab", "abc"], ["a", "abcd"]),
        ({"type": "array", "minItems": 1, "maxItems": 2, "items": {"type": "integer"}}, [[1], [1, 2]], [[], [1, 2, 3]]),
        ({"type": "array", "uniqueItems": True}, [[1, 2]], [[1, 1]]),
    ],
)
def test_the_bounds_of_a_schema_hold_for_calls(schema: Any, good: list[Any], bad: list[Any]) -> None:
    assert one(schema)[0].limits
    functions = load_functions([{"name": "f", "parameters": {"type": "object", "properties": {"x": schema}}}])
    for value in good:
        assert parse_calls(json.dumps({"function": "f", "params": {"x": value}}), functions)[0].params == {"x": value}
    for value in bad:
        with pytest.raises(CallError) as caught:
            parse_calls(json.dumps({"function": "f", "params": {"x": value}}), functions)
        assert caught.value.kind == "bad_value"


@pytest.mark.parametrize(
    ("schema", "kind", "said"),
    [
        ({"type": "integer", "zork": 1}, "integer", "'zork' of x is not a known word."),
        ({"type": "weird"}, "any", "'weird' of x is not a type."),
        ({"type": ["string", "integer"]}, "any", "x may be of several kinds."),
        ({"oneOf": [{"type": "string"}, {"type": "integer"}]}, "any", "x may be of several kinds."),
        ({"type": "integer", "default": "few"}, "integer", "The default of x is not of its type."),
        ({"type": "string", "enum": [1, 2]}, "any", "The values of x are not of its type."),
        ({"type": "integer", "minimum": "low"}, "integer", 'The minimum of x is "low", which cannot be one.'),
        ({"$ref": "#/$defs/Lost"}, "any", "x refers to '#/$defs/Lost', not in the schema."),
        ({"$ref": "https://a.example/x.json"}, "any", "x refers to 'https://a.example/x.json', not in the schema."),
        ({"type": "array", "items": [{"type": "string"}]}, "array", "The items of x are given one by one."),
    ],
)
def test_what_cannot_be_kept_is_a_finding_and_never_misread(schema: Any, kind: str, said: str) -> None:
    param, findings = one(schema)
    assert (param.kind, findings) == (kind, [said])
    assert not param.members


def test_a_schema_that_goes_in_circles_ends() -> None:
    tree = {"type": "object", "properties": {"name": {"type": "string"}, "child": {"$ref": "#/properties/x"}}}
    param, _ = one(tree)
    assert param.members[1].members[0].name == "name"
    one({"params": {"name": "A name.", "child": {"$ref": "#/properties/x"}}})
    deep: dict[str, Any] = {}
    for _ in range(1000):
        deep = {"a": deep}
    with pytest.raises(UsageError, match="nested more than 64 deep"):
        load_functions({"f": {"params": deep}})


@pytest.mark.parametrize("nothing", [None, []], ids=["Go", "PHP"])
def test_a_list_or_map_of_a_schema_that_is_empty_may_be_written_as_null_or_as_a_list(nothing: Any) -> None:
    bare = {"type": "object", "properties": nothing, "required": nothing, "$defs": nothing}
    inner = {"type": "string", "enum": nothing, "anyOf": nothing}
    whole = {"type": "object", "properties": {"a": inner, "b": {"type": "array", "items": nothing}}, "required": ["a"]}
    none, some = load_functions(json.dumps([{"name": "f", "parameters": bare}, {"name": "g", "parameters": whole}]))
    assert none.params == ()
    assert [(param.name, param.kind, param.required) for param in some.params] == [
        ("a", "string", True),
        ("b", "array", False),
    ]


def test_an_unknown_word_next_to_a_type_makes_no_object_in_yaml_either() -> None:
    text = "f:\n  params:\n    a:\n      type: integer\n      minimum: 1\n      unit: cm\n"
    (function,) = load_functions(text)
    assert (function.params[0].kind, function.params[0].limits) == ("integer", (("minimum", 1),))
    assert [(found.line, found.message) for found in function.diagnostics] == [(6, "'unit' of a is not a known word.")]


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ([{"type": "function", "function": {"description": "x", "parameters": SCHEMA}}], "has no name"),
        ([{"name": "f", "parameters": {"type": "object", "properties": [1]}}], "not a map"),
        ([{"name": "f", "parameters": {"type": "object", "properties": {"x": 3}}}], "not a JSON schema"),
        ([{"name": "f", "parameters": SCHEMA, "input_schema": SCHEMA}], "has both parameters and input_schema"),
        ([TIDES, TIDES], "two functions are called tides"),
        ([{"name": "f", "parameters": {"properties": {"x": {"minimum": 3, "maximum": 1}}}}], "more than its maximum"),
    ],
)
def test_what_is_wrong_with_a_tool_is_said(form: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        load_functions(json.dumps(form))


def test_a_python_file_gives_its_functions_or_else_its_tools(tmp_path: Path) -> None:
    plain = tmp_path / "tides.py"
    plain.write_text(
        "from __future__ import annotations\nfrom dataclasses import dataclass\nfrom json import dumps\n\n"
        "@dataclass\nclass Span:\n    days: int\n\n"
        'def tides(port: str, span: Span | None = None) -> str:\n    "Tide tables."\n    return port\n\n'
        "def _own() -> None: ...\n"
    )
    (function,) = load_functions(plain)
    assert (function.name, [param.name for param in function.params]) == ("tides", ["port", "span"])
    assert function.params[1].members[0].name == "days"
    plain.write_text(
        "from airoagent import tool\n\ndef inner(x: str) -> str:\n    return x\n\n"
        '@tool\ndef ebb(port: str) -> str:\n    "When it ebbs."\n    return inner(port)\n'
    )
    assert [one.name for one in load_functions(tmp_path)] == ["ebb"]
    plain.write_text("x = 1\n")
    with pytest.raises(UsageError, match="contains no function"):
        load_functions(plain)
    plain.write_text("def f(:\n")
    with pytest.raises(UsageError, match="cannot be run: SyntaxError"):
        load_functions(plain)
    plain.write_text("raise SystemExit(3)\n")
    with pytest.raises(UsageError, match="cannot be run: SystemExit: 3"):
        load_functions(plain)


EBB, FLOW = ({"function": name, "params": {"port": "Ense"}} for name in ("ebb", "flow"))
PORTS = load_functions("ebb:\n  params: {port: A port.}\nflow:\n  params: {port: A port.}\n")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (f"One writes {json.dumps(EBB)} for ebbs, but you want:\n{json.dumps(FLOW)}", ["flow"]),
        (f"{json.dumps(FLOW)}\nNot {json.dumps(EBB)}, since it ebbs later.", ["flow"]),
        (f"First {json.dumps(EBB)}, then {json.dumps(FLOW)}", ["ebb", "flow"]),
        (f"1. {json.dumps(EBB)}\n2. {json.dumps(FLOW)}", ["ebb", "flow"]),
        (f"I call {json.dumps(EBB)} for you.", ["ebb"]),
        (f"For example:\n```json\n{json.dumps(EBB)}\n```\nHere it is:\n```json\n{json.dumps(FLOW)}\n```", ["flow"]),
        (f"An example of the format: {json.dumps(EBB)}\n{json.dumps(FLOW)}", ["flow"]),
        (f"Example:\n{json.dumps(EBB)}", ["ebb"]),
    ],
)
def test_a_call_within_a_sentence_is_talked_about_where_another_stands_on_its_own_line(
    text: str, names: list[str]
) -> None:
    assert [call.function for call in parse_calls(text, PORTS)] == names


@pytest.mark.parametrize(("begin", "end"), [("◁think▷", "◁/think▷"), ("<seed:think>", "</seed:think>")])
def test_a_call_in_the_thoughts_of_any_family_is_not_made(begin: str, end: str) -> None:
    drafted, meant = (json.dumps({"function": "tides", "params": {"port": port}}) for port in ("Keld", "Hven"))
    calls = parse_calls(f"{begin}I could {drafted}{end}\n{meant}", load_functions([TIDES]))
    assert [call.params["port"] for call in calls] == ["Hven"]
