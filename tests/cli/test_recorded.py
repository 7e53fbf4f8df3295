"""The verbs for recorded runs: replay, resume, rerun, fork, diff, why, debug, and what `runs` can do with them."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airoagent.settings import state_folder
from tests.cli.conftest import LIBRARY, REPO, Airo, on_terminal

Script = Callable[..., str]
PLAN = "Plan: Say it.\n:evidence0: = echo[hello]\n:evidence1: = echo[:evidence0: again]\nAnswer: :evidence1:"


@pytest.fixture
def asked(airo: Airo, script: Script, tools: str) -> list[str]:
    """A run on record (`@last`), and the options that its tools need."""
    options = ["--tools", tools, "--display", "none"]
    assert airo("-m", script(PLAN, "an answer"), *options, "say hello").out == "hello again\n"
    return options


def last(airo: Airo, number: int = 0) -> dict[str, Any]:
    """A run of the list, newest first."""
    row: dict[str, Any] = json.loads(airo("runs", "--json").out.splitlines()[number])
    return row


def test_replay_needs_no_tool_model_or_network(airo: Airo, asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refused)
    assert airo("replay", "--display", "none").out == "hello again\n"
    assert airo("replay", "--display", "none", last(airo)["id"][:17]).code == 0


def test_a_replay_that_differs_names_the_step_and_exits_6(airo: Airo, asked: list[str], tmp_path: Path) -> None:
    trace = tmp_path / "run.jsonl"
    airo("runs", "export", "@last", "-o", str(trace))
    trace.write_text(trace.read_text().replace('"input": "hello again"', '"input": "other"'))
    result = airo("replay", "--display", "none", str(trace))
    assert result.code == 6 and result.out == "" and "differs at evidence1 (echo)" in result.err


def test_fork_edits_a_step_and_diff_shows_it(airo: Airo, asked: list[str], tmp_path: Path) -> None:
    parent = last(airo)["id"]
    page = tmp_path / "page.txt"
    page.write_text("from a file\n")
    assert airo("fork", "@last", *asked, "--edit", "evidence0=bye").out == "bye again\n"
    assert last(airo)["parent"] == parent
    assert airo("fork", parent, *asked, "--set", f"0=@{page}").out == "from a file again\n"
    story = airo("diff", parent, "@last").out
    assert "-hello again" in story and "+from a file again" in story and "evidence0  echo" in story
    record = json.loads(airo("diff", parent, parent, "--json").out)
    assert record["same"] is True and record["steps"][0]["kind"] == "same"
    assert "no difference" in airo("diff", parent, parent).out
    assert airo("fork", *asked).code == 2


def test_fork_opens_the_editor(airo: Airo, asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDITOR", "sed -i s/hello/servus/")
    assert airo("fork", *asked, "--edit", "0").out == "servus again\n"
    monkeypatch.setenv("EDITOR", "true")
    assert airo("fork", *asked, "--edit", "0").code == 2
    monkeypatch.setenv("EDITOR", "no-such-editor")
    assert airo("fork", *asked, "--edit", "0").code == 2


def test_rerun_and_resume(airo: Airo, asked: list[str]) -> None:
    first = last(airo)["id"]
    assert airo("rerun", *asked, "--from", "1").out == "hello again\n" and last(airo)["parent"] == first
    with sqlite3.connect(state_folder() / "runs.sqlite3") as db:
        db.execute("DELETE FROM events WHERE run = ? AND type = 'run_finished'", (first,))
        db.execute("UPDATE runs SET status = 'running', driver = '' WHERE id = ?", (first,))
    db.close()
    assert last(airo, 1)["status"] == "interrupted"
    assert airo("replay", first).code == 6
    assert airo("resume", first, *asked).out == "hello again\n" and last(airo, 1)["status"] == "done"
    assert airo("resume", "x.jsonl").code == 2
    Path(asked[asked.index("--tools") + 1]).unlink()
    result = airo("rerun", first, "--display", "none")
    assert result.code == 2 and "echo, which is not among the tools" in result.err


def test_why_walks_back_and_bisect_names_the_step(airo: Airo) -> None:
    airo("--docs", LIBRARY, "--display", "none", "Where do otters sleep?")
    result = airo("why", "--docs", LIBRARY, "--bisect")
    assert result.code == 0 and "docs://library/otters.html" in result.out and "first step that flips" in result.out
    record = json.loads(airo("why", "--json").out)
    assert record["grounds"][0]["used_by"] == ["answer"] and "trials" not in record
    assert airo("why", "--swap").code == 2
    assert len(airo("runs", "--json").out.splitlines()) == 1  # trials leave no runs behind


def test_debug_is_scripted_from_a_pipe(shell: Airo, script: Script, tools: str) -> None:
    model = script(PLAN.replace("echo[:evidence0: again]", "KnowledgeModel[What, given :evidence0:?]"), "said", "more")
    commands = (
        "b KnowledgeModel\nc\nw\np 0\nn\nprompt plan\nprompt 1\nprompt 9\nnonsense\n"
        "e 0 = bye\nc\nc\nu\nset 0 = by hand\nl\nr\ns\nhelp\nq\n"
    )
    result = shell("debug", "-m", model, "--tools", tools, "say", "hello", input=commands)
    assert result.code == 0
    lines = result.out.splitlines()
    assert "stopped before evidence1  KnowledgeModel[What, given hello?]" in lines
    assert "1 of 2 steps done" in lines and "> hello" in lines and "answer: said" in lines and "answer: more" in lines
    assert "Question: say hello" in lines and "BEGININPUT" in lines  # the prompts as the model read them
    assert "no step '9'" in result.err and "no such command: 'nonsense'" in result.err
    assert "+  evidence0 = echo[bye]" in lines and "evidence0 is set" in lines and "undone" in lines
    assert lines.count("evidence0  echo  (call)  hello") == 2


def test_a_question_that_is_too_long_for_a_file_name_can_be_debugged(shell: Airo, script: Script, tools: str) -> None:
    result = shell("debug", "-m", script(PLAN), "--tools", tools, "what is this? " * 40, input="c\n")
    assert (result.code, result.out.splitlines()[-1]) == (0, "answer: hello again")


@pytest.mark.parametrize("end", ["", "\n", "\nc\n"])
def test_a_command_of_debug_that_does_not_end_is_refused(shell: Airo, asked: list[str], end: str) -> None:
    told = shell("debug", "@last", *asked[:2], input="help\n" + "p" * 1_000_001 + end)
    assert (
        told.code == 2 and "error: a command is longer than 1,000,000 characters\nhint: write one command" in told.err
    )
    fits = shell("debug", "@last", *asked[:2], input="p" * 999_999 + "\nhelp\n")
    assert fits.code == 0 and "Commands (help COMMAND" in fits.out


def test_debug_of_a_recorded_run_and_of_a_plan_file(shell: Airo, airo: Airo, asked: list[str], tmp_path: Path) -> None:
    result = shell("debug", "@last", *asked[:2], input="n\nn\n")
    assert "evidence0  echo  (record)  hello" in result.out and result.out.endswith("answer: hello again\n")
    file = tmp_path / "my.plan"
    file.write_text(":evidence0: = echo[from a file]\nAnswer: :evidence0:\n")
    assert shell("debug", str(file), *asked[:2], input="c\n").out.endswith("answer: from a file\n")


def test_runs_are_searched_by_the_words_of_their_evidence(airo: Airo, script: Script, tools: str) -> None:
    airo("-m", script(":evidence0: = echo[the walrus sings]\nAnswer: nothing of it :evidence0:"), "--tools", tools, "a")
    airo("-m", script(":evidence0: = echo[quiet]\nAnswer: :evidence0:"), "--tools", tools, "b")
    assert airo("runs", "-q", "WALRUS sing").out.count("\n") == 1
    assert airo("runs", "-q", "walrus quiet").out == ""


def test_gc_removes_old_runs_and_keeps_the_newest(airo: Airo, asked: list[str]) -> None:
    airo("rerun", *asked)
    newest = last(airo)["id"]
    assert airo("runs", "gc").err.startswith("removed 0 runs")
    assert airo("runs", "gc", "--keep", "1", "--yes").err.splitlines()[1].startswith("removed 1 runs")
    assert [json.loads(line)["id"] for line in airo("runs", "--json").out.splitlines()] == [newest]
    assert airo("runs", "-q", "hello").out.count("\n") == 1


def test_gc_shows_what_it_removes_and_asks_first(airo: Airo, shell: Airo, asked: list[str]) -> None:
    airo("rerun", *asked)
    old = airo("runs").out.splitlines()[1].split()[0]
    shown = f"runs to remove: 1, from {old} to {old}"
    assert shown in airo("runs", "gc", "--keep", "1", "--dry-run").err
    refused = shell("runs", "gc", "--keep", "1", input="y\n")
    assert refused.code == 2 and "there is no terminal" in refused.err and "--yes" in refused.err
    code, out = on_terminal("runs", "gc", "--keep", "1", keys=[("[y/N]", "n")])
    assert code == 2 and shown in out and "nothing was removed" in out
    assert len(airo("runs").out.splitlines()) == 2
    code, out = on_terminal("runs", "gc", "--keep", "1", keys=[("[y/N]", "y")])
    assert code == 0 and "removed 1 runs" in out
    assert len(airo("runs").out.splitlines()) == 1


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("gc --keep 1 --dry-run --yes", "--yes has no effect with --dry-run"),
        ("gc --dry-run --vacuum", "--vacuum has no effect with --dry-run"),
        ("gc --yes", "--yes has no effect without --older or --keep"),
        ("-n 3 show @last", "-n has no effect with a command after it"),
        ("--json repair", "--json has no effect with a command after it"),
        ("-q hello list", "-q has no effect with a command after it"),
        (f"gc --keep {10**20} --dry-run", "--keep"),
        (f"-n {10**20}", "-n"),
    ],
)
def test_an_option_of_runs_that_does_nothing_or_cannot_be_is_refused(
    airo: Airo, asked: list[str], command: str, why: str
) -> None:
    result = airo("runs", *command.split())
    assert result.code == 2 and why in result.err and result.err.count("error") == 1
    assert len(airo("runs").out.splitlines()) == 1


def test_a_run_that_is_named_twice_is_removed_once(airo: Airo, asked: list[str]) -> None:
    assert airo("runs", "rm", "@last", last(airo)["id"]).code == 0
    assert airo("runs").out == ""


def test_a_damaged_store_is_repaired_and_what_was_lost_is_told(airo: Airo, asked: list[str]) -> None:
    airo("rerun", *asked)
    newest, old = (line.split()[0] for line in airo("runs").out.splitlines())
    assert airo("runs", "repair").err == "nothing is damaged\n"
    path = airo("runs", "path").out.strip()
    base = sqlite3.connect(path)
    base.execute("UPDATE events SET body = '{x' WHERE type = 'step_finished' AND run = ?", (old,))
    base.commit()
    base.close()
    for verb in (("runs", "show"), ("replay",), ("view",), ("runs", "export"), ("why",), ("resume",)):
        result = airo(*verb, old)
        assert result.code == 6 and "damaged" in result.err and "airo runs repair" in result.err
    assert airo("replay", newest).code == 0 and len(airo("runs").out.splitlines()) == 2
    told = airo("runs", "repair").err
    assert "runs kept whole: 1" in told and f"runs kept up to a damaged or missing event: 1 ({old})" in told
    assert "events kept: " in told
    assert f"the old file is now {path}.damaged-" in told
    assert airo("runs", "show", old).code == 0 and airo("replay", newest).code == 0


def test_a_plan_is_saved_with_parameters_and_run_with_values(airo: Airo, asked: list[str], tmp_path: Path) -> None:
    file = tmp_path / "saved.plan"
    assert airo("runs", "save-plan", "@last", "--param", "word=hello", "-o", str(file)).code == 0
    assert file.read_text().startswith("Question: say {word}\n") and "echo[{word}]" in file.read_text()
    assert airo("run", *asked, "--set", "word=bye", str(file)).out == "bye again\n"
    result = airo("run", *asked, str(file))
    assert result.code == 2 and "needs a value for word" in result.err
    assert airo("runs", "save-plan", "@last", "--param", "word=absent").code == 2


def test_recorded_tools_answer_and_an_unknown_call_exits_6(airo: Airo, asked: list[str], tmp_path: Path) -> None:
    trace, plan = tmp_path / "t.jsonl", tmp_path / "p.plan"
    airo("runs", "export", "@last", "-o", str(trace))
    plan.write_text(":evidence5: = echo[hello]\nAnswer: :evidence5:\n")
    assert airo("run", *asked, "--replay-tools", str(trace), str(plan)).out == "hello\n"
    plan.write_text(":evidence5: = echo[something else]\nAnswer: :evidence5:\n")
    result = airo("run", *asked, "--replay-tools", str(trace), str(plan))
    assert result.code == 6 and "no call of echo" in result.err


def test_good_runs_are_exported_for_fine_tuning(airo: Airo, asked: list[str], script: Script) -> None:
    airo("-m", script(":evidence0: = fails[x]\nAnswer: :evidence0:"), *asked, "this fails")
    failed, done = last(airo)["id"], last(airo, 1)["id"]
    rows = [json.loads(line) for line in airo("runs", "export", "--format", "instruct", done, failed).out.splitlines()]
    assert [set(row) for row in rows] == [{"instruction", "response"}]
    assert rows[0]["instruction"].endswith("Question: say hello") and rows[0]["response"] == PLAN
    assert airo("runs", "export", done, failed).code == 2


def test_ctrl_c_tells_how_to_go_on_and_resume_repeats_nothing(
    airo: Airo, script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = tmp_path / "calls"
    file = tmp_path / "waits.py"
    file.write_text(
        "import asyncio, os\nfrom airoagent import tool\n\n"
        f'@tool\nasync def waits(text: str) -> str:\n    """Waits for an environment variable."""\n'
        f"    with open({str(calls)!r}, 'a') as file:\n        file.write(text + '\\n')\n"
        "    if text == 'two' and 'GO' not in os.environ:\n        await asyncio.Event().wait()\n    return text\n"
    )
    plan = ":evidence0: = waits[one]\n:evidence1: = waits[two]\nAnswer: :evidence0: :evidence1:"
    command = [sys.executable, "-m", "airoagent", "-m", script(plan), "--tools", str(file), "--display", "plain", "q"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, cwd=REPO)
    deadline = time.monotonic() + 60
    while not (calls.exists() and calls.read_text().count("\n") == 2) and time.monotonic() < deadline:
        time.sleep(0.02)  # another process's progress can only be looked at
    process.send_signal(signal.SIGINT)
    err = process.communicate(timeout=60)[1]
    run = last(airo)["id"]
    assert process.returncode == 130 and f"airo resume {run}" in err
    monkeypatch.setenv("GO", "1")
    result = airo("resume", run, "--tools", str(file), "--display", "none")
    assert result.out == "one two\n" and calls.read_text().splitlines() == ["one", "two", "two"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs modes")
def test_everything_that_is_written_is_for_its_owner_alone(airo: Airo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records, locks, the index of documents and a new tool, with a umask that would let everybody read and write."""
    home = Path(os.environ["AIRO_HOME"])
    old = os.umask(0)
    try:
        assert airo("--docs", LIBRARY, "--display", "none", "How deep is Lake Baikal?").code == 0
        assert airo("tools", "new", "WordCount").code == 0
        modes = {file: stat.S_IMODE(file.stat().st_mode) for file in (home, *home.rglob("*"))}
    finally:
        os.umask(old)
    assert {"runs.sqlite3", "word_count.py"} <= {file.name for file in modes}
    assert any(file.name.startswith("documents-") for file in modes)
    assert [f"{file} {mode:o}" for file, mode in modes.items() if mode & 0o077] == []


def test_the_run_before_the_last_has_a_name(airo: Airo, asked: list[str], script: Script) -> None:
    before = last(airo)["id"]
    assert airo("-m", script(PLAN), *asked, "say it again").code == 0
    assert json.loads(airo("runs", "show", "@last~1", "--json").out)["id"] == before
    assert json.loads(airo("runs", "show", "@last~", "--json").out)["id"] == before
    assert "same" in airo("diff", "@last~1", "@last", "--json").out
    result = airo("replay", "@last~2")
    assert result.code == 6 and "there are not 3 runs" in result.err


@pytest.mark.parametrize(("form", "begins"), [("md", "# say hello"), ("html", "<!doctype html>")])
def test_a_run_is_exported_as_a_report(airo: Airo, asked: list[str], tmp_path: Path, form: str, begins: str) -> None:
    file = tmp_path / "report"
    assert airo("runs", "export", "@last", "--format", form, "-o", str(file)).code == 0
    text = file.read_text(encoding="utf-8")
    assert text.startswith(begins) and "hello again" in text and last(airo)["id"] in text
    assert airo("runs", "export", "@last", "@last", "--format", form).out.count("hello again") > 2


def test_a_plan_that_comes_with_airo_runs_and_replays_by_its_name_from_anywhere(
    airo: Airo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "Neil Armstrong" in airo("run", "apollo-11", "--display", "none").out
    assert "Neil Armstrong" in airo("run", "apollo-11", "--docs", LIBRARY, "--display", "none").out
    assert "Neil Armstrong" in airo("replay", "apollo-11", "--display", "none").out
    assert airo("run", "apollo-12").code == 2
    (tmp_path / "apollo-11").write_text("my own file", encoding="utf-8")
    assert airo("run", "apollo-11").code == 4


@pytest.mark.parametrize("export", [["export", "--format", "instruct"], ["export", "--format", "md"], ["save-plan"]])
def test_half_a_surrogate_pair_in_a_trace_keeps_no_export_from_being_written(
    airo: Airo, tmp_path: Path, export: list[str]
) -> None:
    trace, file = tmp_path / "odd.jsonl", tmp_path / "file"
    trace.write_text((REPO / "plans" / "nobel-literature.jsonl").read_text().replace("Nobel", "No\\ud800bel"))
    verb, *more = export
    done = airo("runs", verb, trace, *more, "-o", file)
    assert (done.code, done.err) == (0, "") and "bel" in file.read_text(encoding="utf-8")
