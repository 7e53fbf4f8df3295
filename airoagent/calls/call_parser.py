"""Asks for a function call, reads the one a model wrote, checks it against the functions, and says what it repaired.

    >>> from airoagent.calls.function_loader import load_functions
    >>> functions = load_functions("resize:\\n  params:\\n    width: {type: integer}\\n")
    >>> parse_calls('{"function": "resize", "params": {"width": 640}}', functions)[0].params
    {'width': 640}
    >>> parse_calls("function: resize\\nparams:\\n  width: 640\\n", functions, "yaml")[0].params
    {'width': 640}

`json_text` or `yaml_calls` reads the text, `call_shapes` knows what models call ``function`` and ``params``, `checker`
looks at the values. For any text the result is calls or a CallError, in time linear in the text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import field
from typing import Literal, get_args

from airoagent.calls.call_shapes import Refused, calls_in
from airoagent.calls.function_loader import FunctionSource, load_functions
from airoagent.calls.functions import Function
from airoagent.calls.json_text import by_number
from airoagent.calls.scalars import Json
from airoagent.calls.specs import functions_yaml
from airoagent.calls.yaml_text import MOST_CHARACTERS, write_yaml
from airoagent.errors import CallError, Diagnostic, UsageError
from airoagent.findings import LineIndex
from airoagent.frozen import frozen
from airoagent.prompts.chat import CallForm, Style, call_chat, native_call_chat
from airoagent.prompts.retries import first_prompt

Format = Literal["json", "yaml"]

# The model cards of airoboros-l2-13b-gpt4-2.0 and -m2.0, "Agent/function calling", byte for byte.
_CALL_HEAD = (
    "As an AI assistant, please select the most suitable function and parameters from the list of available functions "
    "below, based on the user's input. Provide your response in {format} format."
)
_INPUT = "\n\nInput: "
_FUNCTIONS = "\n\nAvailable functions:\n"


def call_prompt(
    input: str,
    functions: Iterable[Function],
    format: Format = "json",
    style: Style = "airoboros",
    form: CallForm | None = None,
) -> str:
    """The instruction that asks for one function call in JSON or YAML, or in a form that the model was trained on."""
    if form is not None:
        described = [
            {"name": one.name, "description": one.description, "parameters": one.schema()} for one in functions
        ]
        return native_call_chat(input, described, form)
    offered = functions_yaml(functions).rstrip()
    if style != "airoboros":
        return call_chat(input, offered, format, write_call(Call("NAME", {"PARAMETER": "VALUE"}), format), style)
    return f"{_CALL_HEAD.format(format=format.upper())}{_INPUT}{input.strip()}{_FUNCTIONS}{offered}"


def read_call_prompt(prompt: str) -> tuple[str, str, Format] | None:
    """What `call_prompt` was made from, also where `retry_prompt` added to it: the input, the functions as YAML, and
    the format; None for another prompt.
    """
    for format in get_args(Format):
        head = _CALL_HEAD.format(format=format.upper()) + _INPUT
        input, mark, rest = prompt.removeprefix(head).partition(_FUNCTIONS)
        if mark and prompt.startswith(head):
            return input, first_prompt(rest), format
    return None


@frozen
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
    if format == "yaml":
        return write_yaml(value)
    return by_number(json.dumps(value, indent=2, ensure_ascii=False)) + "\n"


def parse_calls(
    text: str, functions: FunctionSource, format: Format = "json", *, truncated: bool = False
) -> tuple[Call, ...]:
    """Read the calls in a text, at least one; CallError (kind, diagnostics with line and column) if there are none.

    ``functions`` is what `load_functions` takes. ``format`` is what the model was asked for; an answer in the other
    format is read too, with a finding. ``truncated``: the model was stopped by its token limit, so the end of a scalar
    without quotes cannot be trusted.
    """
    if format not in get_args(Format):
        raise UsageError(f"unknown format {format!r}", "it is json or yaml")
    known = load_functions(functions)
    if len(text) > MOST_CHARACTERS:
        message = f"The text has {len(text):,} characters; {MOST_CHARACTERS:,} are allowed."
        raise _error(text, [Diagnostic("too_large", message, 1, 1)])
    try:
        text.encode()
    except UnicodeEncodeError as error:
        where = LineIndex(text).locate(error.start)
        raise _error(text, [Diagnostic("surrogate", "The text contains half of a character.", *where)]) from None
    try:
        return tuple(Call(*found) for found in calls_in(text, known, format, truncated))
    except Refused as refused:
        raise _error(text, refused.diagnostics) from None


_HINTS = {
    "no_call": "the answer must be an object with function and params",
    "truncated": "the model was cut off: raise --max-tokens",
    "missing": "state it in the input",
    "unknown_function": "only the functions on offer can be called",
}


def _error(text: str, diagnostics: Iterable[Diagnostic]) -> CallError:
    found = tuple(sorted(diagnostics, key=lambda one: (one.line, one.column)))
    wrong = [one for one in found if not one.repair]
    first = wrong[0]
    more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
    message = f"the function call cannot be used: line {first.line}, column {first.column}: {first.message}{more}"
    return CallError(message, _HINTS.get(first.kind, ""), kind=first.kind, diagnostics=found, text=text)
