"""file_analytics{action, file, filters}: counts and finds things in a text file of the user's.

Which files: those of a documents folder (`--docs FOLDER`), and those that the user's own question names, below the
folder the command is run in. A file is read because the user pointed at it, never because a page or a model did: what a
model or a page says cannot make this tool read another file. Hidden files, `..` and links that lead out are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from airoagent import FetchError, Source, ToolContext, ToolError, ToolOutput, tool

_MOST_BYTES = 64 * 1024 * 1024
_MOST_SHOWN = 20  # lines that are shown or named

Action = Literal["count_occurrences", "find_line", "count_lines", "count_words", "count_characters"]


@dataclass(frozen=True, slots=True)
class Filters:
    """What is looked for: a word or phrase."""

    keyword: str | None = None
    case_sensitive: bool = True


@tool("file_analytics", description="This tool performs various operations on a text file.", private=True)
def file_analytics(action: Action, file: str, context: ToolContext, filters: Filters | None = None) -> ToolOutput:
    """Count or find something in a text file.

    Args:
        action: The operation we want to perform on the data.
        file: The text file, by its name or path.
        filters: What to look for (needed to count occurrences and to find lines).
    """
    wanted = filters or Filters()
    lines, source = _open(file, context)
    name = file.rpartition("/")[2]
    if action in ("count_occurrences", "find_line"):
        if not wanted.keyword:
            raise ToolError(f"{action} needs a keyword", 'give it: "filters": {"keyword": "..."}')
        found = _look(lines, wanted.keyword, wanted.case_sensitive)
        text = (
            _occurrences(name, wanted.keyword, found) if action == "count_occurrences" else _lines(name, wanted, found)
        )
    else:
        text = _size(action, name, lines)
    return ToolOutput(text, (source,) if source else ())


# Which file --------------------------------------------------------------------------------------------------------


def _open(file: str, context: ToolContext) -> tuple[Iterator[str], Source | None]:
    """The file's lines, and its address if it is one of the documents."""
    documents = context.documents
    if documents is not None:
        folders = documents.addresses
        addresses = [file] if file.startswith("docs://") else [f"{folder}{file}" for folder in folders]
        for address in addresses:
            try:
                body, _ = documents.read(address)
            except FetchError:
                continue
            return iter(body.decode("utf-8", "replace").splitlines(keepends=True)), Source(address, title=file)
    path = _named(file, context.question)
    return _lines_of(path), None


def _named(file: str, question: str) -> Path:
    """The path of a file that the question names; ToolError says why it is not read."""
    relative = Path(file)
    hint = "name the file in the question, or its folder with --docs"
    if not re.search(rf"(?<![\w./~-]){re.escape(file)}(?![\w/-]|\.\w)", question):
        raise ToolError(f"{file!r} is not read: the question does not name it", hint)
    if relative.is_absolute() or any(part == ".." or part.startswith((".", "~")) for part in relative.parts):
        raise ToolError(f"{file!r} is not read: only files below this folder are, and none that are hidden", hint)
    here = Path.cwd().resolve()
    path = (here / relative).resolve()
    if not path.is_relative_to(here):
        raise ToolError(f"{file!r} is not read: it leads out of this folder", hint)
    if not path.is_file():
        raise ToolError(f"there is no file {file!r} here", hint)
    return path


def _lines_of(path: Path) -> Iterator[str]:
    """The lines of a file, one after the other, so that a large one need not fit into memory."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ToolError(f"{path.name} is larger than {_MOST_BYTES // 2**20} MB", "cut it into smaller files")
        with path.open(encoding="utf-8", errors="replace", newline="") as stream:
            yield from stream
    except OSError as error:
        raise ToolError(f"{path.name} cannot be read: {error.strerror}", "check its permissions") from error


# What is in it -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Found:
    """The number of occurrences as written, and with case ignored; the lines that hold one, with their numbers."""

    exact: int
    folded: int
    lines: tuple[tuple[int, str], ...]


def _look(lines: Iterator[str], keyword: str, case_sensitive: bool) -> _Found:
    exact = folded = 0
    hits: list[tuple[int, str]] = []
    low = keyword.lower()
    for number, line in enumerate(lines, 1):
        here, here_folded = line.count(keyword), line.lower().count(low)
        exact += here
        folded += here_folded
        if here if case_sensitive else here_folded:
            hits.append((number, line.rstrip("\r\n")))
    return _Found(exact if case_sensitive else folded, folded, tuple(hits))


def _occurrences(name: str, keyword: str, found: _Found) -> str:
    times = {0: "does not occur", 1: "occurs once", 2: "occurs twice"}
    text = f'"{keyword}" {times.get(found.exact, f"occurs {found.exact:,} times")} in {name}'
    if found.lines:
        numbers = ", ".join(str(number) for number, _ in found.lines[:_MOST_SHOWN])
        more = ", ..." if len(found.lines) > _MOST_SHOWN else ""
        text += f" ({'line' if len(found.lines) == 1 else 'lines'} {numbers}{more})"
    if found.folded != found.exact:
        text += f"; {found.folded:,} {'time' if found.folded == 1 else 'times'} if upper and lower case count as one"
    return f"{text}."


def _lines(name: str, wanted: Filters, found: _Found) -> str:
    if not found.lines:
        return f'No line of {name} holds "{wanted.keyword}".'
    shown = [f"{name}:{number}: {line[:400]}" for number, line in found.lines[:_MOST_SHOWN]]
    rest = len(found.lines) - len(shown)
    return "\n".join([*shown, *([f"and {rest:,} more lines"] if rest else [])])


def _size(action: str, name: str, lines: Iterator[str]) -> str:
    counted = {"count_lines": 0, "count_words": 0, "count_characters": 0}
    for line in lines:
        counted["count_lines"] += 1
        counted["count_words"] += len(line.split())
        counted["count_characters"] += len(line)
    number, unit = counted[action], action.partition("_")[2]
    return f"{name} has {number:,} {unit.removesuffix('s') if number == 1 else unit}."
