"""Plans written as programs, in Python or JavaScript: assignments of what tools return, and texts made of variables.

    >>> program = "page = Search.run('otters')\\nprint(Read(f'How old? {page}'))"
    >>> [(entry.tool, entry.input) for entry in program_entries(program, {"Search.run": "", "Read": ""}.get) or ()]
    [('Search.run', 'otters'), ('Read', 'How old? :evidence0:')]

Nothing is run: a program that does more than call tools and put their results into texts is not a plan.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Iterable, Mapping
from contextlib import suppress
from itertools import accumulate
from textwrap import dedent

from airoagent.plan.fields import kind_of
from airoagent.plan.frame import is_fence
from airoagent.plan.notations import Entry, Resolve, answer_entry

_MOST_TEXT = 64 * 1024

_ASSIGNED_CALL = re.compile(
    r"^[ \t]*+(?:(?:(?:const|let|var) )?\w+(?:: ?\w+)? ?= ?(?:await )?|print\(|return )[A-Za-z][\w.]*\(", re.MULTILINE
)
_TEMPLATE = re.compile(r"`([^`\\\n]*)`")
_AS_PYTHON = (  # JavaScript, line by line
    (re.compile(r"^([ \t]*+)(?:const|let|var)[ \t]+", re.MULTILINE), r"\1"),
    (re.compile(r"^([ \t]*+)//", re.MULTILINE), r"\1#"),
    (re.compile(r";[ \t]*$", re.MULTILINE), ""),
    (re.compile(r"^(?:async )?function \w+\(\) ?\{[ \t]*$|^\}[ \t]*$", re.MULTILINE), ""),
)
_SHOWS = frozenset({"print", "console.log", "answer", "finish", "final_answer"})
_CALLS = frozenset({"call", "call_tool", "run_tool", "use_tool", "invoke_tool", "execute_tool"})
_LABEL = re.compile(r"(?:the )?(?:final )?answer(?: is)?\s?:\s*", re.IGNORECASE)
_FORMAT = re.compile(r"\{(\w*)\}|%s")


def _code(text: str) -> str:
    """The text with all but its code blocks blank; as it is where it has none."""
    lines, within, fences = [], False, 0
    for line in text.split("\n"):
        fence = is_fence(line)
        fences += fence
        within = within != fence
        lines.append(line if within and not fence else "")
    return "\n".join(lines) if fences > 1 else text


def program_entries(text: str, resolve: Resolve) -> list[Entry] | None:
    """The steps of a program of assignments in Python or JavaScript, whose variables are the references; empty where
    the program does more, or less, than a plan.
    """
    body = _code(text)
    if not _ASSIGNED_CALL.search(body):
        return None
    script = _TEMPLATE.sub(lambda found: f"f{found[1].replace('${', '{')!r}", body)
    for pattern, replacement in _AS_PYTHON:
        script = pattern.sub(replacement, script)
    starts = list(accumulate((len(line) + 1 for line in text.split("\n")), initial=0))
    for form in (body, script):
        with suppress(SyntaxError, ValueError, RecursionError, MemoryError), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what is no program
            module = ast.parse(dedent(form))
            with suppress(ValueError, RecursionError):
                return _Program(resolve, starts).entries(module.body)
            return []
    return None


class _Program:
    """Goes through a program; ValueError where it does more than call tools and put their results into texts."""

    def __init__(self, resolve: Resolve, starts: list[int]) -> None:
        self._resolve, self._starts, self._at = resolve, starts, 0
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
        self._at, value = self._starts[one.lineno - 1], one.value
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
        if isinstance(one, ast.Expr) and isinstance(value, ast.Name):  # the last line of a notebook's cell
            self._answer = answer_entry(self._at, self._text(value))
            return
        if isinstance(value, ast.Call) and called in _SHOWS:
            shown = " ".join(self._texts(value.args))
            if not self._answer or ":evidence" in shown:
                self._answer = answer_entry(self._at, _LABEL.sub("", shown, count=1))
            return
        if isinstance(value, ast.Call) and not (value.args or value.keywords) and self._resolve(called):
            self._tools[variable] = called
            return
        shown = self._text(value)
        if variable:
            self._variables[variable] = shown
        elif not called:
            raise ValueError
        if variable == "return" or (kind_of(variable) == "answer" and not called):
            self._answer = answer_entry(self._at, shown)

    def _texts(self, values: Iterable[ast.expr]) -> list[str]:
        return [self._text(value) for value in values]

    def _text(self, value: ast.expr | None) -> str:
        """The text of an expression: a literal, a variable, a call of a tool, or texts put together."""
        if isinstance(value, ast.Constant) and isinstance(value.value, str | int | float):
            return str(value.value)
        if isinstance(value, ast.Name) and value.id in self._variables:
            return self._variables[value.id]
        if isinstance(value, ast.FormattedValue) and value.conversion < 0 and value.format_spec is None:
            return self._text(value.value)
        if isinstance(value, ast.JoinedStr):
            return _together(self._texts(value.values))
        if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add):
            return _together(self._texts([value.left, value.right]))
        if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Mod):
            parts = value.right.elts if isinstance(value.right, ast.Tuple) else [value.right]
            return _formatted(self._text(value.left), dict(enumerate(self._texts(parts))))
        if isinstance(value, ast.Await):
            return self._text(value.value)
        if isinstance(value, ast.Call):
            return self._called(value)
        raise ValueError

    def _called(self, value: ast.Call) -> str:
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
        first, arguments = called.split(".")[0], value.args
        if called in _CALLS and arguments and isinstance(arguments[0], ast.Constant):
            called, arguments = str(arguments[0].value), arguments[1:]
        elif first in self._tools or not self._resolve(called):  # a method of the tool
            called = self._tools.get(first, first)
        if not self._resolve(called):
            raise ValueError
        inputs = [*arguments, *words.values()]
        if len(inputs) == 1 and isinstance(inputs[0], ast.Dict) and len(inputs[0].values) == 1:
            inputs = inputs[0].values
        given = self._texts(inputs)
        if not given:
            raise ValueError
        if len(given) > 1:  # as one text, in the way the call is written
            names = [*("" for _ in arguments), *(f"{name}=" for name in words)]
            given = [name + json.dumps(one, ensure_ascii=False) for name, one in zip(names, given, strict=True)]
        number = len(self._found)
        self._found.append(Entry(self._at, "", called, _together(given, ", "), number))
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
