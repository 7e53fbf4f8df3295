"""Reads YAML that a model or a user wrote: maps, lists and text, nothing else of the language.

A scalar without quotes becomes `Plain` text: NO, 012, 1.10, 19:30 and 2020-01-02 stay what was written, and the schema
decides what they are. No anchors, no aliases, no tags, no keys that are not text, no duplicate keys; caps on size and
depth. `write_yaml` is the way back.

PyYAML's parser gives the events, the C one where PyYAML has it; the values are built here, in a loop. What crashes
PyYAML's C loader (deep nesting) is its own recursive building of nodes, which is never used: an event stream has no
depth, and it is left at the 65th level.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from airoagent.calls.json_text import MOST_DEPTH, by_number
from airoagent.calls.scalars import Json, Path, Plain, untyped

MOST_CHARACTERS = 256 * 1024

Places = dict[Path, tuple[int, int]]
"""Where values stand: path (keys and indexes) -> line and column, both from 0."""


class Unreadable(Exception):
    """The text cannot be read: why, in a word and a sentence, and where (line and column from 0)."""

    def __init__(self, kind: str, message: str, line: int, column: int) -> None:
        super().__init__(message)
        self.kind, self.message, self.line, self.column = kind, message, line, column


def _events(text: str) -> Iterator[Any]:
    import yaml

    parser: Any = None
    try:
        parser = yaml.CSafeLoader(text) if yaml.__with_libyaml__ else yaml.SafeLoader(text)
        event = parser.get_event()
        while event is not None:
            yield event
            event = parser.get_event()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise Unreadable(
            "syntax",
            f"The YAML cannot be read: {error.problem or error.context}.",
            getattr(mark, "line", 0),
            getattr(mark, "column", 0),
        ) from None
    except (yaml.YAMLError, UnicodeError) as error:  # a character YAML does not allow
        at = getattr(error, "position", None) or getattr(error, "start", None) or 0
        line = text.count("\n", 0, at)
        column = at - text.rfind("\n", 0, at) - 1
        raise Unreadable("syntax", "A character of the text is not allowed in YAML.", line, column) from None
    finally:
        if parser is not None:
            parser.dispose()


@dataclass(slots=True)
class _Open:
    """A map or list that is being read; a map waits for a key or has one."""

    value: Any
    path: Path
    key: str | None = None


def read_documents(text: str, places: list[Places] | None = None) -> list[Json]:
    """The value of each document; ``places`` gets one entry for each, with where everything stands.

    Unreadable says why it cannot be read: syntax, too_large, too_deep, alias, tag, duplicate_key, bad_key.
    """
    import yaml

    if len(text) > MOST_CHARACTERS:
        raise Unreadable("too_large", f"The text has more than {MOST_CHARACTERS:,} characters.", 0, 0)
    scalar, start_map, start_list = yaml.ScalarEvent, yaml.MappingStartEvent, yaml.SequenceStartEvent
    ends, values = {yaml.MappingEndEvent, yaml.SequenceEndEvent}, {scalar, start_map, start_list, yaml.AliasEvent}
    documents: list[Json] = []
    stack: list[_Open] = []
    top: _Open | None = None
    where: Places = {}
    for event in _events(text):
        kind = type(event)
        if kind in ends:
            stack.pop()
            top = stack[-1] if stack else None
            continue
        if kind not in values:
            if kind is yaml.DocumentStartEvent:
                where = {}
                if places is not None:
                    places.append(where)
            continue
        if event.anchor is not None or event.tag is not None:  # an alias has an anchor
            raise _forbidden(event)
        value: Json
        if kind is scalar:
            value = Plain(event.value) if event.implicit[0] else _whole(event)
        else:
            value = {} if kind is start_map else []
        # Book the value in what is open.
        path: Path = ()
        if top is None:
            documents.append(value)
        elif type(top.value) is list:
            path = (*top.path, len(top.value))
            top.value.append(value)
        elif top.key is None:
            if kind is not scalar:
                raise _at(event, "bad_key", "A key is not text.")
            if value in top.value:
                raise _at(event, "duplicate_key", f"The key {str(value)[:80]!r} appears twice in one map.")
            top.key = str(value)
            continue
        else:
            path = (*top.path, top.key)
            top.value[top.key] = value
            top.key = None
        if places is not None:
            where[path] = (event.start_mark.line, event.start_mark.column)
        if kind is not scalar:
            if len(stack) >= MOST_DEPTH:
                raise _at(event, "too_deep", f"Maps and lists are nested more than {MOST_DEPTH} deep.")
            top = _Open(value, path)
            stack.append(top)
    return documents


def _whole(event: Any) -> str:
    """The text of a quoted scalar; PyYAML's Python parser lets an escape give half of a character."""
    value: str = event.value
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise _at(event, "surrogate", "An escape gives half of a character.") from None
    return value


def _at(event: Any, kind: str, message: str) -> Unreadable:
    return Unreadable(kind, message, event.start_mark.line, event.start_mark.column)


def _forbidden(event: Any) -> Unreadable:
    if getattr(event, "tag", None) is not None:
        return _at(event, "tag", f"A YAML tag ({event.tag[:60]}) is not allowed.")
    return _at(event, "alias", f"A YAML anchor or alias ({str(event.anchor)[:60]}) is not allowed.")


# No indicator in front, nothing that ends a plain scalar inside, no space at either end; never what is not text.
_PLAIN_TEXT = re.compile(r"(?:(?<! )#|:(?! )|[^#:\x00-\x1f\x7f-\xa0\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff])++")
_UNPRINTABLE = re.compile("[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_NO_TEXT = frozenset({"null", "~", "true", "false", "---", "..."})


def scalar_text(text: str) -> str:
    """A string as a YAML scalar that reads back as this text: plain where that is safe, else in double quotes."""
    if (
        (text[:1].isalnum() or text[:1] in "_(/")
        and text[-1:] not in (" ", ":")
        and _PLAIN_TEXT.fullmatch(text)
        and text.lower() not in _NO_TEXT
        and isinstance(untyped(text), str)
    ):
        return text
    return _UNPRINTABLE.sub(_escape, by_number(json.dumps(text, ensure_ascii=False)))


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def write_yaml(value: Json, indent: int = 0) -> str:
    """A value as block YAML, two spaces a level, ending in a newline."""
    pad = " " * indent
    if not value or not isinstance(value, dict | list):
        return f"{pad}{_inline(value)}\n"
    lines = []
    for key, item in value.items() if isinstance(value, dict) else ((None, item) for item in value):
        head = f"{pad}-" if key is None else f"{pad}{scalar_text(key)}:"
        if not item or not isinstance(item, dict | list):
            lines.append(f"{head} {_inline(item)}\n")
        elif key is None:
            lines.append(f"{head} {write_yaml(item, indent + 2)[indent + 2 :]}")
        else:
            lines.append(f"{head}\n{write_yaml(item, indent + 2)}")
    return "".join(lines)


def _inline(value: Json) -> str:
    if isinstance(value, str):
        return scalar_text(value)
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value)
