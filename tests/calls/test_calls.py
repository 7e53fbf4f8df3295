"""Calls survive being printed and read; any text gives calls or a CallError, in time linear in the text."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from airoagent import Call, CallError, Function, Param, UsageError, load_functions, parse_calls, write_call
from airoagent.calls import call_shapes
from airoagent.calls.functions import Functions
from airoagent.calls.json_text import read_values

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_ :#-]{0,12}", fullmatch=True)
INTEGERS = st.integers(-(10**30), 10**30)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.one_of(st.none(), st.booleans(), INTEGERS, FLOATS, TEXT)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(NAMES, inner, max_size=4)),
    max_leaves=8,
)


@st.composite
def params(draw: st.DrawFn, depth: int = 0) -> tuple[Param, st.SearchStrategy[Any]]:
    """A parameter, and the values that fit it."""
    kinds = ["any", "string", "integer", "number", "boolean", *(["array", "object", "map"] if depth < 2 else [])]
    kind: Any = draw(st.sampled_from(kinds))
    required, nullable = draw(st.booleans()), draw(st.booleans())
    name = draw(NAMES)
    simple = {"any": VALUES, "string": TEXT, "integer": INTEGERS, "number": INTEGERS | FLOATS, "boolean": st.booleans()}
    if kind in simple:
        param, values = Param(name, kind=kind, required=required, nullable=nullable), simple[kind]
    elif kind == "array":
        items, inside = draw(params(depth + 1))
        param, values = (
            Param(name, kind="array", required=required, nullable=nullable, items=items),
            st.lists(inside, max_size=3),
        )
    elif kind == "map":
        inner, inside = draw(params(depth + 1))
        param = Param(name, kind="object", required=required, nullable=nullable, values=inner)
        values = st.dictionaries(NAMES, inside, max_size=3)
    else:
        members, values = draw(objects(depth + 1))
        param = Param(name, kind="object", required=required, nullable=nullable, members=members)
        if not members:
            values = st.dictionaries(NAMES, VALUES, max_size=3)
    return param, values | st.none() if nullable else values


@st.composite
def objects(draw: st.DrawFn, depth: int = 0) -> tuple[tuple[Param, ...], st.SearchStrategy[dict[str, Any]]]:
    """Members with different names, and the objects they allow."""
    drawn = draw(st.lists(params(depth), max_size=3, unique_by=lambda one: one[0].name))
    needed = {param.name: values for param, values in drawn if param.required}
    optional = {param.name: values for param, values in drawn if not param.required}
    return tuple(param for param, _ in drawn), st.fixed_dictionaries(needed, optional=optional)


def identical(one: Any, other: Any) -> bool:
    """Equal as JSON: 1, 1.0 and true differ."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


@pytest.mark.parametrize("format", ["json", "yaml"])
@given(data=st.data())
@settings(max_examples=80, deadline=None)
def test_what_fits_the_schema_survives_being_printed_and_read(data: st.DataObject, format: Any) -> None:
    members, values = data.draw(objects())
    call = Call("f", data.draw(values))
    (read,) = parse_calls(write_call(call, format), Functions([Function("f", "", members)]), format)
    assert identical(read.params, call.params)
    assert read.diagnostics == ()


@given(VALUES)
@settings(max_examples=200, deadline=None)
def test_the_tolerant_reader_reads_strict_json_as_json_does(value: Any) -> None:
    for text in (json.dumps([value]), json.dumps([value], ensure_ascii=False, indent=1)):
        assume(not re.search(r"\\[bf][A-Za-z]", text))  # LaTeX: \beta, \frac
        (found,) = read_values(text, ())
        assert identical(found.value, json.loads(text))
        assert found.findings == []


FUNCTIONS = load_functions("f:\n  params:\n    a: {type: integer}\n    b: {required: false}\ng:\n  params: {}\n")
PIECES = st.sampled_from(
    [
        "{",
        "}",
        "[",
        "]",
        '"',
        "'",
        ":",
        ",",
        "\\",
        "\\u",
        "\\ud800",
        "f",
        "function",
        '"function"',
        "params",
        "a",
        "b",
        "1",
        "-",
        "0",
        "1e999",
        "NaN",
        "null",
        "true",
        "None",
        " ",
        "\n",
        "\t",
        "#",
        "//",
        "/*",
        "*/",
        "```",
        "- ",
        "&x ",
        "*x",
        "!!int ",
        "|",
        ">",
        "%",
        "@",
        "<<: ",
        "---\n",
        "...",
        "“",
        "”",
        "é",
        "\x00",
        "\x85",
        "\ud800",
        "function: f\n",
        "params:\n",
        "  a: 1\n",
        "+",
        "'''",
        '"""',
        "? ",
        "=",
        "：",
        "\ufeff",
    ]
)


@pytest.mark.parametrize("format", ["json", "yaml"])
@given(text=st.one_of(st.lists(PIECES, max_size=30).map("".join), st.text(max_size=60)), truncated=st.booleans())
@settings(max_examples=400, deadline=None)
def test_any_text_gives_calls_or_a_call_error(text: str, truncated: bool, format: Any) -> None:
    try:
        calls = parse_calls(text, FUNCTIONS, format, truncated=truncated)
    except CallError as error:
        wrong = [found for found in error.diagnostics if not found.repair]
        assert error.kind in {found.kind for found in wrong}
        assert all(found.line >= 1 and found.column >= 1 for found in error.diagnostics)
    else:
        assert calls
        for call in calls:
            assert call.function in FUNCTIONS.names
            json.dumps(call.params, allow_nan=False).encode()


@given(st.text("{}[]\"',:fa1 \n", max_size=40), st.integers(0, 40))
@settings(max_examples=200, deadline=None)
def test_a_prefix_never_gives_a_value_that_the_whole_text_does_not_have(noise: str, cut: int) -> None:
    whole = json.dumps({"function": "f", "params": {"a": 12345, "b": noise}})
    for text in (whole[: len(whole) - cut], whole[:cut]):
        try:
            (call,) = parse_calls(text, FUNCTIONS, truncated=True)
        except CallError:
            continue
        assert call.params.get("a", 12345) == 12345
        assert call.params.get("b", noise) == noise


@given(text=st.lists(PIECES, max_size=30).map("".join))
@settings(max_examples=150, deadline=None)
def test_so_it_is_where_yaml_has_no_c_parser(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("yaml.__with_libyaml__", False)
        for whole in (text, f"function: f\nparams:\n  b: {text}"):
            try:
                calls = parse_calls(whole, FUNCTIONS, "yaml")
            except CallError:
                continue
            for call in calls:
                json.dumps(call.params, allow_nan=False, ensure_ascii=False).encode()


@pytest.mark.parametrize("c_parser", [True, False])
def test_half_a_character_is_refused_by_either_parser(c_parser: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not c_parser:
        monkeypatch.setattr("yaml.__with_libyaml__", False)
    for text in ("function: f\n\ud800", 'function: f\nparams: {b: "\\ud800"}\n'):
        with pytest.raises(CallError):
            parse_calls(text, FUNCTIONS, "yaml")


HOSTILE = {
    "open objects": '{"' * 500_000,
    "brackets": "[" * 100_000,
    "braces": "{" * 100_000,
    "objects in objects": '{"a":' * 50_000,
    "quotes": '"' * 200_000,
    "keys": "{" + ", ".join(f'"k{number}": 1' for number in range(100_000)) + "}",
    "some keys": '{"function": "f", "params": {' + ", ".join(f'"k{number}": 1' for number in range(15_000)) + "}}",
    "commas": '{"function": "f", "params": {' + "," * 200_000,
    "unquoted": "{function: f, params: {" + "a b " * 50_000,
    "comments": "{" + "/* */" * 40_000,
    "open comments": "{" + "/*" * 100_000,
    "apostrophes": "{'function': '" + "it's " * 40_000,
    "spaces": "{'function': 'f'" + " " * 200_000 + "x",
    "digits": '{"function": "f", "params": {"a": ' + "9" * 200_000 + "}}",
    "escapes": '{"function": "' + "\\" * 200_001,
    "chatter": "{x} " * 60_000,
    "fences": "```\n" * 60_000,
    "plus": '{"function": "f"' + ' + "f"' * 40_000,
    "triples": '{"function": ' + '"""' * 60_000,
    "yaml keys": "function: f\nparams:\n" + "".join(f"  k{number}: 1\n" for number in range(20_000)),
    "yaml lists": "function: f\nparams:\n" + "- " * 100_000,
    "yaml flow": "function: f\nparams: " + "[" * 100_000,
    "yaml flow maps": "function: f\nparams: " + "{a: " * 50_000,
    "yaml colons": "function: " + "a: " * 60_000,
    "yaml quotes": "function: '" + "''" * 100_000,
    "yaml values": "function: f\nparams:\n" + "  a: b: c\n" * 20_000,
    "yaml indents": "".join(" " * number + "function:\n" for number in range(600)),
    "yaml aliases": "function: &a [x]\n"
    + "".join(f"a{number}: &a{number} [{', '.join([f'*a{number - 1}'] * 9)}]\n" for number in range(1, 12)),
    "yaml comments": "function: f\n" + "#" * 200_000,
    "yaml question marks": "function: f\n" + "? " * 100_000,
}


@pytest.mark.parametrize("format", ["json", "yaml"])
@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.timeout(20)
def test_hostile_text_is_refused(name: str, format: Any) -> None:
    with pytest.raises(CallError):
        parse_calls(HOSTILE[name], FUNCTIONS, format)


def test_the_kinds_of_refusal_have_names() -> None:
    for text, kind in [
        ("x" * 300_000, "too_large"),
        ("[" * 65 + "]" * 65, "too_deep"),
        ("\ud800", "surrogate"),
        ('{"function": "f", "params": {"a": 1e999}}', "not_finite"),
        ('{"function": "f", "params": {"a": ' + "1" * 4301 + "}}", "too_large"),
        ("hello", "no_call"),
    ]:
        with pytest.raises(CallError) as caught:
            parse_calls(text, FUNCTIONS)
        assert (caught.value.kind, caught.value.exit_code) == (kind, 4)


def test_a_yaml_answer_that_was_cut_off_counts_only_to_its_last_whole_value() -> None:
    whole = parse_calls("function: f\nparams:\n  a: 1\n  b: 'x'", FUNCTIONS, "yaml", truncated=True)
    assert whole[0].params == {"a": 1, "b": "x"}
    assert [found.kind for found in whole[0].diagnostics] == ["cut"]
    with pytest.raises(CallError) as caught:
        parse_calls("function: f\nparams:\n  a: 1\n  b: xy", FUNCTIONS, "yaml", truncated=True)
    assert caught.value.kind == "truncated"


def test_functions_are_given_in_any_form_that_load_functions_takes() -> None:
    def resize(width: int) -> None:
        """Changes the size of a picture."""

    text = '{"function": "resize", "params": {"width": 640}}'
    for functions in (
        [resize],
        resize,
        "resize:\n  params:\n    width: {type: integer}\n",
        iter(load_functions(resize)),
    ):
        assert parse_calls(text, functions) == (Call("resize", {"width": 640}),)
    with pytest.raises(UsageError, match="cannot be read from a value of type int"):
        parse_calls(text, 3)


def test_an_unknown_format_is_a_usage_error() -> None:
    with pytest.raises(UsageError):
        parse_calls("{}", FUNCTIONS, "xml")  # type: ignore[arg-type]


def test_findings_say_where_they_are() -> None:
    with pytest.raises(CallError) as caught:
        parse_calls('{"function": "f",\n "params": {"a": "x",\n "c": 2}}', FUNCTIONS)
    places = [(found.kind, found.line, found.column) for found in caught.value.diagnostics]
    assert places == [("bad_type", 2, 18), ("extra", 3, 7)]
    assert "line 2, column 18" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        '{"function": "f", "params": {"a": 1}}',
        ' \n{"params": {"a": 1.50, "b": [null, {"c": true}]}, "function": "f"}\n\n',
        '```json\n{"function": "f", "params": {}}\n```',
        '```\n{"function": "f", "params": {"a": "x"}}\n```\n',
        '{"function": "f", "params": {"a": 1, "a": 2}}',
        '{"function": "f", "params": {"a": 1e999}}',
        '{"function": "f", "params": {"a": NaN}}',
        '{"function": "f", "params": {"a": "\\beta"}}',
        '{"function": "f", "params": {"a": "x</think>y"}}',
        '{"function": "f", "params": {"a": ' + "[" * 70 + "]" * 70 + "}}",
        '{"function": "f", "params": [1]}',
        '{"function": ["f"], "params": {}}',
        '{"function": "f", "params": {"zork": 1}}',
        '{"function": "f", "params": {"n": "3"}}',
        '{"function": "f", "params": {}} {"function": "f", "params": {"a": 2}}',
        '```json\n{"function": "f", "params": {}}\n```\nas you asked',
    ],
)
def test_plain_json_is_read_as_any_other_text(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    functions = load_functions(
        "f:\n  params:\n    a: (optional) x\n    b: (optional) x\n    n: {type: integer, default: 1}"
    )

    def outcome() -> Any:
        try:
            return [(one.function, one.params, one.diagnostics) for one in parse_calls(text, functions)]
        except CallError as error:
            return error.kind, error.diagnostics

    found = outcome()
    monkeypatch.setattr(call_shapes, "_plain_call", lambda *_: None)
    assert outcome() == found


@pytest.mark.parametrize("format", ["json", "yaml"])
@pytest.mark.parametrize("text", ["\x0cA \x08a \\frac \\\\b", "\x08A", "\x0cA"])
def test_a_form_feed_before_a_letter_is_written_so_that_it_is_not_read_as_latex(format: Any, text: str) -> None:
    functions = Functions([Function("f", "", (Param("text"),))])
    call = Call("f", {"text": text})
    assert parse_calls(write_call(call, format), functions, format)[0].params == call.params


def test_a_member_next_to_its_map_joins_it_however_the_map_is_spelled() -> None:
    functions = load_functions("f:\n  params:\n    filters:\n      keyword: A word.\n      most: {type: integer}\n")
    (call,) = parse_calls('{"function": "f", "params": {"Filters": {"keyword": "a"}, "most": 3}}', functions)
    assert call.params == {"filters": {"keyword": "a", "most": 3}}
    assert [one.kind for one in call.diagnostics] == ["spelling", "misplaced"]
