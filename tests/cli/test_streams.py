"""Streams that are full, closed or read by a program that has gone, and Ctrl-C while a command starts: on any verb."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import LIBRARY, REPO

AIRO = [sys.executable, "-m", "airoagent"]
VERBS = [
    ["ask", "--docs", LIBRARY, "How deep is Lake Baikal?"],
    ["runs", "show", "plans/nobel-literature.jsonl"],
    ["tools"],
    ["config"],
    ["doctor"],
    ["help"],
    ["--version"],
]
NAMES = [verb[0] for verb in VERBS]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device")
@pytest.mark.parametrize("verb", VERBS, ids=NAMES)
def test_a_full_output_is_one_sentence_and_exit_1(verb: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*AIRO, *verb], stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, text=True, cwd=REPO
        )
    assert done.returncode == 1
    assert done.stderr.count("error: the output cannot be written: No space left on device") == 1
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr


@pytest.mark.parametrize("verb", VERBS, ids=NAMES)
def test_a_reader_that_has_gone_ends_a_command_in_silence(verb: list[str]) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    done = subprocess.run(
        [*AIRO, *verb], stdin=subprocess.DEVNULL, stdout=theirs, stderr=subprocess.PIPE, text=True, cwd=REPO
    )
    os.close(theirs)
    assert done.returncode == 0
    assert not {"error", "Traceback", "BrokenPipe"} & set(done.stderr.replace(":", " ").split())


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("verb", VERBS, ids=NAMES)
def test_closed_streams_change_no_exit_code_and_print_no_traceback(verb: list[str], closed: str) -> None:
    command = ["sh", "-c", f'exec "$@" {closed}', "sh", *AIRO, *verb]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=REPO)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert (done.stdout == "") == (">&-" in closed.replace("2>&-", ""))


@pytest.mark.parametrize("module", ["click", "airoagent.cli.app", "airoagent.errors", "airoagent.cli.display"])
@pytest.mark.parametrize("verb", VERBS[:-1], ids=NAMES[:-1])
def test_ctrl_c_while_a_command_starts_ends_it_without_a_traceback(verb: list[str], module: str) -> None:
    """A finder sends it when the module is looked for, so at no point of the clock."""
    code = (
        "import os, signal, sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {module!r}: os.kill(os.getpid(), {int(signal.SIGINT)})\n"
        "sys.meta_path.insert(0, Finder())\n"
        "from airoagent.cli import main\n"
        f"main({verb!r})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=REPO
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
