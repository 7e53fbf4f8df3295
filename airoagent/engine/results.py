"""What a tool gave or raised, made into what a run can keep: any Python function may be a tool; anything may come."""

from __future__ import annotations

import inspect
import logging
import traceback
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

from airoagent.errors import AiroError, Interrupted, LimitReached, PlanError, ToolError
from airoagent.events import Failure, Source
from airoagent.prompts.harmless import visible
from airoagent.toolbox.tool import Tool, ToolOutput

_log = logging.getLogger("airoagent")

_LONGEST = 2000  # characters of an error's sentence, and of its hint
_FLAGS = tuple(one.name for one in fields(ToolOutput) if isinstance(one.default, bool))


def checked(tool: Tool, result: Any, limit: int) -> ToolOutput | str:
    """What the tool returned, if it is something that a tool returns, and of at most ``limit`` characters.

    Raises ToolError that says what is wrong with it, or LimitReached.
    """
    if isinstance(result, str):
        size = len(result)
    elif isinstance(result, ToolOutput):
        result, size = _output(tool, result)
    elif isinstance(result, int | float):
        result = str(result)
        size = len(result)
    else:
        if inspect.iscoroutine(result):
            result.close()
        raise ToolError(
            f"{tool.name} returned {type(result).__name__}; a tool returns text",
            "return a str, or an airoagent.ToolOutput with its sources",
        )
    if size > limit:
        raise LimitReached(
            f"{tool.name} returned {size:,} characters; the limit is {limit:,}",
            "raise max_evidence if the machine has enough memory",
        )
    return result  # type: ignore[no-any-return]


def _output(tool: Tool, output: ToolOutput) -> tuple[ToolOutput, int]:
    """The output with every field of its type, and its characters: notes and sources are kept, too."""

    def wrong(field: str, value: object, wanted: str) -> ToolError:
        return ToolError(f"{tool.name} returned a ToolOutput whose {field} is {type(value).__name__}, not {wanted}")

    for field in ("text", "note"):
        value = getattr(output, field)
        if not isinstance(value, str):
            raise wrong(field, value, "str")
    for field in _FLAGS:
        if not isinstance(getattr(output, field), bool):
            raise wrong(field, getattr(output, field), "bool")
    size = len(output.text) + len(output.note)
    if not output.sources and isinstance(output.sources, tuple):
        return output, size
    if not isinstance(output.sources, tuple | list):
        raise wrong("sources", output.sources, "a tuple of Source")
    for source in output.sources:
        if not isinstance(source, Source):
            raise ToolError(f"{tool.name} returned a source that is {type(source).__name__}, not airoagent.Source")
        for part in (source.url, source.title, source.quote):
            if not isinstance(part, str):
                raise ToolError(f"{tool.name} returned a source with {type(part).__name__} instead of text")
            size += len(part)
        if not (isinstance(source.start, int) and isinstance(source.end, int)):
            raise ToolError(f"{tool.name} returned a source whose start and end are not whole numbers")
    return replace(output, sources=tuple(output.sources)), size


def cleaned(output: ToolOutput | str) -> ToolOutput | str:
    """The output without what could do something to a terminal or a tokenizer (`visible`); its note says so."""
    changed = 0

    def clean(text: str) -> str:
        nonlocal changed
        now = visible(text)
        changed += 0 if now == text else sum(a != b for a, b in zip(text, now, strict=True))
        return now

    given = ToolOutput(output) if isinstance(output, str) else output
    text, note = clean(given.text), clean(given.note)
    sources = tuple(
        replace(one, url=clean(one.url), title=clean(one.title), quote=clean(one.quote)) for one in given.sources
    )
    if not changed:
        return output
    told = "1 control character was replaced" if changed == 1 else f"{changed:,} control characters were replaced"
    return replace(given, text=text, sources=sources, note=f"{note}; {told}" if note else told)


def failure_of(error: BaseException, tool: str) -> AiroError:
    """The error to show for what a tool raised; the place in the tool's code is the hint.

    A PlanError or an Interrupted out of a tool (which may run an agent of its own) is about another plan, another run.
    """
    if isinstance(error, AiroError) and not isinstance(error, PlanError | Interrupted):
        error.message = _cut(_words(lambda: error.message) or type(error).__name__)
        error.hint = _cut(_words(lambda: error.hint))
        if not isinstance(getattr(error, "exit_code", None), int):
            error.exit_code = error.default_exit_code
        return error
    cause = error.__cause__  # a thread can pass these on only within another error (`in_thread`)
    raised = cause if isinstance(cause, SystemExit | KeyboardInterrupt | GeneratorExit | StopIteration) else error
    frames = traceback.extract_tb(raised.__traceback__)
    place = f"raised at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    _log.debug("%s raised", tool, exc_info=raised)
    text = " ".join(_words(lambda: str(raised)).split())[:500]
    failure = ToolError(f"{tool} raised {type(raised).__name__}{': ' + text if text else ''}", place)
    failure.__cause__ = raised
    return failure


def _words(said: Callable[[], object]) -> str:
    """What an error says of itself; an error may fail at that, too."""
    try:
        words = said()
    except Exception as error:
        return f"(its message cannot be read: {type(error).__name__})"
    return visible(str(words)) if isinstance(words, str | int | float) else ""


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def record_of(error: AiroError) -> Failure:
    """The error as it goes on record."""
    return Failure(error.kind, error.message, error.hint, error.exit_code)
