"""The rows of a damaged run store, read page by page where SQLite gives up.

SQLite finds a row from the root of its table. Where the header, the schema or a page on the way is lost it reads
nothing, although most rows are still there. Here every page is read by itself, and a row is known by its shape; the
format is that of https://sqlite.org/fileformat2.html. Free pages are left out: they hold runs that were removed.
"""

from __future__ import annotations

import mmap
import sqlite3
import struct
from collections.abc import Iterator
from typing import IO

from airoagent.frozen import frozen

_MAGIC = b"SQLite format 3\0"
_SIZES = tuple(512 << shift for shift in range(8))
_INTERIOR, _INDEX, _TABLE = 2, 10, 13  # kinds of pages that have rows: inside and at the end of an index, of a table
_INTEGERS = (0, 1, 2, 3, 4, 6, 8)  # bytes, by serial type
_SAMPLE = 16 << 20  # bytes of a file without a header from which the size of its pages is found
_HASH = 32  # bytes of the key of a text

_Value = None | int | float | str | bytes


@frozen
class _File:
    data: bytes | mmap.mmap
    size: int  # of a page
    usable: int  # bytes of a page

    @property
    def count(self) -> int:
        return len(self.data) // self.size

    def page(self, number: int) -> bytes:
        """A page by its number, from 1; ValueError if the file does not have it."""
        if not 1 <= number <= self.count:
            raise ValueError(number)
        return self.data[(number - 1) * self.size : number * self.size]


def apply_log(raw: IO[bytes], log: bytes) -> None:
    """Write the pages of a write-ahead log into the database file, as far as they were committed.

    SQLite would do so itself, but not for a file whose header it cannot read, and it drops the log of an empty file.
    """
    if len(log) < 32 or _number(log, 0) >> 1 != 0x377F0682 >> 1 or (size := _number(log, 8)) not in _SIZES:
        return
    order = ">II" if log[3] & 1 else "<II"
    sums = _checksum(order, log[:24], (0, 0))
    committed: dict[int, int] = {}
    pending: dict[int, int] = {}
    pages = 0
    for at in range(32, len(log) - size - 23, size + 24):
        sums = _checksum(order, log[at : at + 8] + log[at + 24 : at + 24 + size], sums)
        if log[at + 8 : at + 16] != log[16:24] or sums != struct.unpack_from(">II", log, at + 16):
            break  # from an earlier round of the log, or cut off
        pending[_number(log, at)] = at + 24
        if _number(log, at + 4):
            pages = _number(log, at + 4)
            committed |= pending
            pending.clear()
    for number, at in committed.items():
        raw.seek((number - 1) * size)
        raw.write(log[at : at + size])
    if committed:
        raw.truncate(pages * size)
    raw.flush()


def _checksum(order: str, data: bytes, sums: tuple[int, int]) -> tuple[int, int]:
    one, two = sums
    for first, second in struct.iter_unpack(order, data):
        one = (one + first + two) & 0xFFFFFFFF
        two = (two + second + one) & 0xFFFFFFFF
    return one, two


def salvage(raw: IO[bytes]) -> sqlite3.Connection:
    """A temporary database with those rows of ``runs``, ``events``, ``texts`` and ``beside`` that can be read."""
    found = sqlite3.connect("", isolation_level=None)
    found.execute("BEGIN")
    found.execute("CREATE TABLE runs (id TEXT PRIMARY KEY)")
    found.execute("CREATE TABLE events (run TEXT, seq INTEGER, body TEXT, PRIMARY KEY (run, seq))")
    found.execute("CREATE TABLE texts (hash BLOB PRIMARY KEY, text BLOB)")
    found.execute("CREATE TABLE beside (run TEXT PRIMARY KEY, body TEXT)")
    raw.seek(0, 2)
    if not raw.tell():
        return found
    with mmap.mmap(raw.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for kind, row in _rows(_opened(data)):
            match row:
                case [str(run), int(seq), str(), str(), int() | float(), str(body)]:
                    found.execute("INSERT OR IGNORE INTO events VALUES (?, ?, ?)", (run, seq, body))
                case [bytes(key), bytes(text)] if kind == _TABLE and len(key) == _HASH:
                    found.execute("INSERT OR IGNORE INTO texts VALUES (?, ?)", (key, text))
                case [str(run), str(body)] if kind != _TABLE:
                    found.execute("INSERT OR IGNORE INTO beside VALUES (?, ?)", (run, body))
                case [str(run), str(), str(), str(), str(), _, int() | float(), int() | float(), str()]:
                    found.execute("INSERT OR IGNORE INTO runs VALUES (?)", (run,))
    return found


def _opened(data: mmap.mmap) -> _File:
    """The file with the size of its pages: from its header, else the size with which most pages make sense."""
    size = int.from_bytes(data[16:18], "big")
    size = 65536 if size == 1 else size
    if data[:16] == _MAGIC and size in _SIZES:
        return _File(data, size, size - data[20])
    sample = data[:_SAMPLE]

    def good(size: int) -> int:
        file = _File(sample, size, size)
        return sum(any(_pointers(file.page(number), 0)) for number in range(1, file.count + 1))

    size = max(_SIZES, key=good)
    return _File(data, size, size)


def _rows(file: _File) -> Iterator[tuple[int, list[_Value]]]:
    """Every row of every page in use that can be read, with the kind of its page."""
    free = _free_pages(file)
    for number in range(1, file.count + 1):
        if number not in free:
            page = file.page(number)
            start = 100 if number == 1 else 0
            for pointer in _pointers(page, start):
                try:
                    yield page[start], _values(_payload(file, page, pointer, page[start]))
                except (ValueError, IndexError, struct.error):
                    continue


def _pointers(page: bytes, start: int) -> tuple[int, ...]:
    """Where the rows of a page lie; none where it has no rows, or is not a page of a table or an index."""
    kind, count = page[start], int.from_bytes(page[start + 3 : start + 5], "big")
    first = start + (12 if kind == _INTERIOR else 8)
    if kind not in (_INTERIOR, _INDEX, _TABLE) or first + 2 * count > len(page):
        return ()
    pointers = struct.unpack_from(f">{count}H", page, first)
    return pointers if all(first + 2 * count <= pointer < len(page) for pointer in pointers) else ()


def _payload(file: _File, page: bytes, at: int, kind: int) -> bytes:
    """The bytes of a row, with those that lie on pages of their own."""
    left, at = _varint(page, at + (4 if kind == _INTERIOR else 0))
    if kind == _TABLE:
        _, at = _varint(page, at)
    most = file.usable - 35 if kind == _TABLE else (file.usable - 12) * 64 // 255 - 23
    least = (file.usable - 12) * 32 // 255 - 23
    here = left
    if left > most:
        here = least + (left - least) % (file.usable - 4)
        here = here if here <= most else least
    if left > len(file.data) or at + here > file.usable:
        raise ValueError(left)
    parts = [page[at : at + here]]
    left -= here
    following = _number(page, at + here) if left else 0
    while left:
        page = file.page(following)
        following = _number(page, 0)
        parts.append(page[4 : 4 + min(left, file.usable - 4)])
        left -= len(parts[-1])
    return b"".join(parts)


def _values(data: bytes) -> list[_Value]:
    values: list[_Value] = []
    end, at = _varint(data, 0)
    body = end
    while at < end:
        kind, at = _varint(data, at)
        if kind in (10, 11):
            raise ValueError(kind)
        length = (kind - 12) // 2 if kind >= 12 else 8 if kind == 7 else _INTEGERS[kind] if kind <= 6 else 0
        piece = data[body : body + length]
        body += length
        if len(piece) < length:
            raise ValueError(length)
        if kind >= 12:
            values.append(piece.decode() if kind % 2 else piece)
        elif kind == 7:
            values.append(struct.unpack(">d", piece)[0])
        else:
            values.append(None if kind == 0 else kind - 8 if kind >= 8 else int.from_bytes(piece, "big", signed=True))
    return values


def _free_pages(file: _File) -> set[int]:
    """The pages that are marked as free: in the maps of a file that can shrink, in the list of any other one."""
    free: set[int] = set()
    each = file.usable // 5
    mapped = False
    for number in range(2, file.count + 1, each + 1):
        kinds = file.page(number)[: 5 * min(each, file.count - number) : 5]
        if kinds and set(kinds) <= {1, 2, 3, 4, 5}:
            mapped = True
            free.update(number + 1 + place for place, kind in enumerate(kinds) if kind == 2)
    following = 0 if mapped or file.data[:16] != _MAGIC else _number(file.data[:100], 32)
    while following not in free and 1 < following <= file.count:
        page = file.page(following)
        free.add(following)
        count = min(_number(page, 4), file.usable // 4 - 2)
        free.update(struct.unpack_from(f">{count}I", page, 8))
        following = _number(page, 0)
    return free


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place in range(at, at + 8):
        value = value << 7 | data[place] & 0x7F
        if data[place] < 0x80:
            return value, place + 1
    return value << 8 | data[at + 8], at + 9


def _number(data: bytes, at: int) -> int:
    value: int = struct.unpack_from(">I", data, at)[0]
    return value
