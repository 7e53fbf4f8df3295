"""An independent look at whether a value is valid against a JSON schema: the few words that function schemas use."""

from __future__ import annotations

import itertools
from typing import Any

__all__ = ["problems"]

_KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
    "array": (list,),
    "object": (dict,),
}


def problems(value: Any, schema: Any, place: str = "$") -> list[str]:
    """What is wrong with the value; empty if nothing is."""
    if schema is True or schema == {}:
        return []
    for word in ("anyOf", "oneOf"):
        if word in schema:
            tried = [problems(value, one, place) for one in schema[word]]
            good = sum(not found for found in tried)
            fits = good == 1 or (good > 1 and word == "anyOf")
            return [] if fits else [f"{place}: {good} of {word} fit", *itertools.chain.from_iterable(tried)]
    if "const" in schema and (value != schema["const"] or type(value) is not type(schema["const"])):
        return [f"{place}: not {schema['const']!r}"]
    if "enum" in schema and not any(value == one and type(value) is type(one) for one in schema["enum"]):
        return [f"{place}: {value!r} is none of {schema['enum']}"]
    kinds = schema.get("type", list(_KINDS))
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if not any(isinstance(value, _KINDS[kind]) and (kind == "boolean") == isinstance(value, bool) for kind in kinds):
        return [f"{place}: {value!r} is no {'/'.join(kinds)}"]
    found: list[str] = []
    if isinstance(value, str):
        found += _bounds(len(value), schema, "minLength", "maxLength", place)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        found += _bounds(value, schema, "minimum", "maximum", place)
    elif isinstance(value, list):
        found += _bounds(len(value), schema, "minItems", "maxItems", place)
        for at, item in enumerate(value):
            found += problems(item, schema.get("items", True), f"{place}[{at}]")
    elif isinstance(value, dict):
        members = schema.get("properties", {})
        found += [f"{place}: {name} is missing" for name in schema.get("required", ()) if name not in value]
        for name, item in value.items():
            inner = members.get(name, schema.get("additionalProperties", True))
            found += [f"{place}: {name} is not known"] if inner is False else problems(item, inner, f"{place}.{name}")
    return found


def _bounds(value: float, schema: Any, least: str, most: str, place: str) -> list[str]:
    low, high = schema.get(least, float("-inf")), schema.get(most, float("inf"))
    return [] if low <= value <= high else [f"{place}: {value!r} is not from {low} to {high}"]
