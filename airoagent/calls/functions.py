"""The functions a model may call: name, description, and parameters as a typed tree.

They come from YAML in the airoboros style (`specs`) or from Python callables and tools (`signatures`), and go to the
prompt's YAML (`specs.functions_yaml`) and to JSON schema (here), which decoding can be held to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from functools import cached_property
from typing import Any, Literal

from airoagent.calls.scalars import Json
from airoagent.calls.spelling import Spellings
from airoagent.errors import Diagnostic, UsageError
from airoagent.frozen import frozen

Kind = Literal["any", "string", "integer", "number", "boolean", "array", "object"]

SIZES = ("minLength", "maxLength", "minItems", "maxItems")
_SCHEMA_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", *SIZES)
BOUNDS = (*_SCHEMA_BOUNDS, "uniqueItems")
"""JSON Schema's words for the bounds of a value, which every call is checked against."""
HINTS = ("pattern", "format")
"""Its words for the form of a text: the model reads them, nothing is checked (a pattern may take forever)."""


@frozen
class Param:
    """One parameter, or a part of one.

    ``members`` are what an object contains (empty: anything, each of kind ``values`` if that is given); ``items`` what
    an array contains. ``default`` is the value if none is given and ``has_default`` is true. ``beside``: in YAML, the
    map is next to ``params``, not in it. ``limits`` are the words of `BOUNDS` and `HINTS` that hold for it.
    """

    name: str
    description: str = ""
    kind: Kind = "any"
    required: bool = True
    enum: tuple[Json, ...] = ()
    default: Json = None
    has_default: bool = False
    nullable: bool = False
    members: tuple[Param, ...] = ()
    items: Param | None = None
    values: Param | None = None
    beside: bool = False
    limits: tuple[tuple[str, Json], ...] = ()

    def schema(self) -> dict[str, Json]:
        """The JSON schema of a value."""
        schema: dict[str, Json] = {}
        if self.kind == "object" and self.members:
            schema = object_schema(self.members)
        elif self.kind != "any":
            schema["type"] = self.kind
        if self.items is not None:
            schema["items"] = self.items.schema()
        if self.values is not None:
            schema["additionalProperties"] = self.values.schema()
        if self.enum:
            schema["enum"] = list(self.enum)
        schema.update((word, bound) for word, bound in self.limits if word in _SCHEMA_BOUNDS)
        if self.nullable and self.kind != "any":
            schema = {"anyOf": [schema, {"type": "null"}]}
        if self.description:
            schema["description"] = self.description
        if self.has_default:
            schema["default"] = self.default
        return schema


def object_schema(members: Iterable[Param]) -> dict[str, Json]:
    """The JSON schema of an object with these members and no others."""
    members = tuple(members)
    return {
        "type": "object",
        "properties": {member.name: member.schema() for member in members},
        "required": [member.name for member in members if member.required],
        "additionalProperties": False,
    }


@frozen
class Function:
    """A function a model may call.

    ``params_word`` is the word its YAML uses (``params`` or ``parameters``). ``target`` is the callable or tool it was
    made from (None for a specification alone); ``diagnostics`` say what of the specification was left out. Both are
    not compared.
    """

    name: str
    description: str = ""
    params: tuple[Param, ...] = ()
    params_word: Literal["params", "parameters"] = "params"
    target: Callable[..., Any] | None = field(default=None, compare=False, repr=False)
    diagnostics: tuple[Diagnostic, ...] = field(default=(), compare=False)

    def schema(self) -> dict[str, Json]:
        """The JSON schema of its parameters, as a plain dict."""
        return object_schema(self.params)

    def with_defaults(self, params: Mapping[str, Json]) -> dict[str, Json]:
        """The parameters with the specification's defaults for those that were left out."""
        defaults = {param.name: param.default for param in self.params if param.has_default}
        return {**defaults, **params}


class Functions(tuple[Function, ...]):
    """The available functions, in order; names are unique."""

    def __new__(cls, functions: Iterable[Function] = ()) -> Functions:
        """UsageError if two functions have the same name."""
        self = super().__new__(cls, functions)
        for name, count in Counter(function.name for function in self).items():
            if count > 1:
                raise UsageError(f"two functions are called {name}", "rename one of them")
        return self

    @cached_property
    def names(self) -> dict[str, Function]:
        """The functions by name."""
        return {function.name: function for function in self}

    @cached_property
    def spellings(self) -> Spellings:
        """Which function a name means, also where it is spelled in another way."""
        return Spellings(self.names)


def call_schema(functions: Iterable[Function], keys: tuple[str, str] = ("function", "params")) -> dict[str, Json]:
    """The JSON schema of one call of any of the functions: ``{"function": NAME, "params": {...}}``, with these keys."""
    name, params = keys
    calls = [
        {
            "type": "object",
            "properties": {name: {"const": function.name}, params: function.schema()},
            "required": [name, params],
            "additionalProperties": False,
        }
        for function in functions
    ]
    return calls[0] if len(calls) == 1 else {"anyOf": calls}
