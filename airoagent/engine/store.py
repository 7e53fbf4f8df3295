"""Every run on record, in one SQLite file.

WAL with ``synchronous=FULL``: what `Store.append` has returned from survives a power cut. Events are rows in order;
long texts (prompts, pages, evidence) are kept once, by hash, and events point at them. `runs` is a table of what lists
need, kept in the same transaction as the event that changes it.

Schema changes are functions in `_MIGRATIONS`, run once each, in order; ``PRAGMA user_version`` says how far a file is.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airoagent.errors import StoreError
from airoagent.events import Event, RunFinished, RunStarted, Status, from_json, to_json

__all__ = ["Store", "Summary", "new_run_id"]

_LONG = 256  # characters; a shorter text costs less in the event than a row of its own


def _m001_first(db: sqlite3.Connection) -> None:
    db.execute(
        "CREATE TABLE runs (id TEXT PRIMARY KEY, parent TEXT NOT NULL, question TEXT NOT NULL, model TEXT NOT NULL,"
        " status TEXT NOT NULL, answer TEXT, started REAL NOT NULL, seconds REAL NOT NULL, driver TEXT NOT NULL)"
    )
    db.execute("CREATE INDEX runs_by_start ON runs (started)")
    db.execute(
        "CREATE TABLE events (run TEXT NOT NULL, seq INTEGER NOT NULL, type TEXT NOT NULL, step TEXT NOT NULL,"
        " at REAL NOT NULL, body TEXT NOT NULL, PRIMARY KEY (run, seq)) WITHOUT ROWID"
    )
    db.execute("CREATE TABLE texts (hash BLOB PRIMARY KEY, text BLOB NOT NULL)")
    db.execute("CREATE TABLE uses (run TEXT NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (run, hash)) WITHOUT ROWID")
    db.execute("CREATE INDEX uses_by_hash ON uses (hash)")


def _m002_cache(db: sqlite3.Connection) -> None:
    db.execute("CREATE TABLE cache (key BLOB PRIMARY KEY, at REAL NOT NULL, body BLOB NOT NULL) WITHOUT ROWID")


_MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (_m001_first, _m002_cache)


@dataclass(frozen=True, slots=True)
class Summary:
    """One line of the list of runs; ``started`` in seconds since 1970, ``seconds`` how long it took."""

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
    alphabet = "23456789abcdefghjkmnpqrstuvwxyz"
    return time.strftime("%Y%m%d-%H%M%S-", time.gmtime()) + "".join(secrets.choice(alphabet) for _ in range(5))


class Store:
    """The file of all runs. Safe for several threads and several processes at once."""

    def __init__(self, path: Path) -> None:
        """Open or create the file; StoreError if that cannot be done or it is of a later version."""
        self.path = path
        self._lock = threading.Lock()
        with self._told(f"the run store {path} cannot be opened"):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=20.0, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._migrate()

    def _migrate(self) -> None:
        with self._transaction() as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version > len(_MIGRATIONS):
                raise StoreError(
                    f"the run store {self.path} was written by a later airoagent (version {version})",
                    "update airoagent, or set AIRO_HOME to another folder",
                )
            for migrate in _MIGRATIONS[version:]:
                migrate(db)
            if version < len(_MIGRATIONS):
                db.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            hint = "free some disk space" if "full" in str(error) else "AIRO_HOME moves it to another folder"
            raise StoreError(f"{what}: {error}", hint) from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def append(self, run: str, seq: int, event: Event) -> None:
        """Put event number ``seq`` (from 0) of a run on record; it is on disk when this returns."""
        body = to_json(event)
        texts: dict[bytes, bytes] = {}
        packed = {name: _pack(value, texts) for name, value in body.items()}
        with self._told("the record cannot be written"), self._transaction() as db:
            db.executemany("INSERT OR IGNORE INTO texts VALUES (?, ?)", texts.items())
            db.executemany("INSERT OR IGNORE INTO uses VALUES (?, ?)", [(run, key) for key in texts])
            db.execute(
                "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)",
                (run, seq, event.type, getattr(event, "step", ""), event.at, json.dumps(packed)),
            )
            match event:
                case RunStarted():
                    db.execute(
                        "INSERT INTO runs VALUES (?, ?, ?, ?, 'running', NULL, ?, 0, ?)",
                        (run, event.parent, _storable(event.question), event.model, event.at, _driver()),
                    )
                case RunFinished():
                    db.execute(
                        "UPDATE runs SET status = ?, answer = ?, seconds = ?, driver = '' WHERE id = ?",
                        (event.status, _storable(event.answer), event.seconds, run),
                    )
                case _:
                    return

    def events(self, run: str) -> tuple[Event, ...]:
        """All events of a run, in order; StoreError if there is no such run."""
        with self._told("the record cannot be read"), self._lock:
            rows = self._db.execute("SELECT body FROM events WHERE run = ? ORDER BY seq", (run,)).fetchall()
            if not rows:
                raise StoreError(f"there is no run {run}", "`airo runs` lists them")
            return tuple(from_json(self._unpack(json.loads(body))) for (body,) in rows)

    def _unpack(self, value: dict[str, Any]) -> dict[str, Any]:
        for name, item in value.items():
            if isinstance(item, dict) and "$text" in item:
                key = bytes.fromhex(item["$text"])
                row = self._db.execute("SELECT text FROM texts WHERE hash = ?", (key,)).fetchone()
                if row is None:
                    raise StoreError(
                        f"the store has lost a text ({item['$text'][:12]})", "restore the file from a copy"
                    )
                value[name] = row[0].decode("utf-8", "surrogatepass")
        return value

    def find(self, word: str) -> str:
        """The id that ``word`` means: a whole id, a beginning that only one has, or ``@last``."""
        with self._told("the record cannot be read"), self._lock:
            if word == "@last":
                row = self._db.execute("SELECT id FROM runs ORDER BY started DESC, id DESC LIMIT 1").fetchone()
                if row is None:
                    raise StoreError("there are no runs yet", 'make one: airo "your question"')
                return str(row[0])
            pattern = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
            found = [
                str(row[0])
                for row in self._db.execute(
                    "SELECT id FROM runs WHERE id LIKE ? ESCAPE '\\' ORDER BY id DESC LIMIT 4", (pattern,)
                )
            ]
        if word in found or len(found) == 1:
            return word if word in found else found[0]
        if found:
            raise StoreError(f"several runs begin with {word!r}: {', '.join(found)}", "give more of the id")
        raise StoreError(f"there is no run {word!r}", "`airo runs` lists them; @last is the newest")

    def list(self, limit: int = 20, query: str = "") -> tuple[Summary, ...]:
        """Runs, newest first; with ``query`` only those whose question or answer holds it."""
        with self._told("the record cannot be read"), self._lock:
            rows = self._db.execute(
                "SELECT id, status, question, answer, model, parent, started, seconds, driver FROM runs "
                "WHERE ?1 = '' OR instr(lower(question), lower(?1)) OR instr(lower(coalesce(answer, '')), lower(?1)) "
                "ORDER BY started DESC, id DESC LIMIT ?2",
                (query, limit),
            ).fetchall()
        return tuple(Summary(row[0], _status(row[1], row[8]), *row[2:8]) for row in rows)

    def remove(self, run: str) -> None:
        """Forget a run, and the texts that no other run needs."""
        with self._told("the record cannot be changed"), self._transaction() as db:
            mine = db.execute("SELECT hash FROM uses WHERE run = ?", (run,)).fetchall()
            for table in ("events", "uses"):
                db.execute(f"DELETE FROM {table} WHERE run = ?", (run,))  # noqa: S608 - one of two constants
            db.execute("DELETE FROM runs WHERE id = ?", (run,))
            db.executemany(
                "DELETE FROM texts WHERE hash = ? AND NOT EXISTS (SELECT 1 FROM uses WHERE uses.hash = texts.hash)",
                mine,
            )

    def cached(self, key: bytes, oldest: float) -> bytes | None:
        """What was kept under the key since ``oldest`` (seconds since 1970); None if nothing was."""
        with self._told("the cache cannot be read"), self._lock:
            row = self._db.execute("SELECT body FROM cache WHERE key = ? AND at >= ?", (key, oldest)).fetchone()
        return None if row is None else bytes(row[0])

    def cache(self, key: bytes, body: bytes, oldest: float) -> None:
        """Keep something under a key, in place of what was there; what is older than ``oldest`` goes."""
        with self._told("the cache cannot be written"), self._transaction() as db:
            db.execute("DELETE FROM cache WHERE at < ?", (oldest,))
            db.execute("INSERT OR REPLACE INTO cache VALUES (?, ?, ?)", (key, time.time(), body))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()


def _pack(value: Any, texts: dict[bytes, bytes]) -> Any:
    """The value, or a pointer to it among ``texts`` where it is a long text."""
    if isinstance(value, str) and len(value) > _LONG:
        raw = value.encode("utf-8", "surrogatepass")
        key = hashlib.sha256(raw).digest()
        texts[key] = raw
        return {"$text": key.hex()}
    return value


def _storable(text: str | None) -> str | None:
    return None if text is None else text.encode("utf-8", "replace").decode()


def _driver() -> str:
    """Who is driving a run: this process, told from a later one of the same number by its start time."""
    return f"{os.getpid()}:{_started(os.getpid())}"


def _started(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def _status(status: Status, driver: str) -> Status:
    """A run whose process is gone is not running but interrupted."""
    if status != "running":
        return status
    pid, _, started = driver.partition(":")
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return "interrupted"
    except PermissionError:
        return "running"
    return "running" if _started(int(pid)) == started else "interrupted"
