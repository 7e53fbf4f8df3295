"""Reads the function call a model wrote, checks it against the functions, and says what it repaired.

    >>> from airoagent.language.functions import load_functions
    >>> functions = load_functions("resize:\\n  params:\\n    width: {type: integer}\\n")
    >>> parse_calls('{"function": "resize", "params": {"width": 640}}', functions)[0].params
    {'width': 640}
    >>> parse_calls("function: resize\\nparams:\\n  width: 640\\n", functions, "yaml")[0].params
    {'width': 640}

A clean answer takes the short way (`_quick_json`, `_quick_yaml`): a reader written in C, and values that fit as they
are. Anything else is read again the careful way, where every place is known: `jsontext` or `yamlcalls` for the text,
`shapes` for what models call ``function`` and ``params``, `checking` for the values. For any text whatever the result
is calls or a CallError, in time linear in the text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import field
from typing import Literal

from airoagent.errors import CallError, Diagnostic, UsageError
from airoagent.language.findings import LineIndex
from airoagent.language.fitting import Misfit
from airoagent.language.functions import Function, Functions, Json
from airoagent.language.yamltext import MOST_CHARACTERS, MOST_DEPTH, Unreadable, read_documents, write_yaml
from airoagent.records import record

__all__ = ["Call", "Format", "parse_calls", "write_call"]

Format = Literal["json", "yaml"]


@record
class Call:
    """One call: the function's name, its parameters as JSON values, and every repair. Two calls are equal when they
    would do the same: ``diagnostics`` is not compared.
    """

    function: str
    params: dict[str, Json]
    diagnostics: tuple[Diagnostic, ...] = field(default=(), compare=False)


def write_call(call: Call, format: Format = "json") -> str:
    """The call as a model is to write it; `parse_calls` reads it back as the same call."""
    value = {"function": call.function, "params": call.params}
    return write_yaml(value) if format == "yaml" else json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def parse_calls(
    text: str, functions: Iterable[Function], format: Format = "json", *, truncated: bool = False
) -> tuple[Call, ...]:
    """The calls that a text is, at least one; CallError (kind, diagnostics with line and column) if it is none.

    ``format`` is what the model was asked for; an answer in the other one is read, too, with a finding. ``truncated``:
    the model was stopped by its token limit, so that the end of a scalar without quotes is not to be trusted.
    """
    if format not in ("json", "yaml"):
        raise UsageError(f"there is no format {format!r}", "it is json or yaml")
    known = functions if isinstance(functions, Functions) else Functions(functions)
    if len(text) <= MOST_CHARACTERS and not truncated:
        quick = _quick_json(text, known) if format == "json" else _quick_yaml(text, known)
        if quick is not None:
            return quick
    return _carefully(text, known, format, truncated)


# The short way ---------------------------------------------------------------------------------------------------


def _members(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key stands twice")
    return members


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(text)
    return number


def _refuse(word: str) -> Json:
    raise ValueError(word)


_decode = json.JSONDecoder(object_pairs_hook=_members, parse_float=_finite, parse_constant=_refuse).decode


def _quick_json(text: str, functions: Functions) -> tuple[Call, ...] | None:
    """The call, if the text is one clean JSON object whose values all fit; None for anything else.

    json's own reader recurses, so it is only given what cannot be nested too deep.
    """
    if text.count("{") + text.count("[") > MOST_DEPTH:
        return None
    if not (text.isascii() and "\\u" not in text) and not _whole_characters(text):
        return None
    try:
        return _fitting(_decode(text), functions)
    except (ValueError, Misfit):
        return None


_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def _whole_characters(text: str) -> bool:
    """Whether there can be no half of a character in what the text says."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return _SURROGATE.search(text) is None


def _quick_yaml(text: str, functions: Functions) -> tuple[Call, ...] | None:
    if not text.startswith("function:"):
        return None
    try:
        documents = read_documents(text)
        return _fitting(documents[0], functions) if len(documents) == 1 else None
    except (Unreadable, Misfit):
        return None


def _fitting(value: Json, functions: Functions) -> tuple[Call, ...] | None:
    if type(value) is not dict or len(value) != 2:
        return None
    try:
        name = value["function"]
        return (Call(name, functions.accepts[name](value["params"])),)
    except (KeyError, TypeError):  # TypeError: a name that is no text and cannot be looked up
        return None


# The careful way -------------------------------------------------------------------------------------------------


def _carefully(text: str, functions: Functions, format: Format, truncated: bool) -> tuple[Call, ...]:
    from airoagent.language.shapes import Refused, calls_in

    if len(text) > MOST_CHARACTERS:
        raise _error(
            text,
            [Diagnostic("too_large", f"The text has {len(text):,} characters; {MOST_CHARACTERS:,} are allowed.", 1, 1)],
        )
    try:
        text.encode()
    except UnicodeEncodeError as error:
        where = LineIndex(text).locate(error.start)
        raise _error(text, [Diagnostic("surrogate", "The text holds half of a character.", *where)]) from None
    try:
        return tuple(
            Call(name, params, diagnostics)
            for name, params, diagnostics in calls_in(text, functions, format, truncated)
        )
    except Refused as refused:
        raise _error(text, refused.diagnostics) from None


_HINTS = {
    "no_call": "the answer is to be an object with function and params",
    "truncated": "the model was cut off: raise --max-tokens",
    "missing": "say it in the input",
    "unknown_function": "only the functions on offer can be called",
}


def _error(text: str, diagnostics: Iterable[Diagnostic]) -> CallError:
    found = tuple(sorted(diagnostics, key=lambda one: (one.line, one.column)))
    wrong = [one for one in found if not one.repair]
    first = wrong[0]
    more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
    message = f"the function call cannot be used: line {first.line}, column {first.column}: {first.message}{more}"
    return CallError(message, _HINTS.get(first.kind, ""), kind=first.kind, diagnostics=found, text=text)
