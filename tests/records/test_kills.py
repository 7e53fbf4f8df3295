"""``kill -9``: nothing acknowledged is lost, the file stays whole, and resume repeats nothing that finished."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from airoagent import Run
from airoagent.events import StepFinished
from airoagent.records.store import Store

ROOT = Path(__file__).parents[2]

# Runs (or resumes) the plan of ten steps. Every call of the tool is a line in a file, written before the tool answers;
# every event that the store has acknowledged is a line on stdout. With a number, the process kills itself right after
# that many events were acknowledged.
_DRIVER = """
import os, signal, sys
from pathlib import Path
from airoagent import tool
from tests.recording import TEN_STEPS, recording

path, calls, kill_after, word = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]

@tool
async def count(text: str) -> str:
    \"\"\"Counts.\"\"\"
    with open(calls, "a") as file:
        file.write(text + "\\n")
    return f"({text})"

seen = 0

def watch(event):
    global seen
    if event.live:
        return
    seen += 1
    print(event.type, getattr(event, "step", ""), flush=True)
    if seen == kill_after:
        os.kill(os.getpid(), signal.SIGKILL)

agent = recording(TEN_STEPS, path, count)
run = agent.resume(word, watch=watch) if word else agent.run("q", watch=watch)
print("answer", run.answer, flush=True)
"""


def drive(folder: Path, kill_after: int = 0, word: str = "") -> subprocess.Popen[str]:
    """Start the driver on the store in this folder."""
    arguments = [str(folder / "runs.sqlite3"), str(folder / "calls"), str(kill_after), word]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-c", _DRIVER, *arguments], stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, list[str]]:
    """Wait for the end; the exit code and the lines told."""
    told = process.communicate(timeout=60)[0].splitlines()
    return process.returncode, told


def check_record(folder: Path, told: list[str]) -> tuple[str, set[str]]:
    """The store is whole and holds all that was acknowledged; the run's id and the steps that finished."""
    db = sqlite3.connect(folder / "runs.sqlite3")
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()
    store = Store(folder / "runs.sqlite3")
    rows = store.list()
    events = store.events(rows[0].id) if rows else ()
    store.close()
    kinds = [f"{event.type} {getattr(event, 'step', '')}" for event in events]
    assert kinds[: len(told)] == told
    assert not rows or rows[0].status in ("interrupted", "done")
    return (rows[0].id if rows else ""), {event.step for event in events if isinstance(event, StepFinished)}


def check_kill(folder: Path, told: list[str], answer: str) -> None:
    """After a kill: the record holds what was told, and resume comes to the answer without repeating a step."""
    run, finished = check_record(folder, [line for line in told if not line.startswith("answer")])
    if not run:
        return
    calls = folder / "calls"
    calls.write_text("")
    store = Store(folder / "runs.sqlite3")
    before = Run.from_events(store.events(run))
    store.close()
    code, told = finish(drive(folder, word=run))
    assert code == 0 and told[-1] == f"answer {answer}"
    if before.status == "done":
        return
    made = calls.read_text().splitlines()
    assert len(made) == len(set(made)) == 10 - len(finished)
    assert not {before.evidence[id].text[1:-1] for id in finished} & set(made)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, str]:
    """How many events an undisturbed run has, and its answer."""
    code, told = finish(drive(tmp_path_factory.mktemp("whole")))
    assert code == 0
    return len(told) - 1, told[-1].removeprefix("answer ")


def killed_at(folder: Path, number: int, answer: str) -> None:
    folder.mkdir()
    code, told = finish(drive(folder, kill_after=number))
    assert code == -signal.SIGKILL and len(told) == number
    check_kill(folder, told, answer)


def test_a_kill_at_some_events_loses_nothing(tmp_path: Path, whole: tuple[int, str]) -> None:
    events, answer = whole
    for number in (1, events // 2, events - 1):
        killed_at(tmp_path / str(number), number, answer)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_kill_at_every_event_loses_nothing(tmp_path: Path, whole: tuple[int, str]) -> None:
    events, answer = whole
    for number in range(1, events + 1):
        killed_at(tmp_path / str(number), number, answer)


def killed_at_random(folder: Path, seconds: float, answer: str) -> None:
    """Kill after so many seconds from its first acknowledged event on, wherever that falls."""
    folder.mkdir()
    process = drive(folder)
    assert process.stdout is not None
    first = process.stdout.readline()
    time.sleep(seconds)  # not to wait for anything: the moment is meant to be any
    process.send_signal(signal.SIGKILL)
    text = first + process.stdout.read()
    process.stdout.close()
    process.wait()
    told = text[: text.rfind("\n") + 1].splitlines()  # the kill may have torn the last line
    check_kill(folder, told, answer)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_two_hundred_kills_at_random_lose_nothing(tmp_path: Path, whole: tuple[int, str]) -> None:
    seed = random.randrange(1 << 30)
    moments = random.Random(seed)
    print("seed", seed)
    for number in range(int(os.environ.get("AIRO_KILLS", "200"))):
        killed_at_random(tmp_path / str(number), moments.uniform(0, 0.25), whole[1])


def test_of_two_processes_that_resume_a_run_one_is_refused(tmp_path: Path, whole: tuple[int, str]) -> None:
    _, told = finish(drive(tmp_path, kill_after=12))
    run, _ = check_record(tmp_path, told)
    resumers = [drive(tmp_path, word=run) for _ in range(2)]
    ends = [finish(process) for process in resumers]
    answered = [told for code, told in ends if code == 0]
    # The slower one is refused, or finds the run done; whichever it was, no step was begun twice.
    assert answered and all(told[-1] == f"answer {whole[1]}" for told in answered)
    store = Store(tmp_path / "runs.sqlite3")
    events = [event.type for event in store.events(run)]
    store.close()
    assert events.count("run_finished") == events.count("run_resumed") == 1


_MANY = """
import sys
from pathlib import Path
from airoagent.records.store import Store
from airoagent.events import Evidence, RunFinished, RunStarted, StepFinished, StepStarted, Usage
store = Store(Path(sys.argv[1]))
for n in range(int(sys.argv[3])):
    run = f"{sys.argv[2]}-{n}"
    store.append(run, 0, RunStarted(run=run, question=f"question {n}", model="m"))
    store.append(run, 1, StepStarted(step="evidence0", tool="t", input="x"))
    store.append(run, 2, StepFinished(Evidence("evidence0", "t", "found " * 60), attempt=1, seconds=0))
    store.append(run, 3, RunFinished(status="done", answer=f"a{n}", sources=(), usage=Usage(), seconds=1))
"""


def write_many(path: Path, each: int) -> None:
    """Four processes write so many runs each, at once; all of them are there in the end."""
    processes = [subprocess.Popen([sys.executable, "-c", _MANY, str(path), f"p{n}", str(each)]) for n in range(4)]
    assert [process.wait(300) for process in processes] == [0] * 4
    store = Store(path)
    rows = store.list(10_000)
    assert len(rows) == 4 * each and {row.status for row in rows} == {"done"}
    assert all(len(store.events(row.id)) == 4 for row in rows[:: max(1, each // 10)])
    assert len(store.list(10_000, "found")) == 4 * each
    store.close()
    assert not list(path.with_name(path.name + ".locks").iterdir())


def test_four_processes_write_runs_at_once(tmp_path: Path) -> None:
    write_many(tmp_path / "runs.sqlite3", 10)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_four_processes_write_a_thousand_runs_at_once(tmp_path: Path) -> None:
    write_many(tmp_path / "runs.sqlite3", 250)
