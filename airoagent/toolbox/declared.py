"""Tools declared in a YAML file: a function specification with a command to run, or an address to ask.

    word_count:
      description: Counts the words of a text file.
      params:
        file: The file to count.
      command: [wc, -w, --, "{file}"]
      side_effects: false

    weather:
      description: The weather in a city.
      params:
        city: The name of the city.
      http: https://weather.example/v1/now?city={city}

``command`` is an argument list and never goes through a shell: a parameter's value is (part of) one argument whatever
it holds. No value is read as an option: an argument that begins with a value, even a number, may not begin with ``-``
unless ``--`` comes before it or the file itself lists that value (``enum``, ``default``); ``--option={x}`` takes any
value.
Programs that have options after ``--``, too (``find``, and those that run another, as ``env`` and ``xargs``) get no
such value at all. A list inside the list is left out if a parameter in it is not given. ``stdin`` is text for the
command to read. A command has side effects unless the file says ``side_effects: false``.

``http`` is requested with GET by the run's `Fetcher`, values percent-encoded; a map gives ``url``, ``query`` and
``headers``, in which ``${NAME}`` is an environment variable (a key does not belong in a file).

What a command writes counts as private, as if it were read from the user's files (``private: false``: it is not), and
what it is given counts as staying here (``network: true``: the command sends it somewhere); with ``http`` it is the
other way round. Private text is held back from what leaves the machine.

``timeout`` is in seconds. ``{{`` and ``}}`` are braces. A function without ``command`` and ``http`` is a specification
only, no tool.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import cast
from urllib.parse import quote, urlsplit

from airoagent.calls.functions import Function
from airoagent.calls.scalars import Json
from airoagent.errors import ToolError, UsageError
from airoagent.events import Source
from airoagent.frozen import frozen
from airoagent.text.words import word_set
from airoagent.toolbox.commands import MOST_OUTPUT, run_command
from airoagent.toolbox.tool import Tool, ToolContext, ToolOptions, ToolOutput, specified_tool

_OURS = ("command", "http", "stdin", "timeout", "side_effects", "network", "private")
_PIECES = re.compile(r"\{\{|\}\}|\{(\w+)\}")
_HEADER_PIECES = re.compile(r"\{\{|\}\}|(?<!\$)\{(\w+)\}")
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_MOST_ARGUMENT = 100_000  # bytes; Linux takes 128 KiB for one argument
_OPTION_NAME = re.compile(r"-+|--[^=]*")  # what comes after it still names the option
# "--" does not end the options of these: they look at all their arguments, or hand them to another program.
_OPTIONS_EVERYWHERE = word_set("[ chroot doas env find ionice nice nohup setsid stdbuf sudo test timeout xargs")


def declared_tools(text: str, file: Path) -> tuple[Tool, ...]:
    """The tools of a YAML text, in order; () where it only specifies functions. UsageError says what is wrong where."""
    from airoagent.calls.specs import functions_of
    from airoagent.calls.yaml_text import Places, Unreadable, read_documents

    places: list[Places] = []
    try:
        documents = read_documents(text, places)
    except Unreadable as error:
        raise UsageError(f"{error.message} (line {error.line + 1})", "it is plain YAML: maps, lists and text") from None
    tools: list[Tool] = []
    for document, where in zip(documents, places, strict=True):
        if not isinstance(document, Mapping):
            raise UsageError("it does not contain a map of functions", _FORM)
        own = {
            name: {key: value[key] for key in _OURS if key in value} if isinstance(value, Mapping) else {}
            for name, value in document.items()
        }
        bare = {
            name: {key: item for key, item in value.items() if key not in own[name]} if own[name] else value
            for name, value in document.items()
        }
        for function in functions_of(bare, "the tool file", where):
            if "command" in own.get(function.name, {}) or "http" in own.get(function.name, {}):
                tools.append(_made(function, own[function.name], file))
    return tuple(tools)


_FORM = 'the form: NAME: {description: ..., params: {NAME: ...}, command: [PROGRAM, "{NAME}"]}'


def _made(function: Function, own: Mapping[str, Json], file: Path) -> Tool:
    name = function.name
    if not function.description.strip():
        raise UsageError(f"the tool {name} has no description, so no model could know when to use it", _FORM)
    if "command" in own and "http" in own:
        raise UsageError(f"the tool {name} has both command and http", "keep one of the two")
    if "http" in own and "stdin" in own:
        raise UsageError(f"the tool {name} has stdin, which belongs to a command", "put the text into the query")
    try:
        timeout = float(str(own["timeout"])) if "timeout" in own else None
    except ValueError:
        timeout = math.nan
    if timeout is not None and not 0 <= timeout < math.inf:
        raise UsageError(f"the timeout of {name} is {own['timeout']!r}", "give a number of seconds; 0: no limit")
    runs = "command" in own
    flags = {"side_effects": runs, "network": not runs, "private": runs}
    for flag in flags:
        said = str(own.get(flag, flags[flag])).lower()
        if said not in ("true", "false"):
            raise UsageError(f"{flag} of {name} is not true or false", f"{flag}: false")
        flags[flag] = said == "true"
    if not runs and not flags["network"]:
        raise UsageError(f"{name} sends requests, so `network` cannot be false", "leave network out")
    call = _command(function, own, file.parent) if "command" in own else _request(function, own["http"])
    return specified_tool(function, call, str(file), **cast(ToolOptions, {**flags, "timeout": timeout}))


# Filling in values -------------------------------------------------------------------------------------------------


@frozen
class _Text:
    """A text with places for parameters: literal pieces at even indexes, names at odd ones."""

    pieces: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return self.pieces[1::2]

    @property
    def alone(self) -> bool:
        """Whether it is one parameter and nothing else."""
        return len(self.pieces) == 3 and not self.pieces[0] and not self.pieces[2]

    def filled(self, values: Mapping[str, Json], shown: Callable[[str], str] = str) -> str:
        return "".join(shown(_shown(values.get(piece))) if at % 2 else piece for at, piece in enumerate(self.pieces))


def _text(value: Json, function: Function, what: str) -> _Text:
    """The text as a template; UsageError for what is not text, and for a name that is not a parameter's."""
    if isinstance(value, (list, dict)) or value is None:
        raise UsageError(f"{what} of {function.name} contains something that is not text", _FORM)
    pieces, place, literal = [], 0, ""
    for match in (_HEADER_PIECES if what == "headers" else _PIECES).finditer(str(value)):
        literal += str(value)[place : match.start()]
        place = match.end()
        if match[1] is None:
            literal += match[0][0]
            continue
        if match[1] not in {param.name for param in function.params}:
            raise UsageError(
                f"{match[0]} in {what} of {function.name} is not one of its params",
                f"name it under params, or write {{{match[0]}}} for the braces themselves",
            )
        pieces += [literal, match[1]]
        literal = ""
    return _Text((*pieces, literal + str(value)[place:]))


def _shown(value: Json) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (list, dict)) else str(value)


# Commands ----------------------------------------------------------------------------------------------------------

Group = tuple[_Text, ...]
Call = Callable[..., Awaitable[ToolOutput]]


def _command(function: Function, own: Mapping[str, Json], folder: Path) -> Call:
    listed = own["command"]
    if not isinstance(listed, list) or not listed or isinstance(listed[0], list):
        raise UsageError(f"the command of {function.name} is not a list of arguments", _FORM)
    groups: list[Group] = [
        tuple(_text(item, function, "the command") for item in (group if isinstance(group, list) else [group]))
        for group in listed
    ]
    for text in (text for group in groups for text in group if text.names):
        first = next(param for param in function.params if param.name == text.names[0])
        if _OPTION_NAME.fullmatch(text.pieces[0]) and not first.enum and first.kind not in ("integer", "number"):
            raise UsageError(
                f"the command of {function.name} lets {first.name} choose the option: {text.pieces[0]}{{{first.name}}}",
                f"write --option={{{first.name}}}, or list the values that {first.name} may have under enum",
            )
    program = groups[0][0]
    if program.names or not program.pieces[0]:
        raise UsageError(f"the program that {function.name} runs is not fixed", "name it, and pass it parameters")
    if program.pieces[0].startswith(("./", "../")):  # next to the file, wherever it is called from
        groups[0] = (_Text((str(folder.resolve() / program.pieces[0]),)),)
    stdin = _text(own["stdin"], function, "stdin") if "stdin" in own else _Text(("",))

    async def call(context: ToolContext, /, **given: Json) -> ToolOutput:
        values = function.with_defaults(given)
        ended = await run_command(_arguments(groups, function, values), stdin.filled(values))
        note = f"its output was cut at {MOST_OUTPUT:,} bytes" if ended.cut else ""
        if ended.status and not ended.cut:
            lines = [line for line in (ended.errors.strip() or ended.output.strip()).splitlines() if line.strip()]
            reason = f": {lines[-1].strip()[:300]}" if lines else ""
            raise ToolError(
                f"{function.name} ended with status {ended.status}{reason}", "check what the command accepts"
            )
        return ToolOutput(ended.output.rstrip("\n"), note=note)

    return call


def _arguments(groups: Sequence[Group], function: Function, values: Mapping[str, Json]) -> list[str]:
    """The arguments; groups with a parameter that is not given are left out."""
    listed = {param.name: {_shown(one) for one in (*param.enum, param.default)} for param in function.params}
    options_end = Path(groups[0][0].pieces[0]).name not in _OPTIONS_EVERYWHERE
    after_dashes = False
    made: list[str] = []
    for group in groups:
        if any(values.get(name) is None for text in group for name in text.names):
            continue
        for text in group:
            value = values[text.names[0]] if text.alone else None
            for one in value if isinstance(value, list) else [text.filled(values)]:
                argument = _shown(one)
                _check_argument(argument, text.names)
                if text.names and not after_dashes and not (text.alone and argument in listed[text.names[0]]):
                    _check_no_option(argument, text)
                made.append(argument)
            after_dashes = after_dashes or (options_end and text.pieces == ("--",))
    return made


def _check_argument(argument: str, names: Sequence[str]) -> None:
    try:
        fits = len(os.fsencode(argument)) <= _MOST_ARGUMENT and "\0" not in argument
    except UnicodeEncodeError:
        fits = False
    if not fits:
        raise ToolError(
            f"{', '.join(names)} cannot be passed to a command: it is too long, or has a character (such as NUL) that "
            "no argument can hold",
            "give a long text to the command as stdin",
        )


def _check_no_option(argument: str, text: _Text) -> None:
    """ToolError where what a value says, and not the file, makes the argument an option."""
    literal = text.pieces[0]
    value = argument.removeprefix(literal) if _OPTION_NAME.fullmatch(literal) else argument
    if value.startswith("-") and (value is not argument or not literal):
        raise ToolError(
            f"{text.names[0]} begins with '-', so the command would take it for an option: {argument[:60]!r}",
            'put "--" before it in the tool\'s command, or give it as --option={...}',
        )


# Addresses ---------------------------------------------------------------------------------------------------------


def _request(function: Function, http: Json) -> Call:
    given = http if isinstance(http, Mapping) else {"url": http}
    strange = [key for key in given if key not in ("url", "query", "headers")]
    if strange or "url" not in given:
        raise UsageError(
            f"http of {function.name} has {strange[0]!r}" if strange else f"http of {function.name} has no url",
            "it takes url, query and headers",
        )
    url = _text(given["url"], function, "the url")
    _check_fixed_host(function, url)
    query, headers = (_pairs(given.get(key) or {}, function, key) for key in ("query", "headers"))

    async def call(context: ToolContext, /, **params: Json) -> ToolOutput:
        values = function.with_defaults(params)
        address = url.filled(values, _in_path)
        pairs = [
            f"{quote(name, safe='')}={quote(text.filled(values), safe='')}"
            for name, text in query
            if not any(values.get(one) is None for one in text.names)
        ]
        address += ("&" if "?" in address else "?") * bool(pairs) + "&".join(pairs)
        sent = {name: _header(text, values, function.name) for name, text in headers}
        answer = await context.fetch.fetch(address, headers=sent, api=True)
        if answer.status >= 400:
            raise ToolError(
                f"{function.name}: {urlsplit(address).netloc} answers with status {answer.status}",
                "check what the address accepts",
                retryable=answer.status in (429, 502, 503, 504),
                retry_after=answer.retry_after,
            )
        page = await context.fetch.read(answer)
        note = "the answer is too large and was cut" if answer.truncated else ""
        return ToolOutput(page.text, (Source(page.url, page.title, start=0, end=len(page.text)),), note)

    return call


def _pairs(value: Json, function: Function, what: str) -> list[tuple[str, _Text]]:
    if not isinstance(value, Mapping):
        raise UsageError(f"{what} of {function.name} is not a map", f"{what}: {{NAME: VALUE}}")
    return [(str(name), _text(item, function, what)) for name, item in value.items()]


def _check_fixed_host(function: Function, url: _Text) -> None:
    """UsageError where a parameter has a say in which host is asked."""
    head = url.pieces[0]
    scheme, found, rest = head.partition("://")
    host_ends = min((rest.index(sign) for sign in "/?#" if sign in rest), default=-1)
    if scheme.lower() not in ("http", "https") or not found or (url.names and host_ends < 1):
        raise UsageError(
            f"the url of {function.name} must begin with http:// or https:// and a fixed host: {head!r}",
            "parameters belong after the host: https://api.example/v1?q={query}",
        )


def _in_path(value: str) -> str:
    if value in (".", ".."):
        raise ToolError(f"{value!r} cannot be part of an address", "give a name")
    return quote(value, safe="")


def _header(text: _Text, values: Mapping[str, Json], tool: str) -> str:
    """The header's value; ``${NAME}`` in what the file says (not in a parameter's value) is of the environment."""
    missing = [name for piece in text.pieces[::2] for name in _VARIABLE.findall(piece) if not os.environ.get(name)]
    if missing:
        raise ToolError(f"{tool} needs the environment variable {missing[0]}", f"set it: export {missing[0]}=...")
    pieces = (
        piece if at % 2 else _VARIABLE.sub(lambda match: os.environ[match[1]], piece)
        for at, piece in enumerate(text.pieces)
    )
    value = _Text(tuple(pieces)).filled(values)
    if any(char in value for char in "\r\n\0"):
        raise ToolError(f"a header of {tool} contains a line break", "headers are one line")
    if not value.isascii():
        raise ToolError(f"a header of {tool} contains a character that is not ASCII", "put such text into the query")
    return value
