"""Function specifications, read into `Function` records and written for the prompt.

    file_analytics:
      description: This tool performs various operations on a text file.
      params:
        action: The operation we want to perform on the data.
        filters:
          keyword: The word or phrase we want to search for.

This is the airoboros way, in YAML. ``params`` may be called ``parameters``. A parameter is its description, a map of
what it holds, or a map that says more: ``description``, ``type``, ``required`` (true unless it says otherwise, or there
is a default), ``enum``, ``default``, ``items`` of an array, ``params`` of an object, ``values`` (the kind of everything
an object holds), ``nullable``, and the bounds of JSON Schema. Such a map differs from a map of parameters by its keys:
``type`` names a type, or all keys are of these words. A map next to ``params`` is a parameter of its own.

Tools with a JSON Schema are read by the same code: ``{"type": "function", "function": {"name": ..., "parameters":
{"type": "object", "properties": ...}}}`` as OpenAI has them, ``input_schema`` (Anthropic) and ``inputSchema`` (MCP) for
``parameters``, one tool or a list, also under ``tools`` or ``functions``. What a schema says beyond what a `Param` can
hold is left out with a finding in ``Function.diagnostics``.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, get_args

from airoagent.calls.checker import Checker
from airoagent.calls.functions import BOUNDS, HINTS, SIZES, Function, Kind, Param
from airoagent.calls.json_text import MOST_DEPTH
from airoagent.calls.scalars import Json, Path, Plain, untyped
from airoagent.calls.yaml_text import Places, write_yaml
from airoagent.errors import Diagnostic, UsageError

_KINDS: dict[str, Kind] = {
    **{kind: kind for kind in get_args(Kind)},
    **dict.fromkeys(("str", "text", "char"), "string"),
    **dict.fromkeys(("int", "long", "short", "byte", "bigint"), "integer"),
    **dict.fromkeys(("float", "double"), "number"),
    "bool": "boolean",
    **dict.fromkeys(("list", "tuple", "set", "arraylist"), "array"),
    **dict.fromkeys(("dict", "map", "hashmap", "hashtable"), "object"),
}
_MEMBERS = ("params", "parameters", "properties")
_SCHEMAS = ("params", "parameters", "input_schema", "inputSchema")
# Programs in Go write null for a list or map that is empty, those in PHP [] for a map.
_NIL = frozenset({"properties", "required", "enum", "items", "$defs", "allOf", "anyOf", "oneOf"})
_OWN_WORDS = frozenset({"description", "type", "required", "enum", "default", "items", "values", "nullable", *_MEMBERS})
_SILENT = frozenset(
    {"title", "examples", "example", "$schema", "$id", "$comment", "$defs", "definitions", "deprecated"}
)
_CHOICES = ("anyOf", "oneOf")
_KNOWN = (
    _OWN_WORDS | _SILENT | {*BOUNDS, *HINTS, *_CHOICES, "allOf", "$ref", "const", "additionalProperties", "optional"}
)
_MOST_DEPTH = 16  # of a type: a deeper or recursive one is taken as "anything" from there
_MOST_PARTS = 2_000
_MISSING = object()
FORM = "the form: NAME: {description: ..., params: {NAME: ...}}, or a tool with a JSON schema"


class SpecReader:
    """Reads one specification; ``place`` names it in errors, ``places`` says where its values stand."""

    def __init__(self, place: str, places: Places) -> None:
        self._place, self._places = place, places
        self._begin({})

    def _begin(self, root: Json) -> None:
        """Start on another function: ``root`` is what its ``$ref``s count from."""
        self._root, self._left = root, _MOST_PARTS
        self._notes: list[Diagnostic] = []

    def error(self, path: Path, what: str, hint: str = "") -> UsageError:
        line = self._places.get(path, (0, 0))[0] + 1 if self._places else 0
        where = f"{self._place or 'the function specification'}{f', line {line}' if line else ''}"
        return UsageError(f"{where}: {what}", hint or FORM)

    def note(self, path: Path, message: str, repair: str = "left out") -> None:
        line, column = self._places.get(path, (0, 0))
        self._notes.append(Diagnostic("keyword", message, line + 1, column + 1, repair))

    # Functions -------------------------------------------------------------------------------------------------

    def functions(self, value: Json, path: Path = ()) -> tuple[Function, ...]:
        if isinstance(value, list):
            return tuple(self._listed(item, (*path, number)) for number, item in enumerate(value))
        if not isinstance(value, Mapping) or not value:
            raise self.error(path, "there is no map of functions")
        if len(value) == 1 and isinstance(value.get("functions", value.get("tools")), list | dict):
            ((word, inner),) = value.items()
            return self.functions(inner, (*path, word))
        if _is_tool(value):
            return (self._listed(value, path),)
        return tuple(self.function(name, inner, (*path, name)) for name, inner in value.items())

    def _listed(self, item: Json, path: Path) -> Function:
        """A function that says its own name."""
        if not isinstance(item, Mapping):
            raise self.error(path, "a function is not a map")
        if isinstance(item.get("function"), Mapping):
            item, path = item["function"], (*path, "function")
        if isinstance(item.get("name"), str):
            return self.function(str(item["name"]), {key: one for key, one in item.items() if key != "name"}, path)
        if len(item) != 1:
            raise self.error(path, "a function of the list has no name")
        ((name, inner),) = item.items()
        return self.function(name, inner, (*path, name))

    def function(self, name: str, value: Json, path: Path) -> Function:
        name = str(name).strip()
        if not name:
            raise self.error(path, "a function has no name")
        if isinstance(value, str):
            return Function(name, str(value))
        if not isinstance(value, Mapping):
            raise self.error(path, f"{name} is not a map")
        description = value.get("description", "")
        if not isinstance(description, str | None):
            raise self.error((*path, "description"), f"the description of {name} is not text")
        words = [word for word in _SCHEMAS if word in value]
        if len(words) == 2:
            raise self.error(path, f"{name} has both {words[0]} and {words[1]}", "keep one of the two words")
        schema = any(_is_schema(value[word]) for word in words)
        self._begin(value[words[0]] if schema else {})
        params: list[Param] = []
        for key, inner in value.items():
            at = (*path, key)
            if key == "description":
                continue
            if key in words:
                if inner is not None and inner != "" and not isinstance(inner, Mapping):
                    raise self.error(at, f"the {key} of {name} are not a map")
                params += self._spec(name, inner, at, True).members if schema else self._members(inner or {}, at)
            elif isinstance(inner, Mapping) and not schema:
                params.append(self._param(key, inner, at, beside=True))
            elif schema or key in ("type", "strict"):
                if key not in ("type", "strict"):
                    self.note(at, f"{key!r} of {name} is not a part of a function.")
            else:
                raise self.error(at, f"{name} has a {key!r} that is neither a description nor parameters")
        for word, count in Counter(param.name for param in params).items():
            if count > 1:
                raise self.error(path, f"{name} has two parameters called {word}")
        said = str(description or "")
        plain = words == ["parameters"] and not schema
        return Function(name, said, tuple(params), "parameters" if plain else "params", None, tuple(self._notes))

    # Parameters ------------------------------------------------------------------------------------------------

    def _members(self, value: Mapping[str, Json], path: Path, depth: int = 0) -> list[Param]:
        return [self._param(str(name), inner, (*path, name), depth) for name, inner in value.items()]

    def _param(self, name: str, value: Json, path: Path, depth: int = 0, *, beside: bool = False) -> Param:
        """A parameter in the airoboros way."""
        if value is None or isinstance(value, str):
            text = str(value or "")
            return Param(name, text, required=not _says_optional(text), beside=beside)
        if not isinstance(value, Mapping):
            raise self.error(path, f"the parameter {name} is neither a description nor a map")
        if _is_spec(value) and not (beside and "description" in value):
            return replace(self._spec(name, value, path, None, depth), beside=beside)
        if depth > MOST_DEPTH:
            raise self.error((), f"maps are nested more than {MOST_DEPTH} deep")
        return Param(name, kind="object", members=tuple(self._members(value, path, depth + 1)), beside=beside)

    def _spec(self, name: str, given: Json, path: Path, listed: bool | None = None, depth: int = 0) -> Param:
        """A parameter whose map says what it is. ``listed`` is whether the schema around it lists it as required; None
        in the airoboros way, where it is required unless it says otherwise.
        """
        value = self._mapping(given, f"the schema of {name}", path)
        value = {word: item for word, item in value.items() if not (word in _NIL and item in (None, []))}
        self._mapping(value.get("$defs", {}), f"$defs of {name}", path)
        strict = listed is None
        self._left -= 1
        if depth > _MOST_DEPTH or self._left < 0:
            return Param(name, required=listed is not False)
        depth += 3 * ("$ref" in value)  # it may name what it stands in
        value = self._resolved(name, value, path)
        for word in value:
            if word not in _KNOWN and not str(word).startswith("x-"):
                self.note((*path, word), f"{str(word)[:80]!r} of {name} is not a known word.")
        kind, nullable = self._kind(name, value, path)
        members, items, values = self._parts(name, value, path, depth)
        if "required" in value and not isinstance(value["required"], list):
            listed = self._flag(value, "required", True, path)
        elif "optional" in value and not isinstance(value["optional"], list):
            listed = not self._flag(value, "optional", False, path)
        text, limits = str(value.get("description") or ""), self._limits(name, value, path)
        param = Param(name, text, kind, nullable=nullable, members=members, items=items, values=values, limits=limits)
        param = self._values(param, value, path, strict)
        if listed is None:
            listed = not param.has_default and not _says_optional(param.description)
        return replace(param, required=listed and (strict or not param.has_default))

    def _resolved(self, name: str, value: Mapping[str, Json], path: Path) -> Mapping[str, Json]:
        """The schema with its ``$ref``, its ``allOf`` and the one choice that is left of an ``anyOf`` put in."""
        for _ in range(_MOST_DEPTH):
            if "$ref" in value:
                target: Any = self._root
                for key in str(value["$ref"]).removeprefix("#").strip("/").split("/"):
                    target = target.get(key, _MISSING) if isinstance(target, Mapping) else _MISSING
                if target is _MISSING:
                    self.note(path, f"{name} refers to {str(value['$ref'])[:80]!r}, not in the schema.", "of any kind")
                    target = {}
                target = self._mapping(target, f"the schema of {name}", path)
                value = {**target, **{key: item for key, item in value.items() if key != "$ref"}}
                continue
            if "allOf" in value:
                parts = self._schemas(value, "allOf", name, path)
                value = _merged([*parts, {key: item for key, item in value.items() if key != "allOf"}])
                continue
            word = next((one for one in _CHOICES if one in value), "")
            if not word:
                return value
            options = self._schemas(value, word, name, path)
            rest = [one for one in options if one.get("type") != "null"]
            value = {key: item for key, item in value.items() if key != word}
            if len(rest) < len(options):
                value["nullable"] = True
            if rest and all("const" in one or isinstance(one.get("enum"), list) for one in rest):
                constants = [item for one in rest for item in one.get("enum", [one.get("const")])]
                value = {"type": rest[0].get("type", "any"), **value, "enum": constants}
            elif len(rest) == 1:
                value = _merged([value, rest[0], {"description": value.get("description", rest[0].get("description"))}])
            elif len(rest) > 1 and not isinstance(value.get("properties"), Mapping):
                self.note((*path, word), f"{name} may be of several kinds.", "read as any value")
                value["type"] = "any"
            elif rest:
                self.note((*path, word), f"{name} has members that depend on others.")
        return {}

    def _kind(self, name: str, value: Mapping[str, Json], path: Path) -> tuple[Kind, bool]:
        """The type, and whether null is one of its values."""
        written = value.get("type", "any")
        several = [str(one).lower() for one in (written if isinstance(written, list) else [written])]
        kinds = [one for one in several if one != "null"] or ["any"]
        nullable = self._flag(value, "nullable", False, path) or "null" in several
        if "type" not in value:
            holds = any(isinstance(value.get(word), Mapping) for word in (*_MEMBERS, "values"))
            return "object" if holds else "array" if "items" in value else "any", nullable
        if set(kinds) == {"integer", "number"}:
            return "number", nullable
        if len(kinds) > 1:
            self.note((*path, "type"), f"{name} may be of several kinds.", "read as any value")
            return "any", nullable
        if kinds[0] not in _KINDS:
            self.note((*path, "type"), f"{kinds[0][:80]!r} of {name} is not a type.", "read as any value")
        return _KINDS.get(kinds[0], "any"), nullable

    def _parts(
        self, name: str, value: Mapping[str, Json], path: Path, depth: int
    ) -> tuple[tuple[Param, ...], Param | None, Param | None]:
        """The members, items and values of a parameter."""
        word = next((one for one in _MEMBERS if one in value), "")
        members: tuple[Param, ...] = ()
        needed = value.get("required")
        if word:
            found = {} if word != "properties" and value[word] in (None, "") else value[word]
            if not isinstance(found, Mapping):
                raise self.error(path, f"the {word} of {name} are {_short(found)}, which is not a map")
            if word == "properties" or isinstance(needed, list):
                names = needed if isinstance(needed, list) else []
                members = tuple(
                    Param(str(key), str(inner), required=key in names)
                    if isinstance(inner, str)
                    else self._spec(str(key), inner, (*path, word, key), key in names, depth + 1)
                    for key, inner in found.items()
                )
            else:
                members = tuple(self._members(found, (*path, word), depth + 1))
        items, values, more = value.get("items"), value.get("values"), value.get("additionalProperties")
        if isinstance(items, list):
            self.note((*path, "items"), f"The items of {name} are given one by one.", "read as any values")
        if members and more not in (None, False, "false"):
            self.note((*path, "additionalProperties"), f"{name} may have further members.", "not taken")
        if values is None and isinstance(more, Mapping) and not members:
            values = more
        return members, self._inner("items", items, path, depth), self._inner("values", values, path, depth)

    def _inner(self, word: str, value: Json, path: Path, depth: int) -> Param | None:
        if isinstance(value, Mapping) and value and not _is_spec(value) and not _KNOWN.issuperset(value):
            return self._param(word, value, (*path, word), depth + 1)  # a map of members, in the airoboros way
        if isinstance(value, Mapping) and value:
            return self._spec(word, value, (*path, word), True, depth + 1)
        return self._param(word, value, (*path, word)) if isinstance(value, str) and value != "true" else None

    def _limits(self, name: str, value: Mapping[str, Json], path: Path) -> tuple[tuple[str, Json], ...]:
        """The bounds of a value, and the words about its form that only the model reads."""
        limits: dict[str, Json] = {}
        for word in (*BOUNDS, *HINTS):
            if word not in value:
                continue
            bound = untyped(value[word]) if isinstance(value[word], Plain) else value[word]
            kinds: Any = str if word in HINTS else bool if word == "uniqueItems" else (int, float)
            fits = isinstance(bound, kinds) and (kinds is bool or not isinstance(bound, bool))
            if word in SIZES and fits:
                fits = isinstance(bound, int) and bound >= 0
            if not fits or (isinstance(bound, float) and abs(bound) > 1e300) or (word == "multipleOf" and bound <= 0):
                self.note((*path, word), f"The {word} of {name} is {_short(bound)}, which cannot be one.")
            else:
                limits[word] = bound
        for least, most in (("minimum", "maximum"), ("minLength", "maxLength"), ("minItems", "maxItems")):
            if least in limits and most in limits and limits[least] > limits[most]:
                raise self.error((*path, least), f"the {least} of {name} is more than its {most}")
        return tuple(limits.items())

    def _values(self, param: Param, value: Mapping[str, Json], path: Path, strict: bool) -> Param:
        """The parameter with its allowed values and its default, both fitted to its type."""
        name = param.name
        enum = [value["const"]] if "const" in value else self._list(value, "enum", name, path)
        if None in enum:
            param = replace(param, nullable=True)
        if enum and param.kind == "array" and not any(isinstance(one, list) for one in enum):  # those of its items
            items = param.items or Param("items")
            param = replace(param, items=items if items.enum else self._values(items, {"enum": enum}, path, strict))
            enum = []
        try:
            allowed = [self._fitted(param, one, (*path, "enum", at)) for at, one in enumerate(enum) if one is not None]
            param = replace(param, enum=tuple(allowed))
        except UsageError:
            if strict:
                raise
            self.note((*path, "enum"), f"The values of {name} are not of its type.", "the values count")
            param = replace(param, kind="any", enum=tuple(one for one in enum if one is not None))
        if "default" in value and (value["default"] is not None or param.nullable or strict):
            try:
                default = self._fitted(param, value["default"], (*path, "default"))
                return replace(param, default=default, has_default=True)
            except UsageError:
                if strict:
                    raise
                self.note((*path, "default"), f"The default of {name} is not of its type.")
        return param

    # Words -----------------------------------------------------------------------------------------------------

    def _flag(self, value: Mapping[str, Json], word: str, otherwise: bool, path: Path) -> bool:
        flag = value.get(word, otherwise)
        if isinstance(flag, bool):
            return flag
        if isinstance(flag, str) and flag.lower() in ("true", "false", "yes", "no"):
            return flag.lower() in ("true", "yes")
        raise self.error((*path, word), f"{word} must be true or false")

    def _mapping(self, value: Json, what: str, path: Path) -> Mapping[str, Json]:
        """A map of a schema; ``true`` is the schema of anything."""
        if value is True:
            return {}
        if not isinstance(value, Mapping):
            raise self.error(path, f"{what} is {_short(value)}, which is not a JSON schema")
        return value

    def _list(self, value: Mapping[str, Json], word: str, name: str, path: Path) -> list[Json]:
        found = value.get(word, [])
        if not isinstance(found, list):
            raise self.error((*path, word), f"the {word} of {name} is not a list")
        return found

    def _schemas(self, value: Mapping[str, Json], word: str, name: str, path: Path) -> list[Mapping[str, Json]]:
        what = f"a {'part' if word == 'allOf' else 'choice'} of {name}"
        return [self._mapping(one, what, path) for one in self._list(value, word, name, path)]

    def _fitted(self, param: Param, value: Json, path: Path) -> Json:
        checker = Checker()
        fitted = checker.value(value, param, (), param.name)
        if checker.diagnostics:
            raise self.error(path, f"{value!r} does not fit {param.name}, which is of type {param.kind}")
        return fitted


def _short(value: Json) -> str:
    return json.dumps(value, default=repr)[:80]


def _merged(parts: Iterable[Mapping[str, Json]]) -> dict[str, Json]:
    """Several schemas that all hold, as one: their members together, of the other words the last."""
    found: dict[str, Json] = {}
    for part in parts:
        for word, value in part.items():
            there = found.get(word)
            if word == "properties" and isinstance(there, Mapping) and isinstance(value, Mapping):
                value = {**there, **value}
            elif word == "required" and isinstance(there, list) and isinstance(value, list):
                value = [*there, *value]
            found[word] = value
    return found


def _says_optional(description: str) -> bool:
    """Whether a description says that the parameter may be left out."""
    text = description.lower()
    return text.startswith("optional") or "(optional" in text


def _is_tool(value: Mapping[str, Json]) -> bool:
    """Whether a map is one function that says its own name, not a map of functions."""
    if isinstance(value.get("function"), Mapping):
        return value.get("type") == "function" or isinstance(value["function"].get("name"), str)
    return isinstance(value.get("name"), str) and any(isinstance(value.get(word), Mapping) for word in _SCHEMAS)


def _is_schema(value: Json) -> bool:
    """Whether what stands under ``parameters`` is the JSON schema of an object, not a map of parameters."""
    if not isinstance(value, Mapping):
        return False
    kind = value.get("type")
    named = isinstance(kind, str) and _KINDS.get(kind.lower()) == "object"
    members = isinstance(value.get("properties"), Mapping) and (kind is None or named)
    return members or (named and _KNOWN.issuperset(value))


def _is_spec(value: Mapping[str, Json]) -> bool:
    """Whether a map says what one parameter is; it is a map of parameters otherwise."""
    kinds = value.get("type")
    if isinstance(kinds, str) and kinds.lower() in _KINDS:
        return True
    if isinstance(kinds, list) and kinds and all(str(kind).lower() in (*_KINDS, "null") for kind in kinds):
        return True
    if isinstance(value.get("$ref"), str) or any(isinstance(value.get(word), list) for word in (*_CHOICES, "allOf")):
        return True
    bounds = {word for word in BOUNDS if word in value}
    if not value or not (_OWN_WORDS | bounds).issuperset(value) or "type" in value:
        return False
    if bounds:
        return all(isinstance(untyped(str(value[word])), int | float) for word in bounds)
    if isinstance(value.get("enum"), list) or isinstance(value.get("items"), Mapping):
        return True
    flags = [value[word] for word in ("required", "nullable") if word in value]
    if flags:
        return all(flag in (True, False) or str(flag).lower() in ("true", "false") for flag in flags)
    return "description" in value and (isinstance(value["description"], str) or any(word in value for word in _MEMBERS))


def functions_of(value: Json, place: str = "", places: Places | None = None) -> tuple[Function, ...]:
    """The functions of a specification that is loaded already (plain dicts and lists); see `load_functions`."""
    return SpecReader(place, places or {}).functions(value)


def param_of_schema(name: str, schema: Any) -> Param:
    """The parameter that a JSON schema describes; what has no place in the tree is taken as "anything".

    UsageError for what is not a JSON schema, with the place that is wrong.
    """
    reader = SpecReader(f"the schema of {name}", {})
    reader._begin(schema)
    return reader._spec(name, schema, (), True)


def functions_yaml(functions: Iterable[Function]) -> str:
    """The specification as the prompt has it; `load_functions` reads it back as the same functions."""
    return write_yaml({function.name: _function_value(function) for function in functions})


def _function_value(function: Function) -> dict[str, Json]:
    value: dict[str, Json] = {}
    if function.description:
        value["description"] = function.description
    inside = {param.name: _param_value(param) for param in function.params if not param.beside}
    if inside or function.params_word == "parameters":
        value[function.params_word] = inside
    value.update({param.name: _param_value(param) for param in function.params if param.beside})
    return value


def _param_value(param: Param) -> Json:
    """A description alone, a map of members alone, or all that is known."""
    optional = param.has_default or _says_optional(param.description)
    unusual: dict[str, Json] = {}
    if param.enum:
        unusual["enum"] = list(param.enum)
    if param.items is not None:
        unusual["items"] = _param_value(param.items)
    if param.values is not None:
        unusual["values"] = _param_value(param.values)
    if param.nullable:
        unusual["nullable"] = True
    if param.required == optional:
        unusual["required"] = param.required
    if param.has_default:
        unusual["default"] = param.default
    unusual.update(param.limits)
    members = {member.name: _param_value(member) for member in param.members}
    if not unusual and not param.description and members and not _is_spec(members):
        return members
    if not unusual and param.kind == "any":
        return param.description
    value: dict[str, Json] = {}
    if param.description:
        value["description"] = param.description
    if param.kind != "any" or "description" not in value or param.limits:
        value["type"] = param.kind
    if members:
        value["params"] = members
    return {**value, **unusual}
