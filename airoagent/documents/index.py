"""The index of one folder of documents: passages in SQLite's FTS5, kept in a cache file and brought up to date.

The file is only a cache: one that is damaged or of another version is rebuilt, and where one is locked or not writable
a temporary file is used instead; none is an error. Several processes may use one index at once: each writes in short
transactions and takes what another has just written.

Rows: ``files`` (path, time, size, title, why it could not be read), ``passages`` (FTS5: title, headings, text, page,
slide or chapter), a passage's rowid being its file's id * 2**20 + its number, and ``texts`` (what was read of files
that take long to read).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import sqlite3
import tempfile
import time
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from airoagent.documents.folders import Entry, Folder, scan
from airoagent.documents.reader_processes import Document, read_documents
from airoagent.errors import ToolError
from airoagent.frozen import frozen
from airoagent.settings import private_file
from airoagent.text.words import UNSPACED

Progress = Callable[[str, int, int], None]
T = TypeVar("T")

_VERSION = 7  # of the schema and of how text is cut; raising it makes every index be rebuilt
_SHIFT = 20
_SCHEMA = """
CREATE TABLE files(
    id INTEGER PRIMARY KEY, path BLOB UNIQUE NOT NULL, mtime_ns INTEGER, size INTEGER, title TEXT, linked REAL,
    passages INTEGER, problem TEXT
);
CREATE TABLE texts(file INTEGER PRIMARY KEY, text TEXT);
CREATE VIRTUAL TABLE passages USING fts5(
    title, headings, text, page UNINDEXED, tokenize="porter unicode61 remove_diacritics 2", prefix=''
);
"""
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
# Chinese, Japanese, Thai and others are written without spaces: an invisible one between letters makes each a word.
_UNSPACED = re.compile(f"(?<=[{UNSPACED}])(?=[{UNSPACED}])")
_GAP = "\u200b"


@frozen
class Refreshed:
    """What a refresh did: documents in the folder, those read again, those gone; and the seconds of the look round.

    ``skipped`` counts the files that are not documents, by the reason; ``problems`` are the documents that could not be
    read, each with the reason. ``first`` says that nothing had been indexed before.
    """

    documents: int
    read: int
    removed: int
    seconds: float
    skipped: tuple[tuple[str, int], ...] = ()
    problems: tuple[tuple[str, str], ...] = ()
    first: bool = False

    @property
    def indexed(self) -> int:
        """The documents that can be found."""
        return self.documents - len(self.problems)

    @property
    def line(self) -> str:
        """The figures in a line: ``32 indexed, 9 skipped: 4 .png, 3 hidden, 2 cannot be read``."""
        reasons = [*self.skipped, *([("cannot be read", len(self.problems))] if self.problems else ())]
        indexed = f"{self.indexed:,} indexed"
        named = ", ".join(f"{count:,} {reason}" for reason, count in reasons[:8]) + (", ..." if reasons[8:] else "")
        return f"{indexed}, {sum(count for _, count in reasons):,} skipped: {named}" if reasons else indexed


@frozen
class FilePage:
    """A file that has been indexed: its path below the folder, title, and the share of its text that is links."""

    id: int
    path: bytes
    title: str
    linked: float


@frozen
class Found:
    """A passage that matches: its page, its place in it, and its columns, matched words between \\x02 and \\x03.

    ``sheet`` is the page, slide or chapter that it stands on (0: none).
    """

    page: FilePage
    number: int
    title: str
    headings: str
    text: str
    sheet: int = 0


class Index:
    """The passages of one folder. ``cache`` is the folder for the index file; ``busy_s`` how long, in seconds, to
    wait for another process before working in a temporary file. All methods but `kept` are for one thread at a time.
    """

    def __init__(self, folder: Folder, cache: Path, *, busy_s: float = 20.0) -> None:
        self.folder = folder
        digest = hashlib.sha256(os.fsencode(folder.root / folder.only)).hexdigest()[:16]
        self.file = cache / f"documents-{digest}.sqlite"
        self._busy_s = busy_s
        self._detached = False
        self._base: sqlite3.Connection | None = None
        self._close: Callable[[], object] = lambda: None
        self._place = (0, 0)  # the file that is open, which another process may replace

    def refresh(self, progress: Progress) -> Refreshed:
        """Bring the index up to date with the folder: only new and changed files are read."""
        return self._robust(lambda base: self._refresh(base, progress))

    def spread(self, expressions: Sequence[str], most: int) -> tuple[int, tuple[int, ...]]:
        """The number of passages, and how many match each FTS expression, counting no further than ``most``."""
        counted = "SELECT count(*) FROM (SELECT 1 FROM passages WHERE passages MATCH ? LIMIT ?)"

        def count(base: sqlite3.Connection) -> tuple[int, tuple[int, ...]]:
            total = int(base.execute("SELECT total(passages) FROM files").fetchone()[0])
            return total, tuple(int(base.execute(counted, (one, most)).fetchone()[0]) for one in expressions)

        return self._robust(count)

    def best(self, expression: str, limit: int) -> tuple[Found, ...]:
        """The passages that match an FTS expression best, by BM25 with title and headings weighing more."""
        return self._robust(lambda base: _best(base, expression, limit))

    def passage(self, file: int, number: int) -> str:
        """The text of one passage of a file, "" if there is none."""
        question = "SELECT text FROM passages WHERE rowid = ?"
        row = self._robust(lambda base: base.execute(question, ((file << _SHIFT) + number,)).fetchone())
        return str(row[0]).replace(_GAP, "") if row else ""

    def kept(self, path: bytes, mtime_ns: int, size: int) -> str:
        """What was read of a file, where that is kept and the file has not changed since; "" otherwise."""
        question = "SELECT text FROM texts JOIN files ON id = file WHERE path = ? AND mtime_ns = ? AND size = ?"
        try:
            with contextlib.closing(self._open()) as base:
                row = base.execute(question, (path, mtime_ns, size)).fetchone()
        except (sqlite3.Error, OSError):
            return ""
        return str(row[0]) if row else ""

    def _robust(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do work on the index; what goes wrong with its file is mended by a new file, then by a temporary one."""
        for attempt in (1, 2, 3):
            try:
                return work(self._connection())
            except (sqlite3.Error, OSError) as error:
                self._close()
                self._base = None
                if self._detached or attempt == 3:
                    raise _no_index(error) from error
                busy = getattr(error, "sqlite_errorcode", 0) & 0xFF in _BUSY
                if busy or attempt == 2 or not self._discard():
                    self._detach()
        raise AssertionError("the last attempt returns or raises")

    def _connection(self) -> sqlite3.Connection:
        """The open index, opened again if its file is another one now."""
        if self._base is None or _place(self.file) != self._place:
            self._close()
            self._base = self._open()
            self._close = weakref.finalize(self, self._base.close)
            self._place = _place(self.file)
        return self._base

    def _open(self) -> sqlite3.Connection:
        """A connection to an index of this version; a new file gets its tables, and is filled at the next refresh."""
        private_file(self.file)
        base = sqlite3.connect(self.file, timeout=self._busy_s, isolation_level=None, check_same_thread=False)
        try:
            version = base.execute("PRAGMA user_version").fetchone()[0]
            if version != _VERSION:
                base.execute("PRAGMA journal_mode=WAL")
                base.execute("BEGIN IMMEDIATE")
                version = base.execute("PRAGMA user_version").fetchone()[0]  # another process may have been quicker
                if version not in (0, _VERSION):
                    raise sqlite3.DatabaseError("an index of another version")
                if version == 0:
                    for statement in _SCHEMA.split(";\n"):
                        base.execute(statement)
                    base.execute(f"PRAGMA user_version={_VERSION}")
                base.execute("COMMIT")
            base.execute("PRAGMA synchronous=NORMAL")
        except BaseException:
            base.close()
            raise
        return base

    def _discard(self) -> bool:
        """Throw a damaged index away; False if the file cannot be removed."""
        try:
            for suffix in ("", "-wal", "-shm"):
                Path(f"{self.file}{suffix}").unlink(missing_ok=True)
        except OSError:
            return False
        return True

    def _detach(self) -> None:
        """Work in a temporary file from now on; it goes when this object does."""
        try:
            place = tempfile.mkdtemp(prefix="airoagent-index-")
        except OSError as error:
            raise _no_index(error) from error
        weakref.finalize(self, shutil.rmtree, place, ignore_errors=True)
        self.file = Path(place) / "documents.sqlite"
        self._detached = True

    def _refresh(self, base: sqlite3.Connection, progress: Progress) -> Refreshed:
        started = time.perf_counter()
        known = {path: (mtime, size) for path, mtime, size in base.execute("SELECT path, mtime_ns, size FROM files")}
        skipped: Counter[str] = Counter()
        first = not known
        entries = tuple(scan(self.folder, skipped))
        stale = [entry for entry in entries if known.pop(entry.path, None) != (entry.mtime_ns, entry.size)]
        seconds = time.perf_counter() - started
        if known:
            with _transaction(base):
                for path in known:
                    _remove(base, path)
        if stale:
            self._read(base, stale, progress)
        problems = base.execute("SELECT path, problem FROM files WHERE problem != '' ORDER BY path").fetchall()
        return Refreshed(
            len(entries),
            len(stale),
            len(known),
            seconds,
            tuple(skipped.most_common()),
            tuple((os.fsdecode(path).encode("utf-8", "replace").decode(), problem) for path, problem in problems),
            first and bool(stale),
        )

    def _read(self, base: sqlite3.Connection, stale: Sequence[Entry], progress: Progress) -> None:
        done = 0
        progress("indexing documents", 0, len(stale))
        with contextlib.closing(read_documents(self.folder, stale)) as batches:  # helpers end even if we are stopped
            for batch in batches:
                with _transaction(base):
                    _write(base, batch)
                done += len(batch)
                progress("indexing documents", done, len(stale))
        if len(stale) > 1_000:
            base.execute("PRAGMA optimize")
            base.execute("PRAGMA wal_checkpoint(PASSIVE)")


def _place(file: Path) -> tuple[int, int]:
    """Which file stands under a name."""
    try:
        found = file.stat()
    except OSError:
        return (0, 0)
    return found.st_dev, found.st_ino


def _no_index(error: Exception) -> ToolError:
    return ToolError(
        f"the documents cannot be indexed: {error}",
        "check that the disk for temporary files has room and that Python's sqlite3 has FTS5",
    )


@contextlib.contextmanager
def _transaction(base: sqlite3.Connection) -> Iterator[None]:
    base.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        base.execute("ROLLBACK")
        raise
    base.execute("COMMIT")


def _remove(base: sqlite3.Connection, path: bytes) -> None:
    row = base.execute("SELECT id FROM files WHERE path = ?", (path,)).fetchone()
    if row:
        low = row[0] << _SHIFT
        base.execute("DELETE FROM passages WHERE rowid BETWEEN ? AND ?", (low, low + (1 << _SHIFT) - 1))
        base.execute("DELETE FROM texts WHERE file = ?", (row[0],))
        base.execute("DELETE FROM files WHERE id = ?", (row[0],))


def _write(base: sqlite3.Connection, batch: Iterable[Document]) -> None:
    for document in batch:
        entry = document.entry
        row = base.execute("SELECT mtime_ns, size FROM files WHERE path = ?", (entry.path,)).fetchone()
        if row == (entry.mtime_ns, entry.size):
            continue  # another process has read it meanwhile
        if row:
            _remove(base, entry.path)
        columns = "path, mtime_ns, size, title, linked, passages, problem"
        found = (document.title, document.linked, len(document.passages), document.problem)
        made = base.execute(
            f"INSERT INTO files({columns}) VALUES(?, ?, ?, ?, ?, ?, ?)",
            (entry.path, entry.mtime_ns, entry.size, *found),
        )
        low = (made.lastrowid or 0) << _SHIFT
        if document.kept:
            base.execute("INSERT INTO texts(file, text) VALUES(?, ?)", (made.lastrowid, document.kept))
        base.executemany(
            "INSERT INTO passages(rowid, title, headings, text, page) VALUES(?, ?, ?, ?, ?)",
            (
                (low + number, _spaced(document.names), _spaced(passage.headings), _spaced(passage.text), passage.page)
                for number, passage in enumerate(document.passages)
            ),
        )


def _spaced(text: str) -> str:
    return text if text.isascii() else _UNSPACED.sub(_GAP, text)


def _best(base: sqlite3.Connection, expression: str, limit: int) -> tuple[Found, ...]:
    rows = base.execute(
        "SELECT rowid, highlight(passages, 0, char(2), char(3)), highlight(passages, 1, char(2), char(3)), "
        "highlight(passages, 2, char(2), char(3)), page FROM passages "
        "WHERE passages MATCH ? AND rank MATCH 'bm25(4.0, 2.0, 1.0)' ORDER BY rank LIMIT ?",
        (expression, limit),
    ).fetchall()
    ids = tuple({rowid >> _SHIFT for rowid, *_ in rows})
    asked = ", ".join("?" * len(ids))
    files = base.execute(f"SELECT id, path, title, linked FROM files WHERE id IN ({asked})", ids)  # noqa: S608 - only ?
    pages = {row[0]: FilePage(*row) for row in files}
    found: list[Found] = []
    for rowid, title, headings, text, sheet in rows:
        page = pages.get(rowid >> _SHIFT) or FilePage(rowid >> _SHIFT, b"", "", 0.0)
        title, headings, text = (str(column).replace(_GAP, "") for column in (title, headings, text))
        found.append(Found(page, rowid & ((1 << _SHIFT) - 1), title, headings, text, sheet))
    return tuple(found)
