"""Calls a tool with a plan step's input: plain text for one parameter, JSON or ``name=value`` pairs for several.

    Convert[{"amount": :evidence1:, "note": "as found on :evidence0:"}]
    Convert[amount=:evidence1:, note="as found on :evidence0:"]

The form is the plan's: it is read while the references are still placeholders, and evidence is put into the strings
that were read. So whatever evidence holds (quotes, braces, a whole call) it stays inside its string. Then the values
are checked against the tool's signature, as those of a function call are.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from functools import partial
from typing import Any, Protocol

from airoagent.background import in_thread
from airoagent.calls.checker import Checker
from airoagent.calls.functions import Function
from airoagent.calls.json_text import read_value
from airoagent.calls.scalars import Json, Stop
from airoagent.errors import CallError, ToolError
from airoagent.events import Evidence
from airoagent.plan.evidence import Filled
from airoagent.toolbox.tool import FIRST, Tool, ToolContext

Path = tuple[Any, ...]
Arguments = Callable[[str, Filled], dict[str, Any]]

_PRIVATE = range(0xE000, 0xF8FF)  # characters with no meaning of their own: two of them mark a reference
_PLAIN_HINTS = (str, "str", Any, "Any", inspect.Parameter.empty)
# What models call the input of a tool whose parameter they do not know.
_ANY_INPUT = frozenset(
    {"input", "query", "question", "text", "q", "search", "search_query", "prompt", "url", "expression"}
)


class Call(Protocol):
    """A tool ready to be called with a step's input: as one text, and (where evidence is in it) in its parts.

    What is awaited may have to be `settled`, unless it is a str.
    """

    def __call__(self, text: str, context: ToolContext | None, parts: Filled = ()) -> Awaitable[Any]: ...


def bound(tool: Tool) -> Call:
    """How to call the tool with a plan step's input: what depends on the tool alone is worked out once.

    The call takes the input and a context (None for a tool that wants none); a sync function runs in a
    thread of its own. ToolError if the input is not what the tool takes.
    """
    function, wanted = tool.function, tool.context_parameter
    arguments = arguments_for(tool)
    background = not (inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__))
    # The usual case, without a look at the parts: the input is the one parameter's text.
    plain = "" if wanted or background else _plain_parameter(tool)
    loose = len(tool.parameters) > 1  # then other parameters may be given in the text

    async def call(text: str, context: ToolContext | None, parts: Filled = ()) -> Any:
        given = arguments(text, parts or (text,))
        if wanted == FIRST:
            return await settled(function(context, **given))
        if wanted:
            given[wanted] = context
        return await settled(await (in_thread(partial(function, **given)) if background else function(**given)))

    def call_plainly(text: str, context: ToolContext | None, parts: Filled = ()) -> Awaitable[Any]:
        if not text[:1].isalnum() or text.startswith(plain) or (loose and ("=" in text or ": " in text)):
            return call(text, context, parts)
        return function(**{plain: text})  # type: ignore[no-any-return]

    return call_plainly if plain else call


async def settled(result: Any) -> Any:
    """Values as JSON, and a word for None; texts and outputs as they are, and what is none of these (an error)."""
    while inspect.isawaitable(result):  # an async function within a sync one, too
        result = await result
    if result is None:
        return "Done; there is no result."
    if is_dataclass(result) and not hasattr(result, "sources"):
        result = asdict(result)  # type: ignore[arg-type]
    if isinstance(result, (bool, int, float, list, tuple, dict)):
        try:
            return json.dumps(result, ensure_ascii=False, default=str)
        except (ValueError, TypeError, RecursionError) as error:
            raise ToolError(f"the result cannot be written as JSON ({error})", "return text") from error
    return result


def _plain_parameter(tool: Tool) -> str:
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
    takes_text = bool(_plain_parameter(tool))
    checked: list[Function] = []

    def arguments(text: str, parts: Filled) -> dict[str, Any]:
        first = parts[0].lstrip() if isinstance(parts[0], str) else ""
        pair = _PAIR if len(names) == 1 else _ANY_PAIR
        if takes_text and first[:1] not in ("{", "[") and not pair.match(first):
            return {only: text}
        if not checked:
            from airoagent.calls.signatures import function_of

            checked.append(function_of(tool))
        template = _Template(parts, names)
        value = template.value
        if value is not None and only and takes_text and len(value) == 1 and _ANY_INPUT.issuperset(value):
            (value,) = ({only if name not in names else name: one} for name, one in value.items())
        if value and names == [only] and only in value and takes_text and tool.specification is None:
            value = {only: value[only]}  # models add options that they know from other tools
        if value is not None and (not only or only in value or value.keys() <= set(names)):
            return _checked(tool, checked[0], value, template)
        if takes_text:
            return {only: text}
        if only:
            return _checked(tool, checked[0], {only: text}, template, whole=only)
        raise ToolError(
            f"{tool.name} takes several parameters ({', '.join(names)}), and its input is not a JSON object: "
            f"{template.reason}",
            f"write them in the brackets: {tool.name}[{', '.join(f'{name}=...' for name in names[:3])}]",
        )

    return arguments


_PAIR = re.compile(r"(\w+)\s*=(?!=)\s*")
_ANY_PAIR = re.compile(rf"(?:.*,\s*)?{_PAIR.pattern}|\w+\s*:\s.*[,;\n]\s*\w+\s*:\s", re.DOTALL)
_COLON_PAIR = re.compile(r"(\w+)\s*:\s+")
_LIST_OF_ONE = re.compile(r"""\[\s*(?:"([^"\\]+)"|'([^'\\]+)')\s*\]""")


class _Template:
    """An input read as JSON, or as ``name=value`` pairs, with its references as placeholders.

    ``value`` is the object with the evidence in it (None if there is no object: ``reason`` says why); ``data`` the
    paths of the strings that evidence is part of.
    """

    def __init__(self, parts: Filled, names: Sequence[str]) -> None:
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
        value: Json = _pairs(text, names, _PAIR) or _pairs(text, names, _COLON_PAIR)
        if lone := _LIST_OF_ONE.fullmatch(text):
            value = {"input": lone[1] or lone[2]}
        if value is None:
            try:
                found = read_value(text)
            except Stop as stop:
                self.reason = stop.message
                return
            value = found.value
            self.raws = found.raws if self._open else {}
        if not isinstance(value, dict):
            self.reason = "it is a list"
            return
        try:
            self.value = self._filled(value, ())
        except ValueError as error:
            self.reason = str(error)

    def _filled(self, value: Json, path: Path) -> Any:
        if isinstance(value, str):
            return self._text(value, path)
        if isinstance(value, list):
            return [self._filled(item, (*path, at)) for at, item in enumerate(value)]
        if isinstance(value, dict):
            if any(self._open in key for key in value if self._open):
                raise ValueError("a reference is in a key")
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


def _pairs(text: str, names: Sequence[str], pair: re.Pattern[str]) -> dict[str, Json] | None:
    """The values of ``a=1, b="two"``; None where the text does not start with one of the names and a sign.

    The first parameter may stand alone before the others, as in ``"two", b=1``.
    """
    starts = [match for match in pair.finditer(text) if match[1] in names and _starts_pair(text, match.start())]
    if len(starts) < (2 if pair is _COLON_PAIR else 1) or len({match[1] for match in starts}) < len(starts):
        return None
    if lead := text[: starts[0].start()].strip():
        if pair is not _PAIR or names[0] in {match[1] for match in starts} or lead[-1] != "," or lead[0] in "{[":
            return None
        rest = _pairs(text[starts[0].start() :], names, pair) or {}
        return {names[0]: _value(lead), **rest}
    ends = [*(match.start() for match in starts[1:]), len(text)]
    return {match[1]: _value(text[match.end() : end].strip()) for match, end in zip(starts, ends, strict=True)}


def _starts_pair(text: str, at: int) -> bool:
    """Whether a name stands at the start, or after a comma, semicolon or line break, and not inside quotes."""
    before = text[:at].rstrip(" \t")
    return (not before or before[-1] in ",;\n") and before.count('"') % 2 == 0


def _value(text: str) -> Json:
    text = text.rstrip(",; \t\n")
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    if text[:1] in ("[", "{"):
        try:
            return read_value(text).value
        except Stop:
            return text
    return text


def _checked(
    tool: Tool, function: Function, value: dict[str, Json], template: _Template, whole: str = ""
) -> dict[str, Any]:
    from airoagent.calls.signatures import python_arguments

    data = template.data | {(whole,)} if whole and template._evidence else template.data
    checker = Checker(lambda path: (1, 1), template.raws, data)
    params = checker.call(function, value, ())
    wrong = [found.message for found in checker.diagnostics if not found.repair]
    if wrong:
        raise ToolError(
            f"{tool.name} cannot be called this way: {' '.join(wrong[:4])}", f"`airo tools show {tool.name}`"
        )
    if tool.specification is not None:
        return params
    try:
        return python_arguments(tool.function, params, tool.name)
    except CallError as error:
        raise ToolError(error.message, error.hint) from error
