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


def test_nothing_is_loaded_before_the_command_line_has_taken_over_ctrl_c() -> None:
    """What Python loads by itself apart, also where the current folder is on the path."""
    code = (
        "import sys; before = set(sys.modules); import airoagent.cli; print(*sorted(set(sys.modules) - before))\n"
        "import _signal\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        print(name, _signal.getsignal(2) is not _signal.default_int_handler); sys.exit()\n"
        "sys.meta_path.insert(0, Finder())\n"
        "airoagent.cli.main(['models'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPO)
    loaded, first = done.stdout.splitlines()
    assert (loaded, done.stderr) == ("airoagent airoagent.cli", "")
    assert first.endswith(" True"), f"{first.split()[0]} is imported before"


@pytest.mark.parametrize("moment", [60, 1_000, 10_000, 30_000, 100_000, 200_000, 300_000])
def test_ctrl_c_at_any_moment_of_a_command_leaves_no_traceback(moment: int, tmp_path: Path) -> None:
    """Moments are counted in lines of Python that were run, so that the clock has no part in it."""
    code = (
        "import os, sys\n"
        "from airoagent.cli import main\n"
        "count = 0\n"
        "def trace(frame, event, arg):\n"
        "    global count\n"
        "    count += 1\n"
        f"    if count == {moment}: os.kill(os.getpid(), {int(signal.SIGINT)})\n"
        "    return trace\n"
        "sys.settrace(trace)\n"
        "main(['ask', '--docs', 'examples/library', 'How deep is Lake Baikal?'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=REPO,
        env={**os.environ, "AIRO_HOME": str(tmp_path)},
    )
    assert done.returncode == 130 and "Traceback" not in done.stderr, done.stderr


def test_ctrl_c_while_python_shuts_down_leaves_no_traceback() -> None:
    code = (
        "import atexit, os\n"
        f"atexit.register(lambda: [os.kill(os.getpid(), {int(signal.SIGINT)}), list(map(str, range(9)))])\n"
        "from airoagent.cli import main\n"
        "main(['tools', 'show', 'Today'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPO)
    assert (done.returncode, done.stderr) == (130, "")
    assert '"name": "Today"' in done.stdout
