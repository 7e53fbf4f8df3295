"""``airo chat``: turns from a pipe, as from a terminal; and ``airo -c``, a follow-up from the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.cli.conftest import LIBRARY, REPO, Airo


def test_a_follow_up_is_completed_shown_and_answered(shell: Airo) -> None:
    talk = "Where is the Eiffel Tower?\nAnd how tall is it?\n/runs\n/why\n/tools\n/nonsense\n/help\n"
    result = shell("chat", "--docs", "examples/library", input=talk)
    assert result.code == 0
    assert "asked: How tall is the Eiffel Tower?" in result.err
    assert "330" in result.out and "docs://library/" in result.out
    assert "How tall is the Eiffel Tower?" in result.out and "DocumentSearch" in result.out
    assert "/nonsense is not a command" in result.out and "/quit" in result.out
    assert "enables the user to search" in result.out


def test_save_writes_the_conversation_as_a_report(shell: Airo, tmp_path: Path) -> None:
    file = tmp_path / "talk.md"
    talk = f"/save {file}\nHow deep is Lake Baikal?\nWhere do otters sleep?\n/save\n/save {tmp_path}\n/save {file}\n"
    result = shell("chat", "--docs", "examples/library", input=talk)
    assert result.code == 0 and "nothing has been asked yet" in result.out and "needs the name" in result.out
    assert f"{tmp_path} cannot be written" in result.err and f"saved to {file}" in result.out
    report = file.read_text()
    assert report.index("# How deep is Lake Baikal?") < report.index("# Where do otters sleep?") and "1,642" in report


def test_model_switches_the_model_of_the_following_turns_and_keeps_the_talk(shell: Airo, tmp_path: Path) -> None:
    plan = tmp_path / "plan.txt"
    plan.write_text(":evidence0: = DocumentSearch[Eiffel Tower height]\nAnswer: :evidence0:")
    scripted = f"scripted:{plan}"
    talk = (
        f"Where is the Eiffel Tower?\n/model {scripted}\nAnd how tall is it?\n/model\n/model none-such\n"
        f"/model extractive\nAnd when was it built?\n/runs\n"
    )
    result = shell("chat", "--docs", "examples/library", input=talk)
    assert result.code == 0 and result.err.count("asked:") == 2 and "none-such" in result.err
    listed = [line.split(maxsplit=2) for line in result.out.splitlines()[-3:]]
    questions = ["Where is the Eiffel Tower?", "How tall is the Eiffel Tower?", "When was the Eiffel Tower built?"]
    assert [(model, asked) for _, model, asked in listed] == list(
        zip(["extractive", scripted, "extractive"], questions, strict=True)
    )
    assert "DocumentSearch" in shell("runs", "show", listed[1][0]).out
    followed = shell("chat", "-c", input=f"/new\n/model {scripted}\nHow tall is it?\n")
    assert followed.code == 0 and "Eiffel" in followed.out  # the documents of the talk are kept, too


def test_lines_that_end_in_a_backslash_go_on(shell: Airo) -> None:
    result = shell("chat", "--docs", "examples/library", input="Where do otters \\\nsleep?\n/quit\nnever asked\n")
    assert result.code == 0 and "otter" in result.out.lower() and "never" not in result.out


def test_what_goes_wrong_in_a_turn_does_not_end_the_talk(shell: Airo) -> None:
    result = shell("chat", "-m", "scripted:/nonexistent.json", input="hello\n")
    assert result.code == 3
    result = shell("chat", "--docs", "examples/library", input="xyzzy plugh?\n...\nWhere do otters sleep?\n")
    assert result.code == 0 and "otter" in result.out.lower() and "there is no question" in result.err


def test_a_follow_up_goes_on_from_the_last_run_with_its_documents(airo: Airo) -> None:
    assert airo("--docs", LIBRARY, "Where is the Eiffel Tower?").code == 0
    result = airo("-c", "And how tall is it?", "--display", "plain")
    assert result.code == 0 and "330" in result.out
    assert "asked: How tall is the Eiffel Tower?" in result.err
    run = json.loads(airo("-c", "And when was it built?", "--json", "--display", "none").out)
    assert run["question"] == "When was the Eiffel Tower built?" and run["events"][0]["parent"]
    assert airo("replay", "@last").code == 0


def test_a_follow_up_goes_on_from_a_named_run_and_from_the_text_that_it_was_about(airo: Airo, tmp_path: Path) -> None:
    text = tmp_path / "lease.txt"
    text.write_text("The lease of the workshop ends on 3 May 2027. The rent of the workshop is 900 euros.")
    run = json.loads(airo("ask", "--context", str(text), "--json", "When does the lease end?").out)
    assert airo("--docs", LIBRARY, "Where do otters sleep?").code == 0
    assert "900 euros" in airo("--after", run["id"], "How high is the rent of the workshop?").out
    assert "--continue has no effect with --after" in airo("-c", "--after", run["id"], "Why?").err


def test_a_follow_up_without_a_run_before_it_is_refused(airo: Airo) -> None:
    result = airo("-c", "And when was he born?")
    assert result.code == 6 and "there are no runs yet" in result.err


def test_a_chat_goes_on_from_the_last_run(shell: Airo) -> None:
    assert shell("--docs", LIBRARY, "Where is the Eiffel Tower?").code == 0
    result = shell("chat", "-c", input="And how tall is it?\n")
    assert result.code == 0 and "asked: How tall is the Eiffel Tower?" in result.err and "330" in result.out


HANGS = '''
import threading
from airoagent import tool

@tool
def hangs(text: str) -> str:
    """Says that it has been called, and never ends."""
    open(PIPE, "w").close()
    threading.Event().wait()
    return text
'''


def test_each_ctrl_c_stops_one_question_and_the_talk_goes_on(tmp_path: Path) -> None:
    pipe, script = tmp_path / "called", tmp_path / "script.jsonl"
    os.mkfifo(pipe)
    (tmp_path / "hangs.py").write_text(HANGS.replace("PIPE", repr(str(pipe))))
    plan = {"purpose": "plan", "text": ":evidence0: = hangs[x]\nAnswer: :evidence0:"}
    script.write_text(f"{json.dumps(plan)}\n" * 2)
    command = [sys.executable, "-m", "airoagent", "chat", "-m", f"scripted:{script}", "--tools", tmp_path / "hangs.py"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=REPO
    ) as chat:
        assert chat.stdin is not None and chat.stderr is not None
        for question in ("one?", "two?"):
            print(question, file=chat.stdin, flush=True)
            pipe.open().close()  # opened by the other side when the tool is called
            chat.send_signal(signal.SIGINT)
            assert any("stopped" in line for line in chat.stderr)
        chat.stdin.close()
        assert chat.wait(60) == 0


def test_bytes_that_are_no_text_do_not_end_the_talk(tmp_path: Path) -> None:
    talk = b"Where do otters \xff sleep?\n/save a\0b\n/runs\n"
    environ = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}
    command = [sys.executable, "-m", "airoagent", "chat", "--docs", LIBRARY]
    done = subprocess.run(command, input=talk, capture_output=True, env=environ, cwd=REPO)
    out, err = done.stdout.decode(), done.stderr.decode()
    assert done.returncode == 0 and "Where do otters \ufffd sleep?" in out and "cannot be written" in err, err
