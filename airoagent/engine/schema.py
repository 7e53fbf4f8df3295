"""The tables of the run store, and how an older file becomes one of today.

Migrations are functions in `MIGRATIONS`, run once each, in order; ``PRAGMA user_version`` says how far a file is.

The search index keeps words only (an FTS5 table without content): ``entries`` says which run each row of it is of.
Entries of a removed run stay in the index as numbers that lead nowhere, until `rebuild_index` clears them out.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable
from typing import Any

__all__ = ["MIGRATIONS", "add_words", "query_of", "rebuild_index", "unpack"]

_INDEXED = {"run_started": "question", "step_finished": "text", "run_finished": "answer"}


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


def _m002_search(db: sqlite3.Connection) -> None:
    # A number is never given twice, so what the index still holds of a removed run cannot be taken for another's.
    db.execute("CREATE TABLE entries (id INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL)")
    db.execute("CREATE INDEX entries_by_run ON entries (run)")
    db.execute("CREATE VIRTUAL TABLE words USING fts5(text, content='', tokenize='unicode61 remove_diacritics 2')")
    rebuild_index(db)


def _m003_cache(db: sqlite3.Connection) -> None:
    db.execute("CREATE TABLE cache (key BLOB PRIMARY KEY, at REAL NOT NULL, body BLOB NOT NULL) WITHOUT ROWID")


def _m004_beside(db: sqlite3.Connection) -> None:
    # What concerns this machine alone (paths, hosts that may be reached): no trace and no page ever holds it.
    db.execute("CREATE TABLE beside (run TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID")


MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (_m001_first, _m002_search, _m003_cache, _m004_beside)


def rebuild_index(db: sqlite3.Connection) -> None:
    """Make the search index anew from the events, oldest first."""
    db.execute("INSERT INTO words (words) VALUES ('delete-all')")
    db.execute("DELETE FROM entries")
    rows = db.execute(
        "SELECT events.run, events.type, body FROM events JOIN runs ON runs.id = events.run"
        " WHERE type IN ('run_started', 'step_finished', 'run_finished') ORDER BY runs.started, events.run, seq"
    )
    for run, type, body in rows:
        value = unpack(db, json.loads(body))
        if value is not None:
            add_words(db, run, type, value)


def add_words(db: sqlite3.Connection, run: str, type: str, value: dict[str, Any]) -> None:
    """Index an event: its question, evidence or answer; events of other types have nothing to look for."""
    text = value.get(_INDEXED.get(type, ""))
    if text:
        number = db.execute("INSERT INTO entries (run) VALUES (?)", (run,)).lastrowid
        safe = text.encode("utf-8", "replace").decode()
        db.execute("INSERT INTO words (rowid, text) VALUES (?, ?)", (number, safe))


def query_of(text: str) -> str:
    """What a user types as an FTS5 query: every word, each also as the beginning of a longer one; "" without words."""
    return " ".join(f'"{word}"*' for word in re.findall(r"\w+", text.replace("_", " ")))


def unpack(db: sqlite3.Connection, value: dict[str, Any]) -> dict[str, Any] | None:
    """The event with its long texts in place of their hashes; None where the file has lost one."""
    for name, item in value.items():
        if isinstance(item, dict) and "$text" in item:
            row = db.execute("SELECT text FROM texts WHERE hash = ?", (bytes.fromhex(item["$text"]),)).fetchone()
            if row is None:
                return None
            value[name] = row[0].decode("utf-8", "surrogatepass")
    return value
