"""Takes values that fit their parameter as they are, fast: the way of every clean call.

A parameter is compiled once to a function ``accept(value) -> value`` that raises `Misfit` for whatever needs a closer
look (`checking` then says what is wrong, or repairs it). It changes one thing only: a plain YAML scalar becomes what
the parameter says it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from airoagent.language.functions import Json, Param, Plain

__all__ = ["INTEGER", "MOST_DIGITS", "NUMBER", "Accept", "Misfit", "accept_object", "accept_of", "same", "untyped"]

Accept = Callable[[Json], Json]

MOST_DIGITS = 4300
"""Digits a number may have: as many as Python itself reads and writes, since both take quadratic time."""

INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*+)")
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?")
_WORDS = {"true": True, "false": False, "null": None}
_INFINITE = (float("inf"), float("-inf"))


class Misfit(Exception):
    """The value does not fit as it is."""


def untyped(text: str) -> Json:
    """What a plain scalar is where nothing says its type: a number, true, false or null only if JSON would write that
    value with exactly these characters; text otherwise (so 012, 1.10, NO, 19:30 and 2020-01-02 stay what they are).
    """
    if text in _WORDS:
        return _WORDS[text]
    if not text:
        return None  # a key with nothing behind it
    if len(text) <= MOST_DIGITS and text[:1] in "-0123456789" and NUMBER.fullmatch(text):
        if INTEGER.fullmatch(text):
            return int(text) if text != "-0" else str(text)
        number = float(text)
        if repr(number) == text:
            return number
    return str(text)


def _any(value: Json) -> Json:
    kind = type(value)
    if kind is Plain:
        return untyped(value)
    if kind is dict:
        return {key: _any(item) for key, item in value.items()}
    if kind is list:
        return [_any(item) for item in value]
    return value


def _string(value: Json) -> Json:
    kind = type(value)
    if kind is str:
        return value
    if kind is Plain and value:
        return str(value)
    raise Misfit


def _integer(value: Json) -> Json:
    kind = type(value)
    if kind is int:
        return value
    if kind is Plain and len(value) <= MOST_DIGITS and INTEGER.fullmatch(value):
        return int(value)
    raise Misfit


def _number(value: Json) -> Json:
    kind = type(value)
    if kind is int or kind is float:
        return value
    if kind is Plain and len(value) <= MOST_DIGITS and NUMBER.fullmatch(value):
        if INTEGER.fullmatch(value):
            return int(value)
        number = float(value)
        if number not in _INFINITE:
            return number
    raise Misfit


def _boolean(value: Json) -> Json:
    if value is True or value is False:
        return value
    if type(value) is Plain and value in ("true", "false"):
        return value == "true"
    raise Misfit


_SIMPLE: dict[str, Accept] = {
    "any": _any,
    "string": _string,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
}


def same(one: Json, other: Json) -> bool:
    """Equal as JSON values: 1, 1.0 and true are three things."""
    return type(one) is type(other) and bool(one == other)


def accept_of(param: Param) -> Accept:
    """What takes the values of one parameter."""
    if param.kind == "array":
        accept = _array(param)
    elif param.kind == "object":
        accept = accept_object(param.members) if param.members else _free_object(param)
    else:
        accept = _SIMPLE[param.kind]
    if param.enum:
        accept = _enum(accept, param.enum)
    if param.nullable and param.kind != "any":
        accept = _nullable(accept)
    return accept


def _array(param: Param) -> Accept:
    accept = accept_of(param.items) if param.items is not None else _any

    def items(value: Json) -> Json:
        if type(value) is not list:
            raise Misfit
        return [accept(item) for item in value]

    return items


def _free_object(param: Param) -> Accept:
    accept = accept_of(param.values) if param.values is not None else _any

    def members(value: Json) -> Json:
        if type(value) is not dict:
            raise Misfit
        return {key: accept(item) for key, item in value.items()}

    return members


def accept_object(params: Sequence[Param]) -> Accept:
    """What takes an object with these members, all that are required and no others."""
    table = {param.name: accept_of(param) for param in params}
    required = frozenset(param.name for param in params if param.required)
    size = len(table)

    def members(value: Json) -> Json:
        if type(value) is not dict or (len(value) != size and not required <= value.keys()):
            raise Misfit
        try:
            return {key: table[key](item) for key, item in value.items()}
        except KeyError:
            raise Misfit from None

    return members


def _enum(accept: Accept, enum: tuple[Json, ...]) -> Accept:
    words = frozenset(allowed for allowed in enum if type(allowed) is str)

    def one_of(value: Json) -> Json:
        if type(value) is str and value in words:
            return value
        taken = accept(value)
        for allowed in enum:
            if type(allowed) is type(taken) and allowed == taken:
                return taken
        raise Misfit

    return one_of


def _nullable(accept: Accept) -> Accept:
    def or_null(value: Json) -> Json:
        if value is None or (type(value) is Plain and value in ("null", "~", "")):
            return None
        return accept(value)

    return or_null
