"""The grammar of a function call, for decoding that is held to one: a call of a function on offer, in JSON.

Lark as llguidance reads it, around the JSON schema of `functions.call_schema`. Two things are added to that schema for
the model's sake: strings have an end, so that no model writes one up to its token limit, and a parameter of any type is
a scalar.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from airoagent.language.functions import Function, Json, call_schema

__all__ = ["call_grammar"]

_MOST_CHARACTERS = 1000
_MOST_ITEMS = 50
_SCALAR: list[Json] = [
    {"type": "string", "maxLength": _MOST_CHARACTERS},
    {"type": "number"},
    {"type": "boolean"},
]


def call_grammar(functions: Iterable[Function]) -> str:
    """The grammar of one call of one of the functions."""
    schema = _bounded(call_schema(functions))
    # One form of white space: with any allowed, a model can pad a call up to its token limit.
    schema["x-guidance"] = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
    return f'start: " "? call\ncall: %json {json.dumps(schema)}\n'


def _bounded(schema: dict[str, Json]) -> dict[str, Json]:
    if "const" in schema or "enum" in schema:
        return {key: value for key, value in schema.items() if key in ("const", "enum")}
    if "anyOf" in schema:
        return {"anyOf": [_bounded(option) for option in schema["anyOf"]]}
    match schema.get("type"):
        case "string":
            return {"type": "string", "maxLength": _MOST_CHARACTERS}
        case "array":
            return {"type": "array", "items": _bounded(schema.get("items", {})), "maxItems": _MOST_ITEMS}
        case "object":
            bounded: dict[str, Json] = {"type": "object"}
            if "properties" in schema:
                bounded["properties"] = {key: _bounded(value) for key, value in schema["properties"].items()}
                bounded["required"] = schema["required"]
                bounded["additionalProperties"] = False
            else:
                bounded["additionalProperties"] = _bounded(schema.get("additionalProperties", {}))
                bounded["maxProperties"] = _MOST_ITEMS
            return bounded
        case None:
            return {"anyOf": _SCALAR}
        case kind:
            return {"type": kind}
