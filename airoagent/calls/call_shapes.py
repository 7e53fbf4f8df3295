"""What models call ``function`` and ``params``: finds the calls in what was read, and has them checked.

The form asked for is ``{"function": NAME, "params": {...}}``. Also read, each with a finding: ``name``, ``tool`` for
function; ``parameters``, ``arguments``, ``args`` for params; params beside the function instead of in a map; the
function's name as the key of its params; a wrapper such as ``function_call`` or ``tool_calls``; a list of calls;
several calls one after the other; JSON where YAML was asked for, and the reverse.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from airoagent.calls.call_forms import name_before, python_calls, tagged_calls, without_thoughts
from airoagent.calls.checker import Checker
from airoagent.calls.functions import Function, Functions
from airoagent.calls.json_text import MOST_DEPTH, Value, read_values, strict_value
from airoagent.calls.scalars import Json, Path, Stop
from airoagent.calls.spelling import nearest
from airoagent.calls.yaml_calls import CallText, read_yaml_documents
from airoagent.calls.yaml_text import Unreadable
from airoagent.errors import Diagnostic
from airoagent.findings import Finding, LineIndex, located
from airoagent.prompts.own_text import NEXT_TURN

CheckedCall = tuple[str, dict[str, Json], tuple[Diagnostic, ...]]

_FUNCTION = ("function", "function_name", "name", "tool", "tool_name", "api", "action")
_ARGUMENTS = ("params", "parameters", "arguments", "args", "param", "parameter", "kwargs")
_PARAMS = (*_ARGUMENTS, "inputs", "input", "action_input", "tool_input")
_COMMON_WORDS = {"input", "api", "call", "action"}  # keys that say nothing of a call by themselves
_WRAPPERS = ("function_call", "functioncall", "tool_call", "call", "function_calls", "tool_calls", "calls", "functions")
_MOST_CALLS = 1000
_MOST_SUGGESTED = 5  # findings from which on an unknown name is given without suggestions
_FORMS = {"json": "JSON", "yaml": "YAML", "python": "a call"}


class Refused(Exception):
    """There is no call, or one that is wrong: the findings, at least one without a repair."""

    def __init__(self, *diagnostics: Diagnostic) -> None:
        super().__init__(diagnostics[0].message)
        self.diagnostics = diagnostics


@dataclass(slots=True)
class _Shape:
    """A call as it was written: in which document, where its name and its params stand, and the params."""

    document: CallText
    name: str
    name_at: Path
    params: Json
    params_at: Path


def calls_in(text: str, functions: Functions, format: str, truncated: bool) -> list[CheckedCall]:
    """Name, params and findings of each call of the text; Refused says why there is none to be made."""
    if format == "json" and (plain := _plain_call(text, functions)):
        return [plain]
    keys = {*_FUNCTION, *_PARAMS, *_WRAPPERS, *(function.name for function in functions)} - _COMMON_WORDS
    problem: Diagnostic | None = None
    answer = without_thoughts(text.replace("<escape>", '"'))  # FunctionGemma's quotes
    json_first = format == "json" or answer.lstrip()[:1] in ("{", "[")
    for form in (*(("json", "yaml") if json_first else ("yaml", "json")), "python"):
        try:
            if form == "json":
                documents = _json(answer, keys, not truncated, functions)
            elif form == "yaml":
                documents = _yaml(answer, keys, truncated, hashes=True)
            else:
                documents = _written(answer, functions)
        except Refused as refused:
            problem = problem or refused.diagnostics[0]
            continue
        found = _shapes_in(documents, functions)
        if not found:
            continue
        first = found[0].document
        if form != "yaml":
            first.diagnostics[:0] = _around(text, list(dict.fromkeys(shape.document.span for shape in found)))
        if form != format:
            first.note((), "format", f"{format.upper()} was asked for.", f"read as {_FORMS[form]}")
        try:
            return _checked(found, functions)
        except Refused:
            if form != "yaml" or not any(note.kind == "comment" for one in found for note in one.document.diagnostics):
                raise
            # A # that is not part of a value after all.
            return _checked(_shapes_in(_yaml(answer, keys, truncated, hashes=False), functions), functions)
    inner = _encoded(answer)
    if inner is not None:
        try:
            return calls_in(inner, functions, format, truncated)
        except Refused as refused:
            problem = problem or refused.diagnostics[0]
    raise Refused(problem or Diagnostic("no_call", "There is no function call in the text.", 1, 1))


def _shapes_in(documents: list[CallText], functions: Functions) -> list[_Shape]:
    found = [shape for document in documents for shape in _shapes(document.value, (), document, functions, 0)]
    if len(found) > _MOST_CALLS:
        raise Refused(Diagnostic("too_large", f"There are {len(found):,} calls; {_MOST_CALLS:,} are allowed.", 1, 1))
    return found


_MAYBE_FENCED = re.compile(r"(?:(```)(?:json)?\n)?\s*(\{.*\})\s*(?(1)```\s*)", re.DOTALL)
_FENCE = Diagnostic("fence", "The call is in a code fence.", 1, 1, "left out")


def _plain_call(text: str, functions: Functions) -> CheckedCall | None:
    """The call of a text that is nothing but the JSON asked for, with nothing to repair: ten times as fast."""
    found = _MAYBE_FENCED.fullmatch(text)
    if not found or "\\" in text or "<" in text or text.count("{") + text.count("[") > MOST_DEPTH:
        return None
    try:
        value = strict_value(found[2])
    except ValueError:
        return None
    if not isinstance(value, dict) or value.keys() != {"function", "params"} or not isinstance(value["params"], dict):
        return None
    function = functions.names.get(value["function"]) if isinstance(value["function"], str) else None
    checker = Checker()
    params = checker.call(function, value["params"], ()) if function else {}
    return (function.name, params, (_FENCE,) if found[1] else ()) if function and not checker.diagnostics else None


# Reading -----------------------------------------------------------------------------------------------------------


def _encoded(text: str) -> str | None:
    """The JSON that is written as one JSON string, its quotes left off or not, or as HTML; None where it is neither."""
    if "&quot;" in text and '"' not in text:
        return html.unescape(text)
    text = text.strip()
    try:
        inner = json.loads(text if text.startswith('"') else f'"{text}"', strict=False)
    except (ValueError, RecursionError):
        return None
    return inner if isinstance(inner, str) and inner != text and inner.lstrip()[:1] in ("{", "[") else None


def _written(text: str, functions: Functions) -> list[CallText]:
    """The calls that are written in Python or as tags."""

    def parameters(name: str) -> list[str] | None:
        meant = functions.spellings.resolve(name)
        return None if meant is None else [param.name for param in functions.names[meant].params]

    lines = LineIndex(text)
    turn = _TURN_ENDS.search(text)
    found = [*tagged_calls(text, parameters), *python_calls(text, parameters)]
    return [
        CallText({"function": one.name, "params": one.params}, {(): one.start}, lines.locate, span=(one.start, one.end))
        for one in found
        if turn is None or one.start < turn.start() or turn.start() < found[0].start
    ]


# What follows a result that the model made up is made up, too.
_TURN_ENDS = re.compile(
    rf"{NEXT_TURN.pattern}|</?(?:tool_response|tool_result|function_results?|observation)>|<\|observation\|>"
    r"|\[TOOL_RESULTS\]|^(?:Observation|Question):",
    NEXT_TURN.flags,
)
_MARK = re.compile(r"\[/?[A-Z_]{3,30}\]")  # [TOOL_CALLS], [ARGS]: no lists
_EXAMPLE = re.compile(
    r"(?:\b(?:for (?:example|instance)|e\.g\.|an? (?:example|sample)|examples?)\b[^.!?{}\[\]\n]{0,50}"
    r"|(?<![^\n])(?:format|syntax|template)(?=:)|\binstead of(?=\s))"
    r"(?:[:,]\s*|\n\s*|\s)(?:`{3}\w*\s*)?\Z",
    re.IGNORECASE,
)
_IN_SENTENCE = re.compile(r"[\s,;.]*[A-Za-z]{2}")


def _own_values(text: str, values: list[Value]) -> list[Value]:
    """The values up to where the model's turn ends, since what follows it is made up; without those in the middle of a
    sentence where another starts a line: they are talked about.
    """
    for number, (one, other) in enumerate(pairwise(values), 1):
        if _TURN_ENDS.search(text, one.end, other.start):
            values = values[:number]
            break
    if len(values) < 2:
        return values
    leads = [
        text[max(end, one.start - 120) : one.start]
        for one, end in zip(values, (0, *(v.end for v in values)), strict=False)
    ]
    values = [one for one, lead in zip(values, leads, strict=True) if not _EXAMPLE.search(lead)] or values
    before = [text[max(0, one.start - 120) : one.start].rpartition("\n")[2] for one in values]
    if all(map(str.strip, before)):
        return values
    return [
        one
        for one, lead in zip(values, before, strict=True)
        if not (_IN_SENTENCE.search(lead) and _IN_SENTENCE.match(text[one.end : one.end + 80].split("\n", 1)[0]))
    ]


def _json(text: str, keys: set[str], whole: bool, functions: Functions) -> list[CallText]:
    lines = LineIndex(text)
    try:
        values = read_values(text, keys, whole)
    except Stop as stop:
        line, column = lines.locate(min(stop.at, len(text)))
        kind = stop.kind if stop.meant or stop.kind in ("truncated", "too_deep") else "no_call"
        raise Refused(Diagnostic(kind, stop.message, line, column)) from None
    documents, last = [], 0
    for value in _own_values(text, values):
        if _MARK.fullmatch(text, value.start, value.end):
            continue
        name = name_before(text[last : value.start])
        last = value.end
        if (
            name
            and isinstance(value.value, dict)
            and functions.spellings.resolve(name)
            and not _names_known(value.value, functions)
        ):
            value = _named(name, value)
        notes = list(located(value.findings, lines))
        span = (value.start, value.end)
        documents.append(CallText(value.value, value.places, lines.locate, notes, value.raws, span))
    return documents


def _named(name: str, value: Value) -> Value:
    """A call whose function stands before its parameters."""
    moved = {("params", *path): place for path, place in value.places.items()}
    raws = {("params", *path): raw for path, raw in value.raws.items()}
    call = {"function": name, "params": value.value}
    findings = [
        *value.findings,
        Finding(value.start, "flat", "The function is named before its parameters.", "read as one"),
    ]
    return Value(call, value.start, value.end, findings, {(): value.start, **moved}, raws)


def _around(text: str, spans: list[tuple[int, int]]) -> list[Diagnostic]:
    """What stands around the calls: fences, chatter."""
    notes: dict[str, Diagnostic] = {}
    lines = LineIndex(text)
    offset = 0
    for start, end in [*spans, (len(text), len(text))]:
        for line in text[offset:start].split("\n"):
            stripped = line.strip().rstrip(",;")
            kind = "fence" if stripped.startswith(("```", "~~~")) or stripped == "`" else "chatter"
            if stripped and kind not in notes:
                message = "The call is in a code fence." if kind == "fence" else "There is text around the call."
                where = lines.locate(offset + len(line) - len(line.lstrip()))
                notes[kind] = Diagnostic(kind, message, *where, "left out")
            offset += len(line) + 1
        offset = end
    return list(notes.values())


def _yaml(text: str, keys: set[str], truncated: bool, hashes: bool) -> list[CallText]:
    try:
        return read_yaml_documents(text, keys, truncated, hashes)
    except Unreadable as error:
        raise Refused(Diagnostic(error.kind, error.message, error.line + 1, error.column + 1)) from None


# Shapes ------------------------------------------------------------------------------------------------------------


def _shapes(value: Json, path: Path, document: CallText, functions: Functions, depth: int) -> Iterator[_Shape]:
    """The calls of a value, where it is one or holds some; depth is how many wrappers were opened."""
    if depth > 4:
        return
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from _shapes(item, (*path, number), document, functions, depth + 1)
        return
    if not isinstance(value, dict):
        return
    keys = {key.strip().lower(): key for key in value}
    wrapper = next(
        (keys[word] for word in _WRAPPERS if word in keys and isinstance(value[keys[word]], dict | list)), None
    )
    if len(value) == 1 and _names_known(
        next(iter(value.values())), functions
    ):  # {"toolUse": {"name": ..., "input": ...}}
        (wrapper,) = value
    word = next((word for word in _FUNCTION if word in keys), None)
    if word is not None:
        key = keys[word]
        if isinstance(value[key], dict):
            document.note((*path, key), "wrapper", f"The call is inside {key!r}.", "taken out of it")
            yield from _shapes(value[key], (*path, key), document, functions, depth + 1)
            return
        if isinstance(value[key], str) and (value[key] or word == "function"):
            if key != "function":
                document.note((*path, key), "key", f"The function is named by {key!r}.", "read as 'function'")
            yield _shape(value, key, path, document, functions)
            return
    if wrapper is not None:
        document.note((*path, wrapper), "wrapper", f"The call is inside {wrapper!r}.", "taken out of it")
        yield from _shapes(value[wrapper], (*path, wrapper), document, functions, depth + 1)
        return
    named = [key for key in value if key in functions.names]
    if named and len(named) == len(value):
        for key in named:
            document.note((*path, key), "key", f"The function's name {key!r} is the key.", "read as 'function'")
            inner = value[key]
            if isinstance(inner, dict) and set(inner) <= {"params", "parameters"} and inner:
                (word_in,) = list(inner)[:1]
                yield _Shape(document, key, (*path, key), inner[word_in], (*path, key, word_in))
            else:
                yield _Shape(document, key, (*path, key), inner, (*path, key))


def _names_known(value: Json, functions: Functions) -> bool:
    """Whether an object says itself which function it calls."""
    named = (value[word] for word in _FUNCTION if word in value) if isinstance(value, dict) else ()
    return any(isinstance(name, str) and name in functions.names for name in named)


def _shape(value: dict[str, Json], name_key: str, path: Path, document: CallText, functions: Functions) -> _Shape:
    """The call of a map that names its function."""
    name = str(value[name_key]).strip()
    function = functions.names.get(name)
    own = {param.name for param in function.params} if function is not None else set()
    rest = {key: item for key, item in value.items() if key != name_key}
    lowered = {key.strip().lower(): key for key in rest}
    if rest.keys() == {"params"}:  # as it was asked for
        params_key: str | None = "params"
    else:
        params_key = next((lowered[word] for word in _PARAMS if word in lowered and lowered[word] not in own), None)
    if params_key is None:
        flat = {key: item for key, item in rest.items() if key in own or function is None}
        if flat:
            document.note(path, "flat", "The parameters are next to the function.", "put into 'params'")
        _leave_out(rest, set(flat), path, document)
        return _Shape(document, name, (*path, name_key), flat, path)
    if params_key != "params":
        document.note((*path, params_key), "key", f"The parameters are called {params_key!r}.", "read as 'params'")
    params = rest[params_key]
    beside = {key: rest[key] for key in rest if key in own and key != params_key}
    if beside and isinstance(params, dict) and not beside.keys() & params.keys():
        params = {**params, **beside}
    elif beside and not params:
        params = beside
    if isinstance(params, list) and params and all(isinstance(item, dict) for item in params):
        if not own >= {"name", "value"} and all({"name", "value"} == item.keys() for item in params):
            params = [{str(item["name"]): item["value"]} for item in params]
        merged = {key: item for part in params for key, item in part.items()}
        if len(merged) == sum(map(len, params)):
            params = merged
            document.note((*path, params_key), "coerced", "The params are a list of maps.", "read as one map")
    _leave_out(rest, {params_key, *beside}, path, document)
    return _Shape(document, name, (*path, name_key), params, (*path, params_key))


def _leave_out(rest: dict[str, Json], used: set[str], path: Path, document: CallText) -> None:
    for key in rest:
        if key not in used:
            document.note((*path, key), "key", f"{key[:80]!r} is not part of a call.", "left out")


# Checking ----------------------------------------------------------------------------------------------------------


def _checked(found: list[_Shape], functions: Functions) -> list[CheckedCall]:
    calls: list[CheckedCall] = []
    wrong: list[Diagnostic] = []
    before: CallText | None = None
    for shape in found:
        document = shape.document
        checker = Checker(document.locate, document.raws)
        if document is not before:  # what was repaired in reading belongs to the first call of the document
            before = document
            checker.diagnostics += document.diagnostics
        function = _function(shape, functions, checker, suggest=len(wrong) < _MOST_SUGGESTED)
        if function is not None:
            params = checker.call(function, shape.params, shape.params_at)
            calls.append(
                (function.name, params, tuple(sorted(checker.diagnostics, key=lambda one: (one.line, one.column))))
            )
        if checker.failed:
            wrong += checker.diagnostics
    if wrong:
        raise Refused(*sorted(wrong, key=lambda one: (bool(one.repair), one.line, one.column)))
    return calls


def _function(shape: _Shape, functions: Functions, checker: Checker, suggest: bool) -> Function | None:
    function = functions.names.get(shape.name)
    if function is not None:
        return function
    meant = functions.spellings.resolve(shape.name)
    if meant is not None:
        checker.note(shape.name_at, "spelling", f"The function is called {meant!r}.", "read as that")
        return functions.names[meant]
    near = nearest(shape.name, functions.names) if suggest else ()  # each look at all names takes long
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    if not hint and functions and suggest:
        listed = ", ".join(list(functions.names)[:12]) + (", ..." if len(functions) > 12 else "")
        hint = f"; the functions are {listed}"
    checker.note(shape.name_at, "unknown_function", f"There is no function called {shape.name[:80]!r}{hint}")
    return None
