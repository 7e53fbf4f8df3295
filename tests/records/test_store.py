"""The store: what it has acknowledged it has, for every event, across processes and kills."""

from __future__ import annotations

import errno
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airoagent import Agent, Policy, Run, ScriptedModel, StoreError, tool
from airoagent.events import Evidence, PlanWritten, RunFinished, RunStarted, StepFinished, Usage
from airoagent.models.base import Chunk, Prompt
from airoagent.plan.parser import parse_plan
from airoagent.records.run_lock import Locks
from airoagent.records.run_record import read_trace, write_trace
from airoagent.records.store import Store, new_run_id
from airoagent.records.upkeep import collect
from tests.running import make_agent

DONE = RunFinished(status="done", answer="42", sources=(), usage=Usage(), seconds=1.5)


def _begin(store: Store, run: str, question: str = "how many?") -> None:
    store.append(run, 0, RunStarted(run=run, question=question, model="m"))


@pytest.fixture
def store(tmp_path: Path):  # type: ignore[no-untyped-def]
    store = Store(tmp_path / "deep" / "runs.sqlite3")
    yield store
    store.close()


def test_a_run_is_listed_found_and_read(store: Store) -> None:
    _begin(store, "20260101-000000-aaaaa")
    _begin(store, "20260101-000001-bbbbb", "why?")
    store.append("20260101-000000-aaaaa", 1, DONE)
    rows = store.list()
    assert [(row.id[-5:], row.status, row.answer) for row in rows] == [
        ("bbbbb", "running", None),
        ("aaaaa", "done", "42"),
    ]
    assert store.find("@last") == "20260101-000001-bbbbb"
    assert store.find("20260101-000000") == "20260101-000000-aaaaa"
    assert [row.question for row in store.list(query="WHY")] == ["why?"]
    for status, ids in (("running", ["bbbbb"]), ("done", ["aaaaa"]), ("interrupted", []), ("failed", [])):
        assert [row.id[-5:] for row in store.list(status=status)] == ids
    assert store.list(query="why", status="done") == () != store.list(query="why", status="running")
    store.let_go("20260101-000001-bbbbb")
    assert [row.id[-5:] for row in store.list(1, status="interrupted")] == ["bbbbb"]
    assert store.events("20260101-000000-aaaaa")[-1] == DONE
    for word, told in (("2026", "several runs begin"), ("x", "there is no run"), ("%", "there is no run")):
        with pytest.raises(StoreError, match=told):
            store.find(word)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(text=st.text(st.characters(), max_size=600))
def test_any_text_comes_back_as_it_was(store: Store, text: str) -> None:
    run = new_run_id()
    store.append(run, 0, RunStarted(run=run, question=text, model=text, parent=text))
    event = StepFinished(Evidence(text, "t", text * 3), attempt=1, seconds=0)
    store.append(run, 1, event)
    assert store.events(run)[1] == event and store.events(run)[0].question == text  # type: ignore[attr-defined]


def test_a_long_text_is_kept_once_and_goes_with_the_last_run_that_holds_it(store: Store) -> None:
    for run in ("a", "b"):
        _begin(store, run)
        store.append(run, 1, PlanWritten(text="x" * 5000))
    with sqlite3.connect(store.path) as db:
        count = "SELECT count(*) FROM texts"
        assert db.execute(count).fetchone() == (1,)
        with pytest.raises(StoreError, match="still going"):
            store.remove("a")
        store.let_go("a")
        store.remove("a")
        assert db.execute(count).fetchone() == (1,)
        assert store.events("b")[1] == PlanWritten(text="x" * 5000, at=store.events("b")[1].at)
        store.let_go("b")
        store.remove("b")
        assert db.execute(count).fetchone() == (0,)
    db.close()
    with pytest.raises(StoreError):
        store.events("a")


def test_a_file_of_a_later_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite3"
    Store(path).close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.commit()
    db.close()
    with pytest.raises(StoreError, match="later airoagent"):
        Store(path)


def test_a_file_of_an_older_version_becomes_searchable_with_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite3"
    store = Store(path)
    _begin(store, "a", "an old question")
    text = "found the walrus " * 30
    store.append("a", 1, StepFinished(Evidence("evidence0", "t", text), attempt=1, seconds=0))
    store.append("a", 2, DONE)
    store.close()
    db = sqlite3.connect(path)
    for table in ("entries", "words", "cache", "beside"):
        db.execute(f"DROP TABLE {table}")
    db.execute("PRAGMA user_version = 1")
    db.commit()
    db.close()
    store = Store(path)
    for query in ("old", "WALRUS", "42"):
        assert [row.id for row in store.list(query=query)] == ["a"], query
    store.close()


def test_a_search_finds_words_in_questions_evidence_and_answers_newest_first(store: Store) -> None:
    runs = [("an old tower", "stones"), ("a lake", "a Tower!"), ("a poet", "verse")]
    for number, (question, found) in enumerate(runs):
        run = f"r{number}"
        store.append(run, 0, RunStarted(run=run, question=question, model="m", at=float(number)))
        store.append(run, 1, StepFinished(Evidence("e", "t", found), attempt=1, seconds=0))
    assert [row.id for row in store.list(query="tower")] == ["r1", "r0"]
    assert [row.id for row in store.list(1, "tow")] == ["r1"]
    assert [row.id for row in store.list(query="old TOWER")] == ["r0"]
    assert store.list(query='"AND (') == store.list(query="nothing of it") == ()
    assert [row.id for row in store.list(query="oet")] == ["r2"]  # no word begins so, but a question holds it
    store.let_go("r1")
    store.remove("r1")
    assert [row.id for row in store.list(query="tower")] == ["r0"]
    _begin(store, "r4", "nothing to do with it")
    assert [row.id for row in store.list(query="tower")] == ["r0"]


def test_clearing_out_removes_what_is_old_and_leaves_what_is_driven(store: Store) -> None:
    for number, run in enumerate(("old", "driven", "new")):
        store.append(run, 0, RunStarted(run=run, question="q", model="m", at=float(number)))
        store.append(run, 1, PlanWritten(text=run * 50_000))
    store.append("old", 2, DONE)
    store.append("new", 2, DONE)
    done = collect(store, store.find_old(before=10.0, keep=1))
    assert (done.removed, done.failed) == (1, ()) and done.saved >= 0
    assert [row.id for row in store.list()] == ["new", "driven"]
    assert len(store.events("new")[1].text) == 150_000  # type: ignore[attr-defined]
    assert [row.id for row in store.list(query="42")] == ["new"]


def test_a_look_at_a_run_does_not_keep_another_process_from_driving_it(tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    one, other = Locks(tmp_path), Locks(tmp_path)
    assert one.take("r")
    one.release("r", ended=False)
    (file,) = tmp_path.iterdir()
    with file.open("rb") as look, ThreadPoolExecutor(1) as pool:
        fcntl.flock(look, fcntl.LOCK_SH)  # as `driven` does
        taken = pool.submit(other.take, "r")
        fcntl.flock(look, fcntl.LOCK_UN)
        assert taken.result()
    assert not one.take("r")
    other.close()
    assert one.take("r")
    one.close()


def test_a_run_that_another_process_is_about_to_resume_is_not_removed(store: Store) -> None:
    pytest.importorskip("fcntl")
    _begin(store, "r")
    store.append("r", 1, DONE)
    other = Locks(store.path.with_name(store.path.name + ".locks"))
    assert other.take("r")  # as before `RunResumed` is written
    with pytest.raises(StoreError, match="still going"):
        store.remove("r")
    other.close()
    store.remove("r")
    assert store.list() == () and list(store.path.parent.glob("*.locks/*")) == []


def test_a_file_system_without_locks_has_none_to_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fcntl = pytest.importorskip("fcntl")

    def no_locks(handle: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    locks = Locks(tmp_path)
    assert locks.take("r") and locks.driven("r") is None


def test_what_is_no_database_is_refused_with_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite3"
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreError, match="cannot be opened"):
        Store(path)


def test_the_same_event_number_cannot_be_written_twice(store: Store) -> None:
    _begin(store, "a")
    with pytest.raises(StoreError):
        _begin(store, "a")
    assert len(store.events("a")) == 1


_WRITER = """
import sys
from pathlib import Path
from airoagent.records.store import Store
from airoagent.events import PlanWritten, RunStarted
store = Store(Path(sys.argv[1]))
store.append("r", 0, RunStarted(run="r", question="q", model="m"))
for number in range(1, 10**6):
    store.append("r", number, PlanWritten(text=f"{number}" + "x" * 300))
    print(number, flush=True)
"""


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite3"
    process = subprocess.Popen([sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    acknowledged = [int(process.stdout.readline()) for _ in range(30)][-1]
    process.send_signal(signal.SIGKILL)
    rest = process.stdout.read().split()
    process.stdout.close()
    process.wait()
    acknowledged = int(rest[-1]) if rest else acknowledged
    store = Store(path)
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()
    assert len(store.events("r")) > acknowledged
    assert store.list()[0].status == "interrupted"
    store.close()


def test_several_processes_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite3"
    code = _WRITER.replace('"r"', "sys.argv[2]").replace("10**6", "40")
    processes = [
        subprocess.Popen([sys.executable, "-c", code, str(path), f"r{n}"], stdout=subprocess.DEVNULL) for n in range(4)
    ]
    assert [process.wait(60) for process in processes] == [0] * 4
    store = Store(path)
    assert all(len(store.events(f"r{n}")) == 40 for n in range(4))
    store.close()


def test_a_full_disk_ends_the_run_with_a_store_error_and_its_record_intact(tmp_path: Path) -> None:
    """The limit on file size stands for a full disk; it is set in a child, for it cannot be taken back."""
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "from pathlib import Path; from airoagent import StoreError\n"
        "from airoagent.records.store import Store; from airoagent.events import PlanWritten, RunStarted\n"
        "store = Store(Path(sys.argv[1])); store.append('r', 0, RunStarted(run='r', question='q', model='m'))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
        "import random\n"
        "try:\n"
        "    for n in range(1, 1000):\n"
        "        store.append('r', n, PlanWritten(text=random.randbytes(5000).hex()))\n"
        "        print(n, flush=True)\n"
        "except StoreError as error: print(error)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "runs.sqlite3")], capture_output=True, text=True, timeout=60
    )
    *numbers, told = result.stdout.splitlines()
    assert told.startswith("the record cannot be written"), result.stderr
    store = Store(tmp_path / "runs.sqlite3")
    assert len(store.events("r")) >= int(numbers[-1]) + 1
    store.close()


def test_a_run_of_the_agent_is_on_record_whole_and_its_trace_reads_back(tmp_path: Path) -> None:
    @tool
    def echo(text: str) -> str:
        """Says what it is told."""
        return text

    path = tmp_path / "runs.sqlite3"
    run = make_agent(":evidence0: = echo[hi]\nAnswer: :evidence0:", echo, store=path).run("q")
    store = Store(path)
    assert store.events(run.id) == run.events
    again = Run.from_events(read_trace(write_trace(run.id, run.events)))
    assert again == run
    store.close()


def test_the_run_is_committed_before_the_model_is_asked_and_the_start_before_the_call(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite3"
    seen: list[list[str]] = []

    def on_record() -> list[str]:
        store = Store(path)
        events = store.events(store.find("@last"))
        store.close()
        return [event.type for event in events]

    @tool
    def look(text: str) -> str:
        """Looks at the record while it is being called."""
        seen.append(on_record())
        return text

    plan = ":evidence0: = look[hi]\nAnswer: :evidence0:"
    make_agent(plan, look, store=path, eager=False).run("q")
    make_agent(plan, look, store=path).run("q")
    assert seen[0] == ["run_started", "model_called", "plan_written", "plan_parsed", "step_started"]
    assert seen[1][:3] == ["run_started", "plan_part", "step_started"]


_HEADER = '{"format": "airoagent-trace", "version": 1}'
_END = (
    '{"type": "run_finished", "status": "failed", "answer": null, "sources": [], "seconds": 0, "at": 1.0, "usage": {},'
    ' "failure": {"kind": "ToolError", "message": "m", "hint": "h", "exit_code": "x"}}'
)
_START = '{"type": "run_started", "run": "r", "question": "q", "model": "m", "at": 1.0}'
_STEP = '{"type": "step_started", "step": "evidence0", "tool": "t", "input": "x", "attempt": 1, "at": 1.0}'


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["nonsense"], "line 1 of the trace is not JSON"),
        (["{}"], "not an airoagent trace"),
        (['{"format": "airoagent-trace", "version": 99}'], "reads up to"),
        (['{"format": "airoagent-trace", "version": 1}'], "contains no events"),
        (['{"format": "airoagent-trace", "version": 1}', '{"type": "x"}'], "not an event"),
        (['{"format": "airoagent-trace", "version": 1}', "[" * 100_000], "line 2 of the trace is not JSON"),
        (['{"format": "airoagent-trace", "version": "1"}'], "has version 1; this airoagent reads up to"),
        ([_HEADER, _START.replace('"q"', "5")], "line 2 of the trace holds int where question is str"),
        ([_HEADER, _START[:-1] + ', "tools": "ab"}'], "line 2 of the trace holds str where tools is tuple"),
        ([_HEADER, _START[:-1] + ', "settings": [["a"]]}'], "line 2 of the trace holds list where settings is tuple"),
        ([_HEADER, _START, _END], "line 3 of the trace holds str where exit_code is int"),
        (['{"format": "airoagent-trace", "version": 1}', _STEP], "line 2 of the trace is not where it belongs"),
        (
            ['{"format": "airoagent-trace", "version": 1}', _START, _START],
            "line 3 of the trace is not where it belongs",
        ),
    ],
)
def test_what_is_no_trace_is_told(lines: list[str], told: str) -> None:
    with pytest.raises(StoreError, match=told):
        read_trace(lines)


def test_run_ids_sort_by_time_and_differ() -> None:
    ids = {new_run_id() for _ in range(200)}
    assert len(ids) == 200 and all(len(id) == 21 for id in ids)
    assert all(id[:8].isdigit() for id in ids)


@pytest.mark.parametrize("size", [300, 5_000, 60_000, 500_000])
def test_a_full_disk_is_told_as_that_and_the_store_goes_on_when_there_is_room_again(tmp_path: Path, size: int) -> None:
    """With a large row SQLite ends the transaction by itself; with a small one it is the commit that fails."""
    store = Store(tmp_path / "runs.sqlite3")
    texts = iter(f"{number}" * (size // 2) for number in range(10))

    @tool
    async def big(text: str) -> str:
        """Finds much."""
        return next(texts)

    plan = ":evidence0: = big[a]\n:evidence1: = big[b]\n:evidence2: = big[c]\nAnswer: :evidence2:"
    pages = store._db.execute("PRAGMA page_count").fetchone()[0]
    store._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError, match="full") as caught:
        make_agent(plan, big, store=store).run("q" * 9_000)
    assert caught.value.hint.startswith("free some disk space")
    store._db.execute("PRAGMA max_page_count = 1000000")
    assert make_agent(plan, big, store=store).run("q").status == "done"
    assert store._db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    store.close()


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ("UPDATE events SET body = '{' WHERE seq = 2", "is damaged"),
        ("UPDATE events SET body = '[]' WHERE seq = 2", "is damaged"),
        ('UPDATE events SET body = \'{"type": "step_finished"}\' WHERE seq = 2', "not an event"),
        ('UPDATE events SET body = \'{"text": {"$text": "zz"}}\' WHERE seq = 2', "is damaged"),
        ('UPDATE events SET body = \'{"type": "unheard_of"}\' WHERE seq = 2', "not an event"),
        ("DELETE FROM events WHERE seq = 2", "has lost an event"),
    ],
)
def test_a_damaged_record_is_told_and_not_gone_on_from(store: Store, damage: str, told: str) -> None:
    run = make_agent(":evidence0: = word[a]\nAnswer: :evidence0:", _word, store=store).run("q")
    store._db.execute(damage)
    with pytest.raises(StoreError, match=told) as caught:
        store.events(run.id)
    assert not re.search(r"object has no|__init__|argument", caught.value.message)


@tool
def _word(text: str) -> str:
    """A word."""
    return text


@pytest.mark.parametrize("word", ["", "x" * 100_000, "\ud800", "\x00", "'", "../../etc/passwd"])
def test_a_word_that_can_be_no_id_is_no_run(store: Store, word: str) -> None:
    _begin(store, "20260101-000000-aaaaa")
    with pytest.raises(StoreError, match="there is no run"):
        store.find(word)


class Flushed(Store):
    """A store that knows what had been on record whenever it was flushed."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.lasting: list[str] = []

    def flush(self) -> None:
        with sqlite3.connect(self.path) as db:
            rows = db.execute("SELECT type FROM events ORDER BY at, seq").fetchall()
        db.close()
        super().flush()
        self.lasting = [type for (type,) in rows]


def test_a_power_cut_can_take_no_accepted_run_no_start_of_a_call_with_side_effects_and_no_end(tmp_path: Path) -> None:
    store = Flushed(tmp_path / "runs.sqlite3")
    lasting: list[list[str]] = []

    @tool(side_effects=True)
    def send(text: str) -> str:
        """Sends a letter."""
        lasting.append(store.lasting)
        return "sent"

    @tool(repeatable=False)
    def count(text: str) -> str:
        """Counts up."""
        lasting.append(store.lasting)
        return "1"

    class Asked(ScriptedModel):
        def stream(self, prompt: Prompt) -> AsyncIterator[Chunk]:
            lasting.append(store.lasting)
            return super().stream(prompt)

    async def yes(*_: object) -> bool:
        return True

    model = Asked({"plan": [":evidence0: = send[hi]\n:evidence1: = count[:evidence0:]\nAnswer: :evidence1:"]})
    agent = Agent(model, [send, count], store=store, approve=yes, policy=Policy(eager=False))
    assert agent.run("q").status == "done"
    assert lasting[0] == ["run_started"]
    assert lasting[1][-1] == "step_started" and lasting[1].count("step_started") == 1
    assert lasting[2][-1] == "step_started" and lasting[2].count("step_started") == 2
    assert store.lasting[-1] == "run_finished"
    store.close()


def test_the_runs_of_an_agent_share_a_store_which_is_opened_again_where_the_file_has_gone(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite3"
    agent = make_agent(":evidence0: = _word[a]\nAnswer: :evidence0:", _word, store=path)

    def rerun() -> Store | None:
        assert agent.execute(parse_plan(":evidence0: = _word[a]\nAnswer: :evidence0:", ["_word"])).status == "done"
        return agent.session.records.open()

    first = rerun()
    assert first is not None and rerun() is first and len(first.list()) == 2
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).rename(path.with_name("old" + suffix))
    second = rerun()
    assert second is not None and second is not first and len(second.list()) == 1
    agent.close()
    assert not second.is_open()
    third = rerun()
    assert third is not None and len(third.list()) == 2
    agent.close()


def test_the_log_does_not_grow_without_end(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs.sqlite3")
    log = store.path.with_name(store.path.name + "-wal")
    for number in range(40):
        _begin(store, f"r{number}")
        store.append(f"r{number}", 1, PlanWritten(text=f"{number}" + "x" * 400_000))
        store.append(f"r{number}", 2, DONE, lasting=True)
    assert log.stat().st_size < 10_000_000
    assert len(store.events("r39")) == 3
    store.close()


def test_a_run_that_was_stored_before_evidence_was_one_record_is_read_found_and_removed(tmp_path: Path) -> None:
    lines = (Path(__file__).parents[1] / "data" / "traces" / "version2_done.jsonl").read_text(encoding="utf-8")
    run = Run.from_events(read_trace(lines.splitlines()))
    store = Store(tmp_path / "runs.sqlite3")
    store.write_run(run.id, run.events)
    for number, line in enumerate(lines.splitlines()[1:]):  # the rows as an older airoagent wrote them
        store._db.execute("UPDATE events SET body = ? WHERE run = ? AND seq = ?", (line, run.id, number))
    assert [repr(event) for event in store.events(run.id)] == [repr(event) for event in run.events]
    word = next(iter(run.evidence.values())).text.split()[0]
    assert [row.id for row in store.list(query=word)] == [run.id]
    store.remove(run.id)
    assert store.list(query=word) == ()
    store.close()
