"""Clearing out the run store, and saving what can be read of a damaged one.

Clearing out works in pieces: each run goes in a transaction of its own, and between them other processes get their
turn. Repairing writes a new file from the events that can be read, and keeps the old one under another name.
"""

from __future__ import annotations

import contextlib
import gc
import json
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from airoagent.errors import StoreError
from airoagent.events import Event, RunFinished
from airoagent.frozen import frozen
from airoagent.records.run_record import Reading
from airoagent.records.salvage import apply_log, salvage
from airoagent.records.schema import unpack
from airoagent.records.store import PATIENCE, Store
from airoagent.settings import private_file

_PIECE = 0.05  # seconds of work after which others get their turn
_PAUSE = 0.02  # seconds; whoever waits for SQLite's lock looks for it every 0.1 s or more often
_PAGES = 400  # of the file, given back at a time
_SUFFIXES = ("", "-wal", "-shm")
_NEW = "new"  # the name of a store that is being written
_CHANGE = "the record cannot be changed"


@frozen
class Collected:
    """What clearing out did: runs removed, runs that could not be, bytes given back to the disk, bytes free inside."""

    removed: int
    failed: tuple[str, ...]
    saved: int
    inside: int


@frozen
class Repaired:
    """What repairing did: runs kept whole, runs kept in part, runs lost, events kept, where the old file is."""

    whole: int
    cut: tuple[str, ...]
    lost: tuple[str, ...]
    events: int
    old: Path


def size_on_disk(store: Store) -> int:
    """Bytes of the store's files."""
    files = (store.path.with_name(store.path.name + suffix) for suffix in ("", "-wal"))
    return sum(file.stat().st_size for file in files if file.exists())


def collect(store: Store, runs: Iterable[str], *, vacuum: bool = False) -> Collected:
    """Remove these runs, the texts that no run needs, and the gaps they leave.

    ``vacuum`` writes the whole file again, which gives back all gaps of a file of any age; until that is done nothing
    else can be recorded.
    """
    size = size_on_disk(store)
    failed: list[str] = []
    removed = 0
    for run in _in_turns(runs):
        try:
            if store.has(run) and store.status(run) != "running":  # resumed or removed meanwhile
                store.remove(run)
                removed += 1
        except StoreError as error:
            if _is_locked(error.__cause__):  # no run can be removed now
                raise
            failed.append(run)
    _drop_texts(store)
    if vacuum:
        with store.connection(_CHANGE) as db:
            db.execute("PRAGMA auto_vacuum=INCREMENTAL")  # takes effect in a file made without it
            db.execute("VACUUM")
    _give_back(store)
    free = _pragma(store, "freelist_count") * _pragma(store, "page_size")
    return Collected(removed, tuple(failed), max(0, size - size_on_disk(store)), free)


def _in_turns(items: Iterable[Any]) -> Iterator[Any]:
    """The items, with pauses in which other processes can write."""
    began = time.monotonic()
    for item in items:
        yield item
        if time.monotonic() - began > _PIECE:
            time.sleep(_PAUSE)
            began = time.monotonic()


def _drop_texts(store: Store) -> None:
    unused = "NOT EXISTS (SELECT 1 FROM uses WHERE uses.hash = texts.hash)"
    with store.connection(_CHANGE) as db:  # found without the lock for writing, and looked at again under it
        keys = db.execute(f"SELECT hash FROM texts WHERE {unused}").fetchall()  # noqa: S608 - a constant
    for key in _in_turns(keys):
        with store.transaction(_CHANGE) as db:
            db.execute(f"DELETE FROM texts WHERE hash = ? AND {unused}", key)  # noqa: S608 - a constant


def _give_back(store: Store) -> None:
    """Shorten the file by its free pages, if it was made to allow that."""
    if _pragma(store, "auto_vacuum") == 2:
        pages = range(0, _pragma(store, "freelist_count"), _PAGES)
        for _ in _in_turns(pages):
            with store.connection(_CHANGE) as db:
                db.executescript(f"PRAGMA incremental_vacuum({_PAGES})")  # execute() frees one page only
    with store.connection(_CHANGE) as db:
        db.execute("PRAGMA busy_timeout=200")  # others wait as long as this waits for those who read
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        db.execute(f"PRAGMA busy_timeout={int(PATIENCE * 1000)}")


def _is_locked(error: BaseException | None) -> bool:
    """Whether SQLite failed because another process has the file."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _pragma(store: Store, name: str) -> int:
    with store.connection(_CHANGE) as db:
        return int(db.execute(f"PRAGMA {name}").fetchone()[0])


# Repair --------------------------------------------------------------------------------------------------------------


def repair(path: Path) -> Repaired | None:
    """Write the store again from the events that can be read; None where nothing is wrong with it.

    A run is kept up to its first damaged event, and can be resumed from there. All is read from a copy, so the damaged
    files stay as they are. StoreError while another process has the store open, and where there is none.
    """
    if not path.exists():
        raise StoreError(f"there is no run store {path}", "runs are recorded from the first question on")
    try:
        with tempfile.TemporaryDirectory(prefix=f"{path.name}.repair-", dir=path.parent) as scratch:
            # The file is opened here once, and closed last: closing it ends the lock that `_held` has on it.
            with path.open("rb") as raw, _held(path, Path(scratch)):
                saved = _save(path, raw, Path(scratch))
            if saved is None:
                return None
            aside = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}")
            for suffix in _SUFFIXES:
                with contextlib.suppress(FileNotFoundError):
                    path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
            (Path(scratch) / _NEW).rename(path)
            private_file(aside)
    except OSError as error:
        raise StoreError(f"the run store {path} cannot be repaired: {error.strerror}", "check the disk") from error
    return replace(saved, old=aside)


@contextlib.contextmanager
def _held(path: Path, scratch: Path) -> Iterator[None]:
    """Keep other processes out: one that has the file open would go on writing to the old one.

    The lock is SQLite's, taken under another name of the file: under its own, SQLite would move the log into it.
    """
    gc.collect()  # what this process has left open
    if not path.stat().st_size:  # taking the lock of an empty file writes a header into it
        yield
        return
    name = scratch / "lock"
    try:
        name.hardlink_to(path)
    except OSError:  # a file system without links
        name = path
    with contextlib.closing(sqlite3.connect(name, timeout=1.0, isolation_level=None)) as lock:
        try:
            lock.execute("PRAGMA locking_mode=EXCLUSIVE")
            lock.execute("BEGIN EXCLUSIVE")
            lock.execute("COMMIT")  # the lock stays
        except sqlite3.Error as error:
            if _is_locked(error):
                raise StoreError(f"another airo has the run store {path} open", "close it first") from error
        yield


def _save(path: Path, raw: IO[bytes], scratch: Path) -> Repaired | None:
    """Write what can be read into a new store in ``scratch``; None where nothing is damaged."""
    log = path.with_name(path.name + "-wal")
    with (scratch / "copy").open("w+b") as copy:
        shutil.copyfileobj(raw, copy)
        apply_log(copy, log.read_bytes() if log.exists() else b"")
        with contextlib.closing(sqlite3.connect(copy.name, isolation_level=None)) as old:
            if _is_sound(old):
                return None
            with contextlib.closing(salvage(copy)) as rest:
                ids = [id for (id,) in rest.execute("SELECT id FROM runs UNION SELECT run FROM events")]
                with contextlib.suppress(sqlite3.Error):  # runs of which nothing but the name is left
                    ids += (id for (id,) in old.execute("SELECT DISTINCT run FROM entries ORDER BY run"))
                ids = list(dict.fromkeys(ids))
                kept, events = _copy(old, rest, ids, scratch / _NEW)
    cut = tuple(id for id, whole in kept.items() if not whole)
    return Repaired(len(kept) - len(cut), cut, tuple(id for id in ids if id not in kept), events, path)


def _is_sound(old: sqlite3.Connection) -> bool:
    try:
        if old.execute("PRAGMA integrity_check(1)").fetchone()[0] != "ok":
            return False
        old.execute("INSERT INTO words (words) VALUES ('integrity-check')")
        ids = old.execute("SELECT id FROM runs UNION SELECT run FROM events UNION SELECT run FROM uses").fetchall()
        return all(_read(old, id)[1] for (id,) in ids)
    except sqlite3.Error:
        return False


def _read(old: sqlite3.Connection, run: str) -> tuple[list[Event], bool]:
    """The events of a run up to the first that cannot be read, and whether these are all."""
    reading = Reading(str, ordered=False)
    try:
        rows = old.execute("SELECT seq, body FROM events WHERE run = ? ORDER BY seq", (run,))
        for seq, body in rows:
            value = unpack(old, json.loads(body))
            if value is None or seq != len(reading.events):
                return reading.events, False
            reading.take(value, seq)
    except (sqlite3.Error, StoreError, ValueError, TypeError, AttributeError, RecursionError):
        return reading.events, False
    return reading.events, bool(reading.events)


def _copy(old: sqlite3.Connection, rest: sqlite3.Connection, ids: list[str], path: Path) -> tuple[dict[str, bool], int]:
    """Write the runs whose start can be read into a new store; whether each is whole, and the number of events.

    A run that SQLite does not read to its end is taken from ``rest`` if more of it is there.
    """
    kept: dict[str, bool] = {}
    count = 0
    new = Store(path)
    try:
        for id in ids:
            events, whole = _read(old, id)
            if not whole:
                more, _ = _read(rest, id)
                events = more if len(more) > len(events) else events
                whole = bool(events) and isinstance(events[-1], RunFinished)
            if events:
                new.write_run(id, events, _beside(old, id) or _beside(rest, id))
                kept[id] = whole
                count += len(events)
        with new.connection("the new store cannot be checked") as db:
            sound = db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        if not sound:
            raise StoreError(f"the new store {path} is not sound", "check the disk")
    finally:
        new.close()
    return kept, count


def _beside(old: sqlite3.Connection, run: str) -> str:
    with contextlib.suppress(sqlite3.Error):
        row = old.execute("SELECT body FROM beside WHERE run = ?", (run,)).fetchone()
        return "" if row is None else str(row[0])
    return ""
