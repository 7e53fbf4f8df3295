"""Function specifications in YAML, the airoboros way: read into `Function` records, and written for the prompt.

    file_analytics:
      description: This tool performs various operations on a text file.
      params:
        action: The operation we want to perform on the data.
        filters:
          keyword: The word or phrase we want to search for.

``params`` may be called ``parameters``. A parameter is its description, or a map of what it holds, or a map that says
more: ``description``, ``type`` (string, integer, number, boolean, array, object), ``required`` (true unless said
otherwise, or there is a default), ``enum``, ``default``, ``items`` of an array, ``params`` of an object, ``values``
(what whatever an object holds is), ``nullable``. A map beside ``params`` is a parameter of its own. Such a map is told
from a map of parameters by its keys: all of them are of these words, and ``type`` names a type.

A list ``functions: [{name: ..., ...}, ...]`` is read too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import get_args

from airoagent.calls.checker import Checker
from airoagent.calls.functions import Function, Kind, Param
from airoagent.calls.scalars import Json, Path
from airoagent.calls.yaml_text import Places, Unreadable, read_documents, write_yaml
from airoagent.errors import UsageError

__all__ = ["functions_of", "functions_yaml", "read_functions"]

_KINDS: dict[str, Kind] = {
    **{kind: kind for kind in get_args(Kind)},
    "str": "string",
    "text": "string",
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "list": "array",
    "dict": "object",
    "map": "object",
}
_MEMBERS = ("params", "parameters", "properties")
_WORDS = frozenset({"description", "type", "required", "enum", "default", "items", "values", "nullable", *_MEMBERS})


class SpecReader:
    """One specification; ``place`` names it in errors, ``places`` says where its values stand."""

    def __init__(self, place: str, places: Places) -> None:
        self._place, self._places = place, places

    def error(self, path: Path, what: str, hint: str = "") -> UsageError:
        line = self._places.get(path, (0, 0))[0] + 1 if self._places else 0
        where = f"{self._place or 'the function specification'}{f', line {line}' if line else ''}"
        return UsageError(f"{where}: {what}", hint or "the form: NAME: {description: ..., params: {NAME: ...}}")

    def functions(self, value: Json) -> tuple[Function, ...]:
        if isinstance(value, Mapping) and set(value) == {"functions"}:
            return self._functions_in(value["functions"], ("functions",))
        return self._functions_in(value, ())

    def _functions_in(self, value: Json, path: Path) -> tuple[Function, ...]:
        if isinstance(value, list):
            found = []
            for number, item in enumerate(value):
                at = (*path, number)
                if not isinstance(item, Mapping):
                    raise self.error(at, "a function is not a map")
                if isinstance(item.get("name"), str):
                    rest = {key: inner for key, inner in item.items() if key != "name"}
                    found.append(self.function(str(item["name"]), rest, at))
                elif len(item) == 1:
                    ((name, inner),) = item.items()
                    found.append(self.function(name, inner, (*at, name)))
                else:
                    raise self.error(at, "a function of the list has no name")
            return tuple(found)
        if not isinstance(value, Mapping) or not value:
            raise self.error(path, "there is no map of functions")
        return tuple(self.function(name, inner, (*path, name)) for name, inner in value.items())

    def function(self, name: str, value: Json, path: Path) -> Function:
        name = str(name).strip()
        if not name:
            raise self.error(path, "a function has no name")
        if isinstance(value, str):
            return Function(name, str(value))
        if not isinstance(value, Mapping):
            raise self.error(path, f"{name} is not a map")
        description = value.get("description", "")
        if not isinstance(description, str):
            raise self.error((*path, "description"), f"the description of {name} is not text")
        words = [word for word in ("params", "parameters") if word in value]
        if len(words) == 2:
            raise self.error(path, f"{name} has both params and parameters", "keep one of the two words")
        params: list[Param] = []
        for key, inner in value.items():
            at = (*path, key)
            if key == "description":
                continue
            if key in words:
                if inner is not None and inner != "" and not isinstance(inner, Mapping):
                    raise self.error(at, f"the {key} of {name} are not a map")
                params += self._members(inner or {}, at)
            elif isinstance(inner, Mapping):
                params.append(self._param(key, inner, at, beside=True))
            else:
                raise self.error(at, f"{name} has a {key!r} that is neither a description nor parameters")
        names = [param.name for param in params]
        double = next((one for one in names if names.count(one) > 1), None)
        if double is not None:
            raise self.error(path, f"{name} has two parameters called {double}")
        return Function(name, str(description), tuple(params), "parameters" if words == ["parameters"] else "params")

    def _members(self, value: Mapping[str, Json], path: Path) -> list[Param]:
        return [self._param(name, inner, (*path, name)) for name, inner in value.items()]

    def _param(self, name: str, value: Json, path: Path, *, beside: bool = False) -> Param:
        name = str(name)
        if value is None or isinstance(value, str):
            text = str(value or "")
            return Param(name, text, required=not _says_optional(text), beside=beside)
        if isinstance(value, Mapping):
            if (not beside and _is_spec(value)) or (beside and _is_spec(value) and "description" not in value):
                return self._spec(name, value, path, beside)
            if not value:
                return Param(name, kind="object", beside=beside)
            return Param(name, kind="object", members=tuple(self._members(value, path)), beside=beside)
        raise self.error(path, f"the parameter {name} is neither a description nor a map")

    def _spec(self, name: str, value: Mapping[str, Json], path: Path, beside: bool) -> Param:
        members = next((value[word] for word in _MEMBERS if word in value), None)
        if members is not None and not isinstance(members, Mapping):
            raise self.error(path, f"what {name} holds is not a map")
        kind: Kind = "any"
        if "type" in value:
            kind = _KINDS[str(value["type"]).lower()]
        elif members:
            kind = "object"
        elif "items" in value:
            kind = "array"
        elif "values" in value:
            kind = "object"
        description = str(value.get("description") or "")
        inner = {
            word: self._param(word, value[word], (*path, word)) if word in value else None
            for word in ("items", "values")
        }
        shape = Param(
            name,
            description,
            kind,
            members=tuple(self._members(members or {}, path)),
            items=inner["items"],
            values=inner["values"],
            nullable=self._flag(value, "nullable", False, path),
            beside=beside,
        )
        enum = value.get("enum", [])
        if not isinstance(enum, list):
            raise self.error((*path, "enum"), f"the enum of {name} is not a list")
        allowed = tuple(self._fitted(shape, item, (*path, "enum", at)) for at, item in enumerate(enum))
        has_default = "default" in value
        default = self._fitted(shape, value["default"], (*path, "default")) if has_default else None
        optional = has_default or _says_optional(description)
        required = self._flag(value, "required", not optional, path)
        return Param(
            name,
            description,
            kind,
            required,
            allowed,
            default,
            has_default,
            shape.nullable,
            shape.members,
            shape.items,
            shape.values,
            beside,
        )

    def _flag(self, value: Mapping[str, Json], word: str, otherwise: bool, path: Path) -> bool:
        if word not in value:
            return otherwise
        flag = value[word]
        if isinstance(flag, bool):
            return flag
        if isinstance(flag, str) and flag.lower() in ("true", "false"):
            return flag.lower() == "true"
        raise self.error((*path, word), f"{word} is true or false")

    def _fitted(self, param: Param, value: Json, path: Path) -> Json:
        checker = Checker(lambda _: (1, 1))
        fitted = checker.value(value, param, (), param.name)
        if checker.diagnostics:
            raise self.error(path, f"{value!r} does not fit {param.name}, which is of type {param.kind}")
        return fitted


def _says_optional(description: str) -> bool:
    """Whether a description says that the parameter may be left out."""
    text = description.lower()
    return text.startswith("optional") or "(optional" in text


def _is_spec(value: Mapping[str, Json]) -> bool:
    """Whether a map says what one parameter is; it is a map of parameters otherwise."""
    if not value or not _WORDS.issuperset(value):
        return False
    if "type" in value:
        return isinstance(value["type"], str) and value["type"].lower() in _KINDS
    if isinstance(value.get("enum"), list) or isinstance(value.get("items"), Mapping):
        return True
    flags = [value[word] for word in ("required", "nullable") if word in value]
    if flags:
        return all(flag in (True, False) or str(flag).lower() in ("true", "false") for flag in flags)
    if any(word in value for word in _MEMBERS):
        return "description" in value
    return "description" in value and isinstance(value["description"], str)


def read_functions(text: str, place: str = "") -> tuple[Function, ...]:
    """The functions of a YAML text; ``place`` (a file's name) stands in errors. UsageError says what is wrong where."""
    places: list[Places] = []
    try:
        documents = read_documents(text, places)
    except Unreadable as error:
        where = f"{place or 'the function specification'}, line {error.line + 1}, column {error.column + 1}"
        raise UsageError(f"{where}: {error.message}", "it is read as plain YAML: maps, lists and text") from None
    found = [
        function
        for value, where_ in zip(documents, places, strict=True)
        for function in SpecReader(place, where_).functions(value)
    ]
    if not found:
        raise UsageError(
            f"{place or 'the function specification'} holds no function",
            "the form: NAME: {description: ..., params: {NAME: ...}}",
        )
    return tuple(found)


def functions_of(value: Mapping[str, Json], place: str = "", places: Places | None = None) -> tuple[Function, ...]:
    """The functions of a specification that is loaded already (a plain dict); see `read_functions` for the rest."""
    return SpecReader(place, places or {}).functions(value)


def functions_yaml(functions: Iterable[Function]) -> str:
    """The specification as the prompt has it; `read_functions` reads it back as the same functions."""
    return write_yaml({function.name: _function_value(function) for function in functions})


def _function_value(function: Function) -> dict[str, Json]:
    value: dict[str, Json] = {}
    if function.description:
        value["description"] = function.description
    inside = {param.name: _param_value(param) for param in function.params if not param.beside}
    if inside or function.params_word == "parameters":
        value[function.params_word] = inside
    for param in function.params:
        if param.beside:
            value[param.name] = _param_value(param)
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
    members = {member.name: _param_value(member) for member in param.members}
    if not unusual and not param.description and members and not _is_spec(members):
        return members
    if not unusual and param.kind == "any":
        return param.description
    value: dict[str, Json] = {}
    if param.description:
        value["description"] = param.description
    if param.kind != "any" or "description" not in value:
        value["type"] = param.kind
    if members:
        value["params"] = members
    return {**value, **unusual}
