"""Plans in notations that the reader of statements does not know: XML, YAML, JSON of another shape.

    >>> [entry.tool for entry in xml_entries("<step><tool>Search</tool><input>otters</input></step>", str) or ()]
    ['Search']

Asked only where a text could not be read otherwise, so no plan in the usual form pays for it. Each reader returns the
steps, and the lines between them, in order, with their places; None where the text is not in its notation, or is cut.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from airoagent.calls.yaml_text import Unreadable, read_documents
from airoagent.plan.fields import is_reference, kind_of, plain_key
from airoagent.prompts.own_text import THOUGHT_TAGS

_MOST_DEPTH = 32
_NUMBER = re.compile(r"([0-9]{1,9})[^0-9]*\Z")

Resolve = Callable[[str], str | None]


class Entry(NamedTuple):
    """A step (with a ``tool``) or a line of text, and the offset where it stands."""

    at: int
    line: str
    tool: str = ""
    input: str = ""
    number: int | None = None
    thought: str = ""

    @property
    def is_answer(self) -> bool:
        return self.line.startswith('{"answer"')


def answer_entry(at: int, text: str) -> Entry:
    return Entry(at, json.dumps({"answer": text.strip()}, ensure_ascii=False))


def invented_entry(at: int) -> Entry:
    return Entry(at, "Result: made up")  # the reader of statements then leaves out an answer made of such


def _text(value: Any) -> str:
    """An input as text: the one value of a map or list, or all of it as JSON."""
    while isinstance(value, dict | list) and len(value) == 1:
        value = next(iter(value.values())) if isinstance(value, dict) else value[0]
    if isinstance(value, str):
        return value.strip()
    return json.dumps(value, ensure_ascii=False, default=str) if value not in (None, [], {}) else ""


class _Fields:
    """The parts of one step, as they come."""

    def __init__(self) -> None:
        self.at, self.tool, self.thought, self.input, self.number = -1, "", "", None, None
        self.params: dict[str, str] = {}
        self.invented = False  # whether a result is given, which no one knows yet

    tool: str
    input: str | None
    number: int | None

    def take(self, key: str, value: Any, resolve: Resolve) -> bool:
        """Take a part by its key; False where it is not one."""
        kind = kind_of(key)
        if kind == "tool" or (key == "name" and resolve(str(value))):
            self.tool = str(value).strip()
        elif kind == "input":
            self.input = None if value is None else _text(value)
        elif kind == "result" and not is_reference(value):
            self.invented = self.invented or bool(value)
        elif kind in ("number", "result"):
            found = _NUMBER.search(str(value)[-40:])
            self.number = int(found[1]) if found else self.number
        elif kind == "thought" and isinstance(value, str):
            self.thought = " ".join(value.split())
        else:
            return False
        return True

    def entry(self, at: int) -> Entry | None:
        """The step, if it has a tool and an input."""
        given = self.input if self.input is not None else _text(self.params) if self.params else None
        return None if not self.tool or given is None else Entry(at, "", self.tool, given, self.number, self.thought)


_TAG = re.compile(
    r"<(?P<end>/)?(?P<name>[A-Za-z_][\w.-]{0,99})(?P<value>=[\w.-]{1,99})?"
    r"(?P<attributes>(?:\s+[\w-]{1,64}\s*=\s*(?:\"[^\"<]*\"|'[^'<]*'))*+)\s*(?P<empty>/)?>"
)
_ATTRIBUTE = re.compile(r"([\w-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
_PARAMETER = frozenset({"parameter", "param", "argument", "arg"})
_THINKS = re.compile(THOUGHT_TAGS)
_ONLY_CHILDREN = re.compile(r"(?:\s*<([A-Za-z_][\w-]*)>[^<]*</\1>)+\s*")
_STATEMENT = re.compile(r"[0-9]:? ?= ?[A-Za-z][\w .-]{0,80}[\[(]")
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_CDATA = re.compile(r"<!\[CDATA\[(.*)\]\]>", re.DOTALL)
_CHILD = re.compile(r"<([A-Za-z_][\w-]*)>([^<]*)</\1>")


def _plain(text: str) -> str:
    """The text of an element, as it was before it was written in XML."""
    cdata = _CDATA.fullmatch(text.strip())
    return cdata[1] if cdata else html.unescape(text)


def _lone(text: str, tag: re.Match[str]) -> bool:
    """Whether an element holds nothing but text."""
    end = text.find("<", tag.end())
    return end > tag.end() and text.startswith(f"</{tag['name']}>", end)


def xml_entries(text: str, resolve: Resolve) -> list[Entry] | None:
    """The steps that elements hold: as children, as attributes, or as the text in an element named after the tool."""
    text = _COMMENT.sub(lambda found: " " * len(found[0]), text)
    elements = _Elements(text, resolve)
    at = 0
    while tag := _TAG.search(text, at):
        elements.between(at, text[at : tag.start()].strip())
        after = elements.end(tag) if tag["end"] else elements.begin(tag)
        if after is None:
            return None
        at = after
    if elements.within or elements.unknown:
        return None  # cut, or a step of a tool that there is not
    elements.flush(len(text))
    elements.between(at, text[at:].strip())
    return elements.found


class _Elements:
    """Goes through the tags of a text; ``within`` is the element whose parts are being gathered."""

    def __init__(self, text: str, resolve: Resolve) -> None:
        self.found: list[Entry] = []
        self.within = ""
        self.unknown = self._named = False
        self._text, self._resolve, self._fields = text, resolve, _Fields()

    def flush(self, place: int) -> None:
        """End the step that is being gathered."""
        fields, self._fields = self._fields, _Fields()
        if entry := fields.entry(fields.at if fields.at >= 0 else place):
            self.found.append(entry)
            if fields.invented:
                self.found.append(invented_entry(entry.at))

    def between(self, at: int, text: str) -> None:
        """Take the text between two tags."""
        fields = self._fields
        if text and self.within and fields.tool and fields.input is None and not fields.params:
            fields.input = _plain(text)  # <step tool="Search">otters</step>
        elif text:
            self.found.append(Entry(at, text))

    def end(self, tag: re.Match[str]) -> int:
        """Take the tag that ends an element; returns where to read on."""
        if _THINKS.fullmatch(plain_key(tag["name"])):  # what came before were thoughts, begun by the prompt
            self.found.clear()
            self._fields, self.within = _Fields(), ""
        elif plain_key(tag["name"]) == self.within:
            self.flush(tag.start())
            self.within = ""
        return tag.end()

    def begin(self, tag: re.Match[str]) -> int | None:
        """Take the tag that begins an element; returns where to read on, None where the element never ends."""
        text, key, at = self._text, plain_key(tag["name"]), tag.end()
        attributes = {plain_key(one[1]): _plain(one[2] or one[3] or "") for one in _ATTRIBUTE.finditer(tag[0])}
        own_tool = kind_of(key) != "tool" and self._resolve(tag["name"]) is not None
        thinks = _THINKS.fullmatch(key) is not None
        leaf = own_tool or thinks or kind_of(key) != "" or key in _PARAMETER
        close = -1 if tag["empty"] or not leaf else text.find(f"</{tag['name']}>", at)
        if leaf and close < 0 and not attributes:
            return None
        self._named = self._named or own_tool
        self.unknown = self.unknown or (self._named and not (leaf or self.within or tag["empty"]) and _lone(text, tag))
        value = text[at:close] if close >= 0 else ""
        holds_steps = not (own_tool or thinks) and kind_of(key) != "input" and _TAG.search(value)
        if close < 0 or holds_steps or "tool" in map(kind_of, attributes):
            self.flush(tag.start())
            self.within, self._fields.at = key, tag.start()
            number = _NUMBER.search(tag["name"])
            self._fields.number = int(number[1]) if number else None
            for name, one in attributes.items():
                self._fields.take(name, one, self._resolve)
            if tag["empty"]:
                self.flush(tag.start())
                self.within = ""
            return at
        children = _ONLY_CHILDREN.fullmatch(value)
        given = _text({one[1]: _plain(one[2]) for one in _CHILD.finditer(value)}) if children else ""
        name = attributes.get("name") or (tag["value"] or "=").removeprefix("=") or str(at)
        self._leaf(key, tag, given or _plain(value).strip(), own_tool, name)
        return close + len(tag["name"]) + 3

    def _leaf(self, key: str, tag: re.Match[str], given: str, own_tool: bool, name: str) -> None:
        fields = self._fields
        kind = kind_of(key)
        if kind == "answer":
            self.flush(tag.start())
            self.found.append(answer_entry(tag.start(), given))
        elif key in _PARAMETER:
            fields.params[name] = given
        elif kind == "tool" and _STATEMENT.search(given):  # <action>#E1 = Search[otters]</action>
            thought, self._fields = fields.thought, _Fields()
            self.found.append(Entry(tag.start(), f"Plan: {thought}\n{given}" if thought else given))
        elif own_tool:
            self.flush(tag.start())
            self.found.append(Entry(tag.start(), "", tag["name"], given, fields.number, fields.thought))
        else:
            if kind in ("tool", "thought") and fields.entry(0):
                self.flush(tag.start())  # the next step begins
                fields = self._fields
            fields.at = tag.start() if fields.at < 0 else fields.at
            fields.take(key, given, self._resolve)


_OPENS = re.compile(r"^[ \t]*(?:`{3,}|~{3,})[\w.+-]*[ \t]*\n", re.MULTILINE)
_CLOSES = re.compile(r"^[ \t]*(?:`{3,}|~{3,})[ \t]*$", re.MULTILINE)
_REFERENCE = re.compile(r"[#:]E(?:vidence)?[ _-]?[0-9]", re.IGNORECASE)
_COMMENTED_REFERENCE = re.compile(r"\s#\s?e(?:vidence)?[ _-]?[0-9]", re.IGNORECASE)  # YAML reads `x #E1` as `x`
_PLAIN_VALUE = re.compile(r"^([ \t]*(?:- )*[\w\"' ]{1,64}:[ \t]+)([^\s\"'|>\[{][^\n]*)$", re.MULTILINE)


def _fenced(text: str) -> tuple[int, int]:
    """Where the first fence's text starts and ends; the whole text without a fence."""
    opened = _OPENS.search(text)
    closed = _CLOSES.search(text, opened.end()) if opened else None
    return (opened.end(), closed.start()) if opened and closed else (0, len(text))


def data_entries(text: str, resolve: Resolve) -> list[Entry] | None:
    """The steps in YAML or JSON, whole or in a fence; what stands around the fence stays lines."""
    start, end = _fenced(text)
    value = _read_data(text[start:end])
    if value is None:
        return None
    # A list of tools with what they do is no plan: one refers to its steps.
    steps = list(_walk(value, "", resolve if _REFERENCE.search(text) else lambda name: None, 0))
    if not any(entry.tool for entry in steps):
        return None
    places, at = [], start
    for entry in steps:
        found = text.find(entry.tool or "answer", at, end)
        at = found if found >= 0 else at
        places.append(entry._replace(at=at))
        at += bool(entry.tool)
    outside = [Entry(at, line) for at, line in ((0, text[:start]), (end, text[end:])) if line.strip()]
    return [one for one in outside if one.at < start] + places + [one for one in outside if one.at >= start]


def _read_data(body: str) -> Any:
    if body.lstrip()[:1] in ("{", "["):
        with suppress(ValueError, RecursionError):  # cut, or with a slip: YAML would read another meaning into it
            return json.loads(body)
        return None
    quoted = _PLAIN_VALUE.sub(lambda found: found[1] + json.dumps(found[2].rstrip(), ensure_ascii=False), body)
    for form in (quoted, body) if _COMMENTED_REFERENCE.search(body) else (body, quoted):
        with suppress(ValueError, RecursionError, Unreadable):
            documents = read_documents(form)
            return documents[0] if len(documents) == 1 else documents
    return None


def _walk(value: Any, name: str, resolve: Resolve, depth: int) -> Iterator[Entry]:
    """The steps and answers in nested maps and lists, in order; ``name`` is the key that holds the value."""
    if depth > _MOST_DEPTH:
        return
    if isinstance(value, list):
        names = [str(key) for one in value if isinstance(one, dict) and len(one) == 1 for key in one]
        if any(map(resolve, names)) and not all(resolve(one) or kind_of(one) == "answer" for one in names):
            return  # one of the steps is of a tool that there is not
        for one in value:
            yield from _walk(one, name, resolve, depth + 1)
    if not isinstance(value, dict):
        return
    fields = _Fields()
    number = _NUMBER.search(name)
    fields.number = int(number[1]) if number else None
    rest = {key: one for key, one in value.items() if not fields.take(plain_key(key), one, resolve)}
    step = fields.entry(0)
    if step is None and len(value) <= 2:
        step = next(
            (Entry(0, "", key, _text(one), None, fields.thought) for key, one in value.items() if resolve(key)), None
        )
    if step is not None and step.tool:
        yield step
        if fields.invented:
            yield invented_entry(0)
    answers = []
    for key, one in (value if step is None else rest).items():
        if kind_of(key) == "answer" and not (isinstance(one, dict | list) and len(one) != 1):
            answers.append(answer_entry(0, _text(one)))
        elif step is None or isinstance(one, dict | list):
            yield from _walk(one, str(key), resolve, depth + 1)
    yield from answers
