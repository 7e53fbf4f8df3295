"""What standard input holds: the question (``-``), or a text to answer it from.

A question that is given on the command line leaves standard input free, and what `fstat` says of it decides:

    a pipe or a socket         the text that comes through it, up to its end; but where it is open and nothing has come
                               within 3 seconds (cron, ssh, CI and programs that start us may leave it so), none
    a file from its beginning  its text; of a file that somebody has begun to read (the list of a `while read` loop)
                               nothing is taken
    a terminal, /dev/null,     none
    closed, anything else

``--context -`` waits for as long as it takes.
"""

from __future__ import annotations

import os
import select
import stat
import sys
from pathlib import Path

import click

from airoagent.textfiles import MOST, decoded, read_text

__all__ = ["context_of", "read_stdin", "words_or_stdin"]

_PATIENCE = 3.0  # seconds for the first byte
_FOLDER = "put it into a folder as files, and ask that: --docs FOLDER"
_QUIET = "(`</dev/null` gives none at once, `--context -` waits for it)"


def read_stdin() -> str:
    """All of standard input as text; UsageError where it is not text, or without end."""
    data = getattr(sys.stdin, "buffer", None)
    return sys.stdin.read() if data is None else _decoded(data.read(MOST + 1), "standard input")


def words_or_stdin(words: tuple[str, ...]) -> str:
    """The words of the command line as one text; ``-`` alone is what standard input holds."""
    return read_stdin() if words == ("-",) else " ".join(words)


def context_of(files: tuple[str, ...], told: bool = True) -> list[tuple[str, str]]:
    """The texts to answer from, each with its name: those of ``--context``, or what standard input holds.

    ``told``: somebody may be told, on stderr, that standard input stayed empty. UsageError for what is not text.
    """
    if files:
        return [("stdin", read_stdin()) if file == "-" else (Path(file).name, read_text(file)) for file in files]
    text = _given_text(told)
    return [("stdin", text)] if text.strip() else []


def _given_text(told: bool) -> str:
    try:
        number = sys.stdin.fileno()
        kind = os.fstat(number).st_mode
    except (AttributeError, OSError, ValueError):  # closed, or not a file of the system's
        return ""
    if stat.S_ISREG(kind):
        begun = os.lseek(number, 0, os.SEEK_CUR) > 0
        return "" if begun else read_stdin()
    if not (stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind)):
        return ""
    if not _something_comes(number):
        if told:
            click.echo(
                f"standard input is open but gave nothing in {_PATIENCE:g} s: going on without {_QUIET}", err=True
            )
        return ""
    return read_stdin()


def _something_comes(number: int) -> bool:
    """Whether a pipe has text, or its end, within the time."""
    if not hasattr(select, "poll"):  # Windows cannot wait for a pipe
        return True
    poll = select.poll()
    poll.register(number, select.POLLIN | select.POLLHUP)
    return bool(poll.poll(_PATIENCE * 1000))


def _decoded(data: bytes, name: str) -> str:
    if len(data) > MOST:
        from airoagent.errors import UsageError

        raise UsageError(f"{name} holds more than {MOST // 1024**2} MB, too much to answer from", _FOLDER)
    return decoded(data, name)
