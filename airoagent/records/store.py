"""Every run on record, in one SQLite file.

What `Store.append` has returned from survives the end of the process, ``kill -9`` too (WAL). It survives a power cut
from the next `Store.flush` on: the agent flushes, in a thread, before it asks the model and when a run has ended, and
every event of a tool with side effects is flushed at once. Reading needs no lock that a writer could hold.

Events are rows in order; long texts (prompts, pages, evidence) are kept once, by hash, and events point at them. `runs`
is a table of what lists need, kept in the same transaction as the event that changes it, as is the index that runs are
searched by (`schema`). Whoever begins or resumes a run drives it until it ends or the store is closed (`driving`);
nobody else may.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import re
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from airoagent.errors import StoreError, UserAwaited
from airoagent.events import Event, RunFinished, RunResumed, RunStarted, Status, to_json
from airoagent.frozen import frozen
from airoagent.records.run_lock import Locks, driver_name, is_alive
from airoagent.records.run_record import Reading
from airoagent.records.schema import MIGRATIONS, add_words, migrate, query_of, remove_words, unpack
from airoagent.settings import private_file

_DAMAGED = "`airo runs repair` keeps what can be read"
_LONG_LOG = 4 << 20  # bytes of the log from which a flush moves it into the file
PATIENCE = 20.0  # seconds to wait for another process that writes
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_UNWRITABLE = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)
_MOST_ID = 200  # characters
_LETTERS = (b"23456789abcdefghjkmnpqrstuvwxyz" * 9)[:256]  # by byte
_LONG = 256  # characters; a shorter text costs less in the event than a row of its own


@frozen
class Summary:
    """One line of the list of runs; ``started`` in seconds since 1970, ``seconds`` how long it took.

    ``answer`` of an interrupted run is what it asks the user, if it waits for that.
    """

    id: str
    status: Status
    question: str
    answer: str | None
    model: str
    parent: str
    started: float
    seconds: float


def new_run_id() -> str:
    """A name for a run that sorts by time and is easy to say: ``20261121-013000-k3f9``."""
    return _second(int(time.time())) + os.urandom(5).translate(_LETTERS).decode()


@functools.lru_cache(1)
def _second(time_: int) -> str:
    return time.strftime("%Y%m%d-%H%M%S-", time.gmtime(time_))


class Store:
    """The file of all runs. Safe for several threads and several processes at once."""

    def __init__(self, path: Path) -> None:
        """Open or create the file; StoreError if that cannot be done or it is of a later version.

        A file that cannot be written (a read-only file system) is opened to be read.
        """
        self.path = path
        self._lock = threading.Lock()
        self._entered = False  # the log's name in its folder is on disk
        self._closed = False
        self._locks = Locks(path.with_name(path.name + ".locks"))
        opening = f"the run store {path} cannot be opened"
        with self._told(opening):
            private_file(path)
            self._db = self._connect()
            # A connection that nobody closes would live on until the next round of the garbage collector.
            weakref.finalize(self, self._db.close)
            self._migrate(opening)
            self._file = _identity(path)

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
        try:
            if not db.execute("PRAGMA page_count").fetchone()[0]:  # it can be set only now
                db.execute("PRAGMA auto_vacuum=INCREMENTAL")
            db.execute("PRAGMA journal_mode=WAL").fetchone()
            db.execute("PRAGMA synchronous=NORMAL")  # and `flush`
            db.execute(f"PRAGMA wal_autocheckpoint={2 * _LONG_LOG // 4096}")  # where no `flush` was in time
            db.execute("SELECT count(*) FROM sqlite_master").fetchone()
            return db
        except sqlite3.Error as error:
            db.close()
            if _code(error) not in _UNWRITABLE:
                raise
        # Without a place for the log that readers share, the file is read as one that nobody changes.
        for how in ("mode=ro", "mode=ro&immutable=1"):
            address = f"{self.path.absolute().as_uri()}?{how}"
            db = sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)
            try:
                db.execute("SELECT count(*) FROM sqlite_master").fetchone()
                return db
            except sqlite3.Error as error:
                db.close()
                last = error
        raise last

    def _migrate(self, what: str) -> None:
        if self._version() == len(MIGRATIONS):  # read without the lock that writing needs
            return
        with self.transaction(what) as db:
            migrate(db, self._version())  # another process may have been quicker

    def _version(self) -> int:
        version: int = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > len(MIGRATIONS):
            raise StoreError(
                f"the run store {self.path} was written by a later airoagent (version {version})",
                "update airoagent, or set AIRO_HOME to another folder",
            )
        return version

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.IntegrityError as error:
            raise StoreError(f"{what}: another process has written to it meanwhile", "see: airo runs list") from error
        except (sqlite3.Error, OSError) as error:
            code = _code(error)
            reason = getattr(error, "strerror", None) or str(error)
            cure = "AIRO_HOME moves it to another folder"
            if code in _BUSY:
                reason = f"another airo has been writing to {self.path} for {PATIENCE:g} s"
                cure = "try again once it has finished"
            elif code == sqlite3.SQLITE_FULL or "full" in reason or "No space" in reason:
                cure = "free some disk space"
            elif code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                cure = _DAMAGED
            raise StoreError(f"{what}: {reason}", f"{cure}; with --no-store a run needs none") from error

    @contextmanager
    def connection(self, what: str) -> Iterator[sqlite3.Connection]:
        """The open file, used by no other thread in the block; a StoreError for its failures begins with ``what``."""
        with self._told(what), self._lock:
            yield self._db

    @contextmanager
    def transaction(self, what: str) -> Iterator[sqlite3.Connection]:
        """The same for writing: all that is written in the block is kept, or none of it."""
        with self._told(what), self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # a full disk ends it by itself
                    self._db.execute("ROLLBACK")
                raise

    def flush(self) -> None:
        """Make everything that is on record outlast a power cut.

        It takes no lock: a thread can wait for the disk here while other events are recorded.
        """
        size = 0
        with self._told("the record cannot be written"):
            with contextlib.suppress(FileNotFoundError):  # then it is all in the file itself
                size = _sync(self.path.with_name(self.path.name + "-wal"))
            if not self._entered and os.name == "posix":
                _sync(self.path.parent)  # the log's name
                self._entered = True
            if size > _LONG_LOG:
                with contextlib.closing(sqlite3.connect(self.path, timeout=PATIENCE)) as db:
                    db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def append(self, run: str, seq: int, event: Event, *, lasting: bool = False) -> None:
        """Put event number ``seq`` (from 0) of a run on record; with ``lasting``, for a power cut, too (`flush`).

        An event that begins or resumes the run makes this store its driver; StoreError if another one is.
        """
        begins = isinstance(event, RunStarted | RunResumed)
        if begins and not self._locks.take(run):
            raise StoreError(
                f"the run {run} is in progress in another process", "wait for it to finish, or stop that process first"
            )
        try:
            with self.transaction("the record cannot be written") as db:
                self._insert(db, run, seq, event)
            if lasting:
                self.flush()
        except BaseException:
            if begins:
                self._locks.release(run, ended=False)
            raise
        if isinstance(event, RunFinished):
            self._locks.release(run, ended=True)

    def _insert(self, db: sqlite3.Connection, run: str, seq: int, event: Event) -> None:
        body = to_json(event)
        texts: dict[bytes, bytes] = {}
        packed = _pack(body, texts)
        if texts:
            db.executemany("INSERT OR IGNORE INTO texts VALUES (?, ?)", texts.items())
            db.executemany("INSERT OR IGNORE INTO uses VALUES (?, ?)", [(run, key) for key in texts])
        db.execute(
            "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)",
            (run, seq, event.type, _storable(getattr(event, "step", "")), event.at, json.dumps(packed)),
        )
        self._list(db, run, event)
        add_words(db, run, event.type, body)

    def write_run(self, run: str, events: Iterable[Event], beside: str = "") -> None:
        """Put a run on record at once that was made elsewhere, or what came to it there; nobody drives it."""
        with self.transaction("the record cannot be written") as db:
            known = db.execute("SELECT count(*) FROM events WHERE run = ?", (run,)).fetchone()[0]
            for seq, event in enumerate(events):
                if seq >= known:
                    self._insert(db, run, seq, event)
            db.execute("UPDATE runs SET driver = '' WHERE id = ?", (run,))
            if beside:
                db.execute("INSERT OR REPLACE INTO beside VALUES (?, ?)", (run, beside))

    def let_go(self, run: str) -> None:
        """Drive a run no more, whether or not its end could be recorded; one that has ended is not driven anyway."""
        self._locks.release(run, ended=False)

    def _list(self, db: sqlite3.Connection, run: str, event: Event) -> None:
        """Keep the list of runs up with an event."""
        match event:
            case RunStarted():
                db.execute(
                    "INSERT INTO runs VALUES (?, ?, ?, ?, 'running', NULL, ?, 0, ?)",
                    (run, *map(_storable, (event.parent, event.question, event.model)), event.at, driver_name()),
                )
            case RunResumed():
                change = "UPDATE runs SET status = 'running', answer = NULL, driver = ? WHERE id = ?"
                db.execute(change, (driver_name(), run))
            case RunFinished():
                waits = event.failure is not None and event.failure.kind == UserAwaited.__name__
                said = event.failure.message if waits and event.failure else event.answer
                db.execute(
                    "UPDATE runs SET status = ?, answer = ?, seconds = ?, driver = '' WHERE id = ?",
                    (event.status, _storable(said), event.seconds, run),
                )
            case _:
                return

    def events(self, run: str) -> tuple[Event, ...]:
        """All events of a run, in order; StoreError if there is no such run."""
        with self.connection("the record cannot be read") as db:
            rows = db.execute("SELECT seq, body FROM events WHERE run = ? ORDER BY seq", (run,)).fetchall()
            if not rows:
                raise StoreError(f"there is no run {run}", "`airo runs` lists them")
            reading = Reading(lambda number: f"event {number} of the run {run}", _DAMAGED, ordered=False)
            for number, (seq, body) in enumerate(rows):
                if seq != number:
                    raise StoreError(f"the store has lost an event of the run {run}", _DAMAGED)
                reading.take(self._unpacked(run, body), number)
        return tuple(reading.events)

    def _unpacked(self, run: str, body: str) -> dict[str, Any]:
        """The event of a row as JSON, its long texts in their places."""
        try:
            value = unpack(self._db, json.loads(body))
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            reason = (
                f" ({error})" if isinstance(error, ValueError) else ""
            )  # others speak of this code, not of the file
            raise StoreError(f"an event of the run {run} is damaged{reason}", _DAMAGED) from error
        if value is None:
            raise StoreError(f"the store has lost a text of the run {run}", _DAMAGED)
        return value

    def status(self, run: str) -> Status:
        """How far a run is: ``running`` only while somebody drives it. StoreError if there is no such run."""
        with self.connection("the record cannot be read") as db:
            row = db.execute("SELECT status, driver FROM runs WHERE id = ?", (run,)).fetchone()
        if row is None:
            raise StoreError(f"there is no run {run}", "`airo runs` lists them")
        return self._status(run, row[0], row[1])

    def put_beside(self, run: str, body: str) -> None:
        """Keep a text beside a run, in place of what was there: for this machine alone, it goes into no trace."""
        with self.transaction("the record cannot be written") as db:
            db.execute("INSERT OR REPLACE INTO beside VALUES (?, ?)", (run, body))

    def beside(self, run: str) -> str:
        """The text kept beside a run; "" where there is none."""
        with self.connection("the record cannot be read") as db:
            row = db.execute("SELECT body FROM beside WHERE run = ?", (run,)).fetchone()
        return "" if row is None else str(row[0])

    def has(self, run: str) -> bool:
        """Whether there is a run of this very id."""
        with self.connection("the record cannot be read") as db:
            return db.execute("SELECT 1 FROM runs WHERE id = ?", (run,)).fetchone() is not None

    def find_old(self, *, before: float, keep: int = 0) -> tuple[str, ...]:
        """The runs started before a time (seconds since 1970), except the newest ``keep`` and those in progress."""
        with self.connection("the record cannot be read") as db:
            rows = db.execute(
                "SELECT id, status, driver FROM runs WHERE started < ? AND id NOT IN"
                " (SELECT id FROM runs ORDER BY started DESC, id DESC LIMIT ?) ORDER BY started, id",
                (before, keep),
            ).fetchall()
        return tuple(id for id, status, driver in rows if self._status(id, status, driver) != "running")

    def _status(self, run: str, status: Status, driver: str) -> Status:
        """A run that nobody drives any more is not running but interrupted."""
        if status != "running":
            return status
        driven = self._locks.driven(run)
        return "running" if (is_alive(driver) if driven is None else driven) else "interrupted"

    def find(self, word: str) -> str:
        """The id that ``word`` means: a whole id, a beginning that only one has, or ``@last`` (``last`` does).

        ``@last~1`` is the run before the last, ``@last~2`` the one before that.
        """
        last = re.fullmatch(r"@?last(?:~(\d{0,9}))?", word, re.ASCII)
        if not word or len(word) > _MOST_ID or _storable(word) != word:
            raise StoreError(f"there is no run {word[:_MOST_ID]!r}", "`airo runs` lists them; @last is the newest")
        with self.connection("the record cannot be read") as db:
            if last is not None:
                back = 0 if last[1] is None else int(last[1] or 1)
                newest = "SELECT id FROM runs ORDER BY started DESC, id DESC LIMIT 1 OFFSET ?"
                row = db.execute(newest, (back,)).fetchone()
                if row is None and back and db.execute(newest, (0,)).fetchone():
                    raise StoreError(f"there are not {back + 1:,} runs", "`airo runs` lists them; @last is the newest")
                if row is None:
                    raise StoreError("there are no runs yet", 'make one: airo "your question"')
                return str(row[0])
            pattern = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
            found = [
                str(row[0])
                for row in db.execute(
                    "SELECT id FROM runs WHERE id LIKE ? ESCAPE '\\' ORDER BY id DESC LIMIT 4", (pattern,)
                )
            ]
        if word in found or len(found) == 1:
            return word if word in found else found[0]
        if found:
            raise StoreError(f"several runs begin with {word!r}: {', '.join(found)}", "give more of the id")
        raise StoreError(f"there is no run {word!r}", "`airo runs` lists them; @last is the newest")

    def list(self, limit: int = 20, query: str = "", status: str = "") -> tuple[Summary, ...]:
        """Runs, newest first; with ``query`` only those with a question, an evidence or an answer that has its words,
        with ``status`` only those that ended, or go on, like that.

        A word also finds longer words that begin with it. Text that has no words (signs, or words written without
        spaces between them) is looked for in questions and answers as it is.
        """
        columns = "SELECT id, status, question, answer, model, parent, started, seconds, driver FROM runs WHERE"
        newest = "ORDER BY started DESC, id DESC LIMIT ?"
        # What is interrupted is on record as running where its process was killed: `_status` knows.
        kinds = ("running", "interrupted") if status in ("running", "interrupted") else (status,) * 2
        columns += " status IN (?, ?) AND" if status else ""
        given = kinds if status else ()
        most = -1 if "running" in given else limit
        with self.connection("the record cannot be read") as db:
            if not query.strip():
                rows = db.execute(f"{columns} 1 {newest}", (*given, most)).fetchall()
            else:
                found = self._matching(db, query, 10_000 if status else limit)
                marks = ", ".join("?" * len(found))
                rows = db.execute(f"{columns} id IN ({marks}) {newest}", (*given, *found, most)).fetchall()
                if not found:
                    where = "(instr(lower(question), lower(?)) OR instr(lower(coalesce(answer, '')), lower(?)))"
                    rows = db.execute(f"{columns} {where} {newest}", (*given, query, query, most)).fetchall()
        listed = (Summary(row[0], self._status(row[0], row[1], row[8]), *row[2:8]) for row in rows)
        return tuple(islice((one for one in listed if not status or one.status == status), limit))

    def _matching(self, db: sqlite3.Connection, query: str, limit: int) -> tuple[str, ...]:
        """The runs whose entries match, those with the newest entries, read no further than needed."""
        words = query_of(query)
        if not words:
            return ()
        found: dict[str, None] = {}
        # The index is walked backwards entry by entry: a word that every run has costs no more than a rare one.
        numbers = db.execute("SELECT rowid FROM words WHERE words MATCH ? ORDER BY rowid DESC", (words,))
        for (number,) in numbers:
            row = db.execute("SELECT run FROM entries WHERE id = ?", (number,)).fetchone()
            if row is not None:
                found[row[0]] = None
                if len(found) == min(limit, 10_000):
                    break
        numbers.close()
        return tuple(found)

    def remove(self, run: str) -> None:
        """Forget a run, and the texts that no other run needs; StoreError for one that is still going."""
        # Held meanwhile, so that nobody resumes it.
        if self.status(run) == "running" or not self._locks.take(run):
            raise StoreError(f"the run {run} is still going", "stop it first, or wait for it to finish")
        removed = False
        try:
            with self.transaction("the record cannot be changed") as db:
                mine = db.execute("SELECT hash FROM uses WHERE run = ?", (run,)).fetchall()
                remove_words(db, run)
                for table in ("events", "uses", "beside"):
                    db.execute(f"DELETE FROM {table} WHERE run = ?", (run,))  # noqa: S608 - one of three constants
                db.execute("DELETE FROM runs WHERE id = ?", (run,))
                unused = "NOT EXISTS (SELECT 1 FROM uses WHERE uses.hash = texts.hash)"
                db.executemany(f"DELETE FROM texts WHERE hash = ? AND {unused}", mine)  # noqa: S608 - a constant
            removed = True
        finally:
            self._locks.release(run, ended=removed)

    def cached(self, key: bytes, oldest: float) -> bytes | None:
        """What was kept under the key since ``oldest`` (seconds since 1970); None if nothing was."""
        with self.connection("the cache cannot be read") as db:
            # What was kept by a clock that has been set back since is of no known age.
            row = db.execute(
                "SELECT body FROM cache WHERE key = ? AND at BETWEEN ? AND ?", (key, oldest, time.time() + 1.0)
            ).fetchone()
        return None if row is None else bytes(row[0])

    def cache(self, key: bytes, body: bytes, oldest: float) -> None:
        """Keep something under a key, in place of what was there; what is older than ``oldest`` goes."""
        with self.transaction("the cache cannot be written") as db:
            db.execute("DELETE FROM cache WHERE at < ?", (oldest,))
            db.execute("INSERT OR REPLACE INTO cache VALUES (?, ?, ?)", (key, time.time(), body))

    def is_open(self) -> bool:
        """Whether it can be used here and now: by this process, and with the file that bears its name today."""
        try:
            return not self._closed and self._file == _identity(self.path)
        except OSError:
            return False

    def close(self) -> None:
        """Close the file, and drive no run any more."""
        with self._lock:
            self._closed = True
            self._locks.close()
            self._db.close()


def _sync(path: Path) -> int:
    """Wait until a file or folder is on disk; its size in bytes."""
    handle = os.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
    try:
        os.fsync(handle)
        return os.fstat(handle).st_size
    finally:
        os.close(handle)


def _identity(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return os.getpid(), found.st_dev, found.st_ino


def _code(error: Exception) -> int:
    """SQLite's own number for what went wrong, without its finer distinctions; 0 for other errors."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _pack(value: Any, texts: dict[bytes, bytes]) -> Any:
    """The value with pointers among ``texts`` in place of long texts."""
    if isinstance(value, dict):
        return {name: _pack(item, texts) for name, item in value.items()}
    if isinstance(value, str) and len(value) > _LONG:
        raw = value.encode("utf-8", "surrogatepass")
        key = hashlib.sha256(raw).digest()
        texts[key] = raw
        return {"$text": key.hex()}
    return value


def _storable(text: str | None) -> str | None:
    return None if text is None else text.encode("utf-8", "replace").decode()
