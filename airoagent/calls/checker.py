"""Checks parameters against a function's specification: what is wrong and where, and what can be set right.

A plain YAML scalar becomes what its parameter says it is. Any other value is changed only where nothing is lost by it
("3" becomes 3 for an integer, 3 becomes "3" for text, "Celsius" becomes the allowed "celsius"), and each such change
is a finding. "2020-01" never becomes a number.
"""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from airoagent.calls.functions import Function, Param
from airoagent.calls.json_text import read_value
from airoagent.calls.scalars import INTEGER, MOST_DIGITS, NUMBER, Json, Path, Plain, Stop, untyped
from airoagent.calls.spelling import nearest, spelled
from airoagent.errors import Diagnostic

Locate = Callable[[Path], tuple[int, int]]
"""Path -> line and column, both from 1."""

_ARTICLES = {
    "any": "a value",
    "string": "text",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a map",
}
_TYPES: dict[str, tuple[type, ...]] = {"string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,)}
_UNQUOTED_TRUTH = {"true": True, "false": False}
_TRUTH = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_RANGE: dict[str, Callable[[Any, Any], Any]] = {
    "minimum": operator.ge,
    "maximum": operator.le,
    "exclusiveMinimum": operator.gt,
    "exclusiveMaximum": operator.lt,
}
_MAPS = frozenset({"object", "any"})
_OF_SCHEMA = frozenset({"type", "value", "description", "title", "format"})
_MOST_SHOWN = 5  # findings of one kind about unknown names that are given with suggestions
_NONE = object()


class Checker:
    """Checks the parameters of one call. ``diagnostics`` collects what it finds: without a ``repair``, an error."""

    def __init__(
        self, locate: Locate = lambda _: (1, 1), raws: Mapping[Path, str] | None = None, data: Collection[Path] = ()
    ) -> None:
        """``locate`` says where a value stands; ``raws`` how values without quotes were written, by path; ``data``
        names the strings that came from outside and are never read as JSON themselves.
        """
        self._locate, self._raws, self._data = locate, raws or {}, data
        self._suggested = 0
        self.diagnostics: list[Diagnostic] = []

    def note(self, path: Path, kind: str, message: str, repair: str = "") -> None:
        """Record a finding about the value at a path."""
        self.diagnostics.append(Diagnostic(kind, message, *self._locate(path), repair))

    @property
    def failed(self) -> bool:
        """Whether there is a finding that was not repaired."""
        return any(not found.repair for found in self.diagnostics)

    def call(self, function: Function, params: Json, path: Path) -> dict[str, Json]:
        """The parameters of a call, checked; what they are is of use only if nothing failed."""
        if params is None or (isinstance(params, str) and not params):
            params = {}
        params = self._from_text(params, "object", path, "params")
        if not isinstance(params, dict | Plain):
            params = self._by_place(function, params, path)
        if not isinstance(params, dict):
            self.note(path, "bad_type", f"The params of {function.name} are {_kind_of(params)}, not a map.")
            return {}
        return self._members(params, function.params, path, f"{function.name} takes no parameter", "")

    def _by_place(self, function: Function, params: Json, path: Path) -> Json:
        """Params that have no names: a list by the order of the parameters, one value for the one that is needed."""
        names = [param.name for param in function.params]
        needed = [param.name for param in function.params if param.required] if len(names) > 1 else names
        given = params if isinstance(params, list) else [params]
        if not isinstance(params, list) and len(needed) != 1:
            return params
        if not given or len(given) > len(names) or any(isinstance(item, dict) for item in given):
            return params
        self.note(path, "coerced", f"The params of {function.name} have no names.", "read by their order")
        return dict(zip(names if isinstance(params, list) else needed, given, strict=False))

    def _members(
        self, given: dict[str, Json], params: Sequence[Param], path: Path, unknown: str, prefix: str
    ) -> dict[str, Json]:
        by_name = {param.name: param for param in params}
        places: dict[str, Path] = {}  # by parameter: where it was written
        given = dict(given)
        for key, item in tuple(given.items()):
            at = (*path, key)
            param = by_name.get(key) or self._renamed(key, by_name, given, at)
            if param is not None:
                places[param.name] = at
                given.setdefault(param.name, item)
                continue
            home = self._home(key, params, given)
            if home is None:
                self._extra(at, key, unknown, by_name)
                continue
            given[home.name] = {**given.get(home.name, {}), key: item}
            places.setdefault(home.name, (*path, home.name))
            self.note(at, "misplaced", f"{key!r} belongs in {home.name!r}.", f"put into {home.name!r}")
        found: dict[str, Json] = {}
        for name, at in places.items():
            param, item = by_name[name], given[name]
            if not param.required and _is_nothing(item) and _fit(item, param) is _NONE:
                self.note(at, "no_value", f"{prefix}{name} has no value.", "left out: it is not required")
                continue
            found[name] = self.value(item, param, at, f"{prefix}{name}")
        for param in params:
            if param.required and param.name not in found:
                self.note(path, "missing", f"The parameter {prefix}{param.name} is missing.")
        return found

    def _renamed(self, key: str, by_name: Mapping[str, Param], given: Mapping[str, Json], at: Path) -> Param | None:
        """The one parameter whose name this key spells another way."""
        alike = [param for name, param in by_name.items() if spelled(name) == spelled(key)]
        if len(alike) != 1 or alike[0].name in given:
            return None
        self.note(at, "spelling", f"The parameter is called {alike[0].name!r}.", f"{key[:80]!r} read as that")
        return alike[0]

    def _home(self, key: str, params: Sequence[Param], given: Mapping[str, Json]) -> Param | None:
        """The one map among the parameters that has a member of this name and was not given it."""
        homes = [param for param in params if any(member.name == key for member in param.members)]
        if len(homes) != 1:
            return None
        inner = given.get(homes[0].name, {})
        return homes[0] if isinstance(inner, dict) and key not in inner else None

    def _extra(self, at: Path, key: str, unknown: str, by_name: Mapping[str, Param]) -> None:
        self._suggested += 1
        near = nearest(key, by_name) if self._suggested <= _MOST_SHOWN else ()
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        names = f"; it takes {', '.join(by_name)}" if by_name and not hint and self._suggested <= _MOST_SHOWN else ""
        self.note(at, "extra", f"{unknown} {key[:80]!r}{hint or names}")

    # Values ----------------------------------------------------------------------------------------------------

    def value(self, value: Json, param: Param, path: Path, name: str) -> Json:
        """A value as its parameter wants it; a finding where that is not how it was written."""
        found = self._fitted(value, param, path, name)
        for word, bound in param.limits:
            if not _is_within(found, word, bound):
                self.note(path, "bad_value", f"{name} is {_shown(found)}; its {word} is {_shown(bound)}.")
        return found

    def _fitted(self, value: Json, param: Param, path: Path, name: str) -> Json:
        if isinstance(value, dict) and "value" in value and value.keys() <= _OF_SCHEMA and param.kind not in _MAPS:
            self.note(path, "coerced", f"{name} is a schema with its value.", "read as the value")
            value = value["value"]
        fitting = _fit(value, param)
        if fitting is not _NONE:
            return fitting
        if param.nullable and (value is None or (isinstance(value, str) and value in ("None", "null", ""))):
            self.note(path, "coerced", f"{name} is written {value!r}.", "read as null")
            return None
        if param.enum:
            return self._of_enum(value, param, path, name)
        if param.kind == "array":
            return self._list(value, param, path, name)
        if param.kind == "object":
            return self._map(value, param, path, name)
        changed = self._coerced(value, param, path)
        wrong = f"{name} is {_kind_of(value)}, not {_ARTICLES[param.kind]}."
        if changed is _NONE:
            self.note(path, "bad_type", wrong)
            return None
        self.note(path, "coerced", wrong, f"read as {_shown(changed)}")
        return changed

    def _of_enum(self, value: Json, param: Param, path: Path, name: str) -> Json:
        text = self._written(value, path)
        alike = [] if text is None else [one for one in param.enum if _shown_bare(one) == text]
        if not alike and text is not None:
            alike = [one for one in param.enum if spelled(_shown_bare(one)) == spelled(text)]
        if len(alike) == 1:
            self.note(path, "coerced", f"{name} is written {_shown(value)}.", f"read as {_shown(alike[0])}")
            return alike[0]
        allowed = ", ".join(map(_shown, param.enum[:12])) + (", ..." if len(param.enum) > 12 else "")
        self.note(path, "bad_value", f"{name} is {_shown(value)}; it must be one of {allowed}.")
        return None

    def _list(self, value: Json, param: Param, path: Path, name: str) -> Json:
        value = self._from_text(value, "array", path, name)
        items = param.items or Param(name)
        if not isinstance(value, list):
            if isinstance(value, dict) and items.kind not in ("object", "any"):
                self.note(path, "bad_type", f"{name} is a map, not a list.")
                return None
            self.note(path, "coerced", f"{name} is {_kind_of(value)}, not a list.", "read as a list of that one")
            return [self.value(value, items, path, name)]
        return [self.value(item, items, (*path, at), f"{name}[{at}]") for at, item in enumerate(value)]

    def _map(self, value: Json, param: Param, path: Path, name: str) -> Json:
        value = self._from_text(value, "object", path, name)
        if not isinstance(value, dict):
            self.note(path, "bad_type", f"{name} is {_kind_of(value)}, not a map.")
            return None
        if param.members:
            return self._members(dict(value), param.members, path, f"{name} takes no member", f"{name}.")
        inner = param.values or Param(name)
        return {key: self.value(item, inner, (*path, key), f"{name}.{key}") for key, item in value.items()}

    def _from_text(self, value: Json, kind: str, path: Path, name: str) -> Json:
        """A list or map that was written as a string of JSON, which some models do; any other value as it is."""
        bracket = "{" if kind == "object" else "["
        if not isinstance(value, str) or path in self._data or not value.strip().startswith(bracket):
            return value
        try:
            inner = read_value(value.strip()).value
        except Stop:
            return value
        self.note(path, "coerced", f"{name} is JSON inside a string.", "read as that JSON")
        return inner

    def _written(self, value: Json, path: Path) -> str | None:
        """The value as it was written, if it is a scalar."""
        if isinstance(value, str):
            return str(value)
        if value is None or isinstance(value, dict | list):
            return None
        return self._raws.get(path) or _shown_bare(value)

    def _coerced(self, value: Json, param: Param, path: Path) -> Json:
        """The value as the parameter's kind, where that loses nothing; _NONE where it would."""
        text = self._written(value, path)
        if text is None:
            return _NONE
        if param.kind == "string":
            return text if text and not isinstance(value, Plain) else _NONE
        if isinstance(value, bool):
            return _NONE
        if param.kind == "boolean":
            return _TRUTH.get(text.strip().lower(), _NONE) if isinstance(value, str) else _NONE
        if isinstance(value, float):
            return int(value) if param.kind == "integer" and value.is_integer() and abs(value) < 2**53 else _NONE
        return _number(text.strip(), param.kind, exact=True)


def _is_within(value: Json, word: str, bound: Json) -> bool:
    """Whether a value keeps a bound of JSON Schema; a bound on values of another type holds for any."""
    if isinstance(value, str | list):
        size = "Length" if isinstance(value, str) else "Items"
        if word in (f"min{size}", f"max{size}"):
            return bool(len(value) >= bound if word[:3] == "min" else len(value) <= bound)
        if word == "uniqueItems" and bound and isinstance(value, list):
            return len({json.dumps(item, sort_keys=True) for item in value}) == len(value)
        return True
    if type(value) not in (int, float):
        return True
    if word == "multipleOf":
        return not bound or Fraction(repr(value)) % Fraction(repr(bound)) == 0  # as written in decimals
    return word not in _RANGE or bool(_RANGE[word](value, bound))


def _is_nothing(value: Json) -> bool:
    return value is None or (type(value) is Plain and value in ("", "null", "~"))


def _fit(value: Json, param: Param) -> Json:
    """The value where it fits its parameter as it is; _NONE where it does not, and for lists and maps, whose parts
    have to be looked at.
    """
    if param.nullable and _is_nothing(value):
        return None
    if param.enum:
        if type(value) is str and value in param.enum:
            return value
        taken = _fit_scalar(value, param.kind) if param.kind not in ("array", "object") else _bare(value)
        return taken if any(type(one) is type(taken) and one == taken for one in param.enum) else _NONE
    return _fit_scalar(value, param.kind)


def _fit_scalar(value: Json, kind: str) -> Json:
    if kind == "any":
        return _bare(value)
    if type(value) is not Plain:
        return value if type(value) in _TYPES.get(kind, ()) else _NONE
    if kind == "string":
        return str(value) if value else _NONE
    if kind == "boolean":
        return _UNQUOTED_TRUTH.get(value, _NONE)
    return _number(value, kind, exact=False) if kind in ("integer", "number") else _NONE


def _number(text: str, kind: str, exact: bool) -> Json:
    """The number that a text is; ``exact``: unless a float would lose some of it."""
    if len(text) > MOST_DIGITS:
        return _NONE
    if INTEGER.fullmatch(text):
        return int(text)
    if kind == "number" and NUMBER.fullmatch(text):
        number = float(text)
        if math.isfinite(number) and (not exact or Decimal(repr(number)) == Decimal(text)):
            return number
    return _NONE


def _bare(value: Json) -> Json:
    """A value of any kind: what stands in YAML without quotes in it is what it looks like."""
    if type(value) is Plain:
        return untyped(value)
    if type(value) is dict:
        return {key: _bare(item) for key, item in value.items()}
    if type(value) is list:
        return [_bare(item) for item in value]
    return value


def _kind_of(value: Json) -> str:
    if isinstance(value, Plain):
        value = untyped(value)
    match value:
        case None:
            return "nothing"
        case bool():
            return f"the truth value {str(value).lower()}"
        case str():
            return f"the text {_shown(value)}"
        case int() | float():
            return f"the number {_shown(value)}"
        case list():
            return "a list"
        case _:
            return "a map"


def _shown(value: Json) -> str:
    if isinstance(value, str) and len(value) > 80:
        return json.dumps(value[:60]) + "..."
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _shown_bare(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value)
