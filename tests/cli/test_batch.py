"""``airo batch``: questions from a file, one JSON line for each, going on where it was stopped."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from airoagent import extras
from airoagent.cli.batch_pool import Job, Lost
from airoagent.cli.batch_questions import Asked
from airoagent.events import StepStarted
from airoagent.records.store import Store
from tests.benchmarks.bench_batch import children, run
from tests.cli.conftest import GATED, PAYING, Airo

LIBRARY = str(Path(__file__).parents[2] / "examples" / "library")
QUESTIONS = 'How deep is Lake Baikal?\n\n{"id": "otters", "question": "Where do otters sleep?"}\n'


def rows(text: str) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in map(json.loads, text.splitlines())}


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    file = tmp_path / "questions.txt"
    file.write_text(QUESTIONS, encoding="utf-8")
    return file


def test_each_question_gets_its_line(airo: Airo, questions: Path) -> None:
    result = airo("batch", str(questions), "--docs", LIBRARY)
    assert result.code == 0
    found = rows(result.out)
    assert set(found) == {"1", "otters"}
    assert "1,642" in found["1"]["answer"] and found["1"]["sources"]
    assert all(row["status"] == "done" and row["run"] for row in found.values())
    assert result.err.count(": done (") == 2


def test_it_goes_on_where_it_was_stopped(airo: Airo, questions: Path, tmp_path: Path) -> None:
    out = tmp_path / "answers.jsonl"
    kept = {"id": "1", "question": "How deep is Lake Baikal?", "status": "done", "answer": "kept", "run": "r"}
    failed = {"id": "otters", "question": "Where do otters sleep?", "status": "failed"}
    out.write_bytes(f'{json.dumps(kept)}\n{json.dumps(failed)}\n{{"id": "ä'.encode()[:-1])  # cut inside a character
    result = airo("batch", str(questions), "--docs", LIBRARY, "--out", str(out))
    assert (result.code, result.out) == (0, "") and "1 already done" in result.err
    *before, half, new = out.read_bytes().splitlines()
    assert [json.loads(line)["id"] for line in before] == ["1", "otters"] and half.startswith(b'{"id": "')
    assert json.loads(new)["id"] == "otters" and json.loads(new)["status"] == "done"
    again = airo("batch", str(questions), "--docs", LIBRARY, "--out", str(out))
    assert again.code == 0 and out.read_bytes().endswith(new + b"\n")


def test_a_question_without_an_answer_gives_the_exit_code_and_the_others_theirs(
    airo: Airo, script: Any, tools: str, tmp_path: Path
) -> None:
    file = tmp_path / "q.txt"
    file.write_text("one\ntwo\n", encoding="utf-8")
    model = script(":evidence0: = echo[one]\nAnswer: :evidence0:")  # plans one question, and has nothing for the other
    result = airo("batch", str(file), "--at-once", "1", "-q", "-m", model, "--tools", tools)
    assert result.code == 3 and result.err == ""
    assert [row["status"] for row in rows(result.out).values()] == ["done", "failed"]
    assert rows(result.out)["2"]["failure"]["message"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b'{"id": 1}', "this is not a JSON object with a question (no 'question')"),
        (b"{broken", "this is not a JSON object with a question"),
        (b'{"question":' + b"[" * 100_000, "this is not a JSON object with a question"),
        (b'{"question": 5}', "the question is not text"),
        (b'{"question": "\\ud83d"}', "lone surrogate"),
        (b"caf\xe9?", "the line is not UTF-8 text (byte 3)"),
        (b"a\0b", "zero byte"),
        (b"???", "there is no question"),
        (b"x" * 3_000_000, "the line is longer than 1 MB"),
        (b'{"id": "1", "question": "y"}', "line 2: duplicate id '1'"),
    ],
    ids=range(10),
)
def test_a_line_that_is_not_a_question_is_one_line_and_the_others_go_on(
    airo: Airo, tools: str, tmp_path: Path, line: bytes, told: str
) -> None:
    file, out, model = tmp_path / "q.txt", tmp_path / "out.jsonl", tmp_path / "plans.jsonl"
    file.write_bytes(b"one\n" + line + b"\nthree\n")
    plan = {"purpose": "plan", "text": ":evidence0: = echo[one]\nAnswer: :evidence0:"}
    model.write_text(2 * (json.dumps(plan) + "\n"), encoding="utf-8")
    command = ("batch", str(file), "--out", str(out), "-m", f"scripted:{model}", "--tools", tools)
    result = airo(*command)
    assert result.code == 2 and "Traceback" not in result.err
    found = rows(out.read_text(encoding="utf-8"))
    assert {id: row["status"] for id, row in found.items()} == {"1": "done", "2": "failed", "3": "done"}
    assert told in found["2"]["failure"]["message"] and found["2"]["line"] == 2 and found["2"]["run"] is None
    before = out.read_bytes()
    assert len(before) < 5000
    assert airo(*command).code == 2 and out.read_bytes() == before  # the line is there already


@pytest.mark.parametrize("text", ["\n \n", ""])
def test_a_file_without_a_question_is_refused(airo: Airo, tmp_path: Path, text: str) -> None:
    file = tmp_path / "q.txt"
    file.write_text(text, encoding="utf-8")
    result = airo("batch", str(file))
    assert result.code == 2 and "no question" in result.err and result.out == ""


@pytest.mark.parametrize("file", ["/dev/zero", "/dev/urandom", "/proc", "/dev/null", "/proc/self/mem"])
def test_what_is_not_a_file_of_questions_is_refused_at_a_limit(airo: Airo, file: str) -> None:
    result = airo("batch", file, "--quiet", "--docs", LIBRARY, "--no-store")
    assert result.code == 2 and result.err.count("error:") == 1 and "Traceback" not in result.err


@pytest.fixture
def paying(tmp_path: Path) -> tuple[str, ...]:
    """A batch of one question, whose first step costs money and whose second waits for the gate."""
    (tmp_path / "paying.py").write_text(PAYING, encoding="utf-8")
    plan = ":evidence0: = pays[one]\n:evidence1: = waits[:evidence0:]\nAnswer: :evidence1:"
    (tmp_path / "plans.jsonl").write_text(json.dumps({"purpose": "plan", "text": plan}) + "\n", encoding="utf-8")
    (tmp_path / "q.txt").write_text("What does it cost?\n", encoding="utf-8")
    model, tools = f"scripted:{tmp_path / 'plans.jsonl'}", str(tmp_path / "paying.py")
    return ("batch", str(tmp_path / "q.txt"), "--out", str(tmp_path / "out.jsonl"), "-m", model, "--tools", tools)


def test_after_a_kill_a_step_that_had_paid_does_not_pay_again(
    airo: Airo, paying: tuple[str, ...], tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    for _ in range(2):
        (tmp_path / "waiting").unlink(missing_ok=True)
        with subprocess.Popen([sys.executable, "-m", "airoagent", *paying], stderr=subprocess.PIPE) as process:
            while not (tmp_path / "waiting").exists() and process.poll() is None:
                time.sleep(0.01)
            refused = airo(*paying)
            assert refused.code == 2 and f"another batch is writing to {out}" in refused.err
            process.kill()
    assert out.read_bytes() == b"" and (tmp_path / "ledger").read_text() == "one\n"
    (tmp_path / "gate").touch()
    assert airo(*paying).code == 0
    assert rows(out.read_text())["1"]["answer"] == "open" and (tmp_path / "ledger").read_text() == "one\n"
    assert sorted(path.name for path in tmp_path.glob("out*")) == ["out.jsonl"]


ONCE = '''
import pathlib, time, uuid
from airoagent import tool

@tool
def number(text: str) -> str:
    """Another number at every call."""
    return uuid.uuid4().hex

@tool(repeatable=False)
def pays(text: str) -> str:
    """Costs money."""
    with (pathlib.Path(__file__).parent / "ledger").open("a") as file:
        file.write(text + "\\n")
    time.sleep(0.05)
    return f"paid {text}"
'''


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_however_often_it_is_killed_nothing_is_paid_twice_and_each_question_has_one_line(
    airo: Airo, paying: tuple[str, ...], tmp_path: Path
) -> None:
    """Ten kills, each when the record has grown by some events; then restarts until all that can end has ended."""
    (tmp_path / "paying.py").write_text(ONCE)
    asked = [f"What does {number} cost?" for number in range(8)]
    (tmp_path / "q.txt").write_text("\n".join(asked), encoding="utf-8")
    plan = (
        ":evidence0: = number[]\n:evidence1: = pays[:evidence0:]\n:evidence2: = pays[:evidence1:]\nAnswer: :evidence2:"
    )
    row = json.dumps({"purpose": "plan", "text": plan}) + "\n"
    (tmp_path / "plans.jsonl").write_text(row * len(asked), encoding="utf-8")
    command = (*paying, "--at-once", "2")
    path = Path(os.environ["AIRO_HOME"]) / "state" / "runs.sqlite3"
    log = path.with_name(path.name + "-wal")
    chance = random.Random(7)
    killed = 0
    for _ in range(10):
        before, pages = size_of(log), chance.randrange(1, 40)
        with subprocess.Popen([sys.executable, "-m", "airoagent", *command], stderr=subprocess.PIPE) as process:
            while abs(size_of(log) - before) < 4096 * pages and process.poll() is None:
                time.sleep(0.001)
            killed += process.poll() is None
            process.kill()
    assert killed >= 5
    last = airo(*command)
    assert last.code == 6, last.err
    lines = (tmp_path / "out.jsonl").read_text()
    found = rows(lines)
    assert len(lines.splitlines()) == len(found) == len(asked)
    assert {row["status"] for row in found.values()} == {"done", "failed"}, "a call was cut off"
    for row in found.values():
        assert row["status"] == "done" or "may not be called twice" in row["failure"]["message"]
    paid = (tmp_path / "ledger").read_text().splitlines()
    with closing(Store(path)) as store:
        events = [event for row in found.values() for event in store.events(row["run"])]
    started = [event.input for event in events if isinstance(event, StepStarted) and event.tool == "pays"]
    assert len(paid) == len(set(paid)) >= len(asked)
    assert set(paid) <= set(started) and len(started) == len(set(started)), "no question was asked in two runs"
    again = airo(*command)
    assert again.code == 6 and (tmp_path / "out.jsonl").read_text() == lines
    assert (tmp_path / "ledger").read_text().splitlines() == paid


def size_of(file: Path) -> int:
    """Its bytes; 0 where it is not there."""
    return file.stat().st_size if file.exists() else 0


NOTED = '''
import os, pathlib, time
from airoagent import tool

@tool(repeatable=False)
def noted(text: str) -> str:
    """Says which process it runs in, and notes the question."""
    with (pathlib.Path(__file__).parent / "ledger").open("a") as file:
        file.write(f"{os.getpid()} {text}\\n")
    time.sleep(0.02)
    return f"seen {text}"

@tool
def dies(text: str) -> str:
    """Ends its process, the first time or always."""
    died = pathlib.Path(__file__).parent / "died"
    if text == "always" or not died.exists():
        died.touch()
        os.kill(os.getpid(), 9)
    return "survived"
'''


@pytest.fixture
def noting(tmp_path: Path) -> Callable[..., tuple[str, ...]]:
    """A batch of so many questions whose tool notes them, or of questions with this plan."""

    def command(number: int, plan: str = ":evidence0: = noted[:question:]\nAnswer: :evidence0:") -> tuple[str, ...]:
        (tmp_path / "noting.py").write_text(NOTED, encoding="utf-8")
        row = json.dumps({"purpose": "plan", "text": plan}) + "\n"
        (tmp_path / "plans.jsonl").write_text(row * number, encoding="utf-8")
        (tmp_path / "q.txt").write_text("".join(f"What is {n}?\n" for n in range(number)), encoding="utf-8")
        model, tools = f"scripted:{tmp_path / 'plans.jsonl'}", str(tmp_path / "noting.py")
        return ("batch", str(tmp_path / "q.txt"), "--out", str(tmp_path / "out.jsonl"), "-m", model, "--tools", tools)

    return command


def once(tmp_path: Path, number: int) -> None:
    """Each of so many questions has one line, one run and one call of the tool."""
    found = rows((tmp_path / "out.jsonl").read_text())
    assert set(found) == {str(n + 1) for n in range(number)}
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == number
    assert {row["status"] for row in found.values()} == {"done"}, found
    with closing(sqlite3.connect(Path(os.environ["AIRO_HOME"]) / "state" / "runs.sqlite3")) as store:
        runs = {id for (id,) in store.execute("SELECT id FROM runs")}
    assert runs == {row["run"] for row in found.values()} and len(runs) == number
    assert not (tmp_path / "out.jsonl.started").exists()


def test_several_processes_share_the_questions(
    airo: Airo, noting: Callable[..., tuple[str, ...]], tmp_path: Path
) -> None:
    result = airo(*noting(40), "--jobs", "2", "--at-once", "2")
    assert result.code == 0, result.err
    once(tmp_path, 40)
    noted = (tmp_path / "ledger").read_text().splitlines()
    assert len(noted) == 40 and len({line.split()[0] for line in noted} - {str(os.getpid())}) == 2


def test_a_process_that_dies_costs_its_questions_one_retry(
    airo: Airo, noting: Callable[..., tuple[str, ...]], tmp_path: Path
) -> None:
    plan = ":evidence0: = noted[once]\n:evidence1: = dies[:evidence0:]\nAnswer: :evidence1:"
    assert airo(*noting(1, plan), "--jobs", "2").code == 0
    once(tmp_path, 1)
    assert rows((tmp_path / "out.jsonl").read_text())["1"]["answer"] == "survived"
    assert len((tmp_path / "ledger").read_text().splitlines()) == 1, "what it had done is not done again"


def test_a_question_that_ends_its_process_twice_is_one_failed_line(
    airo: Airo, noting: Callable[..., tuple[str, ...]], tmp_path: Path
) -> None:
    result = airo(*noting(2, ":evidence0: = dies[always]\nAnswer: :evidence0:"), "--jobs", "2", "--at-once", "1")
    assert result.code == 1 and "Traceback" not in result.err
    found = rows((tmp_path / "out.jsonl").read_text())
    assert [row["failure"]["message"] for row in found.values()] == 2 * ["the process that answered it ended twice"]


def test_what_keeps_every_question_from_being_asked_ends_the_batch(
    airo: Airo, questions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    result = airo("batch", str(questions), "--docs", LIBRARY, "--jobs", "2")
    assert result.code == 1 and "3 times before it was ready" in result.err and result.out == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill -9"])
def test_the_end_of_a_batch_is_the_end_of_its_processes(
    airo: Airo, paying: tuple[str, ...], tmp_path: Path, number: signal.Signals
) -> None:
    (tmp_path / "q.txt").write_text("one?\ntwo?\n", encoding="utf-8")
    (tmp_path / "plans.jsonl").write_text(2 * (tmp_path / "plans.jsonl").read_text())
    with subprocess.Popen([sys.executable, "-m", "airoagent", *paying, "--jobs", "2"]) as process:
        while not (tmp_path / "waiting").exists() and process.poll() is None:
            time.sleep(0.01)
        jobs = children(process.pid)
        process.send_signal(number)
        assert process.wait() in (130, -9) and len(jobs) == 2
    while any(Path(f"/proc/{job}/cmdline").exists() and Path(f"/proc/{job}/cmdline").read_bytes() for job in jobs):
        time.sleep(0.01)
    (tmp_path / "gate").touch()
    assert airo(*paying, "--jobs", "2").code == 0
    once(tmp_path, 2)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_six_hundred_questions_killed_four_times_are_each_asked_once(tmp_path: Path) -> None:
    outcome = run(tmp_path, questions=600, kills=4, jobs=2)
    assert (outcome.kills, outcome.lines, outcome.done, outcome.lost, outcome.twice) == (4, 600, 600, 0, 0)


def test_a_run_that_cannot_be_read_costs_its_own_question_alone(
    airo: Airo, paying: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "paying.py").write_text(GATED)
    (tmp_path / "q.txt").write_text("one?\ntwo?\n", encoding="utf-8")
    plan = (tmp_path / "plans.jsonl").read_text()
    (tmp_path / "plans.jsonl").write_text(plan * 2)
    assert airo(*paying).code == 5
    (tmp_path / "gate").touch()
    damaged = rows((tmp_path / "out.jsonl").read_text())["1"]["run"]
    with closing(sqlite3.connect(Path(os.environ["AIRO_HOME"]) / "state" / "runs.sqlite3")) as base:
        base.execute("UPDATE events SET body = '{x' WHERE run = ? AND seq = 1", (damaged,))
        base.commit()
    for more in ("--retry-failed", "--quiet"):
        assert airo(*paying, more).code == 6
        found = (tmp_path / "out.jsonl").read_text()
        assert rows(found)["2"]["status"] == "done" and "damaged" in rows(found)["1"]["failure"]["message"]
        assert len(found.splitlines()) == 4


def test_a_question_that_failed_goes_on_from_what_its_run_had_if_that_is_asked_for(
    airo: Airo, paying: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "paying.py").write_text(GATED)
    assert airo(*paying).code == 5
    (tmp_path / "gate").touch()
    before = (tmp_path / "out.jsonl").read_text()
    skipped = airo(*paying)
    assert skipped.code == 5 and "1 failed; --retry-failed asks them again" in skipped.err
    assert (tmp_path / "out.jsonl").read_text() == before
    assert airo(*paying, "--retry-failed").code == 0 and (tmp_path / "ledger").read_text() == "one\n"
    first, second = map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines())
    assert (first["status"], second["status"]) == ("failed", "done") and first["run"] == second["run"]


@pytest.mark.parametrize("there", [True, False], ids=["cut off", "answers removed"])
def test_a_started_run_that_is_not_on_record_is_asked_again(
    airo: Airo, questions: Path, tmp_path: Path, there: bool
) -> None:
    out = tmp_path / "out.jsonl"
    if there:
        out.touch()
    started = {"id": "1", "question": "How deep is Lake Baikal?", "run": "20200101-000000-aaaaa"}
    (tmp_path / "out.jsonl.started").write_text(json.dumps(started) + "\n{half", encoding="utf-8")
    assert airo("batch", str(questions), "--docs", LIBRARY, "--out", str(out)).code == 0
    assert {id: row["status"] for id, row in rows(out.read_text()).items()} == {"1": "done", "otters": "done"}


def test_a_pipe_or_a_device_is_written_to_and_a_pipe_that_nobody_reads_is_refused(
    airo: Airo, shell: Airo, questions: Path, tmp_path: Path
) -> None:
    command = ("batch", str(questions), "--docs", LIBRARY, "--quiet", "--out")
    assert set(rows(shell(*command, "/dev/stdout").out)) == {"1", "otters"}
    os.mkfifo(tmp_path / "pipe")
    refused = airo(*command, str(tmp_path / "pipe"))
    assert refused.code == 2 and "cannot be written" in refused.err
    full = shell(*command, "/dev/full")
    assert full.code == 1 and "the output cannot be written: No space left" in full.err
    assert "Traceback" not in full.err


def test_a_question_is_answered_before_the_next_one_has_come() -> None:
    command = [sys.executable, "-m", "airoagent", "batch", "-", "--docs", LIBRARY, "--quiet"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        for number in ("1", "2"):
            process.stdin.write(b"How deep is Lake Baikal?\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["id"] == number
        process.stdin.close()


def test_a_folder_that_is_not_there_is_told(airo: Airo, questions: Path, tmp_path: Path) -> None:
    result = airo("batch", str(questions), "--out", str(tmp_path / "none" / "out.jsonl"))
    assert result.code == 2 and "cannot be written" in result.err
    assert airo("batch", str(tmp_path / "missing.txt")).code == 2


def test_a_store_that_cannot_be_used_is_one_sentence(airo: Airo, questions: Path, tmp_path: Path) -> None:
    store = Path(os.environ["AIRO_HOME"]) / "state" / "runs.sqlite3"
    store.parent.mkdir(parents=True, exist_ok=True)
    store.write_bytes(b"this is no database" * 100)
    result = airo("batch", str(questions), "--docs", LIBRARY)
    assert result.code == 6 and result.err.count("error:") == 1 and "Traceback" not in result.err


def test_an_id_that_is_null_is_the_number_of_the_line(airo: Airo, tmp_path: Path) -> None:
    file = tmp_path / "q.jsonl"
    file.write_text('{"id": null, "question": "How deep is Lake Baikal?"}\n', encoding="utf-8")
    assert list(rows(airo("batch", str(file), "--quiet", "--docs", LIBRARY, "--no-store").out)) == ["1"]


def test_the_answers_are_not_appended_to_the_questions(airo: Airo, questions: Path) -> None:
    for out in (questions, questions.parent / "." / questions.name):
        result = airo("batch", str(questions), "--docs", LIBRARY, "--out", str(out))
        assert result.code == 2 and "is the file of questions" in result.err
    assert questions.read_text() == QUESTIONS


def test_a_line_that_is_not_one_of_ours_is_not_read_as_an_answer(airo: Airo, questions: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    row = '{"id": "1", "question": "How deep is Lake Baikal?", "status": "failed", "run": "r", "failure": '
    out.write_text("".join(f'{row}{{"exit_code": {code}}}}}\n' for code in ("1e999", "9" * 30, "[]")) + "[1]\n5\n")
    result = airo("batch", str(questions), "--docs", LIBRARY, "--out", str(out), "--quiet", "--no-store")
    assert result.code == 0, result.err
    assert {row["id"] for row in map(json.loads, out.read_text().splitlines()[5:])} == {"1", "otters"}


@pytest.mark.parametrize("sign", [",", ";", "\t"])
def test_a_table_has_its_questions_in_a_column(airo: Airo, tmp_path: Path, sign: str) -> None:
    lines = (
        b"\xef\xbb\xbfid,Question,note\r\n"
        b'lake,"How deep is\r\nLake Baikal?",x\r\n'
        b",Where do otters sleep?\r\n"
        b"\r\n"
        b"none,,x\r\n"
        b"bad,caf\xe9?,x\r\n"
        b"lake,How deep is Lake Baikal?,twice\r\n"
        b'open,"How deep'
    )
    (tmp_path / "q.csv").write_bytes(lines.replace(b",", sign.encode()))
    result = airo("batch", str(tmp_path / "q.csv"), "--docs", LIBRARY, "--quiet")
    found = rows(result.out)
    assert result.code == 2 and set(found) == {"lake", "4", "6", "7", "8", "open"}
    assert "1,642" in found["lake"]["answer"] and found["4"]["status"] == "done"
    assert "there is no question" in found["6"]["failure"]["message"]
    assert "not UTF-8" in found["7"]["failure"]["message"] and "duplicate id" in found["8"]["failure"]["message"]


def test_a_file_of_questions_in_utf_16_is_read(airo: Airo, tmp_path: Path) -> None:
    (tmp_path / "q.txt").write_text("How deep is Lake Baikal?\r\nWhere do otters sleep?\r\n", encoding="utf-16")
    (tmp_path / "q.csv").write_text("id,question\nlake,How deep is Lake Baikal?\n", encoding="utf-16")
    found = rows(airo("batch", str(tmp_path / "q.txt"), "--docs", LIBRARY, "--quiet", "--no-store").out)
    assert set(found) == {"1", "2"} and "1,642" in found["1"]["answer"]
    assert set(rows(airo("batch", str(tmp_path / "q.csv"), "--docs", LIBRARY, "--quiet", "--no-store").out)) == {"lake"}


def test_an_id_cannot_control_the_terminal(airo: Airo, tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_text('{"id": "a\\u001b[2J", "question": "How deep is Lake Baikal?"}\n')
    result = airo("batch", str(tmp_path / "q.jsonl"), "--docs", LIBRARY)
    assert result.code == 0 and ": done (" in result.err and "\x1b" not in result.err


def test_a_process_that_has_ended_is_not_asked_again() -> None:
    async def ask() -> bool:
        child = subprocess.Popen([sys.executable, "-c", ""], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        child.wait()
        with closing(Job(child)) as job:
            with pytest.raises(Lost):
                await job.answer(Asked("1", "How deep?", 1), "run")
            return job.dead.is_set()

    assert asyncio.run(ask())


def test_a_table_without_a_column_of_questions_is_refused(airo: Airo, tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text("id,text\n1,How deep is Lake Baikal?\n")
    result = airo("batch", str(tmp_path / "q.csv"))
    assert result.code == 2 and "has no column named question" in result.err


def test_a_parquet_file_has_the_last_line_of_each_question_and_goes_on(
    airo: Airo, paying: tuple[str, ...], tmp_path: Path
) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    out = tmp_path / "out.parquet"
    command = [str(out) if word.endswith("out.jsonl") else word for word in paying]
    (tmp_path / "paying.py").write_text(GATED)
    assert airo(*command).code == 5
    first = parquet.read_table(out).to_pylist()
    assert [(row["id"], row["status"], row["failure"]["exit_code"]) for row in first] == [("1", "failed", 5)]
    (tmp_path / "gate").touch()
    assert airo(*command, "--retry-failed").code == 0
    assert airo(*command).code == 0
    (row,) = parquet.read_table(out).to_pylist()
    assert (row["status"], row["answer"], row["failure"], row["run"]) == ("done", "open", None, first[0]["run"])
    assert sorted(path.name for path in tmp_path.glob("out*")) == ["out.parquet"]
    parquet.write_table(parquet.read_table(out, columns=["id"]), out)
    refused = airo(*command)
    assert refused.code == 2 and "was not written by airo batch" in refused.err


def test_a_parquet_file_takes_the_place_of_files_alone(airo: Airo, questions: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    os.mkfifo(pipe := tmp_path / "pipe.parquet")
    refused = airo("batch", str(questions), "--out", str(pipe))
    assert refused.code == 2 and "it is not a regular file" in refused.err and pipe.is_fifo()


@pytest.mark.skipif(extras.has("pyarrow"), reason="pyarrow is installed")
def test_without_pyarrow_the_extra_is_named(airo: Airo, questions: Path, tmp_path: Path) -> None:
    result = airo("batch", str(questions), "--out", str(tmp_path / "out.parquet"))
    assert result.code == 3 and "needs pyarrow" in result.err and "[parquet]" in result.err


def test_progress_has_the_rate_and_the_time_left(airo: Airo, questions: Path) -> None:
    told = airo("batch", str(questions), "--docs", LIBRARY, "--at-once", "1", "--no-store").err.splitlines()
    assert re.fullmatch(r"1 1: done \(\S+ s\), \S+/s, \d+ (s|min) left", told[0])
    assert re.fullmatch(r"2 otters: done \(\S+ s\), \S+/s", told[1])
