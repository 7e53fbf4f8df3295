"""The command line as a user meets it: a function for calls in this process, and one for a process of its own."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from airoagent.cli.app import run

REPO = Path(__file__).parents[2]
LIBRARY = str(REPO / "examples" / "library")


@dataclass(frozen=True)
class Result:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


Airo = Callable[..., Result]


@pytest.fixture
def airo(capsys: pytest.CaptureFixture[str]) -> Airo:
    """Call ``airo`` in this process."""

    def call(*args: str) -> Result:
        code = run([str(arg) for arg in args])
        printed = capsys.readouterr()
        return Result(code, printed.out, printed.err)

    return call


@pytest.fixture
def shell() -> Airo:
    """Call ``airo`` in a process of its own, with text on its standard input."""

    def call(*args: str, input: str = "", timeout: float = 60) -> Result:
        command = [sys.executable, "-m", "airoagent", *map(str, args)]
        done = subprocess.run(command, input=input, capture_output=True, text=True, timeout=timeout, cwd=REPO)
        return Result(done.returncode, done.stdout, done.stderr)

    return call


def on_terminal(*args: str, columns: int = 80, keys: Sequence[tuple[str, str]] = (), **env: str) -> tuple[int, str]:
    """Run ``airo`` on a terminal of this width: its exit code, and all it shows there.

    ``keys`` are pairs: when the first shows up, the second is typed, in turn.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environ = {**{name: value for name, value in os.environ.items() if name != "NO_COLOR"}, "TERM": "xterm", **env}
    process = subprocess.Popen(
        [sys.executable, "-m", "airoagent", *args], stdin=theirs, stdout=theirs, stderr=theirs, cwd=REPO, env=environ
    )
    os.close(theirs)
    shown, left = b"", list(keys)
    with contextlib.suppress(OSError):  # what Linux says when the other side has closed
        while piece := os.read(ours, 4096):
            shown += piece
            if left and left[0][0].encode() in shown:
                os.write(ours, left.pop(0)[1].encode() + b"\n")
    os.close(ours)
    return process.wait(timeout=60), shown.decode()


@pytest.fixture
def script(tmp_path: Path) -> Callable[..., str]:
    """Write a script for ``-m scripted:FILE``: a plan, and answers."""
    import json

    def write(plan: str, *answers: str) -> str:
        file = tmp_path / "script.jsonl"
        rows = [{"purpose": "plan", "text": plan}, *({"purpose": "answer", "text": text} for text in answers)]
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return f"scripted:{file}"

    return write


@pytest.fixture
def tools(tmp_path: Path) -> str:
    """A tool file with tools that work, fail and hang."""
    file = tmp_path / "my_tools.py"
    file.write_text(
        "import asyncio\nfrom airoagent import tool\n\n"
        '@tool\ndef echo(text: str) -> str:\n    """Says what it is told."""\n    return text\n\n'
        '@tool\ndef fails(text: str) -> str:\n    """Never works."""\n    raise ValueError("no luck")\n\n'
        '@tool\nasync def hangs(text: str) -> str:\n    """Never ends."""\n    await asyncio.Event().wait()\n'
        "    return text\n\n"
        '@tool(side_effects=True)\ndef send(text: str) -> str:\n    """Sends a letter."""\n    return "sent"\n',
        encoding="utf-8",
    )
    return str(file)


PAYING = '''
import pathlib, time
from airoagent import tool

here = pathlib.Path(__file__).parent

@tool
def pays(text: str) -> str:
    """Costs money."""
    with (here / "ledger").open("a") as file:
        file.write(text + "\\n")
    return "paid"

@tool
def waits(text: str) -> str:
    """Answers when the gate is open."""
    (here / "waiting").touch()
    while not (here / "gate").exists():
        time.sleep(0.01)
    return "open"
'''
"""A file of tools: one that must not be called twice, and one that waits for a gate."""

GATED = PAYING.replace("time.sleep(0.01)", 'raise ValueError("shut")')
"""The same, but the second fails as long as there is no gate."""
