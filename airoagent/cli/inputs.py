"""What standard input holds: the question (``-``), or a text to answer it from.

If the question is on the command line, `fstat` of standard input decides:

    a pipe or a socket         its text, up to its end; none if it is open and nothing has come within 3 seconds (cron,
                               ssh, CI and other programs may leave it so)
    a file from its start      its text; none of a file already read in part (the list of a `while read` loop)
    a terminal, /dev/null,     none
    closed, anything else

``--context -`` waits for as long as it takes.
"""

from __future__ import annotations

import contextlib
import os
import select
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import click

from airoagent.errors import FetchError, PlanError, StoreError, UsageError
from airoagent.settings import store_file
from airoagent.textfiles import MOST, decoded, opened, read_bytes, read_text, shown_path

if TYPE_CHECKING:
    from airoagent.documents.rendering import Block
    from airoagent.plan.plans import Plan
    from airoagent.records.run_record import Run
    from airoagent.records.store import Store
    from airoagent.toolbox.tool import Toolbox

_PATIENCE = 3.0  # seconds for the first byte
_FOLDER = "split it into files in a folder and use --docs FOLDER"
_QUIET = "(use `</dev/null` to skip the wait, `--context -` to wait longer)"


def read_stdin(most: int = MOST) -> str:
    """All of standard input as text; UsageError where it is not text, or longer than ``most`` bytes."""
    stream = getattr(sys.stdin, "buffer", None)
    if stream is None:
        return sys.stdin.read()
    data = stream.read(most + 1)
    if len(data) > most:
        raise UsageError(f"standard input is longer than {most // 1024**2} MB", _FOLDER)
    return decoded(data, "standard input")


def words_or_stdin(words: tuple[str, ...]) -> str:
    """The words of the command line as one text; ``-`` alone is what standard input holds."""
    return read_stdin() if words == ("-",) else " ".join(words)


def context_of(files: tuple[str, ...], report: bool = True) -> list[tuple[str, str]]:
    """The texts to answer from, each with its name: those of ``--context``, or what standard input holds.

    ``report``: whether stderr may say that standard input stayed empty. UsageError for what is not text.
    """
    if files:
        return [("stdin", read_stdin()) if file == "-" else (Path(file).name, _document_text(file)) for file in files]
    text = _given_text(report)
    return [("stdin", text)] if text.strip() else []


def _document_text(file: str) -> str:
    """What a file says, of whichever kind a folder of documents may hold, with a form feed between pages or slides.

    UTF-8 text is kept as it is.
    """
    from airoagent.documents.folders import content_type, most_bytes
    from airoagent.documents.read_page import read_blocks
    from airoagent.documents.rendering import join_blocks

    name = Path(file).name
    body = read_bytes(file, most=max(MOST, most_bytes(name)))
    kind = content_type(os.fsencode(name), body)
    if kind.startswith("text/") and kind != "text/html":
        with contextlib.suppress(UnicodeDecodeError):
            text = body.decode("utf-8-sig")
            if "\0" not in text and not body.startswith(b"%PDF-"):
                return text
    url = f"docs://context/{quote(name)}"
    try:
        blocks = read_blocks(body, kind, url).blocks
    except FetchError as error:
        raise UsageError(error.message.replace(url, shown_path(file)), error.hint) from error
    pages: list[list[Block]] = [[] for _ in range(max((block.page for block in blocks), default=0) or 1)]
    for block in blocks:
        pages[max(block.page, 1) - 1].append(block)
    return "\f".join(map(join_blocks, pages))


def _given_text(report: bool) -> str:
    try:
        number = sys.stdin.fileno()
        kind = os.fstat(number).st_mode
    except (AttributeError, OSError, ValueError):  # closed, or not a file of the system's
        return ""
    if stat.S_ISREG(kind):
        return "" if os.lseek(number, 0, os.SEEK_CUR) else read_stdin()
    if not (stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind)):
        return ""
    if not _something_comes(number):
        if report:
            click.echo(f"nothing came from standard input in {_PATIENCE:g} s; continuing without it {_QUIET}", err=True)
        return ""
    return read_stdin()


def _something_comes(number: int) -> bool:
    """Whether a pipe has text, or its end, within the time."""
    if not hasattr(select, "poll"):  # Windows cannot wait for a pipe
        return True
    poll = select.poll()
    poll.register(number, select.POLLIN | select.POLLHUP)
    return bool(poll.poll(_PATIENCE * 1000))


def read_plan(text: str, tools: Toolbox, file: str) -> Plan:
    """The plan in a file's text; a PlanError names the file with line and column."""
    from airoagent.plan.parser import parse_plan

    try:
        return parse_plan(text, tools)
    except PlanError as error:
        error.file = "" if file == "-" else file
        raise


def bundled_plan(name: str, suffix: str) -> str:
    """The path of a plan (or its trace) that comes with airo, where a word is its name and no file of that name is
    here; else the word itself."""
    from airoagent.toolbox.loader import bundle_folder

    if not name.replace("-", "").isalnum() or Path(name).exists():
        return name
    file = bundle_folder("plans") / f"{name}{suffix}"
    return str(file) if file.is_file() else name


def text_of(file: str, most: int = MOST) -> str:
    """The text of a file, or of standard input for ``-``; UsageError if it cannot be read."""
    if file == "-":
        return read_stdin(most)
    return read_text(file, hint="check the path; `-` reads standard input", most=most)


def named_values(pairs: tuple[str, ...], what: str) -> dict[str, str]:
    """``name=value`` arguments; a value ``@file`` is the text of that file. UsageError for one without ``=``."""
    values: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"{what} {pair!r} is not NAME=VALUE", f"for example {what} evidence2=text, or =@file")
        text = text_of(value[1:]).removesuffix("\n") if value.startswith("@") else value
        values[name.strip()] = text
    return values


def edited_text(text: str, hint: str) -> str:
    """The text as it comes out of the user's editor, or unchanged; UsageError if the editor cannot be started."""
    try:
        edited = click.edit(text + "\n")
    except click.ClickException as error:
        raise UsageError(f"the editor failed: {error.message}", hint) from error
    return text if edited is None else edited.removesuffix("\n")


def open_store() -> Store:
    from airoagent.records.store import Store

    return Store(store_file())


def newest_runs(store: Store, most: int, query: str = "") -> Iterator[Run]:
    """The newest runs on record, with these words; a damaged one is left out."""
    from airoagent.records.run_record import Run

    for row in store.list(most, query):
        with contextlib.suppress(StoreError):
            yield Run.from_events(store.events(row.id))


def load_run(word: str) -> Run:
    """The run that a word of the command line names: an id, the start of one, @last, a trace file, or a plan that
    comes with airo (the trace of its run)."""
    from airoagent.records.run_record import Run

    word = bundled_plan(word, ".jsonl") if word[:1].isalpha() else word
    if word.endswith(".jsonl"):
        return load_trace(word)
    store = open_store()
    return Run.from_events(store.events(store.find(word)))


def load_trace(file: str) -> Run:
    from airoagent.records.run_record import Run, read_trace, trace_lines

    if file == "-":
        return Run.from_events(read_trace(trace_lines(click.open_file("-", "rb"))))
    with opened(file, f"the trace {file}", error=StoreError) as stream:
        return Run.from_events(read_trace(trace_lines(stream)))


def is_run(word: str) -> bool:
    """Whether a word names a recorded run."""
    if word.startswith("@last"):
        return True
    if not word[:1].isdigit() or any(sign.isspace() for sign in word):
        return False
    try:
        open_store().find(word)
    except StoreError as error:
        return error.message.startswith("several")
    return True
