"""Calls in the forms of other model families, and what of a completion is the model's own answer.

    >>> [written] = python_calls("resize(width=640, name='a')", {"resize": ()}.get)
    >>> written.name, written.params
    ('resize', {'width': 640, 'name': 'a'})

Thoughts and the turns that a model makes up after its own are no answer: a call in them is never carried out.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from airoagent.calls.json_text import read_value
from airoagent.calls.scalars import Json, Plain, Stop
from airoagent.frozen import frozen
from airoagent.prompts.own_text import LONE_END, THOUGHT_TAGS

_MOST_TRIED = 50  # calls that are tried: one that does not end costs its length

_THOUGHTS = re.compile(
    rf"^[ \t]*(?:<(?P<tag>{THOUGHT_TAGS})>.*?(?:</(?P=tag)>|\Z)|\[THINK\].*?(?:\[/THINK\]|\Z)"
    r"|◁think▷.*?(?:◁/think▷|\Z)|<\|begin_of_thought\|>.*?(?:<\|end_of_thought\|>|\Z))"
    r"|<\|channel\|>(?:analysis|commentary)<\|message\|>.*?(?:<\|end\|>|\Z)",
    re.DOTALL | re.IGNORECASE | re.MULTILINE,
)
_NO_SPACE = re.compile(r"[^\n]")


def without_thoughts(text: str) -> str:
    """The text with thoughts as blanks of the same length, so that every place stays what it is."""
    ends = [found.end() for found in LONE_END.finditer(text)]
    masked = _THOUGHTS.sub(lambda found: _NO_SPACE.sub(" ", found[0]), text)
    last = max((end for end in ends if LONE_END.search(masked, max(0, end - 20), end)), default=0)
    return _NO_SPACE.sub(" ", masked[:last]) + masked[last:]  # thoughts whose beginning was a part of the prompt


@frozen
class WrittenCall:
    """A call as it was written: its name, its parameters, and from which offset to which it stands."""

    name: str
    params: dict[str, Json]
    start: int
    end: int


_NAME = r"[A-Za-z_][\w.\\-]{0,120}"
_LABEL = r"(?:action|tool|function)?[ _]?(?:input|arguments|args|parameters|params)[\s`*:✿]{1,20}"
_SIGN = r"<[|｜][\w ▁]{1,30}[|｜]>|</?[a-z_]{1,30}>|\[CALL_ID\]\w{1,40}|\[ARGS\]"
_BEFORE = re.compile(
    rf"(?<![\w.\\-])(?P<name>{_NAME})(?::\d+)?[\s`*'\"(:>=|✿]{{0,40}}+"
    rf"(?:(?:{_SIGN}|(?:commentary|json)(?!\w)|{_LABEL})[\s`*'\"(:>]{{0,40}}+){{0,4}}+\Z",
    re.IGNORECASE,
)


def name_before(text: str) -> str:
    """The name right before an object: ``find{...}``, ``<function=find>{...}``, ``Action: find`` and its input."""
    found = _BEFORE.search(text[-400:])
    return found["name"] if found else ""


# `<function=find>`, `<invoke name="find">`, GLM's and Claude 2's: the name and the parameters as tags, of which the
# first kind may have a prefix (`<minimax:invoke`, `<｜DSML｜invoke`) and further attributes.
_PREFIX = r"(?:[\w-]{1,20}:|｜\w{1,20}｜)?"
_CALL_TAGS = tuple(
    re.compile(pattern, re.DOTALL)
    for pattern in (
        rf"<(?P<tag>{_PREFIX}(?:function|invoke))(?:=| name=)\"?(?P<name>[\w.-]{{1,120}})\"?>"
        r"(?P<body>.*?)(?:</(?P=tag)>|\Z)",
        r"<tool_call>\s*(?P<name>[\w.-]{1,120})\s*(?P<body><arg_key>.*?)(?:</tool_call>|\Z)",
        r"<tool_name>(?P<name>[\w.-]{1,120})</tool_name>\s*<parameters>(?P<body>.*?)(?:</parameters>|\Z)",
    )
)
_PARAMETER_TAG = re.compile(
    rf"<(?P<parameter>{_PREFIX}parameter)(?:=| name=)\"?(?P<name>[\w.-]{{1,120}})\"?(?: [^<>]{{0,80}})?>"
    r"|<arg_key>(?P<key>[\w.-]{1,120})</arg_key>\s*<(?P<value>arg_value)>"
    r"|<(?P<tag>(?!parameter|arg_)[A-Za-z_][\w.-]{0,120})>"
)


def _tagged_parameters(body: str) -> dict[str, Json]:
    found: dict[str, Json] = {}
    at = unclosed = 0
    while unclosed < _MOST_TRIED and (opened := _PARAMETER_TAG.search(body, at)):
        at = opened.end()
        closing = f"</{opened['parameter'] or opened['value'] or opened['tag']}>"
        end = body.find(closing, at)
        if end < 0:
            unclosed += 1
            continue
        value = body[at:end].removeprefix("\n").removesuffix("\n")
        found[opened["name"] or opened["key"] or opened["tag"]] = Plain(value)
        at = end + len(closing)
    return found


_NAMED_TAG = re.compile(r"<(?P<name>[A-Za-z_][\w.-]{0,120})>")
_ParametersOf = Callable[[str], Sequence[str] | None]


def tagged_calls(text: str, parameters: _ParametersOf) -> Iterator[WrittenCall]:
    """Calls written as tags: ``<function=find><parameter=text>otters</parameter></function>``, or, of a function that
    `python_calls` would know, ``<find><text>otters</text></find>``.
    """
    found = [one for pattern in _CALL_TAGS if "<" in text for one in pattern.finditer(text)]
    known = dict.fromkeys(one["name"] for one in _NAMED_TAG.finditer(text) if parameters(one["name"]))
    for name in [*known][:_MOST_TRIED] if not found else ():
        tag = re.compile(rf"<(?P<name>{re.escape(name)})>(?P<body>.*?)</{re.escape(name)}>", re.DOTALL)
        end = text.rfind(f"</{name}>")  # beyond it, each tag would be followed to the end of the text
        found += tag.finditer(text, 0, end + len(name) + 3)
    for one in sorted(found, key=re.Match.start):
        params = _tagged_parameters(one["body"])
        if params or not one["body"].strip():
            yield WrittenCall(one["name"], params, one.start(), one.end())


# Only at the start of a line, after what decorates it: a call in the middle of a sentence is talked about, not made.
_PYTHON = re.compile(
    r"(?:^[ \t>`*-]*+(?:<\|?[\w ]{1,30}\|?>|\[TOOL_CALLS\]|(?:action|call): ?|print\()?(?:\w{1,40} ?= ?)?(?:await )?"
    rf"(?:\[\s*+|[ \t]*+)|(?<=\)),\s*|(?<=\));\s*)(?P<name>{_NAME})\(",
    re.MULTILINE | re.IGNORECASE,
)
_TOKEN = re.compile(r"'(?:[^'\\\n]|\\.)*+'|\"(?:[^\"\\\n]|\\.)*+\"|[()\[\]{}]", re.DOTALL)
_METHODS = (".call", ".run", ".invoke", ".execute")
_WORDS = {"true": True, "false": False, "null": None}


def python_calls(text: str, parameters: _ParametersOf) -> Iterator[WrittenCall]:
    """Calls written in Python; ``parameters`` gives the names of a function's parameters, None if there is no such."""
    at = tried = 0
    while tried < _MOST_TRIED and (found := _PYTHON.search(text, at)):
        at = found.end()
        name = found["name"]
        names = parameters(name)
        if names is None and name.endswith(_METHODS):  # `find_flights.call(...)`
            name = name.rpartition(".")[0]
            names = parameters(name)
        if names is None:
            continue
        tried += 1
        end = _closing(text, found.end())
        params = _arguments(f"f({text[found.end() : end]}", names) if end else None
        if params is None and end:
            params = _members(text[found.end() : end - 1])
        if params is not None:
            yield WrittenCall(name, params, found.start("name"), end)
            at = end


def _closing(text: str, at: int) -> int:
    """The offset after the bracket that closes a call; 0 if there is none."""
    depth = 1
    for found in _TOKEN.finditer(text, at):
        if found[0] in "([{":
            depth += 1
        elif found[0] in ")]}":
            depth -= 1
            if not depth:
                return found.end()
    return 0


def _arguments(call: str, names: Sequence[str]) -> dict[str, Json] | None:
    """The arguments by name; None if one is more than a literal, or has no name."""
    try:
        tree: Any = ast.parse(call, mode="eval").body
        if not isinstance(tree, ast.Call) or len(tree.args) > len(names):
            return None
        pairs = [*zip(names, tree.args, strict=False), *((one.arg or "", one.value) for one in tree.keywords)]
        found = {name: _literal(value) for name, value in pairs}
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None
    return found if "" not in found and len(found) == len(pairs) else None


def _members(written: str) -> dict[str, Json] | None:
    """Arguments that Python could not read, as the members of an object: ``text: 'it's'``; never a bare word, which
    may be a variable.
    """
    try:
        found = read_value("{" + written + "}")
    except Stop:
        return None
    bare = any(finding.kind == "unquoted_text" for finding in found.findings)
    return found.value if isinstance(found.value, dict) and not bare else None


def _literal(value: ast.expr) -> Json:
    if isinstance(value, ast.Name) and value.id in _WORDS:
        return _WORDS[value.id]
    if isinstance(value, ast.List | ast.Tuple):
        return [_literal(item) for item in value.elts]
    if isinstance(value, ast.Dict):
        pairs = [
            (ast.literal_eval(key), _literal(item)) for key, item in zip(value.keys, value.values, strict=True) if key
        ]
        if len(pairs) != len(value.keys) or not all(isinstance(key, str) for key, _ in pairs):
            raise ValueError("a key is not text")
        return dict(pairs)
    found = ast.literal_eval(value)
    if not isinstance(found, str | int | float | None) or found in (float("inf"), float("-inf")):
        raise ValueError("the value has no form in JSON")
    return found
