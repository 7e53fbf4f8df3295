"""The tables of the run store, and how an older file becomes one of today.

`MIGRATIONS` are the statements that lead to each version; ``PRAGMA user_version`` says how far a file is.

The search index keeps words only (an FTS5 table without content): ``entries`` says which run each row of it is of.
A removed run's entries go with it (`remove_words`).
"""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from typing import Any

_INDEXED = {"run_started": "question", "step_finished": "text", "run_finished": "answer"}


MIGRATIONS = (
    (
        "CREATE TABLE runs (id TEXT PRIMARY KEY, parent TEXT NOT NULL, question TEXT NOT NULL, model TEXT NOT NULL,"
        " status TEXT NOT NULL, answer TEXT, started REAL NOT NULL, seconds REAL NOT NULL, driver TEXT NOT NULL)",
        "CREATE INDEX runs_by_start ON runs (started)",
        "CREATE TABLE events (run TEXT NOT NULL, seq INTEGER NOT NULL, type TEXT NOT NULL, step TEXT NOT NULL,"
        " at REAL NOT NULL, body TEXT NOT NULL, PRIMARY KEY (run, seq)) WITHOUT ROWID",
        "CREATE TABLE texts (hash BLOB PRIMARY KEY, text BLOB NOT NULL)",
        "CREATE TABLE uses (run TEXT NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (run, hash)) WITHOUT ROWID",
        "CREATE INDEX uses_by_hash ON uses (hash)",
    ),
    (
        # A number is never given twice, so what the index still holds of a removed run cannot be taken for another's.
        "CREATE TABLE entries (id INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL)",
        "CREATE INDEX entries_by_run ON entries (run)",
        "CREATE VIRTUAL TABLE words USING fts5(text, content='', tokenize='unicode61 remove_diacritics 2')",
    ),
    ("CREATE TABLE cache (key BLOB PRIMARY KEY, at REAL NOT NULL, body BLOB NOT NULL) WITHOUT ROWID",),
    # What concerns this machine alone (paths, hosts that may be reached): no trace and no page ever holds it.
    ("CREATE TABLE beside (run TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID",),
)


def migrate(db: sqlite3.Connection, version: int) -> None:
    """Make a file of a version (0: a new one) one of today."""
    for statements in MIGRATIONS[version:]:
        for statement in statements:
            db.execute(statement)
    if version < 2:  # no search index so far
        for (run,) in db.execute("SELECT id FROM runs ORDER BY started, id"):
            for type, value in _indexed_events(db, run) or ():
                add_words(db, run, type, value)
    db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


def add_words(db: sqlite3.Connection, run: str, type: str, value: dict[str, Any]) -> None:
    """Index an event: its question, evidence or answer; events of other types have nothing to look for."""
    text = _words_of(type, value)
    if text:
        number = db.execute("INSERT INTO entries (run) VALUES (?)", (run,)).lastrowid
        db.execute("INSERT INTO words (rowid, text) VALUES (?, ?)", (number, text))


def remove_words(db: sqlite3.Connection, run: str) -> None:
    """Take a run out of the index.

    The index forgets an entry only if it is given the very text again. Where an event of the run is damaged, its
    entries stay in it as numbers that lead nowhere.
    """
    numbers = db.execute("SELECT id FROM entries WHERE run = ? ORDER BY id", (run,)).fetchall()
    texts = [text for type, value in _indexed_events(db, run) or () if (text := _words_of(type, value))]
    if len(numbers) == len(texts):
        rows = [(number, text) for (number,), text in zip(numbers, texts, strict=True)]
        db.executemany("INSERT INTO words (words, rowid, text) VALUES ('delete', ?, ?)", rows)
    db.execute("DELETE FROM entries WHERE run = ?", (run,))


def _indexed_events(db: sqlite3.Connection, run: str) -> list[tuple[str, dict[str, Any]]] | None:
    """The events of a run that are indexed; None where one of them is damaged."""
    query = "SELECT type, body FROM events WHERE run = ? AND type IN (?, ?, ?) ORDER BY seq"
    try:
        found = [(type, unpack(db, json.loads(body))) for type, body in db.execute(query, (run, *_INDEXED))]
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None
    whole = [(type, value) for type, value in found if value is not None]
    return whole if len(whole) == len(found) else None


def _words_of(type: str, value: dict[str, Any]) -> str:
    text = value.get("evidence", value).get(_INDEXED.get(type, ""))  # as `airoagent.events.from_json` reads it
    return text.encode("utf-8", "replace").decode() if isinstance(text, str) else ""


def query_of(text: str) -> str:
    """What a user types as an FTS5 query: every word, each also as the beginning of a longer one; "" without words."""
    return " ".join(f'"{word}"*' for word in re.findall(r"\w+", text.replace("_", " ")))


def unpack(db: sqlite3.Connection, value: dict[str, Any]) -> dict[str, Any] | None:
    """The event with its long texts in place of their hashes; None where the file has lost one, or it was changed."""
    for name, item in value.items():
        if isinstance(item, dict) and "$text" not in item:
            if unpack(db, item) is None:
                return None
        elif isinstance(item, dict):
            key = bytes.fromhex(item["$text"])
            row = db.execute("SELECT text FROM texts WHERE hash = ?", (key,)).fetchone()
            if row is None or hashlib.sha256(row[0]).digest() != key:
                return None
            value[name] = row[0].decode("utf-8", "surrogatepass")
    return value
