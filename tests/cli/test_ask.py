"""`airo ask`: streams, exit codes, interruption."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import LIBRARY, REPO, Airo, Result

NOBEL = "Who won the Nobel Prize in Literature in 2020 and what is their most famous work?"
ECHO = "Plan: say it\n:evidence0: = echo[hello]\nAnswer: :evidence0:"
Script = Callable[..., str]


def test_the_readme_question_is_answered_from_the_library_with_its_source(shell: Airo) -> None:
    result = shell("--docs", LIBRARY, NOBEL)
    assert result.code == 0, result.err
    answer, _, sources = result.out.partition("Sources:")
    assert "Louise Glück" in answer and "The Wild Iris" in answer
    assert "docs://library/nobel/louise-gluck.html" in sources
    assert "Plan" in result.err and ":evidence0: = DocumentSearch[" in result.err
    assert "extractive" in result.err, "the first run says what the built-in model is"
    again = shell("--docs", LIBRARY, NOBEL)
    assert again.out == result.out and "model: extractive" not in again.err


def test_the_first_run_says_what_a_model_is_that_is_not_built_in(shell: Airo) -> None:
    result = shell("-m", "http://127.0.0.1:9", "--docs", LIBRARY, NOBEL)
    assert result.code == 3 and result.err.count("model: ") == 1
    assert "model: http://127.0.0.1:9 - the first model at http://127.0.0.1:9" in result.err


def test_stdout_holds_the_answer_alone_and_stderr_nothing_without_display(
    airo: Airo, script: Script, tools: str
) -> None:
    result = airo("-m", script(ECHO), "--tools", tools, "--display", "none", "say hello")
    assert (result.code, result.out, result.err) == (0, "hello\n", "")


def test_what_libraries_tell_programmers_does_not_reach_the_terminal(
    script: Script, tmp_path: Path, shell: Airo, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tmp_path / "old.py"
    tools.write_text(
        "import warnings\nfrom airoagent import tool\n\n"
        '@tool\ndef echo(text: str) -> str:\n    """Says what it is told."""\n'
        '    warnings.warn("this name is old", FutureWarning)\n    return text\n'
    )
    command = ("-m", script(ECHO), "--tools", str(tools), "--display", "none", "say hello")
    assert shell(*command) == Result(0, "hello\n", "")
    monkeypatch.setenv("PYTHONWARNINGS", "default")
    assert "this name is old" in shell(*command).err, "whoever asks for warnings gets them"


def test_a_question_may_be_several_words_come_from_stdin_or_look_like_a_verb(
    shell: Airo, airo: Airo, script: Script, tools: str
) -> None:
    model = script(ECHO)
    assert airo("-m", model, "--tools", tools, "say", "hello").out == "hello\n"
    assert shell("ask", "-m", model, "--tools", tools, "-", input="say hello\n").out == "hello\n"
    assert airo("ask", "-m", model, "--tools", tools, "runs").out == "hello\n"


def test_json_is_the_whole_run(airo: Airo, script: Script, tools: str) -> None:
    result = airo("-m", script(ECHO), "--tools", tools, "--json", "say hello")
    run = json.loads(result.out)
    assert run["answer"] == "hello" and run["status"] == "done" and run["question"] == "say hello"
    assert run["plan"]["steps"][0] == {
        "id": "evidence0",
        "thought": "say it",
        "tool": "echo",
        "input": "hello",
        "depends_on": [],
        "status": "done",
    }
    assert run["evidence"]["evidence0"]["text"] == "hello"
    assert [event["type"] for event in run["events"]][-1] == "run_finished"


def test_steps_are_shown_with_tool_input_and_seconds_and_what_ran_together_together(
    airo: Airo, tools: str, tmp_path: Path
) -> None:
    plan = tmp_path / "fork.plan"
    plan.write_text(
        ":evidence0: = echo[left]\n:evidence1: = echo[right]\n:evidence2: = echo[:evidence0: :evidence1:]\n"
        "Answer: :evidence2:"
    )
    lines = airo("run", "--tools", tools, str(plan)).err.splitlines()
    steps = lines[lines.index("Steps") + 1 :]
    assert [step[:10] for step in steps] == ["┌ evidence", "└ evidence", "  evidence"]
    assert "echo" in steps[2] and "left right" in steps[2] and steps[2].rstrip().endswith("s")


def test_a_plan_that_cannot_be_read_is_exit_4_with_line_column_caret_hint_and_on_record(
    airo: Airo, script: Script, tools: str
) -> None:
    result = airo("-m", script("Plan: x\n:evidence0: = Nonsense[y]\nAnswer: :evidence0:"), "--tools", tools, "q")
    assert result.code == 4 and result.out == ""
    assert "2:" in result.err and "^" in result.err and "error: " in result.err and "hint: " in result.err
    shown = airo("runs", "show", "@last")
    assert ":evidence0: = Nonsense[y]" in shown.out and "failed" in shown.out


@pytest.mark.parametrize(
    ("args", "code", "told"),
    [
        (("ask", "   "), 2, "there is no question"),
        (("?",), 2, "there is no question"),
        (("ask", "--no-such-option", "q"), 2, "No such option"),
        (("--docs", "/no/such/folder", "q"), 2, "/no/such/folder"),
        (("-T", "DukDukGo", "q"), 2, "DuckDuckGo"),
        (("--tools", "/no/such/file.py", "q"), 2, "no tool file"),
        (("--timeout", "soon", "q"), 2, "--timeout"),
        (("--on-error", "panic", "q"), 2, "stop, skip, tell"),
        (("-m", "no/such-model-anywhere", "q"), 3, ""),
        (("-m", "scripted:/no/such/script", "q"), 3, "cannot be read"),
        (("run", "/no/such.plan"), 2, "cannot be read"),
        (("rnus",), 2, "did you mean `airo runs`"),
        (("runs", "show", "nope"), 6, "there is no run"),
    ],
)
def test_bad_input_is_one_sentence_a_hint_and_a_stable_code(
    airo: Airo, args: tuple[str, ...], code: int, told: str
) -> None:
    result = airo(*args)
    assert result.code == code and result.out == "" and told in result.err
    assert "error: " in result.err and "hint: " in result.err and "Traceback" not in result.err


def test_errors_are_json_with_json(airo: Airo) -> None:
    error = json.loads(airo("--json", "--docs", "/no/such/folder", "q").err)["error"]
    assert error["exit_code"] == 2 and error["hint"]


def test_no_network_is_told_at_once_with_what_to_do_and_the_record_is_whole(shell: Airo) -> None:
    result = shell("who won?")
    assert result.code == 5 and result.out == ""
    assert "network" in result.err and "--docs" in result.err
    shown = json.loads(shell("runs", "show", "--json", "@last").out)
    assert shown["status"] == "failed" and shown["events"][-1]["type"] == "run_finished"


def test_a_tool_that_raises_or_hangs_fails_the_run_with_exit_5(airo: Airo, script: Script, tools: str) -> None:
    raised = airo("-m", script(ECHO.replace("echo", "fails")), "--tools", tools, "q")
    assert raised.code == 5 and "no luck" in raised.err and "airo runs show" in raised.err
    hung = airo("-m", script(ECHO.replace("echo", "hangs")), "--tools", tools, "--timeout", "0.1", "q")
    assert hung.code == 5 and "did not answer within 0.1 s" in hung.err


def test_a_tool_with_side_effects_is_refused_where_nobody_can_be_asked(shell: Airo, script: Script, tools: str) -> None:
    result = shell("-m", script(ECHO.replace("echo", "send")), "--tools", tools, "q")
    assert result.code == 2 and "needs your approval" in result.err


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_the_run_cleanly_and_keeps_its_record(
    airo: Airo, script: Script, tools: str, stop: int
) -> None:
    command = [sys.executable, "-m", "airoagent", "-m", script(ECHO.replace("echo", "hangs")), "--tools", tools, "q"]
    env = {**os.environ, "AIRO_DISPLAY": "json"}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPO, env=env)
    assert process.stderr is not None
    for line in process.stderr:
        if '"step_started"' in line:
            process.send_signal(stop)
            break
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    rows = airo("runs", "--json").out.splitlines()
    assert json.loads(rows[0])["status"] == "interrupted"


def test_a_second_interrupt_ends_the_program_at_once_whatever_still_runs(tmp_path: Path, script: Script) -> None:
    file = tmp_path / "stubborn.py"
    file.write_text(
        "import asyncio\nfrom airoagent import tool\n\n@tool\nasync def stubborn(text: str) -> str:\n"
        '    """Will not be stopped."""\n    while True:\n        try:\n            await asyncio.sleep(60)\n'
        "        except asyncio.CancelledError:\n            print('no', flush=True)\n"
    )
    command = [sys.executable, "-m", "airoagent", "-m", script(ECHO.replace("echo", "stubborn")), "--tools", file, "q"]
    env = {**os.environ, "AIRO_DISPLAY": "json"}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPO, env=env)
    assert process.stderr is not None and process.stdout is not None
    next(line for line in process.stderr if '"step_started"' in line)
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "no\n"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130


def test_a_reader_that_goes_away_is_no_error(script: Script, tools: str) -> None:
    command = f"{sys.executable} -m airoagent tools | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=REPO, timeout=60)
    assert done.stderr == "" and done.stdout.count("\n") == 1


def test_evidence_with_terminal_codes_and_markup_is_shown_as_text(airo: Airo, script: Script, tools: str) -> None:
    plan = ":evidence0: = echo[[bold]x[/bold] \x1b[31mred\x1b[0m \u202egnihton]\nAnswer: :evidence0:"
    result = airo("-m", script(plan), "--tools", tools, "q")
    assert result.code == 0 and "[bold]x[/bold]" in result.out
    assert "\x1b" not in result.out + result.err and "\u202e" not in result.out + result.err


def test_no_store_keeps_no_record(airo: Airo, script: Script, tools: str) -> None:
    assert airo("-m", script(ECHO), "--tools", tools, "--no-store", "q").out == "hello\n"
    assert airo("runs").out == ""


def test_a_bug_is_told_as_one_and_traceback_shows_it(airo: Airo, monkeypatch: pytest.MonkeyPatch) -> None:
    from airoagent.records.store import Store

    def broken(*args: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(Store, "list", broken)
    result = airo("runs")
    assert (
        result.code == 1 and "unexpected error: ZeroDivisionError: oops" in result.err and "--traceback" in result.err
    )
    with pytest.raises(ZeroDivisionError):
        airo("runs", "--traceback")


def test_with_a_schema_stdout_holds_json_and_nothing_else(airo: Airo, tmp_path: Path) -> None:
    schema = tmp_path / "lake.json"
    schema.write_text('{"type": "object", "properties": {"depth": {"type": "integer"}}, "required": ["depth"]}')
    result = airo("--docs", LIBRARY, "--schema", str(schema), "--display", "none", "How deep is Lake Baikal?")
    assert result.code == 0 and json.loads(result.out) == {"depth": 1642}
    for wrong in ("{", '{"type": 3}', str(tmp_path / "none.json")):
        refused = airo("--docs", LIBRARY, "--schema", wrong, "How deep is Lake Baikal?")
        assert refused.code == 2 and "schema" in refused.err and refused.out == ""
