"""From a step's input to a tool's arguments: plain text for one parameter, JSON in the brackets for several.

    Convert[{"amount": :evidence1:, "note": "as found on :evidence0:"}]

The JSON is the plan's: it is read while the references are still placeholders, and evidence is put into the strings
that were read. So whatever evidence holds (quotes, braces, a whole call) it stays inside its string. Then the values
are checked against the tool's signature, as those of a function call are.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from airoagent.calls.checker import Checker
from airoagent.calls.functions import Function
from airoagent.calls.json_text import read_value
from airoagent.calls.scalars import Json, Stop
from airoagent.errors import CallError, ToolError
from airoagent.events import Evidence
from airoagent.plan.evidence import Filled

if TYPE_CHECKING:
    from airoagent.toolbox.tool import Tool

__all__ = ["Arguments", "arguments_for", "plain_parameter"]

Path = tuple[Any, ...]
Arguments = Callable[[str, Filled], dict[str, Any]]

_PRIVATE = range(0xE000, 0xF8FF)  # characters with no meaning of their own: two of them mark a reference
_PLAIN_HINTS = (str, "str", Any, "Any", inspect.Parameter.empty)


def plain_parameter(tool: Tool) -> str:
    """The parameter that takes a step's input as the text it is (unless it is a JSON object); ``""`` if none does."""
    only = tool.input_parameter
    return only if all(one.annotation in _PLAIN_HINTS for one in tool.parameters if one.name == only) else ""


def arguments_for(tool: Tool) -> Arguments:
    """What turns a step's input (its text, and its parts) into the tool's keyword arguments; worked out once.

    It raises ToolError where the input is not what the tool takes.
    """
    names = [parameter.name for parameter in tool.parameters]
    if not names:
        return lambda text, parts: {}
    only = tool.input_parameter
    takes_text = bool(plain_parameter(tool))
    checked: list[Function] = []

    def arguments(text: str, parts: Filled) -> dict[str, Any]:
        first = parts[0] if isinstance(parts[0], str) else ""
        is_object = first.lstrip().startswith("{")
        if takes_text and not is_object:
            return {only: text}
        if not checked:
            from airoagent.calls.signatures import function_of

            checked.append(function_of(tool))
        template = _Template(parts)
        value = template.value if is_object else None
        if value is not None and (not only or value.keys() <= set(names)):
            return _checked(tool, checked[0], value, template)
        if takes_text:
            return {only: text}
        if only:
            return _checked(tool, checked[0], {only: text}, template, whole=only)
        raise ToolError(
            f"{tool.name} takes several parameters ({', '.join(names)}), and its input is no JSON object: "
            f"{template.reason}",
            f'write them in the brackets: {tool.name}[{{"{names[0]}": ...}}]',
        )

    return arguments


class _Template:
    """An input read as JSON with its references as placeholders.

    ``value`` is the object, evidence put in (None if it is none: ``reason`` says why); ``data`` the paths of the
    strings that evidence is part of.
    """

    def __init__(self, parts: Filled) -> None:
        self.value: dict[str, Json] | None = None
        self.reason = "it holds no { }"
        self.data: set[Path] = set()
        self.raws: Mapping[Path, str] = {}
        literal = "".join(part for part in parts if isinstance(part, str))
        marks = iter(chr(code) for code in _PRIVATE if chr(code) not in literal)
        self._open, self._close = next(marks, ""), next(marks, "")
        self._evidence = [part for part in parts if isinstance(part, Evidence)]
        numbers = iter(range(len(self._evidence)))
        text = "".join(
            part if isinstance(part, str) else f"{self._open}{next(numbers)}{self._close}" for part in parts
        ).strip()
        try:
            found = read_value(text)
        except Stop as stop:
            self.reason = stop.message
            return
        if not isinstance(found.value, dict):
            self.reason = "it is a list"
            return
        self.raws = found.raws if self._open else {}
        try:
            self.value = self._filled(found.value, ())
        except ValueError as error:
            self.reason = str(error)

    def _filled(self, value: Json, path: Path) -> Any:
        if isinstance(value, str):
            return self._text(value, path)
        if isinstance(value, list):
            return [self._filled(item, (*path, at)) for at, item in enumerate(value)]
        if isinstance(value, dict):
            if any(self._open in key for key in value if self._open):
                raise ValueError("a reference stands in a key")
            return {key: self._filled(item, (*path, key)) for key, item in value.items()}
        return value

    def _text(self, text: str, path: Path) -> str:
        """The string with evidence for its placeholders, in one pass."""
        if not self._open or self._open not in text:
            return text
        self.data.add(path)
        head, *rest = text.split(self._open)
        pieces = [head]
        for piece in rest:
            number, _, tail = piece.partition(self._close)
            pieces += [self._evidence[int(number)].text, tail]
        return "".join(pieces)


def _checked(
    tool: Tool, function: Function, value: dict[str, Json], template: _Template, whole: str = ""
) -> dict[str, Any]:
    from airoagent.calls.signatures import python_arguments

    data = template.data | {(whole,)} if whole and template._evidence else template.data
    checker = Checker(lambda path: (1, 1), template.raws, data)
    params = checker.call(function, value, ())
    wrong = [found.message for found in checker.diagnostics if not found.repair]
    if wrong:
        raise ToolError(f"{tool.name} cannot be called so: {' '.join(wrong[:4])}", f"`airo tools show {tool.name}`")
    if tool.specification is not None:
        return params
    try:
        return python_arguments(tool.function, params, tool.name)
    except CallError as error:
        raise ToolError(error.message, error.hint) from error
