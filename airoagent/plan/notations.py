"""Plans in notations that the reader of statements does not know: XML, YAML, JSON of another shape, Python.

    >>> [entry.tool for entry in xml_entries("<step><tool>Search</tool><input>otters</input></step>", str) or ()]
    ['Search']

Asked only where a text could not be read otherwise, so no plan in the usual form pays for it. Each reader returns the
steps, and the lines between them, in order, with their places; None where the text is not in its notation, or is cut.
"""

from __future__ import annotations

import ast
import html
import json
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import accumulate
from typing import Any, NamedTuple

from airoagent.calls.yaml_text import Unreadable, read_documents
from airoagent.plan.fields import INPUT_KEYS, NUMBER_KEYS, THOUGHT_KEYS, TOOL_KEYS
from airoagent.prompts.own_text import THOUGHT_TAGS

ANSWER_KEYS = frozenset({"answer", "final answer", "the answer", "the final answer", "final"})
_MOST_DEPTH = 32
_MOST_TEXT = 64 * 1024
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


def _key(name: object) -> str:
    return " ".join(str(name).replace("_", " ").replace("-", " ").lower().split()).removeprefix("external ")


def _answer(at: int, text: str) -> Entry:
    return Entry(at, json.dumps({"answer": text.strip()}, ensure_ascii=False))


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

    tool: str
    input: str | None
    number: int | None

    def take(self, key: str, value: Any, resolve: Resolve) -> bool:
        """Take a part by its key; False where it is not one."""
        if key in TOOL_KEYS or (key == "name" and resolve(str(value))):
            self.tool = str(value).strip()
        elif key in INPUT_KEYS or key in ("args", "params", "tool args"):
            self.input = None if value is None else _text(value)
        elif key in NUMBER_KEYS or key == "number":
            found = _NUMBER.search(str(value)[-40:])
            self.number = int(found[1]) if found else self.number
        elif key in THOUGHT_KEYS and isinstance(value, str):
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
_LEAVES = TOOL_KEYS | INPUT_KEYS | THOUGHT_KEYS | ANSWER_KEYS | NUMBER_KEYS | _PARAMETER
_ONLY_CHILDREN = re.compile(r"(?:\s*<([A-Za-z_][\w-]*)>[^<]*</\1>)+\s*")
_STATEMENT = re.compile(r"[0-9]:? ?= ?[A-Za-z][\w .-]{0,80}[\[(]")
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

    def between(self, at: int, text: str) -> None:
        """Take the text between two tags."""
        fields = self._fields
        if text and self.within and fields.tool and fields.input is None and not fields.params:
            fields.input = _plain(text)  # <step tool="Search">otters</step>
        elif text:
            self.found.append(Entry(at, text))

    def end(self, tag: re.Match[str]) -> int:
        """Take the tag that ends an element; returns where to read on."""
        if _THINKS.fullmatch(_key(tag["name"])):  # what came before were thoughts, begun by the prompt
            self.found.clear()
            self._fields, self.within = _Fields(), ""
        elif _key(tag["name"]) == self.within:
            self.flush(tag.start())
            self.within = ""
        return tag.end()

    def begin(self, tag: re.Match[str]) -> int | None:
        """Take the tag that begins an element; returns where to read on, None where the element never ends."""
        text, key, at = self._text, _key(tag["name"]), tag.end()
        attributes = {_key(one[1]): _plain(one[2] or one[3] or "") for one in _ATTRIBUTE.finditer(tag[0])}
        own_tool = key not in TOOL_KEYS and self._resolve(tag["name"]) is not None
        thinks = _THINKS.fullmatch(key) is not None
        leaf = own_tool or thinks or key in _LEAVES
        close = -1 if tag["empty"] or not leaf else text.find(f"</{tag['name']}>", at)
        if leaf and close < 0 and not attributes:
            return None
        self._named = self._named or own_tool
        self.unknown = self.unknown or (self._named and not (leaf or self.within or tag["empty"]) and _lone(text, tag))
        value = text[at:close] if close >= 0 else ""
        holds_steps = not (own_tool or thinks) and key not in INPUT_KEYS and _TAG.search(value)
        if close < 0 or holds_steps or attributes.keys() & TOOL_KEYS:
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
        if key in ANSWER_KEYS:
            self.flush(tag.start())
            self.found.append(_answer(tag.start(), given))
        elif key in _PARAMETER:
            fields.params[name] = given
        elif key in TOOL_KEYS and _STATEMENT.search(given):  # <action>#E1 = Search[otters]</action>
            thought, self._fields = fields.thought, _Fields()
            self.found.append(Entry(tag.start(), f"Plan: {thought}\n{given}" if thought else given))
        elif own_tool:
            self.flush(tag.start())
            self.found.append(Entry(tag.start(), "", tag["name"], given, fields.number, fields.thought))
        else:
            if key in TOOL_KEYS | THOUGHT_KEYS and fields.entry(0):
                self.flush(tag.start())  # the next step begins
                fields = self._fields
            fields.at = tag.start() if fields.at < 0 else fields.at
            fields.take(key, given, self._resolve)


_OPENS = re.compile(r"^[ \t]*(?:`{3,}|~{3,})[\w.+-]*[ \t]*\n", re.MULTILINE)
_CLOSES = re.compile(r"^[ \t]*(?:`{3,}|~{3,})[ \t]*$", re.MULTILINE)
_REFERENCE = re.compile(r"[#:]E(?:vidence)?[ _-]?[0-9]", re.IGNORECASE)
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
    for form in (body, quoted):
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
        if any(map(resolve, names)) and not all(resolve(one) or _key(one) in ANSWER_KEYS for one in names):
            return  # one of the steps is of a tool that there is not
        for one in value:
            yield from _walk(one, name, resolve, depth + 1)
    if not isinstance(value, dict):
        return
    fields = _Fields()
    number = _NUMBER.search(name)
    fields.number = int(number[1]) if number else None
    rest = {key: one for key, one in value.items() if not fields.take(_key(key), one, resolve)}
    step = fields.entry(0)
    if step is None and len(value) <= 2:
        step = next(
            (Entry(0, "", key, _text(one), None, fields.thought) for key, one in value.items() if resolve(key)), None
        )
    if step is not None and step.tool:
        yield step
    answers = []
    for key, one in (value if step is None else rest).items():
        if _key(key) in ANSWER_KEYS and not (isinstance(one, dict | list) and len(one) != 1):
            answers.append(_answer(0, _text(one)))
        elif step is None or isinstance(one, dict | list):
            yield from _walk(one, str(key), resolve, depth + 1)
    yield from answers


_ASSIGNED_CALL = re.compile(
    r"^\s*(?:(?:(?:const|let|var) )?\w+(?:: ?\w+)? ?= ?(?:await )?|print\(|return )[A-Za-z][\w.]*\(", re.MULTILINE
)
_TEMPLATE = re.compile(r"`([^`\\\n]*)`")
_AS_PYTHON = (  # JavaScript, line by line
    (re.compile(r"^(\s*)(?:const|let|var)\s+", re.MULTILINE), r"\1"),
    (re.compile(r"^(\s*)//", re.MULTILINE), r"\1#"),
    (re.compile(r";[ \t]*$", re.MULTILINE), ""),
)
_SHOWS = frozenset({"print", "console.log", "answer", "finish", "final_answer"})
_LABEL = re.compile(r"(?:the )?(?:final )?answer(?: is)?\s?:\s*", re.IGNORECASE)
_FORMAT = re.compile(r"\{(\w*)\}|%s")


def python_entries(text: str, resolve: Resolve) -> list[Entry] | None:
    """The steps of a program of assignments in Python or JavaScript, whose variables are the references; empty where
    the program does more, or less, than a plan.
    """
    start, end = _fenced(text)
    body = text[start:end]
    if not _ASSIGNED_CALL.search(body):
        return None
    script = _TEMPLATE.sub(lambda found: f"f{found[1].replace('${', '{')!r}", body)
    for pattern, replacement in _AS_PYTHON:
        script = pattern.sub(replacement, script)
    starts = list(accumulate((len(line) + 1 for line in body.split("\n")), initial=start))
    for form in (body, script):
        with suppress(SyntaxError, ValueError, RecursionError, MemoryError), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what is no program
            module = ast.parse(form)
            with suppress(ValueError, RecursionError):
                return _Program(resolve, starts).entries(module.body)
            return []
    return None


class _Program:
    """Goes through a program; ValueError where it does more than call tools and put their results into texts."""

    def __init__(self, resolve: Resolve, starts: list[int]) -> None:
        self._resolve, self._starts = resolve, starts
        self._found: list[Entry] = []
        self._answer: Entry | None = None
        self._variables: dict[str, str] = {}
        self._tools: dict[str, str] = {}  # variables that hold a tool
        self._functions: dict[str, list[ast.stmt]] = {}  # without arguments, and not called yet

    def entries(self, body: list[ast.stmt]) -> list[Entry]:
        """The steps and the answer; none where nothing uses a step, since a call alone is an example."""
        self._run(body)
        for name in list(self._functions):  # a program that only defines what it would run
            self._call(name)
        entries = [*self._found, *([self._answer] if self._answer else [])]
        return entries if any(":evidence" in entry.input + entry.line for entry in entries) else []

    def _call(self, function: str) -> str:
        self._run(self._functions.pop(function))
        return self._variables.pop("return", "")

    def _run(self, body: list[ast.stmt]) -> None:
        for one in body:
            if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) and not one.args.args:
                self._functions[one.name] = one.body
            elif isinstance(one, ast.If) and "__name__" in ast.unparse(one.test):
                self._run(one.body)
            elif isinstance(one, ast.Assign | ast.AnnAssign | ast.Expr | ast.Return):
                self._statement(one)
            elif not isinstance(one, ast.Import | ast.ImportFrom | ast.Pass):
                raise ValueError

    def _statement(self, one: ast.Assign | ast.AnnAssign | ast.Expr | ast.Return) -> None:
        at, value = self._starts[one.lineno - 1], one.value
        if isinstance(one, ast.Expr) and isinstance(value, ast.Constant):
            return  # a docstring
        targets = one.targets if isinstance(one, ast.Assign) else [one.target] if isinstance(one, ast.AnnAssign) else []
        variable = "return" if isinstance(one, ast.Return) else ""
        for target in targets:
            if not isinstance(target, ast.Name) or len(targets) > 1:
                raise ValueError
            variable = target.id
        while isinstance(value, ast.Await):
            value = value.value
        called = ast.unparse(value.func) if isinstance(value, ast.Call) else ""
        if (
            isinstance(value, ast.Call)
            and called.endswith(".run")
            and value.args
            and isinstance(value.args[0], ast.Call)
        ):
            value = value.args[0]  # asyncio.run(main())
            called = ast.unparse(value.func)
        if isinstance(value, ast.Call) and called in _SHOWS:
            shown = " ".join(self._texts(value.args))
            if not self._answer or ":evidence" in shown:
                self._answer = _answer(at, _LABEL.sub("", shown, count=1))
            return
        if isinstance(value, ast.Call) and not (value.args or value.keywords) and self._resolve(called):
            self._tools[variable] = called
            return
        shown = self._text(value, at)
        if variable:
            self._variables[variable] = shown
        elif not called:
            raise ValueError
        if variable == "return" or (_key(variable) in ANSWER_KEYS and not called):
            self._answer = _answer(at, shown)

    def _texts(self, values: Iterable[ast.expr]) -> list[str]:
        return [self._text(value) for value in values]

    def _text(self, value: ast.expr | None, at: int = 0) -> str:
        """The text of an expression: a literal, a variable, a call of a tool, or texts put together."""
        if isinstance(value, ast.Constant) and isinstance(value.value, str | int | float):
            return str(value.value)
        if isinstance(value, ast.Name) and value.id in self._variables:
            return self._variables[value.id]
        if isinstance(value, ast.FormattedValue) and value.conversion < 0 and value.format_spec is None:
            return self._text(value.value, at)
        if isinstance(value, ast.JoinedStr):
            return _together(self._texts(value.values))
        if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add):
            return _together(self._texts([value.left, value.right]))
        if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Mod):
            parts = value.right.elts if isinstance(value.right, ast.Tuple) else [value.right]
            return _formatted(self._text(value.left), dict(enumerate(self._texts(parts))))
        if isinstance(value, ast.Await):
            return self._text(value.value, at)
        if isinstance(value, ast.Call):
            return self._called(value, at)
        raise ValueError

    def _called(self, value: ast.Call, at: int) -> str:
        called, method = ast.unparse(value.func), value.func
        if called in self._functions and not (value.args or value.keywords):
            return self._call(called)
        words: dict[int | str, ast.expr] = {str(word.arg): word.value for word in value.keywords}
        if called == "str" and len(value.args) == 1:
            return self._text(value.args[0])
        if isinstance(method, ast.Attribute) and method.attr == "format" and isinstance(method.value, ast.Constant):
            named = {**dict[int | str, ast.expr](enumerate(value.args)), **words}
            return _formatted(self._text(method.value), {key: self._text(one) for key, one in named.items()})
        if isinstance(method, ast.Attribute) and method.attr == "strip" and not value.args:
            return self._text(method.value)
        called = self._tools.get(called.split(".")[0], called)
        if not self._resolve(called):
            raise ValueError
        inputs = [*value.args, *words.values()]
        if len(inputs) == 1 and isinstance(inputs[0], ast.Dict) and len(inputs[0].values) == 1:
            inputs = inputs[0].values
        given = self._texts(inputs)
        if not given:
            raise ValueError
        if len(given) > 1:  # as one text, in the way the call is written
            names = [*("" for _ in value.args), *(f"{name}=" for name in words)]
            given = [name + json.dumps(one, ensure_ascii=False) for name, one in zip(names, given, strict=True)]
        number = len(self._found)
        self._found.append(Entry(at, "", called, _together(given, ", "), number))
        return f":evidence{number}:"


def _formatted(text: str, given: Mapping[int | str, str]) -> str:
    """A text with values in place of ``{}``, ``{0}``, ``{name}`` and ``%s``; never as a format string."""
    parts, at, count = [], 0, 0
    for found in _FORMAT.finditer(text):
        name = found[1] or ""
        key: int | str = int(name) if name.isdecimal() else name or count
        count += not name
        if key not in given:
            raise ValueError
        parts += [text[at : found.start()], given[key]]
        at = found.end()
    return _together([*parts, text[at:]])


def _together(parts: Iterable[str], between: str = "") -> str:
    """Parts of a text as one; ValueError where it gets longer than any input: ``x = x + x`` over and over."""
    parts = list(parts)
    if sum(map(len, parts)) > _MOST_TEXT:
        raise ValueError
    return between.join(parts)
