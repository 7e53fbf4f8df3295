"""Clearing out, repairing, and reading a store that cannot be written now."""

from __future__ import annotations

import os
import random
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airoagent import StoreError
from airoagent.events import Evidence, PlanWritten, RunFinished, RunStarted, StepFinished, StepStarted, Usage
from airoagent.records import store as store_module
from airoagent.records.store import Store
from airoagent.records.upkeep import collect, repair, size_on_disk


def write_run(store: Store, number: int, text: str = "") -> str:
    """A finished run with words of its own, and a long text."""
    run = f"r{number:03}"
    store.append(run, 0, RunStarted(run=run, question=f"question{number}", model="m", at=1000.0 + number))
    store.append(run, 1, PlanWritten(text=text or f"plan{number} " * 100))
    store.append(run, 2, StepStarted(step="evidence0", tool="t", input="x"))
    found = f"common found{number}"
    store.append(run, 3, StepFinished(Evidence("evidence0", "t", found), attempt=1, seconds=0))
    store.append(run, 4, RunFinished(status="done", answer=f"answer{number}", sources=(), usage=Usage(), seconds=1))
    return run


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "state" / "runs.sqlite3")
    yield store
    store.close()


def indexed(store: Store, word: str) -> int:
    """How many entries of the index itself have a word."""
    return len(store._db.execute("SELECT rowid FROM words WHERE words MATCH ?", (word,)).fetchall())


def test_a_removed_run_leaves_the_index_and_the_others_stay_in_it(store: Store) -> None:
    runs = [write_run(store, number) for number in range(3)]
    assert indexed(store, "common") == 3
    store.remove(runs[1])
    assert [indexed(store, word) for word in ("common", "found1", "answer1", "question1", "found2")] == [2, 0, 0, 0, 1]
    assert [row.id for row in store.list(query="common")] == ["r002", "r000"]
    store._db.execute("INSERT INTO words (words) VALUES ('integrity-check')")


def test_clearing_out_gives_the_room_back_and_keeps_the_newest(store: Store) -> None:
    for number in range(40):
        write_run(store, number, random.Random(number).randbytes(20_000).hex())
    store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    before = size_on_disk(store)
    done = collect(store, store.find_old(before=1e12, keep=2))
    assert (done.removed, done.failed) == (38, ())
    assert [row.id for row in store.list()] == ["r039", "r038"]
    assert size_on_disk(store) < before / 4 and done.saved > before / 2
    assert len(store.events("r039")) == 5


def test_a_file_of_an_older_version_is_shortened_only_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite3"
    store = Store(path)
    store._db.execute("PRAGMA auto_vacuum=NONE")
    store._db.execute("VACUUM")
    for number in range(20):
        write_run(store, number, random.Random(number).randbytes(20_000).hex())
    store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    done = collect(store, store.find_old(before=1e12))
    assert done.removed == 20 and done.inside > 500_000 > done.saved
    done = collect(store, (), vacuum=True)
    assert done.saved > 500_000 and done.inside == 0
    store.close()


def test_others_write_and_read_while_runs_are_cleared_out(store: Store) -> None:
    for number in range(30):
        write_run(store, number)
    other = Store(store.path)

    def removing() -> Iterator[str]:
        for number, run in enumerate(store.find_old(before=1e12)):
            write_run(other, 100 + number)
            assert other.list(1)[0].id == f"r{100 + number}"
            yield run

    assert collect(store, removing()).removed == 30
    assert len(other.list(100)) == 30
    other.close()


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE events SET body = '{x' WHERE run = 'r001' AND seq = 3",
        "UPDATE events SET body = NULL || x'ff' WHERE run = 'r001' AND seq = 3",
        "UPDATE events SET body = '[1]' WHERE run = 'r001' AND seq = 0",
        "UPDATE events SET body = '{\"type\": 5}' WHERE run = 'r001' AND seq = 4",
        "DELETE FROM events WHERE run = 'r001' AND seq = 3",
        "DELETE FROM texts WHERE hash = (SELECT hash FROM uses WHERE run = 'r001')",
        "UPDATE texts SET text = 'other' WHERE hash = (SELECT hash FROM uses WHERE run = 'r001')",
        "DELETE FROM entries WHERE run = 'r001'",
    ],
)
def test_a_damaged_run_costs_itself_alone_and_can_be_cleared_out(store: Store, damage: str) -> None:
    for number in range(3):
        write_run(store, number)
    try:
        store._db.execute(damage)
    except sqlite3.IntegrityError:
        store._db.execute("UPDATE events SET body = x'ff' WHERE run = 'r001' AND seq = 3")
    assert [row.id for row in store.list()] == ["r002", "r001", "r000"]
    assert len(store.events("r002")) == 5
    if "entries" not in damage:
        with pytest.raises(StoreError) as caught:
            store.events("r001")
        assert "repair" in caught.value.hint
    done = collect(store, store.find_old(before=1e12, keep=1))
    assert (done.removed, done.failed) == (2, ())
    assert [row.id for row in store.list(query="common")] == ["r002"]


def test_nothing_is_changed_where_nothing_is_damaged(store: Store) -> None:
    write_run(store, 0)
    with pytest.raises(StoreError, match=r"has the run store .* open"):
        repair(store.path)
    store.close()
    assert repair(store.path) is None
    with pytest.raises(StoreError, match="there is no run store"):
        repair(store.path.with_name("other.sqlite3"))


def test_a_store_with_a_damaged_event_is_repaired_and_the_run_kept_up_to_it(store: Store) -> None:
    runs = [write_run(store, number) for number in range(3)]
    store.put_beside(runs[0], "what it began with")
    store._db.execute("UPDATE events SET body = '{x' WHERE run = 'r001' AND seq = 3")
    store.close()
    done = repair(store.path)
    assert done is not None and (done.whole, done.cut, done.lost) == (2, ("r001",), ())
    assert done.old.exists() and stat.S_IMODE(done.old.stat().st_mode) == 0o600
    again = Store(store.path)
    assert [(row.id, row.status) for row in again.list()] == [
        ("r002", "done"),
        ("r001", "interrupted"),
        ("r000", "done"),
    ]
    assert len(again.events("r001")) == 3 and len(again.events("r002")) == 5
    assert again.beside("r000") == "what it began with"
    assert [row.id for row in again.list(query="found2")] == ["r002"]
    again.close()
    assert repair(store.path) is None


@pytest.mark.parametrize("seed", range(12))
def test_after_bad_pages_a_repair_keeps_all_that_can_be_read(tmp_path: Path, seed: int) -> None:
    """A bad page anywhere: the next run can be recorded, and every run in the list can be read."""
    path = tmp_path / "runs.sqlite3"
    store = Store(path)
    for number in range(60):
        write_run(store, number)
    page = store._db.execute("PRAGMA page_size").fetchone()[0]
    store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    store.close()
    raw = bytearray(path.read_bytes())
    chance = random.Random(seed)
    first = page * chance.randrange(0 if seed == 0 else 1, len(raw) // page)
    raw[first : first + page] = chance.randbytes(page) if seed % 2 else bytes(page)
    path.write_bytes(raw)
    done = repair(path)
    store = Store(path)
    rows = store.list(100)
    assert store._db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert all(store.events(row.id) for row in rows)
    write_run(store, 999)
    assert indexed(store, "common") >= len(store.list(100, "common"))
    store.close()
    if done is not None:
        assert len(rows) == done.whole + len(done.cut)
        assert done.whole >= 30 or seed == 0, "one page of some fifty costs no more than a few runs"


def test_what_is_no_database_is_moved_away_by_a_repair(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite3"
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreError) as caught:
        Store(path)
    assert "airo runs repair" in caught.value.hint
    done = repair(path)
    assert done is not None and done.old.read_bytes().startswith(b"not a database")
    store = Store(path)
    assert store.list() == ()
    store.close()


def stored_runs(path: Path, count: int = 60, logged: int = 0) -> None:
    """A store of so many runs with long texts, ``logged`` of them only in the log; nobody has it open."""
    source = Store(path.parent / "source" / path.name)
    for number in range(count):
        if number == count - logged:
            source._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        write_run(source, number, random.Random(number).randbytes(3_000).hex())
    if not logged:
        source._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    path.write_bytes(source.path.read_bytes())
    path.with_name(path.name + "-wal").write_bytes(Path(f"{source.path}-wal").read_bytes())
    source.close()


def wipe(first: int, last: int) -> Callable[[bytes], bytes]:
    """Zeros in the place of these bytes of a file."""
    return lambda raw: raw[:first] + bytes(last - first) + raw[last:]


def cut(share: float) -> Callable[[bytes], bytes]:
    """The first part of a file."""
    return lambda raw: raw[: int(len(raw) * share)]


DAMAGES = {
    "no magic": (wipe(0, 16), 60, 40),
    "no header": (wipe(0, 100), 60, 40),
    "no first page": (wipe(0, 4096), 60, 40),
    "no first pages": (wipe(0, 10 * 4096), 40, 25),
    "cut at 90 %": (cut(0.9), 40, 25),
    "cut at 50 %": (cut(0.5), 15, 5),
    "empty": (cut(0), 5, 0),
}


@pytest.mark.parametrize("log", ["in the file", "with the log", "log lost"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_that_sqlite_does_not_open_is_repaired_from_its_pages(tmp_path: Path, damage: str, log: str) -> None:
    """What is left in the pages and in the log is kept, event by event as it was, and no old file is touched."""
    change, wanted, without = DAMAGES[damage]
    path, wal = tmp_path / "runs.sqlite3", tmp_path / "runs.sqlite3-wal"
    stored_runs(path, logged=0 if log == "in the file" else 20)
    path.write_bytes(change(path.read_bytes()))
    if log != "with the log":
        wal.unlink()
        wanted = {"in the file": 0 if damage == "empty" else wanted, "log lost": without}[log]
    before = {file.name: file.read_bytes() for file in (path, wal) if file.exists()}
    done = repair(path)
    old = path if done is None else done.old
    assert {name: old.with_name(name.replace(path.name, old.name)).read_bytes() for name in before} == before
    store = Store(path)
    runs = {row.id: store.events(row.id) for row in store.list(100)}
    whole = [id for id, events in runs.items() if isinstance(events[-1], RunFinished)]
    store.close()
    for id, events in runs.items():
        text = random.Random(int(id[1:])).randbytes(3_000).hex()
        assert len(events) == 5 or id not in whole
        assert all(event.text == text for event in events if isinstance(event, PlanWritten))
    assert len(whole) >= wanted
    if done is None:
        assert log == "with the log" and len(whole) == 60, "the log has the pages that the file lost"
    else:
        assert (done.whole, done.events) == (len(whole), sum(map(len, runs.values())))
        assert len(runs) == done.whole + len(done.cut) and not set(runs) & set(done.lost)
    assert not list(tmp_path.glob("*repair*"))


@pytest.mark.parametrize("shrinks", [True, False], ids=["file of today", "file of an older version"])
def test_a_run_that_was_removed_does_not_come_back_by_a_repair(tmp_path: Path, shrinks: bool) -> None:
    path = tmp_path / "runs.sqlite3"
    store = Store(path)
    if not shrinks:
        store._db.execute("PRAGMA auto_vacuum=NONE")
        store._db.execute("VACUUM")
    store._db.execute("PRAGMA secure_delete=OFF")
    for number in range(60):
        write_run(store, number, random.Random(number).randbytes(3_000).hex())
    for number in range(0, 60, 2):
        store.remove(f"r{number:03}")
    store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    root = store._db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'runs_by_start'").fetchone()[0]
    store.close()
    raw = path.read_bytes()
    assert b'"question": "question0"' in raw, "the pages of a removed run are still there"
    path.write_bytes(wipe(0, 100)(raw) if shrinks else wipe((root - 1) * 4096, root * 4096)(raw))
    done = repair(path)
    assert done is not None and (done.whole, done.cut, done.lost) == (30, (), ())
    store = Store(path)
    assert {int(row.id[1:]) % 2 for row in store.list(100)} == {1}
    store.close()


def test_a_log_that_was_cut_off_counts_up_to_its_last_whole_commit(tmp_path: Path) -> None:
    path, wal = tmp_path / "runs.sqlite3", tmp_path / "runs.sqlite3-wal"
    stored_runs(path, logged=20)
    path.write_bytes(b"")
    raw = wal.read_bytes()
    frame = 32 + 4120 * (len(raw) // 4120 // 2)
    wal.write_bytes(raw[: frame + 500] + b"\xff" + raw[frame + 501 :])
    half = repair(path)
    path.unlink()
    path.write_bytes(b"")
    wal.write_bytes(raw)
    full = repair(path)
    assert half is not None and full is not None and 0 < half.events < full.events


# Reading -------------------------------------------------------------------------------------------------------------


def test_reading_goes_on_while_another_process_holds_the_lock_for_writing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(store, 0)
    monkeypatch.setattr(store_module, "PATIENCE", 0.05)
    writer = sqlite3.connect(store.path, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    try:
        reader = Store(store.path)
        assert [row.id for row in reader.list(query="common")] == ["r000"]
        assert len(reader.events(reader.find("@last"))) == 5
        with pytest.raises(StoreError, match="another airo has been writing to") as caught:
            write_run(reader, 1)
        assert caught.value.hint.startswith("try again once it has finished")
        turns = iter(["r000", "r000"])
        with pytest.raises(StoreError, match="another airo has been writing to"):
            collect(reader, turns)
        assert list(turns) == ["r000"], "it does not wait for the lock once for each run"
    finally:
        writer.close()
    write_run(reader, 1)
    reader.close()


_READ_AS_NOBODY = """
import os, sys
from pathlib import Path
from airoagent.records.store import Store
from airoagent.errors import StoreError
import airoagent.records.upkeep, encodings.idna
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
store = Store(Path(sys.argv[1]))
print([row.id for row in store.list(query="common")], len(store.events("r000")), store.status("r000"))
try:
    store.remove("r000")
except StoreError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs modes")
@pytest.mark.parametrize("checkpointed", [True, False])
def test_a_store_on_a_read_only_file_system_can_be_read(tmp_path: Path, checkpointed: bool) -> None:
    """Somebody who may not write to the folder stands for a file system that nobody can write to."""
    folder = tmp_path / "state"
    store = Store(folder / "runs.sqlite3")
    write_run(store, 0)
    if checkpointed:
        store.close()
    for file in folder.iterdir():
        file.chmod(0o555 if file.is_dir() else 0o444)
    folder.chmod(0o555)
    for parent in (tmp_path, *tmp_path.parents):
        if parent.stat().st_uid == os.geteuid() and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o011)
    try:
        result = subprocess.run(
            [sys.executable, "-c", _READ_AS_NOBODY, str(store.path)], capture_output=True, text=True, timeout=60
        )
    finally:
        folder.chmod(0o700)
        store.close()
    lines = result.stdout.splitlines()
    assert lines[0] == "['r000'] 5 done", result.stderr
    assert lines[1].startswith("the record cannot be changed: attempt to write a readonly database")


# Whom the record is for ----------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="needs modes")
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o177])
def test_records_are_for_their_owner_alone_whatever_the_umask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, umask: int
) -> None:
    monkeypatch.setenv("AIRO_HOME", str(tmp_path / "home"))
    path = tmp_path / "home" / "state" / "runs.sqlite3"
    old = os.umask(umask)
    try:
        store = Store(path)
        store.append("a", 0, RunStarted(run="a", question="q", model="m"))
        modes = {file: stat.S_IMODE(file.stat().st_mode) for file in (path.parent, *path.parent.rglob("*"))}
        store.close()
    finally:
        os.umask(old)
    assert {f"{path.name}-wal", f"{path.name}-shm", f"{path.name}.locks"} <= {file.name for file in modes}
    assert {file: mode for file, mode in modes.items() if mode != (0o700 if file.is_dir() else 0o600)} == {}


@pytest.mark.skipif(sys.platform == "win32", reason="needs modes")
def test_records_that_others_could_read_are_closed_to_them_and_a_strange_folder_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRO_HOME", str(tmp_path / "home"))
    for folder, wanted in ((tmp_path / "home" / "state", 0o700), (tmp_path / "mine", 0o755)):
        path = folder / "runs.sqlite3"
        Store(path).close()
        folder.chmod(0o755)
        path.chmod(0o644)
        Store(path).close()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(folder.stat().st_mode) == wanted
