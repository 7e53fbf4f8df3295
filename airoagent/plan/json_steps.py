"""Plans written as JSON: finding the objects while the text arrives, and reading a step from one.

An object is found wherever one begins a line (``{"``, also after ``[`` and ``,``); the list around it needs no
reading. An object that holds the list under a key such as ``steps`` is opened the same way. Accepted for a step, in
any case and order: its tool under ``tool``, ``action``, ``name`` or ``function``; its input under ``input``,
``tool_input``, ``args``, ``arguments``, ``params`` ...; its number under ``id``, ``step`` ... or ``placeholder``;
what it is for under ``thought``, ``plan`` ...; and all of these in an object under ``evidence``.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any

from airoagent.calls.json_text import read_value, strict_value
from airoagent.calls.scalars import Json, Stop
from airoagent.plan.draft import Draft
from airoagent.plan.fields import is_reference
from airoagent.plan.frame import Frame

_MOST_DEPTH = 32
_STEPS_KEY = re.compile(r"[\"'](?:steps|plans?|tasks|actions|calls)[\"']\s{0,8}:\s{0,8}\[\Z", re.IGNORECASE)
_TOOL_KEY = re.compile(r"[\"'](?:tool|tool_name|action|function)[\"']\s{0,8}:", re.IGNORECASE)


class ObjectScanner:
    """Follows one object, sign by sign; knows nothing of its meaning.

    Feed it every quote, backslash, brace, bracket and newline after the opening brace, in order, with their offsets.
    """

    def __init__(self, start: int, line: int) -> None:
        self.start = start
        self.line = line
        self.sure = False  # whether a quote or the end follows the opening brace: before that it may be any brace
        self.checked = start + 1  # up to where only white space follows the opening brace
        self.element_start = -1
        self.found = 0  # step objects inside this one that have been handed out
        self._stack = "{"
        self._quote = ""
        self._skip = -1
        self._list_open = False

    def sign(self, character: str, at: int, between: str, before: str) -> str:
        """What this sign does: ``""``, ``"element"`` (a step object in a list ends), ``"end"``, or ``"broken"``.

        ``between`` is what stands between ``checked`` and the sign (asked for until ``sure``), ``before`` the text up
        to and with an opening bracket, at least 40 characters of it where there are so many.
        """
        if not self.sure:
            if between.strip() or character not in "\"'}\n":
                return "broken"
            self.checked = at + 1
            if character == "\n":
                return ""
            self.sure = True
        if at == self._skip:
            return "broken" if character == "\n" else ""
        if self._quote:
            if character == "\\":
                self._skip = at + 1
            elif character == self._quote:
                self._quote = ""
            return "broken" if character == "\n" else ""
        if character in "\"'":
            self._quote = character
        elif character in "{[":
            if len(self._stack) >= _MOST_DEPTH:
                return "broken"
            if character == "[" and self._stack == "{":
                self._list_open = _STEPS_KEY.search(before) is not None
            elif character == "{" and self._stack == "{[" and self._list_open:
                self.element_start = at
            self._stack += character
        elif character in "}]":
            if {"}": "{", "]": "["}[character] != self._stack[-1]:
                return "broken"
            self._stack = self._stack[:-1]
            if not self._stack:
                return "end"
            if character == "}" and self._stack == "{[" and self._list_open:
                self.found += 1
                return "element"
        return ""


def looks_like_step(text: str) -> bool:
    """Whether a broken object seems to have been meant as a step."""
    return _TOOL_KEY.search(text) is not None


_TOOL = ("tool", "tool_name", "action", "name", "function")
_INPUT = ("input", "tool_input", "action_input", "args", "arguments", "params", "parameters", "query", "argument")
_RESULT = ("result", "output", "observation", "response")
_REFERENCE = ("placeholder", "evidence_id", "evidence", *_RESULT, "id")  # where they hold a reference
_ID = ("id", "step", "number", "index", "step_id", "idx", "placeholder", "evidence_id", "evidence")
_THOUGHT = ("thought", "plan", "description", "reasoning", "thoughts", "purpose", "reason")
_LAST_NUMBER = re.compile(r"([0-9]{1,9})[^0-9]*\Z")


def _number(id: object) -> int | None:
    if isinstance(id, bool) or id is None:
        return None
    if isinstance(id, int):
        return id if 0 <= id < 10**9 else None
    found = _LAST_NUMBER.search(str(id)[-40:])
    return int(found[1]) if found else None


def _as_text(given: object) -> tuple[str, bool]:
    """An input as one text, and whether several values had to be put together."""
    if isinstance(given, str):
        return given, False
    if isinstance(given, dict | list) and len(given) == 1:
        only = next(iter(given.values())) if isinstance(given, dict) else given[0]
        if isinstance(only, str | int | float):
            return str(only), False
    if given is None or given in ([], {}):
        return "", False
    return json.dumps(given, ensure_ascii=False, default=str), not isinstance(given, int | float)


def json_line(**fields: str) -> str:
    """One object on one line: the form in which any text can be written exactly."""
    return json.dumps(fields, ensure_ascii=False)


class ObjectSteps:
    """Takes whole objects into the draft; ``answered`` says that one of them held the answer."""

    __slots__ = ("_draft", "_frame", "answered")

    def __init__(self, draft: Draft, frame: Frame) -> None:
        self._draft, self._frame = draft, frame
        self.answered = False

    def take(self, text: str, start: int, line: int, known: bool) -> None:
        """Take an object that stands at ``start``; ``known``: the steps in it have been taken, and it is only what is
        around them.
        """
        try:
            value = self._value(text, start)
        except Stop as stop:
            if looks_like_step(text):
                self._draft.fail(start, "syntax", f"This object is not valid JSON: {stop.message}")
            else:
                self._frame.chatter(start)
            return
        fields = {key.lower(): item for key, item in value.items()} if isinstance(value, dict) else {}
        if known or not self._take_step(fields, start, line):
            self._take_fields(fields, start, known)

    def _value(self, text: str, start: int) -> Json:
        with suppress(ValueError):
            return strict_value(text)
        if len(text) > self._draft.limits.input:
            self._draft.too_long("An object that is not valid JSON", start)
            return None
        found = read_value(text)
        repaired = {finding.kind: finding for finding in reversed(found.findings)}  # the first of each kind
        self._draft.findings += [finding._replace(at=start + finding.at) for finding in repaired.values()]
        return found.value

    def _take_step(self, fields: dict[str, Any], start: int, line: int) -> bool:
        """Take the step that an object is; False if it names no tool."""
        draft, inner = self._draft, fields.get("evidence")
        if not isinstance(inner, dict):
            inner = fields.get("function")  # OpenAI's tool calls
        if isinstance(inner, dict):
            fields = {**fields, **{key.lower(): item for key, item in inner.items()}}
        written = next((fields[key] for key in _TOOL if isinstance(fields.get(key), str) and fields[key].strip()), None)
        if written is None:
            return False
        written = written.strip()
        text, joined = _as_text(next((fields[key] for key in _INPUT if key in fields), ""))
        thought = next((fields[key] for key in _THOUGHT if isinstance(fields.get(key), str)), "")
        own = [str(fields[key]) for key in _REFERENCE if is_reference(fields.get(key))]
        id = own[0] if own else next((fields[key] for key in _ID if isinstance(fields.get(key), str | int)), None)
        number = _number(id)
        self._frame.statement()
        draft.dialect = draft.dialect or {"$": "$", "e": "E", "E": "E"}.get(str(id)[:1], "")
        if joined:
            draft.note(start, "arguments", "The step has several arguments.", "kept as one text")
        tool = draft.tool(written, draft.names.resolve(written), start)
        thought = " ".join(thought.split()) or self._frame.thought()
        number = len(draft.defined) if number is None else number
        draft.add(number, thought, tool, text, line=line, at=start, place=start, size=len(text))
        if any(fields.get(key) and not is_reference(fields[key]) for key in _RESULT):
            draft.invent(start)
        return True

    def _take_fields(self, fields: dict[str, object], start: int, known: bool) -> None:
        """An object that is not a step may hold the question and the answer."""
        question, answer = fields.get("question"), fields.get("answer", fields.get("final_answer"))
        if isinstance(question, str) and not self._draft.question:
            self._draft.question = " ".join(question.split())
            known = True
        if isinstance(answer, str) and answer and self._draft.defined:
            self._draft.set_answer(answer, start)
            self.answered = True
        elif not known:
            self._frame.chatter(start)
