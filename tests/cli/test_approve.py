"""Approval at a terminal: yes, no, always, an edited input; and never a prompt where there is no terminal."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from airoagent import Agent, ScriptedModel, Step, Tool, tool
from airoagent.cli import approve
from tests.cli.conftest import REPO, Airo, Result, on_terminal
from tests.running import make_agent

TOOLS = '''
from airoagent import Agent, ScriptedModel, Step, Tool, tool

@tool(side_effects=True)
async def send(text: str) -> str:
    """Sends something."""
    return f"sent {text}"
'''
TWO = ":evidence0: = send[a]\n:evidence1: = send[:evidence0: b]\nAnswer: :evidence1:"
Script = Callable[..., str]


@pytest.fixture
def senders(tmp_path: Path) -> str:
    file = tmp_path / "senders.py"
    file.write_text(TOOLS)
    return str(file)


def at_a_terminal(*args: str, keys: str, stop: bool = False, editor: str = "") -> Result:
    """``airo`` in a process whose terminal types one key (and a newline) at each question; ``stop``: Ctrl-C there."""
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "airoagent", *args]
    process = subprocess.Popen(
        command,
        stdin=slave,
        stderr=slave,
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPO,
        env={**os.environ, "EDITOR": editor, "VISUAL": editor, "TERM": "dumb"},
    )
    os.close(slave)
    shown, asked = b"", 0
    with contextlib.suppress(OSError):  # the terminal is gone with the process
        while piece := os.read(master, 4096):
            shown += piece
            if shown.count(b"[y/n/a/e]") > asked:
                asked += 1
                if stop:
                    process.send_signal(signal.SIGINT)
                else:
                    os.write(master, keys[asked - 1].encode() + b"\n")
    os.close(master)
    out, _ = process.communicate(timeout=60)
    return Result(process.returncode, out, shown.decode())


@pytest.mark.parametrize(
    ("keys", "code", "out"),
    [("yy", 0, "sent sent a b"), ("a", 0, "sent sent a b"), ("n", 5, ""), ("?yy", 0, "sent sent a b"), ("yn", 5, "")],
)
def test_each_call_is_asked_about_until_always(keys: str, code: int, out: str, script: Script, senders: str) -> None:
    result = at_a_terminal("-m", script(TWO), "--tools", senders, "--display", "plain", "q", keys=keys)
    assert (result.code, result.out.strip()) == (code, out)
    assert result.err.count("[y/n/a/e]") == len(keys)


def test_the_input_may_be_edited_before_the_call(script: Script, senders: str, tmp_path: Path) -> None:
    editor = tmp_path / "editor.sh"
    editor.write_text('#!/bin/sh\nprintf "changed\\n" > "$1"\n')
    editor.chmod(0o755)
    plan = ":evidence0: = send[a]\nAnswer: :evidence0:"
    options = ("-m", script(plan), "--tools", senders, "--display", "plain", "q")
    result = at_a_terminal(*options, keys="e", editor=str(editor))
    assert (result.code, result.out) == (0, "sent changed\n")


def test_without_an_editor_the_question_is_asked_again(script: Script, senders: str) -> None:
    options = ("-m", script(":evidence0: = send[a]\nAnswer: :evidence0:"), "--tools", senders, "--display", "none", "q")
    result = at_a_terminal(*options, keys="ey", editor="no-such-editor")
    assert (result.code, result.out) == (0, "sent a\n") and "the editor failed" in result.err


@pytest.mark.parametrize("display", ["plain", "auto", "rich"])
def test_an_interrupt_at_the_question_ends_the_run_calls_nothing_and_says_how_to_go_on(
    script: Script, senders: str, display: str
) -> None:
    result = at_a_terminal("-m", script(TWO), "--tools", senders, "--display", display, "q", keys="", stop=True)
    assert result.code == 130 and result.out == "" and "\nfinish it: airo resume " in result.err.replace("\r", "")


def test_a_long_or_hostile_input_is_shown_harmless_and_with_its_length(script: Script, senders: str) -> None:
    text = "\x1b[2J" + "".join(map(str, range(1030)))[:3000] + " rm -rf"
    plan = f":evidence0: = send[{text}]\nAnswer: :evidence0:"
    result = at_a_terminal("-m", script(plan), "--tools", senders, "--display", "none", "q", keys="n")
    assert "\x1b[2J" not in result.err and "3,011 characters" in result.err


def test_without_a_terminal_nothing_is_asked_and_nothing_called(
    shell: Airo, script: Script, senders: str, tools: str
) -> None:
    # Text that is piped in would be what the question is about, and no plan would be written.
    result = shell("-m", script(TWO), "--tools", senders, "q", input="")
    assert result.code == 2 and result.out == "" and "needs your approval" in result.err
    assert "[y/n/a/e]" not in result.err
    model = script(":evidence0: = echo[x]\nAnswer: :evidence0:")
    everything = shell("--approve", "-m", model, "--tools", tools, "q", input="y\n")
    assert everything.code == 2 and "needs your approval" in everything.err


def test_one_asker_serves_several_event_loops_one_question_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    asking: list[int] = [0]

    def ask(self: object, *call: object) -> bool:
        asking[0] += 1
        assert asking[0] == 1
        asking[0] -= 1
        return True

    @tool(side_effects=True)
    async def send(text: str) -> str:
        """Sends something."""
        return text

    monkeypatch.setattr(approve._Asker, "_ask", ask)
    plan = "".join(f":evidence{n}: = send[{n}]\n" for n in range(6)) + "Answer: :evidence5:"
    asker = approve._Asker()
    for _ in range(2):
        assert asyncio.run(make_agent(plan, send, approve=asker).arun("q")).answer == "5"


@pytest.mark.parametrize("key", ["y", "n"])
def test_private_text_is_asked_about_by_name_before_it_leaves(script: Script, tmp_path: Path, key: str) -> None:
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "lease.md").write_text("The codeword of the lease is Zimtstern.")
    results = tmp_path / "results.json"
    results.write_text('[{"query": "*", "results": [{"title": "T", "url": "https://a.example/", "snippet": "found"}]}]')
    plan = ":evidence0: = DocumentSearch[codeword]\n:evidence1: = DuckDuckGo[:evidence0:]\nAnswer: :evidence1:"
    options = ("-m", script(plan), "--docs", str(tmp_path / "papers"), "--web", "--search", f"fixture:{results}")
    result = at_a_terminal(*options, "--display", "none", "What is the codeword?", keys=key)
    asked = " ".join(result.err.split())
    assert "would send text of evidence0 (docs://papers/lease.md) off this machine" in asked
    assert (result.code, "found" in result.out) == ((0, True) if key == "y" else (5, False))


ASKS = ":evidence0: = AskUser[Which city do you live in?]\nAnswer: You live in :evidence0:."


def test_a_plan_asks_the_user_and_goes_on_with_the_answer(script: Script, airo: Airo) -> None:
    args = ("-m", script(ASKS), "-T", "AskUser", "Where do I live?")
    code, shown = on_terminal(*args, keys=[("> ", "Oslo, Norway")])
    assert code == 0 and "Which city do you live in?" in shown and "You live in Oslo, Norway." in shown
    assert airo("replay", "@last").out == "You live in Oslo, Norway.\n"
    code, shown = on_terminal(*args, keys=[("> ", "")])
    assert code == 5 and "the user did not answer" in " ".join(shown.split())


def test_a_question_to_the_user_is_refused_where_nobody_can_be_asked(script: Script, shell: Airo) -> None:
    result = shell("-m", script(ASKS), "-T", "AskUser", "Where do I live?")
    assert result.code == 2 and "nobody can be asked here" in result.err and "Which city" in result.err


def test_from_python_the_text_that_approve_returns_is_the_answer() -> None:
    async def approve(step: Step, tool: Tool, question: str) -> str | bool:
        return "Oslo" if tool.name == "AskUser" and question == "Which city do you live in?" else True

    agent = Agent(ScriptedModel([ASKS]), ["AskUser"], approve=approve, store=False)
    assert agent.run("Where do I live?").answer == "You live in Oslo."

    async def yes(step: Step, tool: Tool, question: str) -> bool:
        return True

    run = Agent(ScriptedModel([ASKS]), ["AskUser"], approve=yes, store=False).run("Where do I live?")
    assert run.status == "failed" and "did not answer" in run.failure.message  # type: ignore[union-attr]
