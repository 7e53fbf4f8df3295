"""The questions of a file, read one by one: a question per line, JSON lines, or CSV (by the file's name)."""

from __future__ import annotations

import codecs
import csv
import io
import json
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import IO

from airoagent.errors import UsageError
from airoagent.frozen import frozen
from airoagent.textfiles import MOST, decoded, opened

_LONGEST = 1024 * 1024  # bytes of a line
_PATIENCE = 100  # lines without a question at the start of a file before it is refused


@frozen
class Asked:
    """A line of the file: a question, or what is ``wrong`` with it."""

    id: str
    question: str
    line: int
    wrong: str = ""


@contextmanager
def open_questions(file: str) -> Iterator[IO[bytes]]:
    """The file of questions (``-``: standard input), to be read line by line."""
    if file == "-":
        try:  # not `sys.stdin` itself: a thread that waits in it when Ctrl-C ends the program would make Python abort
            number = os.dup(sys.stdin.fileno())
        except (OSError, ValueError) as error:
            raise UsageError("standard input cannot be read", "give a file of questions") from error
        with open(number, "rb") as lines:  # noqa: PTH123 - a descriptor has no path
            yield lines
    else:
        with opened(file) as lines:
            if stat.S_ISCHR(os.fstat(lines.fileno()).st_mode) and not lines.isatty():
                raise UsageError(
                    f"{file} is a device, not a file of questions", "give a file, or `-` for standard input"
                )
            yield lines


def read_questions(lines: IO[bytes], file: str) -> Iterator[Asked]:
    """The questions in order, and the lines that are not questions; UsageError for a file without a question."""
    table = file.lower().endswith((".csv", ".tsv"))
    good = bad = 0
    for asked in _table_rows(lines, file) if table else _text_lines(lines, file):
        good, bad = good + (not asked.wrong), bad + bool(asked.wrong)
        if not good and bad > _PATIENCE:
            raise UsageError(f"{file} has no question in its first {bad:,} lines", "write one question per line")
        yield asked
    if not good and not bad:
        raise UsageError(f"{file} contains no questions", "write one question per line")


def _text_lines(lines: IO[bytes], file: str) -> Iterator[Asked]:
    for number, line in _numbered(lines, file):
        try:
            asked = _read_line(line, number)
        except UsageError as error:
            asked = _wrong(line[:200].decode("utf-8", "replace"), file, number, error.message)
        if asked is not None:
            yield asked


def _table_rows(lines: IO[bytes], file: str) -> Iterator[Asked]:
    """The rows of a CSV file with a column ``question`` and perhaps one ``id``; other columns are ignored."""
    csv.field_size_limit(_LONGEST)  # an open quote is an error of one row, not of the rest of the file
    text = (line.decode("utf-8", "surrogateescape") for _, line in _numbered(lines, file))
    head = next(text, "")
    # Spreadsheets write semicolons where the comma is the decimal sign.
    reader = csv.reader(chain([head], text), delimiter=max(",;\t", key=head.count))
    try:
        names = [name.strip().lower() for name in next(reader, [])]
    except csv.Error:
        names = []
    if head and "question" not in names:
        raise UsageError(f"{file} has no column named question", "its first line names the columns: id,question")
    while True:
        number, row = reader.line_num + 1, dict[str, str]()
        try:
            row = dict(zip(names, next(reader), strict=False))
            if not any(row.values()):
                continue
            "".join(row.values()).encode()
            yield _checked(row.get("id") or str(number), row.get("question", ""), number)
        except StopIteration:
            return
        except csv.Error as error:
            yield _wrong("", file, number, f"this row is not CSV ({error})")
        except UnicodeEncodeError:
            yield _wrong(row.get("question", ""), file, number, "the row is not UTF-8 text")
        except UsageError as error:
            yield _wrong(row.get("question", ""), file, number, error.message)


def _numbered(lines: IO[bytes], file: str) -> Iterator[tuple[int, bytes]]:
    """The lines with their numbers; a line that is too long is cut."""
    number = 0
    while line := _read_bytes(lines, file, _LONGEST + 1):
        number += 1
        if number == 1 and line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # as PowerShell writes files
            whole = line + lines.read(MOST)
            yield from _numbered(io.BytesIO(decoded(whole, file).encode()), file)
            return
        if len(line) > _LONGEST and not line.endswith(b"\n"):
            _skip_line(lines, file, number)
        yield number, line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line


def _read_bytes(lines: IO[bytes], file: str, most: int) -> bytes:
    try:
        return lines.readline(most)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}", "give a file of questions, or `-`") from error


def _skip_line(lines: IO[bytes], file: str, number: int) -> None:
    for _ in range(64):
        piece = _read_bytes(lines, file, _LONGEST)
        if not piece or piece.endswith(b"\n"):
            return
    raise UsageError(
        f"{file}:{number}: the line is longer than {64 * _LONGEST // 1024**2} MB", "write one question per line"
    )


def _wrong(text: str, file: str, number: int, why: str) -> Asked:
    shown = text[:200].encode("utf-8", "replace").decode().strip()
    return Asked(str(number), shown, number, f"{file}:{number}: {why}")


def _read_line(line: bytes, number: int) -> Asked | None:
    """The question of a line; None for an empty line, UsageError if it is not a question."""
    if len(line) > _LONGEST:
        raise UsageError(f"the line is longer than {_LONGEST // 1024**2} MB")
    try:
        text = line.decode().strip()
    except UnicodeDecodeError as error:
        raise UsageError(f"the line is not UTF-8 text (byte {error.start})") from error
    if not text.startswith("{"):
        return _checked(str(number), text, number) if text else None
    try:
        row = json.loads(text)
        id, question = row.get("id"), row["question"]
    except (ValueError, KeyError, RecursionError) as error:
        why = f"no {error}" if isinstance(error, KeyError) else str(error)[:200]
        raise UsageError(f"this is not a JSON object with a question ({why})") from error
    return _checked(str(number if id is None else id), question, number)


def _checked(id: str, question: object, number: int) -> Asked:
    """A question that can be asked and recorded; UsageError if it cannot."""
    from airoagent.engine.session import asked_question

    if not isinstance(question, str):
        raise UsageError("the question is not text")
    try:
        (id + question).encode()
    except UnicodeEncodeError as error:
        raise UsageError("the question or its id is not valid text: it contains a lone surrogate") from error
    if "\0" in question:
        raise UsageError("the question is not valid text: it contains a zero byte")
    return Asked(id, asked_question(question), number)
