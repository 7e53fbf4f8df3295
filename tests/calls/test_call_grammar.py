"""The grammar of calls: all it allows is valid against the schema, and the calls one would write are allowed."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
import yaml

from airoagent.calls.call_grammar import call_grammar, narrowed
from tests.prompts.walking import Language, lark_of
from tests.schemas import problems


def function(name: str, members: dict[str, Any], *needed: str) -> dict[str, Any]:
    params = {"type": "object", "properties": members, "required": list(needed), "additionalProperties": False}
    return {
        "type": "object",
        "properties": {"function": {"const": name}, "params": params},
        "required": ["function", "params"],
        "additionalProperties": False,
    }


SCHEMA: dict[str, Any] = {
    "anyOf": [
        function(
            "get_weather",
            {
                "city": {"type": "string", "maxLength": 12, "description": "Where."},
                "days": {"type": "integer", "minimum": 1, "maximum": 14},
                "unit": {"enum": ["c", "f", "on", 3, None, True]},
            },
            "city",
        ),
        function(
            "book",
            {
                "who": {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}},
                "tags": {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1, "maxItems": 3},
                "price": {"type": "number", "minimum": 0, "maximum": 10},
                "share": {"type": "number"},
                "ok": {"type": "boolean"},
            },
            "tags",
            "price",
        ),
        function("none", {}),
        function("free", {"any": {}, "map": {"type": "object"}, "n": {"type": ["string", "null"]}}, "any"),
    ]
}
LOAD = {"json": json.loads, "yaml": yaml.safe_load}


@pytest.mark.parametrize("form", ["json", "yaml"])
@pytest.mark.parametrize("wanted", ['abc"},]', '0123.-e"', '\\"nt: -#', "\u00e9"])
def test_whatever_it_allows_is_valid_against_the_schema(form: Any, wanted: str) -> None:
    language = Language(call_grammar(SCHEMA, form))
    draw = random.Random(wanted)
    for _ in range(40):
        text = language.walk(draw, wanted, 0.6, '"')
        assert problems(LOAD[form](text.removeprefix(" ")), SCHEMA) == [], text


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_calls_as_one_would_write_them_are_allowed(form: Any) -> None:
    language = Language(call_grammar(SCHEMA, form))
    texts = {
        "json": [
            '{"function": "get_weather", "params": {"city": "São Paulo", "days": 14, "unit": null}}',
            '{"function": "book", "params": {"who": {"name": "A\\"A"}, "tags": ["x", "y"], "price": 9.5, "ok": true}}',
            '{"function": "none", "params": {}}',
            ' {"function": "free", "params": {"any": 1.5, "map": {"k": "v"}, "n": null}}',
        ],
        "yaml": [
            'function: get_weather\nparams:\n  city: "São Paulo"\n  days: 14\n  unit: "on"\n',
            'function: book\nparams:\n  who:\n    age: -3\n  tags: ["x", "y"]\n  price: 9.5\n  ok: true\n',
            "function: none\nparams: {}\n",
            'function: free\nparams:\n  any: true\n  map: {"k": "v"}\n  "n": null\n',
        ],
    }
    for text in texts[form]:
        assert text in language, text
        assert problems(LOAD[form](text.removeprefix(" ")), SCHEMA) == []


@pytest.mark.parametrize(
    "text",
    [
        '{"function": "unknown", "params": {}}',
        '{"function": "get_weather", "params": {}}',
        '{"function":  "none", "params": {}}',
        '{"function": "get_weather", "params": {"city": "x", "days": 15}}',
        '{"function": "none", "params": {"x": 1}}',
        '{"function": "get_weather", "params": {"city": "more than twelve"}}',
        '{"function": "none"}',
        "{}",
        "",
        '{"function": "book", "params": {"tags": [], "price": 1}}',
        '{"function": "none", "params": {}} and',
        "\n",
    ],
)
def test_what_is_not_valid_cannot_be_written(text: str) -> None:
    assert text not in Language(call_grammar(SCHEMA))


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_gbnf_differs_only_in_ranges(form: Any) -> None:
    grammar = call_grammar(SCHEMA, form)
    other, same = Language(lark_of(grammar)), Language(grammar)
    draw = random.Random(2)
    for _ in range(60):
        text = other.walk(draw, 'abc"},]', 0.6, '"')
        found = problems(LOAD[form](text.removeprefix(" ")), SCHEMA)
        assert text in same or all(
            "price" in one or "anyOf" in one or "function" in one or "is not known" in one or "missing" in one
            for one in found
        )


def test_everything_has_a_bound_after_narrowing() -> None:
    assert narrowed({"type": "string"})["maxLength"] == 400
    assert narrowed({"type": "string", "minLength": 500})["maxLength"] == 500
    assert narrowed({"type": "array"})["maxItems"] == 16
    assert narrowed({"type": "integer", "minimum": 3}) == {"type": "integer", "minimum": 3, "maximum": 2**53}
    assert narrowed({"type": "object", "properties": {"a": True}})["additionalProperties"] is False
    assert narrowed({"enum": [1], "description": "x"}) == {"enum": [1]}


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_texts_can_be_held_to_the_words_of_the_request(form: Any) -> None:
    members = {"to": {"type": "string"}, "kind": {"enum": ["mail"]}, "code": {"type": "string", "maxLength": 2}}
    schema = function("send", members, "to")
    language = Language(call_grammar(schema, form, 'Send "Ana Berg" an\ne-mail to Geneva'))

    def call(**params: str) -> str:
        whole = {"function": "send", "params": params}
        if form == "json":
            return json.dumps(whole)
        lines = [f"  {name}: {value if name == 'kind' else json.dumps(value)}\n" for name, value in params.items()]
        return f"function: send\nparams:\n{''.join(lines)}"

    assert call(to="Geneva") in language
    assert call(to="Ana Berg", kind="mail", code="XY") in language
    assert call(to="an e-mail") in language
    assert call(to="Geneford") not in language
    assert call(to="Berg Ana") not in language
