"""Findings in a text: kept by offset while it is read, turned into located diagnostics at the end, and shown.

    >>> print(render_diagnostic(Diagnostic("unknown_tool", "No tool is called Foo.", 1, 15), ":evidence0: = Foo[x]"))
    plan:1:15: No tool is called Foo.
        :evidence0: = Foo[x]
                      ^

Pure functions, no I/O.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from itertools import accumulate
from operator import itemgetter
from typing import NamedTuple

from airoagent.errors import Diagnostic
from airoagent.frozen import maker

_diagnostic = maker(Diagnostic)
_MOST_OF_A_KIND = 1_000


class Finding(NamedTuple):
    """A finding at a character offset; without a ``repair`` it is an error."""

    at: int
    kind: str
    message: str
    repair: str = ""


class LineIndex:
    """Turns offsets of a text into lines and columns, both from 1; the text is read once."""

    __slots__ = ("_end", "_starts")

    def __init__(self, text: str) -> None:
        self._starts = list(accumulate((len(line) + 1 for line in text.split("\n")), initial=0))
        self._end = self._starts.pop() - 1

    def locate(self, at: int) -> tuple[int, int]:
        """Line and column of an offset; one beyond the text is its end."""
        at = min(at, self._end)
        line = bisect_right(self._starts, at)
        return line, at - self._starts[line - 1] + 1


def located(findings: Iterable[Finding], text: str | LineIndex) -> tuple[Diagnostic, ...]:
    """Diagnostics for findings, in the order of the text; findings at one place keep their order. Of a repair that
    is made thousands of times the first are kept, and the rest counted.
    """
    ordered = sorted(findings, key=itemgetter(0))
    if len(ordered) > _MOST_OF_A_KIND:
        ordered = _fewer(ordered)
    if not ordered:
        return ()
    locate = (LineIndex(text) if isinstance(text, str) else text).locate
    return tuple([_diagnostic(kind, message, *locate(at), repair) for at, kind, message, repair in ordered])


def _fewer(ordered: list[Finding]) -> list[Finding]:
    repairs = Counter(one.kind for one in ordered if one.repair)
    kept, counts = [], Counter[str]()
    for one in ordered:
        counts[one.kind] += bool(one.repair)
        if not one.repair or counts[one.kind] < _MOST_OF_A_KIND or repairs[one.kind] == _MOST_OF_A_KIND:
            kept.append(one)
        elif counts[one.kind] == _MOST_OF_A_KIND:
            message = f"There are {repairs[one.kind] - _MOST_OF_A_KIND + 1} more findings of this kind from here on."
            kept.append(one._replace(message=message))
    return kept


_WIDTH = 96  # characters of a line that are shown: the caret with what stands around it
_TAB = 4
_INDENT = "    "


def render_diagnostic(diagnostic: Diagnostic, text: str, name: str = "plan") -> str:
    """The finding with its line and a caret under its place, for a terminal.

    First line ``name:line:column: message``, then the line of the text and the caret, then the repair if one was
    made. A long line is cut around the caret. Control and formatting characters of the text are shown as ``\\x1b``
    and the like, never sent: model text must not drive a terminal.
    """
    lines = [f"{visible(name)}:{diagnostic.line}:{diagnostic.column}: {visible(diagnostic.message)}"]
    number = max(diagnostic.line, 1)
    found = text.split("\n", number)
    if len(found) >= number:
        source = found[number - 1].rstrip("\r")
        at = min(max(diagnostic.column - 1, 0), len(source))
        start = max(0, min(at - _WIDTH // 2, len(source) - _WIDTH))
        end = min(len(source), start + _WIDTH)
        head = "…" if start else ""
        before = head + visible(source[start:at])
        shown = before + visible(source[at:end]) + ("…" if end < len(source) else "")
        lines += [(_INDENT + shown).rstrip(), f"{_INDENT}{' ' * _columns(before)}^"]
    if diagnostic.repair:
        lines.append(f"{_INDENT}repair: {visible(diagnostic.repair)}")
    return "\n".join(lines)


def visible(text: str) -> str:
    """Text for a terminal: control, formatting and unassigned characters as codes such as ``\\x1b``, tabs as blanks."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_shown, text))


def _shown(character: str) -> str:
    if character == "\t":
        return " " * _TAB
    if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"):
        return character.encode("unicode_escape", "surrogatepass").decode("ascii")
    return character


def _columns(text: str) -> int:
    """Terminal cells a text takes: wide characters two, combining ones none."""
    drawn = [one for one in text if not unicodedata.combining(one) and unicodedata.category(one) != "Me"]
    return len(drawn) + sum(unicodedata.east_asian_width(one) in "WF" for one in drawn)
