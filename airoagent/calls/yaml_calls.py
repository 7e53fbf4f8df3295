"""Finds the YAML in what a model wrote, and reads it: fences and chatter around it, values YAML cannot take bare.

Pure functions over lines; what was passed over or changed is a finding. A value is put in quotes only where the text
cannot be read otherwise ("keyword: Python: the language"), and never where an anchor, an alias or a tag is meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from airoagent.calls.json_text import is_raw
from airoagent.calls.scalars import Json, Path, untyped
from airoagent.calls.yaml_text import Places, Unreadable, read_documents
from airoagent.errors import Diagnostic


@dataclass(slots=True)
class CallText:
    """A value that stood in a model's text: where its parts stand, what was repaired in reading it, how its scalars
    without quotes were written, and from which offset to which it stands (not for YAML: reading finds what is around).
    """

    value: Json
    places: Mapping[Path, Any]
    place: Callable[[Any], tuple[int, int]]  # of one of the `places`
    diagnostics: list[Diagnostic] = field(default_factory=list)
    raws: dict[Path, str] = field(default_factory=dict)
    span: tuple[int, int] = (0, 0)

    def locate(self, path: Path) -> tuple[int, int]:
        """Line and column, from 1, of the part at a path, or of what is around it."""
        while path not in self.places:
            path = path[:-1]
        return self.place(self.places[path])

    def note(self, path: Path, kind: str, message: str, repair: str) -> None:
        """Record what was repaired about the part at a path."""
        self.diagnostics.append(Diagnostic(kind, message, *self.locate(path), repair))


_MEMBER = re.compile(r"[ \t]*+(?:-[ ]++)*+[\"']?+[\w.-]++[\"']?+[ ]*+:(?:[ \t]|$)")
_GOES_ON = re.compile(r"[ \t]*+(?:#|-[ ]|-$|---|\.\.\.|[}\]])")


def read_yaml_documents(text: str, keys: Collection[str], truncated: bool, hashes: bool = True) -> list[CallText]:
    """The YAML documents of a text; [] if no line of it begins a call (``keys`` are the keys that do). ``hashes``: what
    follows a ``#`` in a text is a part of it, not a comment.

    Unreadable (line and column from 0, of the whole text) says why there is none.
    """
    lines = text.split("\n")
    first, last, notes = _region(lines, keys)
    if first < 0:
        return []
    if truncated and last == len(lines):
        notes += _cut(lines)
    region = lines[first:last]
    region = _with_backslashes(region, notes, first)
    if hashes:
        region = _with_hashes(region, keys, notes, first)
    try:
        found, places = _read(region, notes, first)
    except Unreadable as error:
        if not any(line.strip() for line in [*region[error.line : error.line + 1]]) or _at_end(region, error):
            raise Unreadable(
                "truncated", "The text ends before the value is complete.", error.line + first, error.column
            ) from None
        raise Unreadable(error.kind, error.message, error.line + first, error.column) from None

    def place(at: tuple[int, int]) -> tuple[int, int]:
        return at[0] + first + 1, at[1] + 1

    documents = [CallText(value, where, place) for value, where in zip(found, places, strict=False)]
    for document in documents[:1]:
        document.diagnostics = notes
    return documents


_COMMENTED = re.compile(
    r"(?P<head>\s*(?:-\s+)*[\"']?(?P<key>[\w .-]+)[\"']?:\s+|\s*(?:-\s+)+)"
    r"(?P<value>[^\s\"'|>\[{&*!#].*?)(?P<rest>\s#.*)"
)
_BLOCK = re.compile(r".*(?::|-)\s+[|>][+-]?\d?\s*")


def _with_hashes(lines: list[str], keys: Collection[str], notes: list[Diagnostic], first: int) -> list[str]:
    """The lines with text in quotes that has a ``#`` in it: YAML would drop the words after it."""
    done: list[str] = []
    block = -1  # how far in the line stands whose block of text this is; -1: outside of one
    for number, line in enumerate(lines, first + 1):
        indent = len(line) - len(line.lstrip())
        if block >= 0 and (not line.strip() or indent > block):
            done.append(line)
            continue
        block = indent if _BLOCK.fullmatch(line) else -1
        found = _COMMENTED.fullmatch(line) if " #" in line or "\t#" in line else None
        if found and found["key"] not in keys and isinstance(untyped(found["value"]), str):
            value = line[found.start("value") :].rstrip()
            notes.append(
                Diagnostic("comment", "A value contains a #.", number, found.start("rest") + 2, "kept as text")
            )
            line = found["head"] + "'" + value.replace("'", "''") + "'"
        done.append(line)
    return done


_LONE_BACKSLASH = re.compile(r"\\(?!\")")
_QUOTED = re.compile(r"(?P<head>\s*(?:-\s+)*(?:[\"']?[\w .-]+[\"']?:\s+)?)\"(?P<value>(?:[^\"\\]|\\.)*)\"\s*")


def _with_backslashes(lines: list[str], notes: list[Diagnostic], first: int) -> list[str]:
    """The lines with the backslashes of LaTeX and Windows paths in quotes escaped: YAML would read others into them."""
    done = []
    for number, line in enumerate(lines, first + 1):
        found = _QUOTED.fullmatch(line) if "\\" in line else None
        if found and is_raw(found["value"]):
            at = found.start("value") + found["value"].index("\\") + 1
            notes.append(Diagnostic("escape", "A backslash is not escaped.", number, at, "the backslash is kept"))
            escaped = _LONE_BACKSLASH.sub(r"\\\\", found["value"])
            line = f'{found["head"]}"{escaped}"'
        done.append(line)
    return done


def _region(lines: list[str], keys: Collection[str]) -> tuple[int, int, list[Diagnostic]]:
    """From which line up to which the YAML stands (-1: nowhere), and what was passed over."""
    head = re.compile(
        rf"[ \t]*+(?:-[ ]++)*+[\"']?+(?:{'|'.join(map(re.escape, sorted(keys)))})[\"']?+[ ]*+:(?:[ \t]|$)"
    )
    fences = [number for number, line in enumerate(lines) if line.lstrip().startswith(("```", "~~~"))]
    start = next((number for number, line in enumerate(lines) if head.match(line)), -1)
    if start < 0:
        return -1, -1, []
    notes: list[Diagnostic] = []
    before = [number for number in fences if number < start]
    after = [number for number in fences if number > start]
    if before:
        notes.append(Diagnostic("fence", "The call is in a code fence.", before[-1] + 1, 1, "left out"))
    last = after[0] if after else len(lines)
    if start > 0 and lines[start - 1].strip() == "---":
        start -= 1
    end = _end(lines, start, last)
    if end < last and lines[end - 1].strip():
        raise Unreadable("syntax", "A line that is not indented follows a value.", end, 0)
    outside = [*range(start), *range(end, len(lines))]
    chatter = next((n for n in outside if lines[n].strip() and n not in fences and lines[n].strip() != "---"), -1)
    if chatter >= 0:
        notes.append(Diagnostic("chatter", "There is text around the call.", chatter + 1, 1, "left out"))
    return start, end, notes


def _end(lines: list[str], start: int, last: int) -> int:
    """Where prose takes over again: a line as far left as the first that is no member, list item or comment."""
    indent = len(lines[start]) - len(lines[start].lstrip())
    for number in range(start + 1, last):
        line = lines[number]
        stripped = line.lstrip()
        if stripped and len(line) - len(stripped) <= indent and not _MEMBER.match(line) and not _GOES_ON.match(line):
            return number
    return last


def _cut(lines: list[str]) -> list[Diagnostic]:
    """The model was stopped: the last line counts if it cannot have gone on; Unreadable otherwise."""
    line = lines[-1].rstrip()
    if line and line[-1] not in "\"'}]":
        raise Unreadable("truncated", "The text ends inside a value.", len(lines) - 1, len(line))
    return [Diagnostic("cut", "The text was cut off.", len(lines), len(line) + 1, "taken as it is up to here")]


def _at_end(lines: list[str], error: Unreadable) -> bool:
    if error.kind != "syntax":
        return False
    rest = [lines[error.line][error.column :], *lines[error.line + 1 :]] if error.line < len(lines) else []
    return not any(line.strip() for line in rest)


def _read(lines: list[str], notes: list[Diagnostic], first: int) -> tuple[list[Json], list[Places]]:
    places: list[Places] = []
    try:
        return read_documents("\n".join(lines), places), places
    except Unreadable as error:
        if error.kind not in ("syntax", "alias") or _at_end(lines, error):
            raise
        if error.kind == "alias" and any(_is_anchor(_value_of(line)) for line in lines):
            raise
        quoted, changes = _quoted(lines, first)
        if not changes:
            raise
        places = []
        try:
            found = read_documents("\n".join(quoted), places)
        except Unreadable:
            raise error from None
        notes += changes
        return found, places


def _value_of(line: str) -> str:
    at = line.find(": ")
    return line[at + 2 :].strip() if at >= 0 else line.strip().removeprefix("- ").strip()


def _is_anchor(value: str) -> bool:
    return value[:1] == "&" and value[1:2].isalnum()


def _quoted(lines: list[str], first: int) -> tuple[list[str], list[Diagnostic]]:
    """The lines with the values in quotes that YAML cannot take bare, and tabs at their beginning as spaces."""
    done: list[str] = []
    changes: list[Diagnostic] = []
    for number, line in enumerate(lines, first + 1):
        stripped = line.lstrip(" \t")
        lead = line[: len(line) - len(stripped)]
        if "\t" in lead:
            changes.append(Diagnostic("tab", "YAML is not indented with tabs.", number, 1, "read as two spaces each"))
            line = lead.replace("\t", "  ") + stripped
        at = line.find(": ")
        if at >= 0 and not stripped.startswith("#"):
            value = line[at + 2 :].strip()
            if _is_risky(value):
                column = len(line) - len(line[at + 2 :].lstrip()) + 1
                changes.append(
                    Diagnostic("unquoted_text", "YAML needs quotes around this value.", number, column, "read as text")
                )
                line = line[: column - 1] + "'" + value.replace("'", "''") + "'"
        done.append(line)
    return done, changes


def _is_risky(value: str) -> bool:
    if not value or _is_anchor(value):
        return False
    head, tail = value[0], value[-1]
    if head in "\"'":
        return len(value) < 2 or tail != head or head in value[1:-1].replace("\\" + head, "").replace(head * 2, "")
    if head in "{[":
        return tail != {"{": "}", "[": "]"}[head]
    return head in "*%@`,]}" or ": " in value or tail == ":" or value.startswith(("- ", "? "))
