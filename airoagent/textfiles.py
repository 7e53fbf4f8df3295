"""Reading the files that a user names: at most so many bytes, and one sentence for whatever cannot be read.

A path may lead to anything: a folder, a device without end, a pipe that nobody writes to. A pipe with a writer is read
to its end, as `<(command)` needs.
"""

from __future__ import annotations

import codecs
import errno
import io
import os
import select
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from airoagent.errors import AiroError, UsageError

MOST = 16 * 1024 * 1024  # bytes; what one evidence may have
MOST_TRACE = 256 * 1024 * 1024  # a run with all its evidence
_PATIENCE = 3.0  # seconds for a writer to open a pipe

Error = Callable[[str, str], AiroError]


def read_text(
    path: str | Path, name: str = "", hint: str = "check the path", *, error: Error = UsageError, most: int = MOST
) -> str:
    """The text of a file in UTF-8 (or UTF-16 with a byte order mark), without that mark.

    Raises ``error`` with a sentence about ``name`` (the path by default) where there is none.
    """
    name = name or shown_path(path)
    return decoded(read_bytes(path, name, hint, error=error, most=most), name, error=error)


def decoded(data: bytes, name: str, *, error: Error = UsageError) -> str:
    """Bytes of a file or a pipe as text: UTF-8, or UTF-16 or UTF-32 with a mark that says so."""
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE))
    longer = data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE))
    try:
        text = data.decode("utf-32" if longer else "utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as wrong:
        kind = wrong.encoding.upper() if wide else "UTF-8"
        own = "utf-16le" if b"\0" in data else "latin1"
        raise error(
            f"{name} is not {kind} text (byte {wrong.start})", f"convert it: iconv -f {own} -t utf-8"
        ) from wrong
    if "\0" in text:
        raise error(f"{name} is not text: it contains a zero byte", "documents of other kinds: --docs FOLDER")
    return text


def read_bytes(
    path: str | Path, name: str = "", hint: str = "check the path", *, error: Error = UsageError, most: int = MOST
) -> bytes:
    """What a file holds, if that is at most ``most`` bytes."""
    name = name or shown_path(path)
    try:
        with opened(path, name, hint, error=error) as file:
            data = file.read(most + 1)
    except OSError as wrong:
        raise error(f"{name} cannot be read: {wrong.strerror}", hint) from wrong
    if len(data) > most:
        size = f"{most // 1024**2} MB" if most >= 1024**2 else f"{most:,} bytes"
        raise error(f"{name} is too large: more than {size}", "choose another file")
    return data


def opened(
    path: str | Path, name: str = "", hint: str = "check the path", *, error: Error = UsageError
) -> io.BufferedReader:
    """A file to read from; `read_bytes` is for all of it."""
    name = name or shown_path(path)
    try:
        # Not to wait for a writer while a pipe is opened.
        number = os.open(expanded(path), os.O_RDONLY | open_flags("O_CLOEXEC", "O_NONBLOCK", "O_BINARY"))
        if stat.S_ISDIR(os.fstat(number).st_mode):
            os.close(number)
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        raw = _File(number)
        if stat.S_ISFIFO(os.fstat(number).st_mode) and not raw.has_writer():
            raw.close()
            raise OSError(errno.ENXIO, "it is a pipe that nothing writes to")
        set_blocking(number)
        return io.BufferedReader(raw)
    except (OSError, ValueError) as wrong:  # ValueError: a zero byte in the path
        reason = getattr(wrong, "strerror", None) or str(wrong)
        raise error(f"{name} cannot be read: {reason}", hint) from wrong


def expanded(path: str | os.PathLike[str]) -> Path:
    """A path with ``~`` replaced by a home; "~name" without such a user is a name like any other, as in a shell."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


@contextmanager
def in_place_of(path: Path) -> Iterator[Path]:
    """A path to write to, which takes the place of this one at the end, and is removed if that is not reached."""
    half = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        yield half
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)


def open_flags(*names: str) -> int:
    """The flags of `os.open` with these names, of those that this system has."""
    flags = 0
    for name in names:
        flags |= getattr(os, name, 0)
    return flags


def set_blocking(number: int) -> None:
    """Undo ``O_NONBLOCK``; Windows has neither."""
    if hasattr(os, "set_blocking"):
        os.set_blocking(number, True)


def shown_path(path: str | Path) -> str:
    """A path as a sentence shows it: a text that was taken for one may be long."""
    return str(path) if len(str(path)) <= 300 else f"{str(path)[:100]}..."


class _File(io.FileIO):
    """A file whose first byte may have been read to find out whether there is one."""

    first = b""

    def readinto(self, buffer: Any) -> int | None:
        if not self.first:
            return super().readinto(buffer)
        memoryview(buffer).cast("B")[:1], self.first = self.first, b""
        return 1

    def has_writer(self) -> bool:
        """Whether a pipe has text or its end, or is opened by a writer, in time."""
        ends = time.monotonic() + _PATIENCE
        poll = select.poll()
        poll.register(self.fileno(), select.POLLIN)
        while not poll.poll(100):
            try:
                self.first = os.read(self.fileno(), 1)  # of a pipe that nobody writes to, the end is read at once
            except BlockingIOError:
                return True
            if self.first or time.monotonic() > ends:
                return bool(self.first)
        return True


def is_folder(path: Path) -> bool:
    """Whether a path is a folder; False for a path that is too long or otherwise impossible."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False
